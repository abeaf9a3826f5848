"""What Arpit et al. (2017) claim that loss_sensitivity.py shows, each claim with its test."""

from collections.abc import Callable

from rote.studies.comparison import (
    FEWEST_SEEDS,
    Claim,
    Finding,
    Result,
    Tag,
    mean_interval,
    select,
)
from rote.studies.comparison.findings import paired_differences

EXPERIMENTS = ("loss_sensitivity",)
MEASURED = ("gini", "initial_loss", "train_loss", "train_accuracy")
"""The columns of what a run has measured."""
COLUMNS = ("data", "classes")
"""Those that tell settings and seeds apart."""

LABELS, UNIQUE = "the labels", "one for each example"
"""What a net's classes are."""
HIGHER_TEST = (
    "paired by seed, the 95 % t interval of the difference of the Gini coefficients, that of real "
    "data less that of the other, lies above 0; it does not hold below"
)


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    return [
        _claim(
            "verified",
            "the loss depends more unequally on real examples than on random inputs",
            LABELS,
            "random inputs",
        ),
        _claim(
            "second-hand",
            "the loss depends more unequally on real examples than with random labels",
            LABELS,
            "random labels",
        ),
        _claim(
            "recalled",
            "with a class for each example, too, than on random inputs",
            UNIQUE,
            "random inputs",
        ),
    ]


def _claim(tag: Tag, text: str, classes: str, other: str) -> Claim:
    return Claim("Fig. 3", tag, text, HIGHER_TEST, EXPERIMENTS, _higher(classes, other))


def _higher(classes: str, other: str) -> Callable[[Result], Finding | None]:
    """``HIGHER_TEST``."""

    def judged(result: Result) -> Finding | None:
        real, noise = (
            select(result, {"classes": classes, "data": data}) for data in ("real", other)
        )
        if not real or not noise:
            return None
        pairs = paired_differences(real, noise, "gini")
        if len(pairs) < FEWEST_SEEDS:
            return Finding(", ".join(f"{value:+.3f}" for value in pairs) or "-", "too few")
        low, high = mean_interval(pairs)
        verdict = "holds" if low > 0 else "does not hold" if high < 0 else "inconclusive"
        mean = sum(pairs) / len(pairs)
        return Finding(f"difference {mean:+.3f} [{low:+.3f}, {high:+.3f}] ({len(pairs)})", verdict)

    return judged
