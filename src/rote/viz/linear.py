"""Linear models: norm against test error, and the way of gradient descent."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rote.viz.style import (
    Rows,
    colors_for,
    label_axes,
    legend_outside,
    name_of,
    need_columns,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def norm_and_error(rows: Rows, *, title: str | None = None) -> "Figure":
    """Test error against the norm of the solution, a point per solution.

    Args:
      rows: one per solution, with the columns ``features``, ``labels`` (``"true"`` or
        ``"random"``), ``l2``, ``norm`` and ``test_error`` (a fraction).
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(rows, ("features", "labels", "l2", "norm", "test_error"))
    colors = colors_for(str(row["features"]) for row in rows)
    caption = "dot: true labels, cross: random labels; open or thin: with an l2 term"
    figure, (ax,) = new_figure(1, caption, title)
    for name, color in colors.items():
        ax.plot([], [], "o", color=color, label=name_of(name))
    for row in rows:
        color = colors[str(row["features"])]
        plain = row["l2"] == 0
        ax.plot(
            row["norm"],
            100 * row["test_error"],
            "o" if row["labels"] == "true" else "X",
            color=color,
            markerfacecolor=color if plain else "white",
            markersize=8,
            alpha=0.8,
        )
    ax.set_xscale("log")
    ax.set_ylim(bottom=0)
    label_axes(ax, "norm of the solution", "test error (%)")
    legend_outside(figure)
    return figure


def distances(paths: Mapping[str, np.ndarray], *, title: str | None = None) -> "Figure":
    """Distance to the minimum-norm solution, epoch by epoch, from several starts.

    Args:
      paths: by start, ``[epochs + 1]`` distances relative to the norm of that solution.
      title: a line above the figure.

    Returns:
      The figure.
    """
    caption = "distance over the norm of the minimum-norm solution; one example a step"
    figure, (ax,) = new_figure(1, caption, title)
    for (name, values), color in zip(paths.items(), colors_for(paths).values(), strict=True):
        ax.plot(values, color=color, linewidth=2, label=f"from {name}")
    ax.set_yscale("log")
    ax.set_xlim(left=0)
    label_axes(ax, "epoch of SGD", "distance to pinv(X) Y")
    legend_outside(figure)
    return figure
