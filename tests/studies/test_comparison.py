"""The comparison with the paper: the rule, the claims, the result files, the README's table."""

import dataclasses
import functools
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from rote.core import InputError
from rote.record import RunDir
from rote.storage import to_json
from rote.studies import zhang2017
from rote.studies.comparison import (
    Published,
    Result,
    judge,
    judge_claims,
    mean_interval,
    numbers,
    page,
    results,
    select,
)
from rote.studies.comparison.findings import paired_differences
from rote.studies.comparison.results import reached, read_results, save
from rote.studies.comparison.rule import prediction_interval, t_quantile
from rote.studies.config import TrainConfig
from rote.studies.zhang2017 import findings
from rote.studies.zhang2017.claims import claims
from rote.studies.zhang2017.paper import COLUMNS, MEASURED, recipe
from rote.studies.zhang2017.published import PUBLISHED, TABLE_1

compare = functools.partial(numbers.compare, recipe=recipe)
differing_settings = functools.partial(numbers.differing_settings, recipe=recipe)
collect = functools.partial(results.collect, columns={*COLUMNS, *MEASURED})

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "zhang2017"

PAPER = TrainConfig(dataset="cifar10", model=("mlp_1x512",), learning_rate_decay=0.95)
FULL = {
    "name": "cifar10",
    "num_train": 50_000,
    "num_test": 10_000,
    "subset": False,
    "stored_as": "PNG",
}
SETTING = {
    "model": "mlp_1x512",
    "random_crop": False,
    "weight_decay": False,
    "labels": "true",
}
MLP = next(
    value for value in PUBLISHED if value.match == SETTING and value.column == "test_accuracy"
)
ENV = {
    "versions": {"python": "3.12.1", "rote": None, "jax": "0.10.2"},
    "devices": ["gpu:0 Some GPU", "gpu:1 Some GPU"],
    "cpu": "Some CPU",
    "cores": 16,
    "commit": {"id": "0123456789abcdef", "dirty": True},
    "started": "2026-01-01T00:00:00+00:00",
}


def load_experiment(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings_of(config):
    return {model: zhang2017.settled(config, model)._asdict() for model in config.model}


def rows(*test, train=1.0, **other):
    return [
        {**SETTING, **other, "seed": seed, "test_accuracy": value, "train_accuracy": train}
        for seed, value in enumerate(test)
    ]


def result(table, *, experiment="table1", config=PAPER, data=FULL, name="some"):
    return Result(
        name,
        experiment,
        f"python experiments/zhang2017/{experiment}.py --preset paper",
        to_json(config),
        to_json(settings_of(config)),
        [data],
        ENV,
        "2026-01-02T03:04:05+00:00",
        [reached(row, MEASURED) for row in table],
    )


def compared(table, published=MLP, **kwargs):
    (found,) = compare([published], [result(table, **kwargs)], {published.experiment: PAPER})
    return found


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


def test_a_number_beside_the_papers():
    found = compared(rows(0.505, 0.506, 0.504))
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
def test_other_data_are_not_comparable_and_the_difference_is_shown(data, reasons):
    found = compared(rows(0.4, 0.41, 0.42), data={**FULL, **data})
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
        ({"weight_decay": 0.1, "compute_dtype": "bfloat16"}, ["weight_decay", "compute_dtype"]),
        ({"seeds": (5, 6, 7, 8), "model": ("mlp_1x512", "mlp_3x512")}, []),
    ],
)
def test_other_settings_are_named(change, fields):
    config = dataclasses.replace(PAPER, **change)
    given = result(rows(0.5, 0.5, 0.5), config=config)
    assert differing_settings(given, "mlp_1x512", PAPER) == fields
    found = compared(rows(0.505, 0.505, 0.505), config=config)
    assert found.verdict == ("not comparable" if fields else "agrees")
    assert found.reasons == ((f"other {', '.join(fields)}",) if fields else ())


def test_the_number_of_filters_matters_to_filters_only():
    preset = load_experiment("linear_models").PRESETS["paper_cifar10"]
    config = dataclasses.replace(preset, num_filters=7)
    for kind, reasons in (("pixels", ()), ("random_conv", ("other num_filters",))):
        row = {"dataset": "cifar10", "features": kind, "labels": "true", "l2": 0.0, "seed": 0}
        given = Result(
            "some",
            "linear_models",
            "python experiments/zhang2017/linear_models.py",
            to_json(config),
            {},
            [FULL],
            ENV,
            "2026-01-02T03:04:05+00:00",
            [{**row, "test_error": 0.5}],
        )
        (published,) = [
            value
            for value in PUBLISHED
            if value.dataset == "cifar10"
            and value.match.get("features") == kind
            and value.match["l2"] is False
        ]
        (found,) = compare([published], [given], {"linear_models": preset})
        assert found.reasons == reasons


