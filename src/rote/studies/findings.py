"""How a claim is tested: from the rows of a result to what was measured, and a verdict."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rote.studies.comparison import FEWEST_SEEDS, is_number, t_quantile
from rote.studies.published import TEST_MARGIN
from rote.studies.results import Result, Row, select


class Finding(NamedTuple):
    """What was measured, in words, and what it says of the claim."""

    measured: str
    verdict: str


FITTED = 0.99
"""Train accuracy from which labels count as fitted."""
NUM_CLASSES = 10


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % t interval of a mean, ``mean +- t_{n-1, 0.975} * s / sqrt(n)``.

    Args:
      values: two or more.
    """
    half = t_quantile(len(values)) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - half, mean + half


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
    "where the labels are fitted, the 95 % t interval of the mean test accuracy over seeds lies "
    "within a point of 1/10; it does not hold where the interval excludes 1/10"
)
EFFECT_TEST = (
    "paired by seed; raises or lowers where the 95 % t interval of the mean difference excludes 0, "
    "with the paper's sign or against it"
)
THEOREM_TEST = (
    "every network of depth 2 has 2n + d weights and rounds to the label of every one of its n "
    "points"
)
ORDER_TEST = (
    "for every network and seed, the epochs to fit of true labels are the fewest, those of random "
    "labels the most"
)
SLOWER_TEST = (
    "paired by seed, the 95 % t interval of the mean logarithm of the epochs at corruption 1 over "
    "those at 0 is above 0"
)


def over(
    match: Row, finding: Callable[[Sequence[Row]], Finding]
) -> Callable[[Result], Finding | None]:
    """The finding on the rows of a setting, where the result has any."""

    def judged(result: Result) -> Finding | None:
        rows = select(result, match)
        return finding(rows) if rows else None

    return judged


def _enough(n: int, verdict: str) -> str:
    return verdict if n >= FEWEST_SEEDS else "too few"


def _near(low: float, high: float, *, one: bool = False) -> str:
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
    verdict = "holds" if min(accuracies) >= FITTED else "does not hold"
    return Finding(f"{_range(accuracies)} ({len(rows)})", _enough(len(rows), verdict))


def not_fitted(rows: Sequence[Row]) -> Finding:
    """``UNFITTED_TEST``."""
    accuracies = [_train_accuracy(row) for row in rows]
    verdict = "holds" if max(accuracies) < FITTED else "does not hold"
    return Finding(f"{_range(accuracies)} ({len(rows)})", _enough(len(rows), verdict))


def _train_accuracy(row: Row) -> float:
    """A run that diverged has no accuracy: it has not fitted."""
    value = row["train_accuracy"]
    return value if is_number(value) else 0.0


def _range(values: Sequence[float]) -> str:
    # Cut off, not rounded: 99.97 % is no 100.0 %.
    shown = sorted({f"{math.floor(1000 * value + 1e-9) / 10:.1f}" for value in values}, key=float)
    return f"{shown[0]} to {shown[-1]} %" if len(shown) > 1 else f"{shown[0]} %"


def at_chance(rows: Sequence[Row]) -> Finding:
    """``CHANCE_TEST``."""
    values = [row["test_accuracy"] for row in rows if is_number(row.get("test_accuracy"))]
    fitted_seeds = sum(_train_accuracy(row) >= FITTED for row in rows)
    if fitted_seeds < len(rows):  # a net that has learned nothing is at chance, too
        return Finding(f"fitted: {fitted_seeds} of {len(rows)} seeds", "no verdict")
    if len(values) < 2:
        return Finding(" ".join(f"{100 * value:.2f} %" for value in values) or "-", "too few")
    low, high = mean_interval(values)
    verdict = _near(low - 1 / NUM_CLASSES, high - 1 / NUM_CLASSES)
    return Finding(_mean_text(values), _enough(len(values), verdict))


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
        return Finding(_mean_text(pairs, signed=True), verdict)

    return judged


def early_stopping(result: Result) -> Finding | None:
    """Whether stopping by a validation split gains anything on CIFAR-10, by network."""
    gains: dict[str, list[float]] = {}
    for row in select(result, {}):
        if is_number(row["gain_validation"]):
            gains.setdefault(row["model"], []).append(row["gain_validation"])
    if not gains or all(entry["name"] != "cifar10" for entry in result.data):
        return None
    fewest = min(len(values) for values in gains.values())
    if fewest < FEWEST_SEEDS:
        return Finding(f"{fewest} seeds", "too few")
    measured = [f"{model}: {_mean_text(values, signed=True)}" for model, values in gains.items()]
    intervals = [mean_interval(values) for values in gains.values()]
    # That it does harm is no help either: only the upper ends count.
    verdict = _near(max(low for low, _ in intervals), max(high for _, high in intervals), one=True)
    return Finding("; ".join(measured), verdict)


