"""The comparison with the paper: the rule, the paper's numbers, what is comparable."""

import dataclasses
import functools
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from rote.storage import to_json
from rote.studies.comparison import judge, numbers, page, select
from rote.studies.comparison.rule import prediction_interval, t_quantile
from rote.studies.zhang2017.paper import recipe
from rote.studies.zhang2017.published import PUBLISHED, TABLE_1

compare = functools.partial(numbers.compare, recipe=recipe)
differing_settings = functools.partial(numbers.differing_settings, recipe=recipe)

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "zhang2017"


# --- the rule


@pytest.mark.parametrize(("n", "printed"), [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262)])
def test_t_quantiles_are_those_of_printed_tables(n, printed):
    assert t_quantile(n) == pytest.approx(printed, abs=5e-4)
    assert scipy.stats.t.cdf(t_quantile(n), n - 1) == pytest.approx(0.975)


def test_the_prediction_interval_by_hand():
    # mean 0.5, s = 0.01, n = 3: 4.3027 * 0.01 * sqrt(4/3) = 0.049683
    low, high = prediction_interval([0.49, 0.5, 0.51], 0.4)
    assert (low, high) == pytest.approx((0.1 - 0.049683, 0.1 + 0.049683), abs=1e-6)


def test_the_prediction_interval_holds_another_run_in_95_of_100_cases():
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        *seen, new = random.normal(0.7, 0.01, 4)
        low, high = prediction_interval(seen, 0.0)
        hits += low <= new <= high
    assert abs(hits / 2000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.505, 0.506, 0.504), "agrees"),  # half width 0.5 points around 0
        ((0.515, 0.515, 0.515), "agrees"),  # the margin itself is within
        ((0.5151, 0.5151, 0.5151), "differs"),
        ((0.495, 0.495, 0.495), "agrees"),
        ((0.4949, 0.4949, 0.4949), "differs"),
        ((0.60, 0.61, 0.60), "differs"),
        ((0.40, 0.41, 0.40), "differs"),
        ((0.50, 0.51, 0.505), "inconclusive"),  # half width 2.5 points
        ((0.45, 0.51, 0.60), "inconclusive"),
        ((0.505, 0.505), "too few"),
        ((0.9,), "too few"),
        ((), "not run"),
    ],
)
def test_the_verdict(values, verdict):
    assert judge(values, 0.505, 0.01) == verdict


def test_what_comes_before_the_interval():
    values = (0.505, 0.505, 0.505)
    assert judge(values, 0.505, 0.01, comparable=False) == "not comparable"
    assert judge(values, 0.505, 0.01, tag="recalled") == "no verdict"
    assert judge(values, 0.505, 0.01, tag="recalled", comparable=False) == "no verdict"
    assert judge(values, 0.505, None) == "no verdict"
    assert judge((), 0.505, 0.01, tag="recalled") == "not run"
    assert judge((0.5,), 0.505, 0.01, comparable=False) == "not comparable"
    for tag in ("verified", "second-hand", "computed"):
        assert judge(values, 0.505, 0.01, tag=tag) == "agrees"


def test_one_run_is_enough_where_nothing_is_drawn():
    assert judge((0.0122,), 0.012, 0.01, drawn=False) == "agrees"
    assert judge((0.03,), 0.012, 0.01, drawn=False) == "differs"


# --- the paper's numbers


def test_all_of_table_1_is_there():
    assert len(TABLE_1) == 19
    values = [value for value in PUBLISHED if value.where == "Table 1"]
    assert len(values) == 38
    assert len({(*value.match.values(), value.column) for value in values}) == 38
    margins = {"test_accuracy": 0.01, "train_accuracy": 0.003}
    for value in values:
        assert value.margin == margins[value.column]
        assert value.tag == "second-hand"
        assert 0 < value.value <= 1


def test_the_other_numbers():
    by_key = {(v.where, v.what, v.column): v.value for v in PUBLISHED}
    assert by_key["Fig. 1c", "Inception, corruption 0", "test_error"] == 0.1425
    assert by_key["Fig. 1c", "Alexnet, corruption 0", "test_error"] == 0.2393
    assert by_key["Fig. 1c", "MLP 1x512, corruption 0", "test_error"] == 0.4949
    linear = [v.value for v in PUBLISHED if v.where == "Section 5"]
    assert linear == [0.012, 0.006, 0.46, 0.17, 0.15, 220.0, 390.0]
    assert {v.tag for v in PUBLISHED if v.where == "Table 4"} == {"recalled"}
    assert len(by_key) == len(PUBLISHED)