def test_a_setting_that_came_later_counts_as_its_default():
    given = result(rows(0.5))
    del given.config["compute_dtype"]
    assert differing_settings(given, "mlp_1x512", PAPER) == []


def test_a_run_without_a_value_is_told():
    table = rows(0.505, 0.505, 0.505)
    table[1]["test_accuracy"] = None
    found = compared(table)
    assert found.verdict == "not comparable"
    assert found.reasons == ("1 of 3 runs without a value",)
    assert found.n == 2


def test_rows_are_found_by_their_setting():
    table = [*rows(0.5, 0.6), *rows(0.7, weight_decay=True), *rows(0.1, labels="random")]
    assert [row["test_accuracy"] for row in select(result(table), SETTING)] == [0.5, 0.6]
    linear = [{"l2": 0.0, "x": 1}, {"l2": 0.5, "x": 2}, {"l2": None, "x": 3}]
    assert [row["x"] for row in select(result(linear), {"l2": True})] == [2]
    assert [row["x"] for row in select(result(linear), {"l2": False})] == [1]
    sweep = result([{"corruption": 1.0}])
    assert select(sweep, {"model": "mlp_1x512", "corruption": 1.0})
    assert not select(sweep, {"model": "alexnet_small", "corruption": 1.0})


def test_what_has_not_been_run_stays():
    found = compare(PUBLISHED, [result(rows(0.5, 0.5, 0.5))], {"table1": PAPER})
    assert len(found) == len(PUBLISHED)
    verdicts = [item.verdict for item in found]
    assert verdicts.count("not run") == len(PUBLISHED) - 2  # test and train of one row


def test_other_data_sets_are_not_compared():
    found = compared(rows(0.98, 0.98, 0.98), data={**FULL, "name": "digits"})
    assert (found.verdict, found.result) == ("not run", None)


def test_variants_of_a_setting_are_not_taken_for_seeds():
    published = next(v for v in PUBLISHED if v.match.get("l2") and v.dataset == "cifar10")
    table = [
        {**published.match, "l2": l2, "num_train": 50_000, "seed": seed, "test_error": error}
        for l2, error in ((0.1, 0.2), (1.0, 0.15))
        for seed in range(3)
    ]
    given = [result(table, experiment="linear_models")]
    found = compare([published], given, {"linear_models": PAPER})
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


def test_part_of_the_data_of_one_row_is_seen():
    published = Published(
        "Section 5",
        "x",
        "test_error",
        0.012,
        "verified",
        "linear_models",
        {"dataset": "mnist"},
        "mnist",
        drawn=False,
    )
    data = {**FULL, "name": "mnist", "num_train": 60_000}
    for num_train, verdict in ((60_000, "agrees"), (20_000, "not comparable")):
        table = [{"dataset": "mnist", "num_train": num_train, "seed": 0, "test_error": 0.0122}]
        found = compared(table, published, data=data, experiment="linear_models")
        assert found.verdict == verdict


# --- claims


def judged(table, text, *, experiment="table1"):
    found = judge_claims(claims(), [result(table, experiment=experiment)])
    (one,) = [
        item.finding
        for item in found
        if item.claim.text.startswith(text) and experiment in item.claim.experiments
    ]
    return one.measured, one.verdict


def random_rows(*test, train=1.0):
    return rows(*test, train=train, labels="random")


def test_random_labels_are_fitted_if_every_seed_is():
    text = "MLP 1x512 fits random labels"
    assert judged(random_rows(0.1, 0.1, 0.1, train=0.9901), text)[1] == "holds"
    table = random_rows(0.1, 0.1, 0.1)
    table[2]["train_accuracy"] = 0.9899
    assert judged(table, text) == ("98.9 to 100.0 % (3)", "does not hold")
    table[2]["train_accuracy"] = None  # diverged
    assert judged(table, text)[1] == "does not hold"
    assert judged(random_rows(0.1, 0.1), text)[1] == "too few"
    assert judged(rows(0.5, 0.5, 0.5), text) == ("-", "not run")


