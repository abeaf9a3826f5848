"""A cost over one or two parameters, and the ways of descent on it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.core import InputError
from rote.viz.style import (
    GRAY,
    PALETTE,
    Rows,
    label_axes,
    legend_outside,
    need_columns,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def descent_paths(
    surfaces: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    paths: Mapping[str, Mapping[str, np.ndarray]],
    *,
    names: tuple[str, str] = ("w0", "w1"),
    goals: Mapping[str, Sequence[float]] | None = None,
    title: str | None = None,
) -> "Figure":
    """Paths over the level lines of costs, one panel per cost.

    Args:
      surfaces: by panel ``(x [n], y [m], cost [m, n])``; costs are positive, and their level lines
        are evenly spaced in the logarithm.
      paths: by panel, then by name, ``[steps + 1, 2]``.
      names: of the two parameters.
      goals: by panel, a point to mark: where its minimum is.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if panels and paths do not belong together.
    """
    if set(surfaces) != set(paths):
        raise InputError(
            f"descent_paths: surfaces {sorted(surfaces)}, paths {sorted(paths)}; expected the same"
        )
    figure, axes = new_figure(
        len(surfaces), "level lines: cost, evenly spaced in its logarithm; dot: start", title
    )
    for ax, (panel, (x, y, cost)) in zip(axes, surfaces.items(), strict=True):
        ax.contour(x, y, np.log(cost), levels=18, cmap="Greys_r", linewidths=0.8)
        for color, (name, path) in zip(PALETTE, paths[panel].items(), strict=False):
            ax.plot(*path.T, ".-", color=color, markersize=3, linewidth=1.5, label=name)
            ax.plot(*path[0], "o", color=color, markersize=7)
        if goals and panel in goals:
            ax.plot(*goals[panel], "*", color="black", markersize=12, label="minimum")
        ax.set_xlim(x[0], x[-1])
        ax.set_ylim(y[0], y[-1])
        ax.set_title(panel, fontsize=10, loc="left")
        ax.legend(frameon=False, fontsize=8)
        label_axes(ax, *names)
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