# --- what is comparable


@pytest.fixture
def compared(made):
    """``compared(table)`` is the paper's number beside those of the table."""

    def one(table, published=made.published, **kwargs):
        given = [made.result(table, **kwargs)]
        (found,) = compare([published], given, {published.experiment: made.config})
        return found

    return one


def cells(text, *start):
    """The cells of the table lines whose first cells are these."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return [line[len(start) :] for line in lines if line[: len(start)] == list(start)]


def test_a_number_beside_the_papers(made, compared):
    found = compared(made.rows(0.505, 0.506, 0.504))
    assert (found.verdict, found.n, found.reasons) == ("agrees", 3, ())
    assert found.mean == pytest.approx(0.505)
    assert found.sd == pytest.approx(0.001)
    assert found.difference == pytest.approx(-0.0001)
    assert found.interval == pytest.approx((-0.0001 - 0.0049683, -0.0001 + 0.0049683), abs=1e-6)


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        ({"subset": True, "num_train": 10_000}, ("10,000 of 50,000 images",)),
        ({"stored_as": "JPEG"}, ("JPEG copy",)),
        (
            {"subset": True, "num_train": 2_000, "stored_as": "JPEG"},
            ("2,000 of 50,000 images", "JPEG copy"),
        ),
    ],
)
def test_other_data_are_not_comparable_and_the_difference_is_shown(made, compared, data, reasons):
    found = compared(made.rows(0.4, 0.41, 0.42), data={**made.data, **data})
    assert (found.verdict, found.reasons) == ("not comparable", reasons)
    assert found.difference == pytest.approx(0.41 - 0.5051)
    assert found.interval is not None


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"learning_rate": (0.1,)}, ["learning_rate"]),
        ({"learning_rate_decay": 1.0}, ["learning_rate_decay"]),
        ({"batch_size": 64, "max_epochs": 7}, ["max_epochs", "batch_size"]),
        ({"optimizer": "adam", "learning_rate": (0.01,)}, ["optimizer"]),
        # Batch norm takes its statistics over a part of the batch: another training.
        ({"micro_batches": 4, "compute_dtype": "bfloat16"}, ["micro_batches", "compute_dtype"]),
        ({"seeds": (5, 6, 7, 8), "model": ("mlp_1x512", "mlp_3x512")}, []),
    ],
)
def test_other_settings_are_named(made, compared, change, fields):
    config = dataclasses.replace(made.config, **change)
    given = made.result(made.rows(0.5, 0.5, 0.5), config=config)
    assert differing_settings(given, "mlp_1x512", made.config) == fields
    found = compared(made.rows(0.505, 0.505, 0.505), config=config)
    assert found.verdict == ("not comparable" if fields else "agrees")
    assert found.reasons == ((f"other {', '.join(fields)}",) if fields else ())


def test_a_coefficient_matters_to_rows_with_weight_decay_only(made, compared):
    config = dataclasses.replace(made.config, weight_decay=0.1)
    assert compared(made.rows(0.505, 0.505, 0.505), config=config).reasons == ()
    decayed = next(
        value
        for value in PUBLISHED
        if value.match == {**made.published.match, "weight_decay": True}
        and value.column == "test_accuracy"
    )
    found = compared(made.rows(0.5, 0.5, 0.5, weight_decay=True), decayed, config=config)
    assert found.reasons == ("other weight_decay",)


def test_the_number_of_filters_matters_to_filters_only(made, experiment):
    preset = experiment("linear_models").PRESETS["paper_cifar10"]
    config = dataclasses.replace(preset, num_filters=7)
    for kind, reasons in (("pixels", ()), ("random_conv", ("other num_filters",))):
        row = {"dataset": "cifar10", "features": kind, "labels": "true", "l2": 0.0, "seed": 0}
        given = made.result([{**row, "test_error": 0.5}], experiment="linear_models")
        given = given._replace(config=to_json(config), settings={})
        (published,) = [
            value
            for value in PUBLISHED
            if value.dataset == "cifar10"
            and value.match.get("features") == kind
            and value.match["l2"] is False
        ]
        (found,) = compare([published], [given], {"linear_models": preset})
        assert found.reasons == reasons


def test_a_setting_that_came_later_counts_as_its_default(made):
    given = made.result(made.rows(0.5))
    del given.config["compute_dtype"]
    assert differing_settings(given, "mlp_1x512", made.config) == []


def test_a_run_without_a_value_is_told(made, compared):
    table = made.rows(0.505, 0.505, 0.505)
    table[1]["test_accuracy"] = None
    found = compared(table)
    assert found.verdict == "not comparable"
    assert found.reasons == ("1 of 3 runs without a value",)
    assert found.n == 2


def test_rows_are_found_by_their_setting(made):
    rows = made.rows
    table = [*rows(0.5, 0.6), *rows(0.7, weight_decay=True), *rows(0.1, labels="random")]
    found = select(made.result(table), made.published.match)
    assert [row["test_accuracy"] for row in found] == [0.5, 0.6]
    linear = [{"l2": 0.0, "x": 1}, {"l2": 0.5, "x": 2}, {"l2": None, "x": 3}]
    assert [row["x"] for row in select(made.result(linear), {"l2": True})] == [2]
    assert [row["x"] for row in select(made.result(linear), {"l2": False})] == [1]
    sweep = made.result([{"corruption": 1.0}])
    assert select(sweep, {"model": "mlp_1x512", "corruption": 1.0})
    assert not select(sweep, {"model": "alexnet_small", "corruption": 1.0})


def test_what_has_not_been_run_stays(made):
    found = compare(PUBLISHED, [made.result(made.rows(0.5, 0.5, 0.5))], {"table1": made.config})
    assert len(found) == len(PUBLISHED)
    verdicts = [item.verdict for item in found]
    assert verdicts.count("not run") == len(PUBLISHED) - 2  # test and train of one row


def test_other_data_sets_are_not_compared(made, compared):
    found = compared(made.rows(0.98, 0.98, 0.98), data={**made.data, "name": "digits"})
    assert (found.verdict, found.result) == ("not run", None)


def test_variants_of_a_setting_are_not_taken_for_seeds(made):
    published = next(v for v in PUBLISHED if v.match.get("l2") and v.dataset == "cifar10")
    table = [
        {**published.match, "l2": l2, "seed": seed, "test_error": error}
        for l2, error in ((0.1, 0.2), (1.0, 0.15))
        for seed in range(3)
    ]
    given = [made.result(table, experiment="linear_models")]
    found = compare([published], given, {"linear_models": made.config})
    assert [(item.variant, item.n, item.mean) for item in found] == [
        ("l2 0.1", 3, pytest.approx(0.2)),
        ("l2 1", 3, pytest.approx(0.15)),
    ]
    assert [item.verdict for item in found] == ["differs", "agrees"]
    text = page.section("zhang2017", found, [], given)
    assert cells(text, "Section 5", published.what, "test error, %")[1][-2:] == [
        "agrees",
        "1 (l2 1)",
    ]


def test_imagenet_is_compared_and_never_comparable(made, experiment):
    table = [
        {
            "model": "resnet_50",
            "labels": "random",
            "augmentation": False,
            "weight_decay": False,
            "seed": seed,
            "train_accuracy": 0.95,
            "test_accuracy": 0.001,
            "test_top_5": 0.005,
        }
        for seed in range(3)
    ]
    preset = experiment("imagenet").PRESETS["paper"]
    data = {**made.data, "name": "imagenet2012", "num_train": 1_281_167}
    given = made.result(table, experiment="imagenet", config=preset, data=data)
    values = [value for value in PUBLISHED if value.experiment == "imagenet"]
    found = [item for item in compare(values, [given], {"imagenet": preset}) if item.result]
    assert [(item.published.value, item.verdict) for item in found] == [
        (0.952, "not comparable"),
        (0.0011, "no verdict"),
        (0.0056, "no verdict"),
    ]
    assert found[0].reasons == ("ResNet-50 for Inception V3",)


def test_the_presets_have_the_settings_that_the_paper_has(experiment):
    """Every experiment that is here and has numbers of the paper has a preset to compare with."""
    here = {value.experiment for value in PUBLISHED}
    here = {name for name in here if (FOLDER / f"{name}.py").exists()}
    assert "table1" in here
    for name in here:
        module = experiment(name)
        assert "paper" in module.PRESETS
