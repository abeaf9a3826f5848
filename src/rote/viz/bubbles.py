"""Three numbers of each of a few things: place and area of a bubble."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.core import InputError
from rote.viz.style import (
    PALETTE,
    Rows,
    in_percent,
    label_axes,
    name_of,
    need_columns,
    new_figure,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 1400.0
"""Area of the largest bubble, in square points."""
NEAR = 40.0
"""Points within which names would stand in each other's way."""


def bubbles(
    rows: Rows,
    *,
    x: str,
    y: str,
    size: str,
    label: str,
    log: Sequence[str] = (),
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """A bubble per row, named, whose area is proportional to a third column.

    Accuracies, fractions in the table, are shown in percent.

    Args:
      rows: the table.
      x: column of the abscissa.
      y: column of the ordinate.
      size: column of the area; positive numbers.
      label: column of the names.
      log: which of the columns ``x`` and ``y`` have a logarithmic axis.
      caption: what else the reader must know; what the area means is added.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows, a column is missing or a size is not positive.
    """
    need_columns(rows, (x, y, size, label))
    from matplotlib.ticker import MaxNLocator

    largest = max(row[size] for row in rows)
    if not all(row[size] > 0 for row in rows):
        raise InputError(f"bubbles: {size} of a row is not positive, and has no area")
    area = f"area: {name_of(size)}, the largest {largest:,.0f}"
    figure, (ax,) = new_figure(1, "; ".join(filter(None, [area, caption])), title)
    figure.set_size_inches(8.4, 4.8)
    percent = in_percent(y)
    places = [(row[x], (100 if percent else 1) * row[y]) for row in rows]
    for column, axis, scale in ((x, ax.xaxis, ax.set_xscale), (y, ax.yaxis, ax.set_yscale)):
        if column in log:
            scale("log")
        elif all(isinstance(row[column], int) for row in rows):
            axis.set_major_locator(MaxNLocator(integer=True))  # years
    areas = [LARGEST * row[size] / largest for row in rows]
    across, up = zip(*places, strict=True)
    ax.scatter(across, up, s=areas, color=PALETTE[0], alpha=0.35, linewidth=0)
    ax.scatter(across, up, s=9, color=PALETTE[0])
    ax.margins(0.12, 0.18)
    label_axes(ax, name_of(x), title_of(y))
    figure.draw_without_rendering()  # settles where the axes are
    at = ax.transData.transform(places) * 72 / figure.dpi
    for row, place, here, points in zip(rows, places, at, areas, strict=True):
        radius = math.sqrt(points / math.pi)
        # Where another one lies close above, the name goes below.
        aside, above = (at - here).T
        crowded = (abs(aside) < NEAR) & (above > 0) & (above < radius + NEAR)
        side = -1 if np.any(crowded) else 1
        ax.annotate(
            name_of(row[label]),
            place,
            xytext=(0, side * (radius + 2)),
            textcoords="offset points",
            ha="center",
            va="bottom" if side > 0 else "top",
            fontsize=8,
        )
    return figure
