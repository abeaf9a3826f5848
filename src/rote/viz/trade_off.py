"""Two measures of the same trainings: what is gained of one, and lost of the other."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rote.viz.style import (
    GRAY,
    Rows,
    colors_for,
    count_of,
    in_percent,
    label_axes,
    legend_outside,
    name_of,
    need_columns,
    new_figure,
    title_of,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def trade_off(
    rows: Rows,
    *,
    x: str,
    y: str,
    by: str,
    setting: Sequence[str],
    baseline: Any = None,
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """Two measures of the same trainings, a line per method, a point per setting of it.

    A point is the mean over seeds, its bars go from the smallest to the largest. Points of a method
    are joined in the order of the table, in which they grow, beginning at the baseline, which is a
    diamond with dotted lines through it. A seed without one of the values (``None``: it diverged)
    is left out. Fractions, such as accuracies, are shown in percent.

    Args:
      rows: one per setting and seed.
      x: column of the abscissa; a number.
      y: column of the ordinate; a number.
      by: column of the method.
      setting: the columns that tell the settings of a method apart.
      baseline: the method whose one point all others begin at; by default there is none.
      caption: what else the reader must know; the number of seeds is added.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows, or a column is missing.
    """
    need_columns(rows, (x, y, by, *setting))
    methods: dict[Any, dict[tuple[Any, ...], list[tuple[float, float]]]] = {}
    for row in rows:
        point = methods.setdefault(row[by], {}).setdefault(tuple(row[c] for c in setting), [])
        if row[x] is not None and row[y] is not None:
            point.append((_shown(x, row[x]), _shown(y, row[y])))
    points = {
        method: [np.array(seeds) for seeds in of.values() if seeds]
        for method, of in methods.items()
    }
    sizes = {len(seeds) for seeds in itertools.chain.from_iterable(points.values())} or {0}
    caption = "; ".join(filter(None, [caption, f"mean and range over seeds ({count_of(sizes)})"]))
    figure, (ax,) = new_figure(1, caption, title)
    figure.set_size_inches(8.4, 4.6)
    start = [seeds.mean(0) for seeds in points.pop(baseline, [])]
    for place in start:
        ax.axvline(place[0], color=GRAY, linestyle=":", linewidth=1)
        ax.axhline(place[1], color=GRAY, linestyle=":", linewidth=1)
    colors = colors_for(list(points))
    for method, settings in points.items():
        means = np.array([*start, *(seeds.mean(0) for seeds in settings)]).reshape(-1, 2)
        ax.plot(*means.T, color=colors[method], linewidth=1.5, alpha=0.6)
        for number, seeds in enumerate(settings):
            mean = seeds.mean(0)
            reach = np.abs([seeds.min(0) - mean, seeds.max(0) - mean])
            ax.errorbar(
                float(mean[0]),
                float(mean[1]),
                xerr=reach[:, :1],
                yerr=reach[:, 1:],
                fmt="o",
                color=colors[method],
                markersize=4 + 1.2 * number,
                elinewidth=1,
                label=name_of(method) if number == 0 else None,
            )
    for place in start:
        ax.plot(*place, "D", color=GRAY, markersize=7, label=name_of(baseline))
    label_axes(ax, title_of(x), title_of(y))
    legend_outside(figure)
    return figure


def _shown(column: str, value: float) -> float:
    return 100 * value if in_percent(column) else value
