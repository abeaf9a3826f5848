"""What only Zhang et al. (2017) claim, and how it is tested."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rote.studies.comparison import (
    FEWEST_SEEDS,
    TEST_MARGIN,
    Finding,
    Result,
    Row,
    is_number,
    mean_interval,
    select,
)
from rote.studies.comparison.findings import enough, mean_text, near, paired_differences

L2_MARGIN = 0.001
"""By how much l2 may lower the test error on MNIST and still help nothing: ten images."""
TRUE_AND_RANDOM: Mapping[str, tuple[str, tuple[Any, Any]]] = {
    "corruption_sweep": ("corruption", (0.0, 1.0)),
    "learning_curves": ("condition", ("true", "random_labels")),
}
"""By experiment, the column that says with which labels a run trained, and how."""

THEOREM_TEST = (
    "every network of depth 2 has 2n + d weights and rounds to the label of every one of its n "
    "points"
)
COROLLARY_TEST = (
    "every network of depth k > 2 has 2n + d weights, layers of at most n / (k - 1) + 3 units, the "
    "fraction rounded up, and rounds to the label of every one of its n points"
)
EARLY_STOPPING_TEST = (
    "for every network the 95 % t interval of the mean gain in test accuracy, by stopping on a "
    "validation split, ends below a point; it does not hold where one is above 0"
)
STEADIER_TEST = (
    "paired by seed, batch norm lowers the standard deviation of the change of test accuracy from "
    "one epoch to the next, in the second half of training: the 95 % t interval of the mean "
    "difference is below 0; it does not hold where the interval is above"
)
BEST_EPOCH_TEST = (
    "on true labels without regularization, every seed's best test accuracy is at least a point "
    "above its last"
)
NORMS_TEST = "Gabor wavelets have a smaller test error and a larger norm than pixels"
L2_TEST = (
    "on pixels and on Gabor wavelets, the test error with l2 is nowhere more than a tenth of a "
    "point below that without"
)
ORDER_TEST = (
    "for every network and seed, the epochs to fit of true labels are the fewest, those of random "
    "labels the most"
)
SLOWER_TEST = (
    "paired by seed, the 95 % t interval of the mean logarithm of the epochs to fit random labels "
    "over those to fit true ones is above 0, and does not hold where it is below; how small the "
    "factor is, is not tested; where not every seed fits there is no verdict, because the ratio of "
    "the epochs to a lower train accuracy hangs on it"
)


def early_stopping(result: Result) -> Finding | None:
    """``EARLY_STOPPING_TEST``, on CIFAR-10."""
    gains: dict[str, list[float]] = {}
    for row in select(result, {}):
        if is_number(row["gain_validation"]):
            gains.setdefault(row["model"], []).append(row["gain_validation"])
    if not gains or all(entry["name"] != "cifar10" for entry in result.data):
        return None
    # That it does harm is no help either: only the upper ends count.
    return _of_networks(gains, lambda lows, highs: near(max(lows), max(highs), one=True))


def steadier(result: Result) -> Finding | None:
    """``STEADIER_TEST``, for every network that is there with and without batch norm."""
    models = {row["model"] for row in result.table}
    paired = {
        model: paired_differences(
            select(result, {"model": model}),
            select(result, {"model": f"{model}_no_bn"}),
            "test_accuracy_jitter",
        )
        for model in sorted(models)
        if f"{model}_no_bn" in models
    }
    if not paired or not all(paired.values()):
        return None

    def verdict(lows: Sequence[float], highs: Sequence[float]) -> str:
        if max(highs) < 0:
            return "holds"
        return "does not hold" if max(lows) > 0 else "inconclusive"

    return _of_networks(paired, verdict)


def _of_networks(
    differences: Mapping[str, Sequence[float]],
    verdict: Callable[[Sequence[float], Sequence[float]], str],
) -> Finding:
    """Each network's mean difference; the verdict is that of the ends of their t intervals."""
    fewest = min(map(len, differences.values()))
    if fewest < FEWEST_SEEDS:
        return Finding(f"n = {fewest}", "too few")
    measured = [f"{model}: {mean_text(seeds, signed=True)}" for model, seeds in differences.items()]
    lows, highs = zip(*map(mean_interval, differences.values()), strict=True)
    return Finding("; ".join(measured), verdict(lows, highs))


def best_epoch(result: Result) -> Finding | None:
    """``BEST_EPOCH_TEST``, of ImageNet, at any size of its images."""
    plain = {"labels": "true", "augmentation": False, "weight_decay": False}
    gains = [
        row["best_test_accuracy"] - row["test_accuracy"]
        for row in select(result, plain)
        if is_number(row.get("best_test_accuracy"))
    ]
    if not gains or not any(entry["name"].startswith("imagenet") for entry in result.data):
        return None
    measured = f"{100 * min(gains):+.2f} to {100 * max(gains):+.2f} points ({len(gains)})"
    holds = min(gains) >= TEST_MARGIN
    return Finding(measured, enough(len(gains), "holds" if holds else "does not hold"))


