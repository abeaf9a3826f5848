"""How well a constructed network fits, against the number of points."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rote.viz.style import (
    GRAY,
    Rows,
    colors_for,
    label_axes,
    legend_outside,
    need_columns,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", ":")
"""Lines of the solvers; a color is a number of dimensions."""
HALF = 0.5
"""A residual above this rounds to a wrong label."""


def residuals(rows: Rows, *, title: str | None = None) -> "Figure":
    """Largest residual, and smallest gap between projections, against the number of points.

    Only networks of depth 2 are shown. Each seed and kind of target is a dot; the line is the
    median per number of points. The gaps are those of the points, whatever the solver.

    Args:
      rows: one per network, with the columns ``num_points``, ``dim``, ``depth``, ``solver``,
        ``residual`` and ``smallest_gap`` (``None`` for a single point).
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows of depth 2 or a column is missing.
    """
    columns = ("num_points", "dim", "depth", "solver", "residual", "smallest_gap")
    need_columns(rows, columns)
    rows = [row for row in rows if row["depth"] == 2]
    need_columns(rows, columns)
    figure, (left, right) = new_figure(
        2,
        "dots: each seed and kind of target; lines: medians; dashed: 1/2 (left), 1/n² (right)",
        title,
    )
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(f"d = {row['dim']}", []).append(row)
    solvers = list(dict.fromkeys(row["solver"] for row in rows))
    for name, color in colors_for(groups).items():
        _draw(right, groups[name], "smallest_gap", color)
        for i, solver in enumerate(solvers):
            mine = [row for row in groups[name] if row["solver"] == solver]
            label = f"{solver}, {name}"
            _draw(left, mine, "residual", color, linestyle=STYLES[i % len(STYLES)], label=label)
    left.axhline(HALF, color=GRAY, linewidth=1, linestyle="--")
    left.annotate(
        "1/2: a label rounds to a wrong one",
        (1, HALF),
        xycoords=("axes fraction", "data"),
        xytext=(0, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
        color=GRAY,
    )
    levels = np.unique([row["num_points"] for row in rows]).astype(float)
    right.plot(levels, levels**-2, "--", color=GRAY, linewidth=1)
    for ax, name in ((left, "largest |f(x) - y|"), (right, "smallest gap of the projections")):
        ax.set_xscale("log")
        ax.set_yscale("log")
        label_axes(ax, "points, n", name)
    legend_outside(figure)
    return figure


def _draw(ax: "Axes", rows: Rows, column: str, color: str, **line: Any) -> None:
    """Dots and their medians; a residual of exactly 0, or a single point, has no place here."""
    known = [(row["num_points"], row[column]) for row in rows if row[column]]
    if not known:
        return
    sizes, values = np.array(known, float).T
    levels = np.unique(sizes)
    medians = [np.median(values[sizes == level]) for level in levels]
    ax.plot(sizes, values, "o", color=color, markersize=3, alpha=0.35)
    ax.plot(levels, medians, color=color, linewidth=2, **line)