def test_at_chance_if_the_interval_of_the_mean_is_about_a_tenth():
    text = "MLP 1x512 is at chance"
    # s = 0.001, n = 3: 4.3027 * 0.001 / sqrt(3) = 0.002484
    assert mean_interval([0.101, 0.102, 0.103]) == pytest.approx(
        (0.102 - 0.002484, 0.102 + 0.002484), abs=1e-6
    )
    assert judged(random_rows(0.101, 0.102, 0.103), text)[1] == "holds"
    assert judged(random_rows(0.102, 0.103, 0.104), text)[1] == "does not hold"
    assert judged(random_rows(0.097, 0.096, 0.098), text)[1] == "does not hold"
    assert judged(random_rows(0.1, 0.1), text)[1] == "too few"
    assert judged(random_rows(0.1, 0.1, 0.1), text)[1] == "holds"  # a net that says one class
    assert judged(random_rows(0.08, 0.10, 0.12), text)[1] == "inconclusive"


def test_the_effect_of_a_regularizer_is_paired_by_seed():
    # Differences 0.01, 0.02, 0.03; s = 0.01; 4.3027 * 0.01 / sqrt(3) = 0.02484: not shown.
    plain, decayed = rows(0.50, 0.40, 0.30), rows(0.51, 0.42, 0.33, weight_decay=True)
    assert paired_differences(decayed[::-1], plain, "test_accuracy") == pytest.approx(
        [0.03, 0.02, 0.01]
    )
    text = "effect of weight decay on test accuracy, MLP 1x512"
    measured, verdict = judged([*plain, *decayed], text)
    assert measured == "+2.00 [-0.48, +4.48] points (3)"
    assert verdict == "no effect shown"
    # The spread between seeds cancels: 2.0, 2.1, 1.9 points.
    decayed = rows(0.52, 0.421, 0.319, weight_decay=True)
    assert judged([*plain, *decayed], text)[1] == "raises, unlike the paper"
    assert judged([*decayed, *rows(0.6, 0.501, 0.399)], text)[1] == "lowers, as in the paper"
    # A fourth seed without its partner does not enter.
    assert judged([*plain, *rows(0.5, 0.4, 0.3, 0.9, weight_decay=True)], text)[1] == (
        "no effect shown"
    )
    assert judged([*plain[:2], *decayed], text)[1] == "too few"


def test_every_pair_of_table_1_that_differs_in_one_treatment():
    texts = [claim.text for claim in claims() if claim.text.startswith("effect of")]
    counts = {
        treatment: sum(text.startswith(f"effect of {treatment} on test") for text in texts)
        for treatment in ("weight decay", "random crop", "batch norm")
    }
    assert counts == {"weight decay": 7, "random crop": 4, "batch norm": 2}
    assert "(paper: +3.03 points)" in " ".join(t for t in texts if "batch norm" in t)


def test_what_fails_to_converge():
    table = [
        {
            "model": "alexnet_small",
            "regularizer": "weight_decay",
            "seed": seed,
            "train_accuracy": 0.1,
            "test_accuracy": 0.1,
        }
        for seed in range(3)
    ]
    text = "Alexnet fails to fit"
    assert judged(table, text, experiment="explicit_regularizers") == ("10.0 % (3)", "holds")
    table[1]["train_accuracy"] = 1.0
    assert judged(table, text, experiment="explicit_regularizers")[1] == "does not hold"


def test_a_recalled_claim_gets_no_verdict():
    table = [
        {
            "model": "inception_small",
            "regularizer": regularizer,
            "seed": seed,
            "train_accuracy": value,
        }
        for regularizer, value in (("none", 1.0), ("random_crop", 0.9))
        for seed in range(3)
    ]
    measured, verdict = judged(
        table, "effect of random crop on fitting", experiment="explicit_regularizers"
    )
    assert (measured, verdict) == ("-10.00 [-10.00, -10.00] points (3)", "no verdict")


