"""The loss of a training whose learning rate grows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.viz.lines import lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def range_test(
    rates: np.ndarray,
    losses: np.ndarray,
    smoothed: np.ndarray,
    *,
    marks: Sequence[float],
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """What ``rote.measure.range_test`` found.

    Args:
      rates: ``[T]`` learning rates.
      losses: ``[T]``, of the mini-batches.
      smoothed: ``[T]``, the same smoothed.
      marks: rates at which a dashed line stands, such as the one chosen.
      caption: what they are.
      title: a line above the figure.
    """
    rows = [
        {"learning_rate": rate, "loss": loss, "line": line}
        for line, values in (("mini-batch", losses), ("smoothed", smoothed))
        for rate, loss in zip(rates, values, strict=True)
    ]
    return lines(
        rows,
        x="learning_rate",
        y="loss",
        by="line",
        log=("learning_rate",),
        marks={"": marks},
        caption=caption,
        title=title,
    )
