"""What Arpit et al. (2017) claim that capacity.py shows, each claim with its test."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from rote.studies.comparison import (
    FEWEST_SEEDS,
    Claim,
    Finding,
    Result,
    Row,
    Tag,
    is_number,
    mean_interval,
    select,
)

EXPERIMENTS = ("capacity",)
MEASURED = ("epochs_to_fit", "train_accuracy", "test_accuracy", "best_test_accuracy")
"""The columns of what a run has measured; one that diverged has measured nothing."""
COLUMNS = ("width", "num_train", "noise", "fraction")
"""Those that tell settings and seeds apart."""

NONE, INPUTS, LABELS = "none", "random inputs", "random labels"
"""What is noise."""
ENOUGH = 0.01
"""Test accuracy this much below that of the best width counts as the best."""
WIDTH_TEST = (
    "the width that a seed needs is the smallest whose test accuracy, at the end, is within a "
    "point of that of the best; paired by seed, at the largest fraction of noise, the 95 % t "
    "interval of the difference of log2 width, with noise less without, lies above 0; it does not "
    "hold where it is not above 0 anywhere"
)
TIME_TEST = (
    "a seed's exponent is the slope of log epochs to fit over the log of what is varied, where "
    "both with and without noise all is fitted, in two places or more; paired by seed, at the "
    "largest fraction of noise, the 95 % t interval of the difference, with noise less without, "
    "excludes 0, with the sign that is claimed or against it"
)
TAGS: dict[str, Tag] = {INPUTS: "verified", LABELS: "second-hand"}
"""How sure it is that Fig. 6 is about each kind of noise; Fig. 5 is about both."""


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        *(
            Claim(
                "Fig. 5",
                "verified",
                f"the best validation accuracy takes more units with {noise} than without noise",
                WIDTH_TEST,
                EXPERIMENTS,
                needed(noise),
            )
            for noise in TAGS
        ),
        *(
            Claim(
                "Fig. 6",
                tag,
                f"{text} with {noise} than without noise",
                TIME_TEST,
                EXPERIMENTS,
                exponent(noise, varied, sign),
            )
            for varied, sign, text in (
                ("width", -1, "more units shorten the time to fit more"),
                ("num_train", 1, "more examples lengthen the time to fit more"),
            )
            for noise, tag in TAGS.items()
        ),
    ]


def needed(noise: str) -> Callable[[Result], Finding | None]:
    """``WIDTH_TEST``, for a kind of noise."""

    def judged(result: Result) -> Finding | None:
        pairs = _pairs(result, noise, "width")
        if pairs is None:
            return None
        both = [[width_needed(rows) for rows in pair] for pair in pairs.values()]
        known = [(with_noise, without) for with_noise, without in both if with_noise and without]
        differences = [math.log2(with_noise / without) for with_noise, without in known]
        said = "; ".join(
            f"{with_noise:g} against {without:g}" for with_noise, without in dict.fromkeys(known)
        )
        if len(differences) < FEWEST_SEEDS:
            return Finding(said or "-", "too few")
        low, high = mean_interval(differences)
        verdict = "holds" if low > 0 else "does not hold" if high <= 0 else "inconclusive"
        return Finding(f"{_text(differences)} doublings ({said})", verdict)

    return judged


def exponent(noise: str, varied: str, sign: int) -> Callable[[Result], Finding | None]:
    """``TIME_TEST``, for a kind of noise.

    Args:
      noise: which.
      varied: ``"width"`` or ``"num_train"``.
      sign: of the difference that is claimed.
    """

    def judged(result: Result) -> Finding | None:
        pairs = _pairs(result, noise, varied)
        if pairs is None:
            return None
        both = [slopes(*pair, varied) for pair in pairs.values()]
        differences = [with_noise - without for with_noise, without in filter(None, both)]
        if len(differences) < FEWEST_SEEDS:
            return Finding(f"fitted in two places or more: n = {len(differences)}", "too few")
        low, high = sorted(sign * end for end in mean_interval(differences))
        verdict = "holds" if low > 0 else "does not hold" if high < 0 else "inconclusive"
        return Finding(f"exponent {_text(differences)}", verdict)

    return judged


def _text(values: Sequence[float]) -> str:
    low, high = mean_interval(values)
    return f"{sum(values) / len(values):+.2f} [{low:+.2f}, {high:+.2f}] ({len(values)})"


def _pairs(
    result: Result, noise: str, varied: str
) -> dict[int, tuple[list[Row], list[Row]]] | None:
    """By seed, the rows with most noise and without any where one thing is varied."""
    fixed = "num_train" if varied == "width" else "width"
    fixed_at = result.config[fixed]
    without, noisy = (select(result, {"noise": kind, fixed: fixed_at}) for kind in (NONE, noise))
    if not without or not noisy:
        return None
    most = max(row["fraction"] for row in noisy)
    noisy = [row for row in noisy if row["fraction"] == most]

    def of(rows: Sequence[Row], seed: int) -> list[Row]:
        return [row for row in rows if row["seed"] == seed]

    seeds = dict.fromkeys(row["seed"] for row in noisy)
    return {seed: (of(noisy, seed), of(without, seed)) for seed in seeds if of(without, seed)}


def width_needed(rows: Sequence[Row]) -> float | None:
    """The smallest width whose test accuracy is within a point of the best one's.

    >>> rows = [{"width": 8, "test_accuracy": 0.8}, {"width": 64, "test_accuracy": 0.905}]
    >>> width_needed([*rows, {"width": 512, "test_accuracy": 0.91}])
    64
    """
    reached = {row["width"]: row["test_accuracy"] for row in rows}
    reached = {width: accuracy for width, accuracy in reached.items() if is_number(accuracy)}
    if len(reached) < 2:
        return None
    best = max(reached.values())
    return min(width for width, accuracy in reached.items() if accuracy >= best - ENOUGH)


def slopes(noisy: Sequence[Row], without: Sequence[Row], varied: str) -> tuple[float, float] | None:
    """The exponents of the time to fit, over the places where both were fitted.

    >>> noisy = [{"width": w, "epochs_to_fit": 800 / w} for w in (8, 16)]
    >>> without = [{"width": w, "epochs_to_fit": 10} for w in (4, 8, 16)]
    >>> [round(slope, 3) + 0.0 for slope in slopes(noisy, without, "width")]
    [-1.0, 0.0]
    """
    times = [
        {row[varied]: row["epochs_to_fit"] for row in rows if is_number(row["epochs_to_fit"])}
        for rows in (noisy, without)
    ]
    places = sorted(times[0].keys() & times[1].keys())
    if len(places) < 2:
        return None
    with_noise, none = (
        float(np.polyfit(np.log(places), np.log([of[place] for place in places]), 1)[0])
        for of in times
    )
    return with_noise, none