def test_early_stopping_and_norms():
    def gains(*values, model="cnn"):
        return [
            {"model": model, "seed": i, "gain_validation": value} for i, value in enumerate(values)
        ]

    text = "early stopping does not help"
    assert judged(gains(0.0, 0.001, -0.001), text, experiment="early_stopping")[1] == "holds"
    helped = gains(0.05, 0.051, 0.052)
    assert judged(helped, text, experiment="early_stopping")[1] == "does not hold"
    two = [*gains(0.0, 0.001, -0.001), *gains(0.05, 0.051, 0.052, model="cnn_no_bn")]
    measured, verdict = judged(two, text, experiment="early_stopping")
    assert measured.startswith("cnn: +0.00 [-0.25, +0.25] points (3); cnn_no_bn: +5.10 [")
    assert verdict == "does not hold"  # not for both networks
    assert judged(gains(0.0, 0.0), text, experiment="early_stopping")[1] == "too few"
    wide = gains(-0.1, 0.0, 0.1)
    assert judged(wide, text, experiment="early_stopping")[1] == "inconclusive"
    harm = gains(-0.05, -0.051, -0.052)
    assert judged(harm, text, experiment="early_stopping")[1] == "holds"
    linear = [
        {
            "dataset": "mnist",
            "features": features,
            "labels": labels,
            "l2": 0.0,
            "test_error": error,
            "norm": norm,
        }
        for features, labels, error, norm in (
            ("pixels", "true", 0.012, 220.0),
            ("gabor", "true", 0.006, 390.0),
            ("gabor", "random", 0.9, 2000.0),
        )
    ]
    text = "MNIST: the solution"
    assert judged(linear, text, experiment="linear_models")[1] == "holds"
    linear[1]["norm"] = 200.0
    assert judged(linear, text, experiment="linear_models")[1] == "does not hold"


# --- result files


@pytest.fixture
def run_dir(tmp_path):
    command = (
        "/opt/some/bin/python /home/me/rote/experiments/zhang2017/table1.py --preset paper "
        "--out '/home/me/my runs/x' --overwrite --seeds 0 1 2"
    )
    made = RunDir.create(tmp_path / "run", PAPER, command=command, devices=["cpu:0 cpu"])
    return made


def finish(run_dir, **changes):
    table = [{**row, "test_loss": 1.0} for row in rows(0.505, 0.506, 0.504)]
    settings = settings_of(PAPER)
    results = {"table": table, "data": FULL, "settings": settings, **changes}
    run_dir.finish("the table", **results)


def test_a_finished_run_becomes_a_small_file(run_dir, tmp_path):
    finish(run_dir)
    collected = collect(run_dir, "table1_full")
    path = save(collected, tmp_path / "results")
    assert path == tmp_path / "results" / "table1_full.json"
    text = path.read_text()
    assert "/home/me" not in text and "/opt" not in text
    assert collected.command == (
        "python experiments/zhang2017/table1.py --preset paper --seeds 0 1 2"
    )
    (read,) = read_results(tmp_path / "results")
    assert read.experiment == "table1"
    assert read.table == rows(0.505, 0.506, 0.504)  # without test_loss
    assert read.data == [FULL]
    assert read.config == run_dir.config
    assert set(read.env) >= {"versions", "devices", "cpu", "cores", "commit"}
    assert to_json(read) == to_json(collected)
    assert compare([MLP], [read], {"table1": PAPER})[0].verdict == "agrees"


def test_data_of_several_sets(run_dir):
    finish(run_dir, data={"a": FULL, "b": {**FULL, "name": "mnist"}})
    assert [entry["name"] for entry in collect(run_dir, "x").data] == ["cifar10", "mnist"]


def test_what_cannot_be_collected(run_dir):
    with pytest.raises(InputError, match="not finished"):
        collect(run_dir, "x")
    finish(run_dir, table=[{"seed": 0, "learning_rate": rate} for rate in (0.1, 0.2)])
    with pytest.raises(InputError, match="several learning rates"):
        collect(run_dir, "x")
    finish(run_dir, data=None)
    with pytest.raises(InputError, match="has no 'data'"):
        collect(run_dir, "x")
    for name in ("", "../x", "A b"):
        with pytest.raises(InputError, match="result name"):
            collect(run_dir, name)


def test_a_file_that_is_no_result(tmp_path):
    assert read_results(tmp_path / "absent") == []
    (tmp_path / "x.json").write_text('{"some": 1}')
    with pytest.raises(InputError, match=r"x\.json is no result file"):
        read_results(tmp_path)


# --- the README


def section(*given):
    found = compare(PUBLISHED, given, {"table1": PAPER})
    return page.section("zhang2017", found, judge_claims(claims(), given), given)


