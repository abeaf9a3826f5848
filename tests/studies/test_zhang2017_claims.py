"""The claims of Zhang et al. 2017, judged by what runs have reached."""

import functools

import pytest

from rote.studies.comparison import judge_claims, mean_interval, numbers
from rote.studies.comparison.findings import paired_differences
from rote.studies.zhang2017 import findings
from rote.studies.zhang2017.claims import claims
from rote.studies.zhang2017.paper import recipe

# --- claims


@pytest.fixture
def judged(made):
    """``judged(table, text)`` is what the claim that begins so says of the table."""

    def judge(table, text, *, experiment="table1"):
        found = judge_claims(claims(), [made.result(table, experiment=experiment)])
        (one,) = [
            item.finding
            for item in found
            if item.claim.text.startswith(text) and experiment in item.claim.experiments
        ]
        return one.measured, one.verdict

    return judge


@pytest.fixture
def random_rows(made):
    return functools.partial(made.rows, labels="random")


def test_random_labels_are_fitted_if_every_seed_is(made, judged, random_rows):
    text = "MLP 1x512 fits random labels"
    assert judged(random_rows(0.1, 0.1, 0.1, train=0.9901), text)[1] == "holds"
    table = random_rows(0.1, 0.1, 0.1)
    table[2]["train_accuracy"] = 0.9899
    assert judged(table, text) == ("98.99 to 100.00 % (3)", "does not hold")
    table[2]["train_accuracy"] = None  # diverged
    assert judged(table, text)[1] == "does not hold"
    assert judged(random_rows(0.1, 0.1), text)[1] == "too few"
    assert judged(made.rows(0.5, 0.5, 0.5), text) == ("-", "not run")


def test_learning_curves_of_a_network_tell_whether_it_fits_random_labels(made, judged):
    table = [
        row | {"condition": condition, "epochs_to_fit": 9}
        for condition, train in (("true", 0.9), ("random_labels", 0.995))
        for row in made.rows(0.1, 0.1, 0.1, train=train)
    ]
    text = "MLP 1x512 fits random labels"
    assert judged(table, text, experiment="learning_curves") == ("99.50 % (3)", "holds")


def test_a_condition_is_fitted_if_every_network_of_the_run_fits_it(made, judged):
    def curves(**train):
        return [
            row | {"condition": "gaussian", "epochs_to_fit": 9}
            for model, accuracy in train.items()
            for row in made.rows(0.1, 0.1, 0.1, train=accuracy, model=model)
        ]

    text = "the labels are fitted under gaussian"
    said = functools.partial(judged, text=text, experiment="learning_curves")
    assert said(curves(a=1.0, b=0.995)) == ("a: 100.00 % (3); b: 99.50 % (3)", "holds")
    assert said(curves(a=1.0, b=0.97)) == ("a: 100.00 % (3); b: 97.00 % (3)", "does not hold")
    assert said(curves(a=1.0, b=1.0)[:-1])[1] == "too few"


def test_at_chance_if_the_interval_of_the_mean_is_about_a_tenth(judged, random_rows):
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


