"""What many seeds reached: a dot for each, by setting."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.viz.style import (
    PALETTE,
    Rows,
    count_of,
    in_percent,
    label_axes,
    name_of,
    need_columns,
    new_figure,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spread(
    rows: Rows,
    *,
    x: str,
    y: str | Sequence[str],
    log: Sequence[str] = (),
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """A dot per row over each value of ``x``, and a bar at their mean.

    The values of ``x`` stand at equal distances in their order of appearance. Accuracies, fractions
    in the table, are shown in percent.

    Args:
      rows: the table, one row per seed.
      x: column of the abscissa.
      y: column of the ordinate, or several: a panel each.
      log: which of the columns ``y`` have a logarithmic axis.
      caption: what else the reader must know; the number of seeds is added.
      title: a line above the figure.

    Returns:
      The figure. A value that is ``None`` or not finite has no dot, and its place no bar.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    columns = [y] if isinstance(y, str) else list(y)
    need_columns(rows, [x, *columns])
    places = list(dict.fromkeys(row[x] for row in rows))
    groups = [[row for row in rows if row[x] == place] for place in places]
    seeds = f"each seed a dot ({count_of([len(group) for group in groups])}), the bar their mean"
    figure, axes = new_figure(len(columns), "; ".join(filter(None, [caption, seeds])), title)
    for ax, column in zip(axes, columns, strict=True):
        percent = in_percent(column)
        for at, group in enumerate(groups):
            scale = 100 if percent else 1
            given = [np.nan if row[column] is None else scale * row[column] for row in group]
            values = np.sort(given)
            # Neighbours in size lie apart, the same at every call.
            aside = 0.25 * (2 * np.modf(np.arange(len(values)) * 0.618)[0] - 1)
            ax.plot(at + aside, values, "o", color=PALETTE[0], markersize=5, alpha=0.6)
            ax.plot([at - 0.35, at + 0.35], [values.mean()] * 2, color=PALETTE[1], linewidth=2)
        if column in log:
            ax.set_yscale("log")
        ax.set_xticks(range(len(places)), [name_of(place) for place in places])
        label_axes(ax, name_of(x), title_of(column))
    return figure
