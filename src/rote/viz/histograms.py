"""How a number is distributed, for several groups over one another."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.core import InputError
from rote.viz.style import (
    Rows,
    colors_for,
    count_of,
    label_axes,
    legend_outside,
    name_of,
    need_columns,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def histograms(
    rows: Rows,
    *,
    x: str | Sequence[str],
    by: str,
    bins: int = 60,
    unit: str = "rows",
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """Histograms of a column, one per value of ``by``, over the same bins.

    Args:
      rows: the table.
      x: column whose values are counted, or several: a panel each. What is ``None`` or not finite
        is left out, and the caption says how many that were.
      by: column that tells the histograms apart.
      bins: from the smallest value to the largest, all equally wide.
      unit: what a row is, in the plural.
      caption: what else the reader must know; the number of rows is added.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows, or a column is missing or without a value.
    """
    columns = [x] if isinstance(x, str) else list(x)
    need_columns(rows, [*columns, by])
    names = list(dict.fromkeys(row[by] for row in rows))
    sizes = [sum(row[by] == name for row in rows) for name in names]
    values = {
        column: np.array([np.nan if row[column] is None else row[column] for row in rows], float)
        for column in columns
    }
    missing = max(int(np.sum(~np.isfinite(of))) for of in values.values())
    left_out = [f"{missing} {unit} without a value"] if missing else []
    about = [*filter(None, [caption]), f"{unit}: {count_of(sizes)} each", *left_out]
    figure, axes = new_figure(len(columns), "; ".join(about), title)
    colors = colors_for(str(name) for name in names)
    for ax, column in zip(axes, columns, strict=True):
        shown = values[column]
        finite = shown[np.isfinite(shown)]
        if not finite.size:
            raise InputError(f"histograms: {column!r} has no value that can be shown")
        edges = np.linspace(finite.min(), finite.max(), bins + 1).tolist()
        for name in names:
            mine = shown[[row[by] == name for row in rows]]
            ax.hist(
                mine[np.isfinite(mine)],
                edges,
                color=colors[str(name)],
                alpha=0.6,
                histtype="stepfilled",
                label=name if isinstance(name, str) else f"{name_of(by)} {name:g}",
            )
        label_axes(ax, name_of(column), unit)
    legend_outside(figure)
    return figure