def test_the_effect_of_a_regularizer_is_paired_by_seed(made, judged):
    # Differences 0.01, 0.02, 0.03; s = 0.01; 4.3027 * 0.01 / sqrt(3) = 0.02484: not shown.
    plain, decayed = made.rows(0.50, 0.40, 0.30), made.rows(0.51, 0.42, 0.33, weight_decay=True)
    assert paired_differences(decayed[::-1], plain, "test_accuracy") == pytest.approx(
        [0.03, 0.02, 0.01]
    )
    text = "effect of weight decay on test accuracy, MLP 1x512"
    measured, verdict = judged([*plain, *decayed], text)
    assert measured == "+2.00 [-0.48, +4.48] points (3)"
    assert verdict == "no effect shown"
    # The spread between seeds cancels: 2.0, 2.1, 1.9 points.
    decayed = made.rows(0.52, 0.421, 0.319, weight_decay=True)
    assert judged([*plain, *decayed], text)[1] == "raises, unlike the paper"
    assert judged([*decayed, *made.rows(0.6, 0.501, 0.399)], text)[1] == "lowers, as in the paper"
    # A fourth seed without its partner does not enter.
    assert judged([*plain, *made.rows(0.5, 0.4, 0.3, 0.9, weight_decay=True)], text)[1] == (
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


def test_what_fails_to_converge(judged):
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
    assert judged(table, text, experiment="explicit_regularizers") == ("10.00 % (3)", "holds")
    table[1]["train_accuracy"] = 1.0
    assert judged(table, text, experiment="explicit_regularizers")[1] == "does not hold"


def test_a_recalled_claim_gets_no_verdict(judged):
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


def test_early_stopping_and_norms(judged):
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


def test_a_run_that_diverged_has_reached_nothing(made, judged, random_rows):
    table = [*made.rows(0.505, 0.505, 0.505), *random_rows(0.1, 0.1, 0.1)]
    table[0]["status"] = table[3]["status"] = "diverged"
    given, presets = [made.result(table)], {"table1": made.config}
    (found,) = numbers.compare([made.published], given, presets, recipe=recipe)
    assert found.verdict == "not comparable" and found.n == 2
    assert found.reasons == ("1 of 3 runs without a value",)
    assert judged(table, "MLP 1x512 fits random labels") == (
        "0.00 to 100.00 % (3)",
        "does not hold",
    )
    assert judged(table, "MLP 1x512 is at chance") == ("fitted: 2 of 3 seeds", "no verdict")


# --- order and time


def curves(*epochs):
    """A table of learning curves: by seed, the epochs to fit of three conditions."""
    names = ("true", "gaussian", "random_labels")
    return [
        {"model": "cnn", "condition": name, "seed": seed, "epochs_to_fit": value}
        for seed, values in enumerate(epochs)
        for name, value in zip(names, values, strict=True)
    ]


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
def test_the_order_of_the_conditions(made, epochs, measured, verdict):
    given = made.result(curves(*epochs), experiment="learning_curves")
    assert findings.order(given) == (f"cnn: {measured}", verdict)


@pytest.mark.parametrize(
    ("clean", "random", "measured", "verdict"),
    [
        ((10, 10, 10), (20, 20, 20), "2.00 [2.00, 2.00] times (3)", "holds"),
        ((20, 20, 20), (10, 10, 10), "0.50 [0.50, 0.50] times (3)", "does not hold"),
        ((10, 10, 10), (5, 20, 10), "1.00 [0.18, 5.59] times (3)", "inconclusive"),
        ((10, 10), (20, 20), "2.00 times (2)", "too few"),
        ((10, 10, 10), (20, None, None), "both fitted: 1 of 3 seeds", "no verdict"),
    ],
)
def test_the_time_that_random_labels_take(made, clean, random, measured, verdict):
    given = made.result(sweep("epochs_to_fit", clean, random), experiment="corruption_sweep")
    assert findings.slower("mlp_1x512")(given) == (measured, verdict)
    assert findings.slower("alexnet_small")(given) is None


def test_learning_curves_tell_the_time_that_random_labels_take(made):
    table = [
        {"model": "mlp_1x512", "condition": condition, "seed": seed, "epochs_to_fit": epochs}
        for condition, epochs in (("true", 10), ("gaussian", 5), ("random_labels", 30))
        for seed in range(3)
    ]
    given = made.result(table, experiment="learning_curves")
    assert findings.slower("mlp_1x512")(given) == ("3.00 [3.00, 3.00] times (3)", "holds")


def test_the_time_to_a_lower_accuracy_is_shown_without_a_verdict(made):
    def found(fit, target):
        table = [
            {**row, **other}
            for row, other in zip(
                sweep("epochs_to_fit", (10, 10, 10), fit),
                sweep("epochs_to_target", (5, 5, 5), target),
                strict=True,
            )
        ]
        given = made.result(table, experiment="corruption_sweep")
        given.config["target_accuracy"] = 0.95
        return findings.slower("mlp_1x512")(given)

    shown = ("to 95 %: 3.00 [3.00, 3.00] times (3)", "no verdict")
    assert found((20, 20, None), (15, 15, 15)) == shown
    assert found((20, 20, 20), (15, 15, 15)) == ("2.00 [2.00, 2.00] times (3)", "holds")
    neither = ("both fitted: 2 of 3 seeds", "no verdict")
    assert found((20, 20, None), (15, 15, None)) == neither


def sweep(column, clean, random):
    return [
        {"model": "mlp_1x512", "corruption": level, "seed": seed, column: value}
        for level, values in ((0.0, clean), (1.0, random))
        for seed, value in enumerate(values)
    ]


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
def test_the_theorem_is_judged_by_its_constructions(made, table, measured, verdict):
    given = made.result(table, experiment="expressivity")
    assert findings.theorem(given) == (measured, verdict)
    assert findings.corollary(given) is None


@pytest.mark.parametrize(("width", "verdict"), [(13, "holds"), (14, "does not hold")])
def test_the_corollary_is_judged_by_weights_and_width(made, width, verdict):
    table = [
        constructed(10, 25),
        constructed(95, 195, depth=11, width=width),
        constructed(95, 195, depth=11, width=13),
    ]
    given = made.result(table, experiment="expressivity")
    found = findings.corollary(given)
    assert found.verdict == verdict
    assert found.measured == f"{1 + (width == 13)} of 2 networks, n = 95 to 95"


@pytest.mark.parametrize(
    ("with_", "without", "measured", "verdict"),
    [
        ((1, 1, 1), (3, 3, 3), "cnn: -2.00 [-2.00, -2.00] points (3)", "holds"),
        ((3, 3, 3), (1, 1, 1), "cnn: +2.00 [+2.00, +2.00] points (3)", "does not hold"),
        ((1, 3, 2), (3, 1, 2), "cnn: +0.00 [-4.97, +4.97] points (3)", "inconclusive"),
        ((1, 1), (3, 3), "n = 2", "too few"),
    ],
)
def test_batch_norm_steadies(made, with_, without, measured, verdict):
    table = [
        {"model": model, "seed": seed, "test_accuracy_jitter": value / 100}
        for model, values in (("cnn", with_), ("cnn_no_bn", without))
        for seed, value in enumerate(values)
    ]
    given = made.result(table, experiment="early_stopping")
    assert findings.steadier(given) == (measured, verdict)
    alone = made.result(table[: len(with_)], experiment="early_stopping")
    assert findings.steadier(alone) is None


def test_l2_on_mnist_and_the_best_epoch_on_imagenet(made):
    def linear(*errors):
        settings = [(name, l2) for name in ("pixels", "gabor") for l2 in (0.0, 0.001)]
        return made.result(
            [
                {"dataset": "mnist", "labels": "true", "features": name, "l2": l2, "test_error": e}
                for (name, l2), e in zip(settings, errors, strict=True)
            ],
            experiment="linear_models",
        )

    measured = "pixels: 1.20 and 1.15 % (l2 0.001); gabor: 0.60 and 0.70 % (l2 0.001)"
    assert findings.l2_on_mnist(linear(0.012, 0.0115, 0.006, 0.007)) == (measured, "holds")
    assert findings.l2_on_mnist(linear(0.012, 0.0105, 0.006, 0.006)).verdict == "does not hold"
    table = [
        {
            "labels": "true",
            "augmentation": False,
            "weight_decay": False,
            "seed": seed,
            "test_accuracy": 0.6,
            "best_test_accuracy": best,
        }
        for seed, best in enumerate((0.62, 0.63, 0.61))
    ]
    data = {**made.data, "name": "imagenet2012"}
    given = made.result(table, experiment="imagenet", data=data)
    assert findings.best_epoch(given) == ("+1.00 to +3.00 points (3)", "holds")
    table[0]["best_test_accuracy"] = 0.605
    given = made.result(table, experiment="imagenet", data=data)
    assert findings.best_epoch(given).verdict == "does not hold"
    assert findings.best_epoch(made.result(table, experiment="imagenet")) is None  # CIFAR-10
