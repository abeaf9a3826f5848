"""How probable functions are: by rank, and against their complexity."""

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


def probability_rank(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    num_inputs: int,
    title: str | None = None,
) -> "Figure":
    """Probability against rank, a line per way of sampling.

    Args:
      curves: by name, ranks from 1 and probabilities, both ascending in rank.
      num_inputs: of the Boolean functions; Zipf's law over all ``2^num_inputs`` is drawn, too.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there is no curve.
    """
    caption = (
        "frequency among the samples; the level at the right end is a function found once; dashed: "
        f"Zipf's law over all 2^{num_inputs} functions, 1 / (rank ln 2^{num_inputs})"
    )
    figure, (ax,) = new_figure(1 if curves else 0, caption, title)
    colors = colors_for(curves)
    for i, (name, (rank, probability)) in enumerate(curves.items()):
        style = "-" if i < len(PALETTE) else "-."  # the colors begin again
        ax.plot(rank, probability, style, color=colors[name], linewidth=1.8, label=name)
    farthest = max(float(rank[-1]) for rank, _ in curves.values())
    zipf = np.array([1.0, farthest])
    ax.plot(zipf, 1 / (zipf * num_inputs * np.log(2)), "--", color=GRAY, linewidth=1)
    ax.set_xscale("log")
    ax.set_yscale("log")
    label_axes(ax, "rank", "probability P(f)")
    figure.set_size_inches(8.5, 4.6)
    legend_outside(figure)
    return figure


def probability_and_complexity(
    rows: Rows,
    bounds: Mapping[str, tuple[float, float]],
    *,
    least_finds: int,
    title: str | None = None,
) -> "Figure":
    """Probability against complexity, a panel per way of sampling.

    Args:
      rows: one per panel, complexity and frequency, with the columns ``setting``, ``complexity``,
        ``probability``, ``finds`` (how often each was found) and ``functions`` (how many there
        are).
      least_finds: functions found less often have small dots: their frequency says little.
      bounds: by setting, ``(a, b)`` of the line ``2^(-a K + b)``, where there is one.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(rows, ("setting", "complexity", "probability", "finds", "functions"))
    names = list(dict.fromkeys(row["setting"] for row in rows))
    caption = (
        "a dot: the functions of that complexity found that often, at least twice; the darker, the "
        f"more; small: found fewer than {least_finds} times, which says little of P(f); line: the "
        "bound 2^(-aK+b) over the largest of the others at each complexity; dotted: 2^-K"
    )
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm

    figure, axes = new_figure(
        len(names), caption, title, rows=1 if len(names) < 3 else -(-len(names) // 3), share_y=True
    )
    most = max(row["functions"] for row in rows)
    complexity = np.array([row["complexity"] for row in rows])
    probability = np.array([row["probability"] for row in rows])
    ends = np.array([0.0, complexity.max() + 3.5])
    # The palest yellow would hide the two constants, the most probable functions of all.
    visible = ListedColormap(colormaps["viridis_r"](np.linspace(0.2, 1, 256)))
    for ax, name in zip(axes, names, strict=True):
        mine = np.array([row["setting"] == name for row in rows])
        shown = ax.scatter(
            complexity[mine],
            probability[mine],
            c=[row["functions"] for row in rows if row["setting"] == name],
            cmap=visible,
            norm=LogNorm(1, max(most, 2)),
            s=[12 if row["finds"] >= least_finds else 2 for row in rows if row["setting"] == name],
            linewidths=0,
            zorder=3,
        )
        if name in bounds:
            a, b = bounds[name]
            ax.plot(ends, 2.0 ** (-a * ends + b), color=PALETTE[1], linewidth=1.8)
        ax.plot(ends, 2.0**-ends, ":", color=GRAY, linewidth=1)
        ax.set_yscale("log")
        ax.set_xlim(ends[0], ends[-1])
        ax.set_ylim(probability.min() / 2, 1)
        ax.set_title(name, fontsize=9, loc="left")
        label_axes(ax, "Lempel-Ziv complexity K(f)", "probability P(f)")
    figure.colorbar(shown, ax=axes, label="functions", shrink=0.8)
    return figure
