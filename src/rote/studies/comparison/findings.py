"""How a claim is tested: from the rows of a result to what was measured, and a verdict."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rote.studies.comparison.published import TEST_MARGIN
from rote.studies.comparison.results import Result, Row, select
from rote.studies.comparison.rule import FEWEST_SEEDS, is_number, mean_interval


class Finding(NamedTuple):
    """What was measured, in words, and what it says of the claim."""

    measured: str
    verdict: str


FITS = 0.99
"""Train accuracy from which a claim counts labels as fitted; epochs to fit are those to all."""
NUM_CLASSES = 10
UNWELCOME = ("does not hold", "too few", "no verdict", "inconclusive")
"""Verdicts that one network is enough for, the first before the others."""


def paired_differences(
    treated: Sequence[Row], untreated: Sequence[Row], column: str
) -> list[float]:
    """By seed, what a treatment changed; seeds without both runs are left out."""
    before = {row["seed"]: row[column] for row in untreated if is_number(row.get(column))}
    return [
        row[column] - before[row["seed"]]
        for row in treated
        if row["seed"] in before and is_number(row.get(column))
    ]


FITTED_TEST = "every seed's train accuracy is at least 99 %"
UNFITTED_TEST = "every seed's train accuracy is below 99 %"
CHANCE_TEST = (
    "where every seed fits at least 99 % of the labels, the 95 % t interval of the mean test "
    "accuracy lies within a point of 1/10; it does not hold where the interval excludes 1/10"
)
EFFECT_TEST = (
    "paired by seed; raises or lowers where the 95 % t interval of the mean difference excludes 0, "
    "with the paper's sign or against it"
)


def over(
    match: Row, finding: Callable[[Sequence[Row]], Finding]
) -> Callable[[Result], Finding | None]:
    """The finding on the rows of a setting, where the result has any."""

    def judged(result: Result) -> Finding | None:
        rows = select(result, match)
        return finding(rows) if rows else None

    return judged


def of_each_model(
    finding: Callable[[Sequence[Row]], Finding],
) -> Callable[[Sequence[Row]], Finding]:
    """The finding on the rows of each model, named; it holds where it holds of every one."""

    def found(rows: Sequence[Row]) -> Finding:
        models: dict[str, list[Row]] = {}
        for row in rows:
            models.setdefault(row["model"], []).append(row)
        each = {model: finding(part) for model, part in models.items()}
        verdicts = {of.verdict for of in each.values()}
        measured = "; ".join(f"{model}: {of.measured}" for model, of in each.items())
        return Finding(measured, next((v for v in UNWELCOME if v in verdicts), "holds"))

    return found


def enough(n: int, verdict: str) -> str:
    """The verdict, unless it rests on too few seeds."""
    return verdict if n >= FEWEST_SEEDS else "too few"


def near(low: float, high: float, *, one: bool = False) -> str:
    """Whether an interval says that something is nought, up to the margin of test accuracies.

    Args:
      low: its lower end.
      high: its upper end.
      one: whether only what is above nought contradicts.
    """
    slack = 1e-9  # a net that says one class is at chance, although 0.1 is no float
    if low > slack or (high < -slack and not one):
        return "does not hold"
    within = high <= TEST_MARGIN + slack and (one or low >= -TEST_MARGIN - slack)
    return "holds" if within else "inconclusive"


def fitted(rows: Sequence[Row]) -> Finding:
    """``FITTED_TEST``."""
    accuracies = [_train_accuracy(row) for row in rows]
    verdict = "holds" if min(accuracies) >= FITS else "does not hold"
    return Finding(f"{_range(accuracies)} ({len(rows)})", enough(len(rows), verdict))


def not_fitted(rows: Sequence[Row]) -> Finding:
    """``UNFITTED_TEST``."""
    accuracies = [_train_accuracy(row) for row in rows]
    verdict = "holds" if max(accuracies) < FITS else "does not hold"
    return Finding(f"{_range(accuracies)} ({len(rows)})", enough(len(rows), verdict))


def _train_accuracy(row: Row) -> float:
    """A run that diverged has no accuracy: it has not fitted."""
    value = row["train_accuracy"]
    return value if is_number(value) else 0.0


def _range(values: Sequence[float]) -> str:
    # Cut off, not rounded: 99.997 % is no 100.00 %.
    shown = sorted({f"{math.floor(1e4 * value + 1e-9) / 100:.2f}" for value in values}, key=float)
    return f"{shown[0]} to {shown[-1]} %" if len(shown) > 1 else f"{shown[0]} %"


def at_chance(rows: Sequence[Row]) -> Finding:
    """``CHANCE_TEST``."""
    values = [row["test_accuracy"] for row in rows if is_number(row.get("test_accuracy"))]
    fitted_seeds = sum(_train_accuracy(row) >= FITS for row in rows)
    if fitted_seeds < len(rows):  # a net that has learned nothing is at chance, too
        return Finding(f"fitted: {fitted_seeds} of {len(rows)} seeds", "no verdict")
    if len(values) < 2:
        return Finding(" ".join(f"{100 * value:.2f} %" for value in values) or "-", "too few")
    low, high = mean_interval(values)
    verdict = near(low - 1 / NUM_CLASSES, high - 1 / NUM_CLASSES)
    return Finding(mean_text(values), enough(len(values), verdict))


def effect(
    treated: Row, untreated: Row, column: str, paper: float | None = None
) -> Callable[[Result], Finding | None]:
    """``EFFECT_TEST``, between two settings; ``paper`` is its difference, where it is known."""

    def judged(result: Result) -> Finding | None:
        pairs = paired_differences(select(result, treated), select(result, untreated), column)
        if not pairs:
            return None
        if len(pairs) < FEWEST_SEEDS:
            return Finding(f"{100 * statistics.fmean(pairs):+.2f} points ({len(pairs)})", "too few")
        low, high = mean_interval(pairs)
        verdict = "raises" if low > 0 else "lowers" if high < 0 else "no effect shown"
        if paper and (low > 0 or high < 0):
            agrees = (paper > 0) == (low > 0)
            verdict += ", as in the paper" if agrees else ", unlike the paper"
        return Finding(mean_text(pairs, signed=True), verdict)

    return judged


def mean_text(values: Sequence[float], *, signed: bool = False) -> str:
    """A mean with its 95 % t interval, in percent or, ``signed``, in points."""
    low, high = mean_interval(values)
    mean, unit = statistics.fmean(values), "points" if signed else "%"
    sign = "+" if signed else ""
    return (
        f"{100 * mean:{sign}.2f} [{100 * low:{sign}.2f}, {100 * high:{sign}.2f}] {unit} "
        f"({len(values)})"
    )