def norms(result: Result) -> Finding | None:
    """Error and norm on MNIST, of pixels and of Gabor wavelets."""
    plain = {"dataset": "mnist", "labels": "true", "l2": False}
    pixels, gabor = (
        _largest(select(result, {**plain, "features": features}))
        for features in ("pixels", "gabor")
    )
    if not pixels or not gabor:
        return None
    error, norm = (
        [statistics.fmean(row[column] for row in rows) for rows in (pixels, gabor)]
        for column in ("test_error", "norm")
    )
    holds = error[1] < error[0] and norm[1] > norm[0]
    measured = (
        f"error {100 * error[0]:.2f} and {100 * error[1]:.2f} %, norm {norm[0]:.0f} and "
        f"{norm[1]:.0f} (pixels, Gabor)"
    )
    return Finding(measured, "holds" if holds else "does not hold")


def _largest(rows: Sequence[Row]) -> list[Row]:
    """Those with most training images."""
    most = max((row.get("num_train", 0) for row in rows), default=0)
    return [row for row in rows if row.get("num_train", 0) == most]


def _mean_text(values: Sequence[float], *, signed: bool = False) -> str:
    low, high = mean_interval(values)
    mean, unit = statistics.fmean(values), "points" if signed else "%"
    sign = "+" if signed else ""
    return (
        f"{100 * mean:{sign}.2f} [{100 * low:{sign}.2f}, {100 * high:{sign}.2f}] {unit} "
        f"({len(values)})"
    )


def order(result: Result) -> Finding | None:
    """``ORDER_TEST``; what does not fit comes after all that does."""
    epochs: dict[tuple[str, int], dict[str, float]] = {}
    for row in result.table:
        run = epochs.setdefault((row["model"], row["seed"]), {})
        run[row["condition"]] = row["epochs_to_fit"] or math.inf
    full = [run for run in epochs.values() if {"true", "random_labels"} < run.keys()]
    if not full:
        return None
    first, last = (
        sum(
            all(sign * run[name] < sign * other for key, other in run.items() if key != name)
            for run in full
        )
        for name, sign in (("true", 1), ("random_labels", -1))
    )
    measured = f"true first in {first}, random labels last in {last} of {len(full)}"
    seeds = min(
        len([1 for model, _ in epochs if model == name]) for name in {model for model, _ in epochs}
    )
    holds = first == last == len(full)
    return Finding(measured, _enough(seeds, "holds" if holds else "does not hold"))


def slower(model: str) -> Callable[[Result], Finding | None]:
    """``SLOWER_TEST``: how many times the epochs of clean labels random ones take."""

    def judged(result: Result) -> Finding | None:
        clean, random = (
            {row["seed"]: row["epochs_to_fit"] for row in select(result, {"model": model, **level})}
            for level in ({"corruption": 0.0}, {"corruption": 1.0})
        )
        pairs = [
            math.log(random[seed] / clean[seed])
            for seed in clean
            if clean[seed] and random.get(seed)
        ]
        if not clean or not random:
            return None
        if len(pairs) < len(clean):  # those that fitted would be the quicker ones
            measured = f"fitted at both levels: {len(pairs)} of {len(clean)} seeds"
            return Finding(measured, "no verdict")
        ratio = f"{math.exp(statistics.fmean(pairs)):.2f}"
        if len(pairs) < FEWEST_SEEDS:
            return Finding(f"{ratio} times ({len(pairs)})", "too few")
        low, high = mean_interval(pairs)
        measured = f"{ratio} [{math.exp(low):.2f}, {math.exp(high):.2f}] times ({len(pairs)})"
        return Finding(measured, "holds" if low > 0 else "does not hold")

    return judged


def theorem(result: Result) -> Finding | None:
    """``THEOREM_TEST``."""
    rows = select(result, {"depth": 2, "target": "classes"})
    if not rows:
        return None
    right = [
        row["labels_right"] == 1 and row["num_weights"] == 2 * row["num_points"] + row["dim"]
        for row in rows
    ]
    sizes = sorted({row["num_points"] for row in rows})
    measured = f"{sum(right)} of {len(rows)} networks, n = {sizes[0]:,} to {sizes[-1]:,}"
    return Finding(measured, "holds" if all(right) else "does not hold")
