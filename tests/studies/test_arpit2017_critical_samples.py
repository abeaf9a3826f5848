"""How the claims about critical samples are judged."""

import pytest

from rote.studies.arpit2017.critical_samples import changes_from_peak, claims
from rote.studies.comparison import Result

HIGHER_LABELS, HIGHER_INPUTS, RISES_LABELS, RISES_INPUTS, FALLS, BEFORE, AS_IT_FALLS = (
    claim.judge for claim in claims()
)


def result(*tables):
    rows = [row for table in tables for row in table]
    return Result("some", "critical_samples", "", {}, {}, [], {}, "", rows)


def rows(noise, fraction, column, by_epoch):
    """A row per epoch and seed; the seeds' values stand in a tuple."""
    return [
        {"noise": noise, "fraction": fraction, "epoch": epoch, "seed": seed, column: value}
        for epoch, values in by_epoch.items()
        for seed, value in enumerate(values)
    ]


REAL = rows("none", 0.0, "critical_ratio", {1: (0.1, 0.1, 0.1), 8: (0.05, 0.06, 0.05)})


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        ((0.2, 0.22, 0.21), "holds"),
        ((0.04, 0.045, 0.04), "does not hold"),
        ((0.3, 0.05, 0.05), "inconclusive"),
        ((0.2, 0.2), "too few"),
    ],
)
def test_noise_is_compared_with_real_data_at_the_end(last, verdict):
    noisy = rows("labels", 0.4, "critical_ratio", {1: (0.9, 0.9, 0.9), 8: last})
    assert HIGHER_LABELS(result(REAL, noisy)).verdict == verdict
    assert HIGHER_INPUTS(result(REAL, noisy)) is None
    assert HIGHER_LABELS(result(noisy)) is None


def test_the_fraction_that_says_it_least_decides():
    rising = rows("inputs", 0.4, "critical_ratio", {1: (0.1, 0.1, 0.1), 8: (0.2, 0.21, 0.2)})
    falling = rows("inputs", 0.8, "critical_ratio", {1: (0.2, 0.2, 0.2), 8: (0.1, 0.11, 0.1)})
    assert RISES_INPUTS(result(rising)).verdict == "holds"
    found = RISES_INPUTS(result(rising, falling))
    assert found.verdict == "does not hold"
    assert found.measured == "0.4: +10.3, 0.8: -9.7 points (3)"
    assert RISES_LABELS(result(rising)) is None


def trainings(accuracies, **columns):
    """By epoch, validation accuracies of the seeds; other columns likewise."""
    table = rows("labels", 0.8, "validation_accuracy", accuracies)
    for name, by_epoch in columns.items():
        for row, other in zip(table, rows("", 0, name, by_epoch), strict=True):
            row[name] = other[name]
    return table


def test_the_peak_is_found_on_the_other_seeds():
    peaked = {1: (0.3, 0.3, 0.3), 2: (0.6, 0.61, 0.6), 8: (0.4, 0.4, 0.41)}
    fitting = {1: (0.2, 0.2, 0.2), 2: (0.4, 0.4, 0.4), 8: (0.9, 0.91, 0.9)}
    critical = {1: (0.2, 0.2, 0.2), 2: (0.1, 0.1, 0.1), 8: (0.1, 0.1, 0.1)}
    table = result(trainings(peaked, train_accuracy=fitting, critical_ratio=critical))
    assert FALLS(table).verdict == "holds" and FALLS(table).measured == "0.8: +20.0 points (3)"
    assert BEFORE(table).verdict == "holds" and BEFORE(table).measured == "0.8: +50.3 points (3)"
    assert AS_IT_FALLS(table).verdict == "does not hold"
    rising = {1: (0.3, 0.3, 0.3), 2: (0.4, 0.4, 0.4), 8: (0.5, 0.5, 0.5)}
    assert FALLS(result(trainings(rising))).verdict == "does not hold"
    # Noise alone: every seed is best at another epoch, and gains nothing by the others' choice.
    noise = {1: (0.6, 0.4, 0.4), 2: (0.4, 0.6, 0.4), 8: (0.4, 0.4, 0.6)}
    assert FALLS(result(trainings(noise))).verdict != "holds"


def test_a_seed_that_diverged_is_left_out():
    accuracies = {1: (0.3, 0.3, None), 8: (0.2, 0.2, None)}
    assert changes_from_peak(trainings(accuracies), "validation_accuracy") == pytest.approx(
        [-0.1, -0.1]
    )
    assert FALLS(result(trainings(accuracies))).verdict == "too few"