def cells(text, *start):
    """The cells of the table lines whose first cells are these."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return [line[len(start) :] for line in lines if line[: len(start)] == list(start)]


def test_the_table_says_what_was_found():
    jpeg = {**FULL, "subset": True, "num_train": 10_000, "stored_as": "JPEG"}
    text = section(
        result(rows(0.505, 0.506, 0.504), name="full"),
        result(rows(0.40, 0.41, 0.42), name="part", data=jpeg),
    )
    assert cells(text, "Table 1", "MLP 1x512", "test accuracy, %") == [
        ["50.51, second-hand", "50.50 ± 0.10 (3)", "-0.01 [-0.51, +0.49]", "agrees", "1"],
        [
            "50.51, second-hand",
            "41.00 ± 1.00 (3)",
            "-9.51 [-14.48, -4.54]",
            "not comparable: 10,000 of 50,000 images; JPEG copy",
            "2",
        ],
    ]
    assert cells(text, "Table 1", "MLP 1x512", "train accuracy, %")[0] == [
        "100.00, second-hand",
        "100.00 ± 0.00 (3)",
        "+0.00",
        "agrees",
        "1",
    ]
    assert cells(text, "Section 5", "MNIST, Gabor wavelets", "norm") == [
        ["390, verified", "", "", "not run", ""]
    ]
    assert (
        "1. [full](results/full.json): `python experiments/zhang2017/table1.py --preset paper`; "
        "CIFAR-10, all 50,000 images; 2 x Some GPU; python 3.12.1, jax 0.10.2; commit 0123456 "
        "with local changes; 2026-01-02." in text
    )
    assert "CIFAR-10, JPEG copy, 10,000 images" in text
    assert "None yet." in section()


def test_the_text_goes_between_the_markers_and_nothing_else_changes():
    readme = f"# A\n\n{page.BEGIN}\nold\n{page.END}\n\nrest\n"
    once = page.insert(readme, "new")
    assert once == f"# A\n\n{page.BEGIN}\n\nnew\n\n{page.END}\n\nrest\n"
    assert page.insert(once, "new") == once
    for broken in (
        readme.replace(page.BEGIN, ""),
        readme.replace(page.END, ""),
        readme + readme,
    ):
        with pytest.raises(InputError, match=r"the README has [02] lines"):
            page.insert(broken, "new")
    with pytest.raises(InputError, match="exchange them"):
        page.insert(f"{page.END}\n{page.BEGIN}", "new")


@pytest.fixture
def command(tmp_path):
    module = load_experiment("side_by_side")
    (tmp_path / "README.md").write_text(
        f"# A\n\n{page.BEGIN}\n{page.END}\n\nrest\n", encoding="utf-8"
    )
    return lambda *arguments: module.main(list(arguments), tmp_path)


def test_the_command(command, run_dir, tmp_path, capsys):
    assert command("--collect", str(run_dir.folder), "mine") == 2
    assert "not finished" in capsys.readouterr().err
    finish(run_dir)
    assert command("--collect", str(run_dir.folder), "mine") == 0
    assert json.loads((tmp_path / "results" / "mine.json").read_text())["experiment"] == "table1"
    assert command("--check") == 1
    assert "is not what the result files give" in capsys.readouterr().err
    assert command() == 0
    first = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "[mine](results/mine.json)" in first
    assert (tmp_path / "figures" / "side_by_side.png").stat().st_size > 10_000
    assert command("--check") == 0
    assert command() == 0
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == first


def test_a_readme_without_markers_is_refused(command, tmp_path, capsys):
    (tmp_path / "README.md").write_text("# A\n")
    for arguments in ((), ("--check",)):
        assert command(*arguments) == 2
        assert "put one where the comparison begins" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == "# A\n"


def test_the_committed_readme_is_what_the_committed_results_give():
    module = load_experiment("side_by_side")
    assert module.main(["--check"]) == 0


def test_the_presets_have_the_settings_that_the_paper_has(command):
    """Every experiment that is here and has numbers of the paper has a preset to compare with."""
    here = {value.experiment for value in PUBLISHED}
    here = {name for name in here if (FOLDER / f"{name}.py").exists()}
    assert "table1" in here
    for name in here:
        module = load_experiment(name)
        assert "paper" in module.PRESETS


# --- order and time


def curves_result(*epochs):
    """A result of learning curves: by seed, the epochs to fit of three conditions."""
    names = ("true", "gaussian", "random_labels")
    table = [
        {"model": "cnn", "condition": name, "seed": seed, "epochs_to_fit": value}
        for seed, values in enumerate(epochs)
        for name, value in zip(names, values, strict=True)
    ]
    return result(table, experiment="learning_curves")


@pytest.mark.parametrize(
    ("epochs", "measured", "verdict"),
    [
        (
            [(3, 5, 9), (3, 6, 8), (2, 5, 7)],
            "true first in 3, random labels last in 3 of 3",
            "holds",
        ),
        (
            [(3, 9, 5), (3, 6, 8), (2, 5, 7)],
            "true first in 3, random labels last in 2 of 3",
            "does not hold",
        ),
        (
            [(3, 5, None), (3, 3, 8), (2, 5, 7)],
            "true first in 2, random labels last in 3 of 3",
            "does not hold",
        ),
        (
            [(3, None, None), (3, 4, 8), (2, 5, 7)],
            "true first in 3, random labels last in 2 of 3",
            "does not hold",
        ),
        ([(3, 5, 9)], "true first in 1, random labels last in 1 of 1", "too few"),
    ],
)
def test_the_order_of_the_conditions(epochs, measured, verdict):
    assert findings.order(curves_result(*epochs)) == (measured, verdict)


@pytest.mark.parametrize(
    ("clean", "random", "measured", "verdict"),
    [
        ((10, 10, 10), (20, 20, 20), "2.00 [2.00, 2.00] times (3)", "holds"),
        ((10, 10, 10), (5, 20, 10), "1.00 [0.18, 5.59] times (3)", "does not hold"),
        ((10, 10), (20, 20), "2.00 times (2)", "too few"),
        ((10, 10, 10), (20, None, None), "fitted at both levels: 1 of 3 seeds", "no verdict"),
    ],
)
def test_the_time_that_random_labels_take(clean, random, measured, verdict):
    table = [
        {"model": "mlp_1x512", "corruption": level, "seed": seed, "epochs_to_fit": value}
        for level, values in ((0.0, clean), (1.0, random))
        for seed, value in enumerate(values)
    ]
    given = result(table, experiment="corruption_sweep")
    assert findings.slower("mlp_1x512")(given) == (measured, verdict)
    assert findings.slower("alexnet_small")(given) is None


def test_imagenet_is_compared_and_never_comparable():
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
    preset = load_experiment("imagenet").PRESETS["paper"]
    data = {**FULL, "name": "imagenet2012", "num_train": 1_281_167}
    given = result(table, experiment="imagenet", config=preset, data=data)
    values = [value for value in PUBLISHED if value.experiment == "imagenet"]
    found = [item for item in compare(values, [given], {"imagenet": preset}) if item.result]
    assert [(item.published.value, item.verdict) for item in found] == [
        (0.952, "not comparable"),
        (0.0011, "no verdict"),
        (0.0056, "no verdict"),
    ]
    assert found[0].reasons == ("ResNet-50 for Inception V3",)


# --- experiments without numbers of the paper


def constructed(n, weights, right=1.0, **other):
    row = {"num_points": n, "dim": 5, "depth": 2, "target": "classes", "seed": 0, **other}
    return {**row, "num_weights": weights, "labels_right": right}


@pytest.mark.parametrize(
    ("table", "measured", "verdict"),
    [
        (
            [constructed(10, 25), constructed(1000, 2005)],
            "2 of 2 networks, n = 10 to 1,000",
            "holds",
        ),
        ([constructed(10, 26)], "0 of 1 networks, n = 10 to 10", "does not hold"),
        ([constructed(10, 25, right=0.9)], "0 of 1 networks, n = 10 to 10", "does not hold"),
    ],
)
def test_the_theorem_is_judged_by_its_constructions(table, measured, verdict):
    given = result(table, experiment="expressivity")
    assert findings.theorem(given) == (measured, verdict)


def test_results_of_experiments_without_numbers_are_told_of(command, tmp_path):
    gaussian = {"name": "gaussian", "num_train": 1000, "subset": False, "num_test": 0}
    data = {**gaussian, "stored_as": None}
    theorem = result([constructed(10, 25)], experiment="expressivity", data=data, name="theorem")
    causes = result([{"cause": "no whitening"}], experiment="why_not_fitted", name="causes")
    for each in (theorem, causes):
        save(each, tmp_path / "results")
    assert command() == 0
    text = (tmp_path / "README.md").read_text()
    assert "gaussian, 1,000 points" in text and "[causes](results/causes.json)" in text
    assert "1 of 1 networks" in text


def test_a_run_that_diverged_has_reached_nothing():
    table = [*rows(0.505, 0.505, 0.505), *random_rows(0.1, 0.1, 0.1)]
    table[0]["status"] = table[3]["status"] = "diverged"
    found = compared(table)
    assert found.verdict == "not comparable" and found.n == 2
    assert found.reasons == ("1 of 3 runs without a value",)
    assert judged(table, "MLP 1x512 fits random labels") == ("0.0 to 100.0 % (3)", "does not hold")
    assert judged(table, "MLP 1x512 is at chance") == ("fitted: 2 of 3 seeds", "no verdict")
