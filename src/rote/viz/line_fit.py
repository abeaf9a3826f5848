"""Lines through points, and descent into one of many valleys."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rote.viz.style import (
    GRAY,
    PALETTE,
    Rows,
    colors_for,
    label_axes,
    legend_outside,
    need_columns,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fitted_lines(
    x: np.ndarray,
    y: np.ndarray,
    fits: Mapping[str, tuple[float, float]],
    *,
    title: str | None = None,
) -> "Figure":
    """Points, and lines through them.

    Args:
      x: ``[n]``.
      y: ``[n]``.
      fits: by name, slope and intercept.
      title: a line above the figure.

    Returns:
      The figure.
    """
    figure, (ax,) = new_figure(1, f"{len(x)} points", title)
    ax.plot(x, y, "o", color=GRAY, markersize=5)
    ends = np.array([x.min(), x.max()])
    dashes = ("-", "--", ":")
    for i, ((name, (slope, intercept)), color) in enumerate(
        zip(fits.items(), colors_for(fits).values(), strict=True)
    ):
        label = f"{name}: y = {slope:.2f} x {intercept:+.2f}"
        ax.plot(
            ends, slope * ends + intercept, dashes[i % 3], color=color, linewidth=2, label=label
        )
    label_axes(ax, "x", "y")
    ax.legend(frameon=False, fontsize=9)
    return figure


def valleys(
    curve: tuple[np.ndarray, np.ndarray], ends: Rows, *, title: str | None = None
) -> "Figure":
    """A cost of one parameter, and where descent from each start came to rest.

    Args:
      curve: ``(w [n], cost [n])``.
      ends: one row per start, with the columns ``start``, ``end`` and ``cost`` (at the end).
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(ends, ("start", "end", "cost"))
    figure, (left, right) = new_figure(2, "dots: where descent came to rest", title)
    left.plot(*curve, color=GRAY, linewidth=1.5, label="cost")
    left.plot(
        [row["end"] for row in ends],
        [row["cost"] for row in ends],
        "o",
        color=PALETTE[1],
        alpha=0.6,
        label="ends of descent",
    )
    label_axes(left, "w", "cost")
    right.plot([row["start"] for row in ends], [row["end"] for row in ends], "o", color=PALETTE[1])
    label_axes(right, "start", "end")
    legend_outside(figure)
    return figure
