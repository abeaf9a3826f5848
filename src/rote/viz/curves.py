"""Learning curves by condition."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from rote.viz.style import (
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

Curve = dict[float, float]
"""A metric by step or epoch, of one seed."""


def learning_curves(
    rows: Rows,
    *,
    metric: str = "train_loss",
    x: str = "step",
    by: str = "condition",
    log_y: bool = False,
    title: str | None = None,
) -> "Figure":
    """A metric against training time, by condition.

    Each seed is a thin line that ends, with a dot, where its run ended. The thick line is the mean
    over the seeds, drawn only as far as all of them have a value: runs that stop earlier than
    others neither drop out of the mean nor are continued by guesswork.

    Args:
      rows: one per run and epoch, with the columns ``by``, ``seed``, ``x`` and ``metric``; rows
        whose metric is ``None`` or not finite are left out.
      metric: the column to show; a column that ends in ``accuracy`` is shown in percent, from its
        lowest value after the first step on, lest the untrained net set the scale.
      x: ``"step"`` or ``"epoch"``.
      by: the column that tells the conditions apart.
      log_y: a logarithmic vertical axis.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(rows, (by, "seed", x, metric))
    scale = 100 if in_percent(metric) else 1
    conditions = list(dict.fromkeys(str(row[by]) for row in rows))
    curves = {name: _curves(rows, by, name, x, metric, scale) for name in conditions}
    colors = colors_for(conditions)
    sizes = [len(seeds) for seeds in curves.values()]
    caption = f"{count_of(sizes)}; a dot marks the end of a run"
    if max(sizes) > 1:
        caption = (
            f"thin: each seed ({count_of(sizes)}) until its run ended (dot); "
            "thick: mean, as long as all seeds train"
        )
    figure, (ax,) = new_figure(1, caption, title)
    for name, seeds in curves.items():
        alone = len(seeds) == 1
        for curve in seeds:
            xs, ys = list(curve), list(curve.values())
            (line,) = ax.plot(xs, ys, color=colors[name], linewidth=2.0)
            if alone:
                line.set_label(name_of(name))
            else:
                line.set(linewidth=0.8, alpha=0.5)
            ax.plot(xs[-1:], ys[-1:], "o", color=colors[name], markersize=4, clip_on=False)
        if len(seeds) > 1:
            common = sorted(set.intersection(*(set(curve) for curve in seeds)))
            mean = [np.mean([curve[at] for curve in seeds]) for at in common]
            ax.plot(common, mean, color=colors[name], linewidth=2.2, label=name_of(name))
    if log_y:
        ax.set_yscale("log")
    elif in_percent(metric):
        ax.set_ylim(*_range(curves.values()))
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(_thousands)
    label_axes(ax, name_of(x), title_of(metric))
    legend_outside(figure)
    return figure


def _curves(rows: Rows, by: str, name: str, x: str, metric: str, scale: float) -> list[Curve]:
    seeds: dict[object, Curve] = {}
    for row in rows:
        value = row[metric]
        if str(row[by]) == name and value is not None and math.isfinite(value):
            seeds.setdefault(row["seed"], {})[row[x]] = scale * value
    return [dict(sorted(curve.items())) for curve in seeds.values()]


def _range(curves: Iterable[list[Curve]]) -> tuple[float, float]:
    """The vertical axis of accuracies in percent: all values but those before the first step."""
    points = [point for seeds in curves for curve in seeds for point in curve.items()]
    values = [value for at, value in points if at > 0]
    low, high = min(values, default=0), max(values, default=100)
    around = 0.05 * max(high - low, 2)
    return max(low - around, 0), min(high + around, 102)


def _thousands(value: float, position: float) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"