def l2_on_mnist(result: Result) -> Finding | None:
    """``L2_TEST``."""
    measured, gains = [], []
    for features in ("pixels", "gabor"):
        setting = {"dataset": "mnist", "labels": "true", "features": features}
        plain, with_l2 = (
            select(result, {**setting, "l2": penalised}) for penalised in (False, True)
        )
        if not plain or not with_l2:
            return None
        error = statistics.fmean(row["test_error"] for row in plain)
        best = min(with_l2, key=lambda row: row["test_error"])
        gains.append(error - best["test_error"])
        measured.append(
            f"{features}: {100 * error:.2f} and {100 * best['test_error']:.2f} % "
            f"(l2 {best['l2']:g})"
        )
    holds = max(gains) <= L2_MARGIN + 1e-9
    return Finding("; ".join(measured), "holds" if holds else "does not hold")


def norms(result: Result) -> Finding | None:
    """``NORMS_TEST``, on MNIST."""
    plain = {"dataset": "mnist", "labels": "true", "l2": False}
    pixels, gabor = (
        select(result, {**plain, "features": features}) for features in ("pixels", "gabor")
    )
    if not pixels or not gabor:
        return None
    error, norm = (
        [statistics.fmean(row[column] for row in rows) for rows in (pixels, gabor)]
        for column in ("test_error", "norm")
    )
    holds = error[1] < error[0] and norm[1] > norm[0]
    measured = (
        f"error {100 * error[0]:.2f} and {100 * error[1]:.2f} %, norm {norm[0]:.1f} and "
        f"{norm[1]:.1f} (pixels, Gabor)"
    )
    return Finding(measured, "holds" if holds else "does not hold")


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
    models = [model for model, _ in epochs]
    measured = (
        f"{', '.join(dict.fromkeys(models))}: true first in {first}, random labels last in {last} "
        f"of {len(full)}"
    )
    seeds = min(map(models.count, models))
    holds = first == last == len(full)
    return Finding(measured, enough(seeds, "holds" if holds else "does not hold"))


def slower(model: str) -> Callable[[Result], Finding | None]:
    """``SLOWER_TEST``: how many times the epochs of true labels random ones take.

    Where they are not all fitted, those to the run's ``target_accuracy`` are shown.
    """

    def judged(result: Result) -> Finding | None:
        column, labels = TRUE_AND_RANDOM[result.experiment]
        clean, random = (select(result, {"model": model, column: of}) for of in labels)
        if not clean or not random:
            return None
        seeds = len(clean)
        fitted = pairs = _log_ratios(clean, random, "epochs_to_fit")
        to = ""
        target = result.config.get("target_accuracy", 1.0)
        if len(fitted) < seeds and target < 1:
            pairs, to = _log_ratios(clean, random, "epochs_to_target"), f"to {100 * target:g} %: "
        if len(pairs) < seeds:  # those that got there would be the quicker ones
            measured = f"both fitted: {len(fitted)} of {seeds} seeds"
            return Finding(measured, "no verdict")
        ratio = f"{to}{math.exp(statistics.fmean(pairs)):.2f}"
        if seeds < FEWEST_SEEDS:
            return Finding(f"{ratio} times ({seeds})", "too few")
        low, high = mean_interval(pairs)
        verdict = "holds" if low > 0 else "does not hold" if high < 0 else "inconclusive"
        measured = f"{ratio} [{math.exp(low):.2f}, {math.exp(high):.2f}] times ({seeds})"
        return Finding(measured, verdict if len(fitted) == seeds else "no verdict")

    return judged


def _log_ratios(clean: Sequence[Row], random: Sequence[Row], column: str) -> list[float]:
    """By seed, the logarithm of a time under random labels over true ones, where both exist."""
    before = {row["seed"]: row[column] for row in clean}
    return [
        math.log(row[column] / before[row["seed"]])
        for row in random
        if row[column] and before.get(row["seed"])
    ]


def theorem(result: Result) -> Finding | None:
    """``THEOREM_TEST``."""
    return _constructed(select(result, {"depth": 2, "target": "classes"}))


def corollary(result: Result) -> Finding | None:
    """``COROLLARY_TEST``."""
    return _constructed([row for row in select(result, {"target": "classes"}) if row["depth"] > 2])


def _constructed(rows: Sequence[Row]) -> Finding | None:
    if not rows:
        return None
    right = [
        row["labels_right"] == 1
        and row["num_weights"] == 2 * row["num_points"] + row["dim"]
        and (row["depth"] == 2 or row["width"] <= -(-row["num_points"] // (row["depth"] - 1)) + 3)
        for row in rows
    ]
    sizes = sorted({row["num_points"] for row in rows})
    measured = f"{sum(right)} of {len(rows)} networks, n = {sizes[0]:,} to {sizes[-1]:,}"
    return Finding(measured, "holds" if all(right) else "does not hold")
