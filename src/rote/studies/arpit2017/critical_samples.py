"""What Arpit et al. (2017) claim that critical_samples.py shows, each claim with its test."""

import statistics
from collections.abc import Callable, Sequence

from rote.studies.comparison import (
    FEWEST_SEEDS,
    Claim,
    Finding,
    Result,
    Row,
    is_number,
    mean_interval,
    select,
)
from rote.studies.comparison.findings import paired_differences

EXPERIMENTS = ("critical_samples",)
MEASURED = ("critical_ratio", "train_accuracy", "validation_accuracy")
"""The columns of what a run has measured; one that diverged has measured nothing."""
COLUMNS = ("noise", "fraction", "epoch")
"""Those that tell settings and seeds apart."""

_EVERY = (
    "; it holds where that is so for every fraction of noise, and does not where an interval is "
    "not above 0 anywhere"
)
HIGHER_TEST = (
    "paired by seed, the 95 % t interval of the mean difference of the critical sample ratio, at "
    "the last epoch, to that of real data lies above 0" + _EVERY
)
RISES_TEST = (
    "the 95 % t interval over seeds of the mean rise of the critical sample ratio, from the first "
    "epoch looked at to the last, lies above 0" + _EVERY
)
PEAK_TEST = (
    "for each seed the epoch of the peak is the one of the highest mean validation accuracy over "
    "the other seeds; the 95 % t interval of the mean change that the claim names, from there to "
    "the last epoch, on the seed left out, lies above 0" + _EVERY
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        *(
            _claim(
                f"a larger share of validation samples is critical with random {noise} than with "
                "real data",
                HIGHER_TEST,
                _higher(noise),
            )
            for noise in ("labels", "inputs")
        ),
        *(
            _claim(f"with random {noise} it rises along training", RISES_TEST, _rises(noise))
            for noise in ("labels", "inputs")
        ),
        _claim(
            "with random labels validation accuracy peaks, and falls from there",
            PEAK_TEST,
            _from_peak("validation_accuracy", -1),
        ),
        _claim(
            "it peaks before the training accuracy is high: that rises from there",
            PEAK_TEST,
            _from_peak("train_accuracy", 1),
        ),
        _claim(
            "as validation accuracy falls, the share of critical samples rises",
            PEAK_TEST,
            _from_peak("critical_ratio", 1),
        ),
    ]


def _claim(text: str, test: str, judge: Callable[[Result], Finding | None]) -> Claim:
    return Claim("Fig. 7 to 9", "verified", text, test, EXPERIMENTS, judge)


def _judged(by_fraction: dict[float, list[float]]) -> Finding | None:
    """Whether the mean over seeds is above 0 for every fraction."""
    if not by_fraction:
        return None
    fewest = min(map(len, by_fraction.values()))
    said = ", ".join(
        f"{fraction:g}: {100 * statistics.fmean(of):+.1f}" if of else f"{fraction:g}: -"
        for fraction, of in by_fraction.items()
    )
    measured = f"{said} points ({fewest})"
    if fewest < FEWEST_SEEDS:
        return Finding(measured, "too few")
    intervals = [mean_interval(of) for of in by_fraction.values()]
    if any(high <= 0 for _, high in intervals):
        return Finding(measured, "does not hold")
    return Finding(measured, "holds" if all(low > 0 for low, _ in intervals) else "inconclusive")


def _by_fraction(rows: Sequence[Row]) -> dict[float, list[Row]]:
    found: dict[float, list[Row]] = {}
    for row in rows:
        found.setdefault(row["fraction"], []).append(row)
    return found


def _at(rows: Sequence[Row], epoch: Callable[[Sequence[int]], int]) -> list[Row]:
    """The rows of the first epoch, or of the last."""
    chosen = epoch([row["epoch"] for row in rows])
    return [row for row in rows if row["epoch"] == chosen]


def _higher(noise: str) -> Callable[[Result], Finding | None]:
    """``HIGHER_TEST``."""

    def judged(result: Result) -> Finding | None:
        noisy, real = (select(result, {"noise": name}) for name in (noise, "none"))
        if not noisy or not real:
            return None
        untreated = _at(real, max)
        return _judged(
            {
                fraction: paired_differences(_at(rows, max), untreated, "critical_ratio")
                for fraction, rows in _by_fraction(noisy).items()
            }
        )

    return judged


def _rises(noise: str) -> Callable[[Result], Finding | None]:
    """``RISES_TEST``."""

    def judged(result: Result) -> Finding | None:
        return _judged(
            {
                fraction: paired_differences(_at(rows, max), _at(rows, min), "critical_ratio")
                for fraction, rows in _by_fraction(select(result, {"noise": noise})).items()
            }
        )

    return judged


def _from_peak(column: str, sign: int) -> Callable[[Result], Finding | None]:
    """``PEAK_TEST``, with random labels."""

    def judged(result: Result) -> Finding | None:
        return _judged(
            {
                fraction: [sign * change for change in changes_from_peak(rows, column)]
                for fraction, rows in _by_fraction(select(result, {"noise": "labels"})).items()
            }
        )

    return judged


def changes_from_peak(rows: Sequence[Row], column: str) -> list[float]:
    """By seed, the change of a column from the peak of the others' validation accuracy to the end.

    Args:
      rows: of one setting, one for each seed and epoch.
      column: the column; a seed that diverged is left out.

    >>> rows = [
    ...     {"seed": seed, "epoch": epoch, "validation_accuracy": accuracy}
    ...     for seed in range(3)
    ...     for epoch, accuracy in ((1, 0.25), (2, 0.75), (4, 0.5))
    ... ]
    >>> changes_from_peak(rows, "validation_accuracy")
    [-0.25, -0.25, -0.25]
    """
    by_seed: dict[int, dict[int, Row]] = {}
    for row in rows:
        if is_number(row.get(column)) and is_number(row.get("validation_accuracy")):
            by_seed.setdefault(row["seed"], {})[row["epoch"]] = row
    changes = []
    for seed, own in by_seed.items():
        others = [of for other, of in by_seed.items() if other != seed]
        epochs = set(own).intersection(*others)
        if not others or not epochs:
            continue
        peak = max(
            sorted(epochs),
            key=lambda epoch: statistics.fmean(of[epoch]["validation_accuracy"] for of in others),
        )
        changes.append(own[max(own)][column] - own[peak][column])
    return changes
