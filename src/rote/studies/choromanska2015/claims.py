"""What Choromanska et al. (2015) claim in words, each with its test, fixed before the run."""

from collections.abc import Callable

import numpy as np

from rote.studies.choromanska2015 import minima
from rote.studies.comparison import Claim, Finding, Result, is_number, select
from rote.studies.comparison.rule import Tag

EXPERIMENTS = ("minima",)
FEWEST_NETS = 20
"""Fewer nets of a width say too little about how their losses are distributed."""
FALLS_TEST = (
    f"over {minima.RESAMPLES:,} resamples of the nets of every width, the 95 % bootstrap interval "
    "of the change from the smallest width to the largest lies below 0, and from no width to the "
    "next does one lie above 0; it does not hold where one of these lies above 0; fewer than "
    f"{FEWEST_NETS} nets of a width are too few"
)
NAMES = {"holds": "falls", "does not hold": "does not fall", "inconclusive": "inconclusive"}


def claims() -> list[Claim]:
    """The paper's qualitative claims, each with its test."""
    made: list[tuple[str, Tag, str, minima.Statistic]] = [
        (
            "Abstract",
            "verified",
            "minima outside a band above the lowest die out with size (share of nets whose training"
            " loss is above a band as wide as the lower half of the narrowest nets')",
            minima.outside_the_band,
        ),
        ("Experiments", "recalled", "wider nets reach a lower mean test loss", minima.means),
        (
            "Experiments",
            "recalled",
            "their test losses lie closer together (standard deviation over nets)",
            minima.spreads,
        ),
        (
            "Experiments",
            "recalled",
            "the correlation of training loss and test loss falls with width",
            minima.correlations,
        ),
    ]
    return [
        Claim(where, tag, text, FALLS_TEST, EXPERIMENTS, falls(statistic))
        for where, tag, text, statistic in made
    ]


def losses_of(result: Result) -> tuple[list[int], list[np.ndarray]]:
    """The widths, ascending, and for each the losses of its nets; see ``minima.Losses``.

    A net that diverged has none.
    """
    nets = [
        row
        for row in select(result, {"kind": "net"})
        if is_number(row["train_loss"]) and is_number(row["test_loss"])
    ]
    widths = sorted({row["width"] for row in nets})
    return widths, [
        np.array([[row["train_loss"], row["test_loss"]] for row in nets if row["width"] == width])
        for width in widths
    ]


def falls(statistic: minima.Statistic) -> Callable[[Result], Finding | None]:
    """``FALLS_TEST``, of a number per width."""

    def judged(result: Result) -> Finding | None:
        widths, losses = losses_of(result)
        if len(widths) < 2:
            return None
        fewest = min(map(len, losses))
        values = statistic(losses)
        said = ", ".join(
            f"{width}: {value:.3g}" for width, value in zip(widths, values, strict=True)
        )
        if fewest < FEWEST_NETS:
            return Finding(f"{said} ({fewest} nets each)", "too few")
        intervals = minima.bootstrap_steps(losses, statistic)
        if np.any(intervals[:, 0] > 0):
            verdict = "does not hold"
        else:
            verdict = "holds" if intervals[-1, 1] < 0 else "inconclusive"
        return Finding(f"{said}: {NAMES[verdict]} ({fewest} nets each)", verdict)

    return judged
