"""A number over a grid of two factors."""

from typing import TYPE_CHECKING

import numpy as np

from rote.viz.style import (
    GRAY,
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


def heat_map(
    rows: Rows,
    *,
    x: str,
    y: str,
    value: str,
    panel: str,
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """A column over two others, which have few values: a cell per pair, a panel per value.

    Rows that agree in all of these are seeds: the cell shows their mean. A value that is ``None``
    (a training that diverged) enters no mean and leaves a cross. Accuracies and test errors,
    fractions in the table, are shown in percent. All panels share one scale of colors.

    Args:
      rows: the table.
      x: column of the abscissa; numbers, shown at even distances in increasing order.
      y: column of the ordinate, likewise.
      value: column that is shown.
      panel: column that tells the panels apart.
      caption: what else the reader must know; the number of seeds is added.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(rows, (x, y, value, panel))
    columns, lines = (sorted({float(row[name]) for row in rows}) for name in (x, y))
    percent = in_percent(value)
    found: dict[str, dict[tuple[int, int], list[float]]] = {}
    for row in rows:
        place = lines.index(float(row[y])), columns.index(float(row[x]))
        number = np.nan if row[value] is None else (100 if percent else 1) * row[value]
        found.setdefault(row[panel], {}).setdefault(place, []).append(number)
    counts = {len(seeds) for cells in found.values() for seeds in cells.values()}
    seeds = f"mean over seeds ({count_of(counts)})" if max(counts) > 1 else ""
    crosses = "x: diverged" if any(row[value] is None for row in rows) else ""
    caption = "; ".join(filter(None, [caption, seeds, crosses]))
    means = {
        name: {place: _mean(each) for place, each in cells.items()} for name, cells in found.items()
    }
    known = [mean for cells in means.values() for mean in cells.values() if np.isfinite(mean)]
    low, high = (0, 100) if percent else (min(known, default=0), max(known, default=1))
    figure, axes = new_figure(len(found), caption, title)
    for ax, (name, cells) in zip(axes, means.items(), strict=True):
        grid = np.full((len(lines), len(columns)), np.nan)
        for place, mean in cells.items():
            grid[place] = mean
        image = ax.imshow(grid, cmap="cividis", vmin=low, vmax=high, aspect="auto", origin="lower")
        for (line, column), mean in cells.items():
            text = f"{mean:.3g}" if np.isfinite(mean) else ""
            text += " x" if np.isnan(found[name][line, column]).any() else ""
            dark = np.isfinite(mean) and mean < (low + high) / 2
            color = "white" if dark else "black"
            ax.text(column, line, text.strip(), ha="center", va="center", fontsize=8, color=color)
        ax.grid(False)
        ax.set_facecolor("#E6E6E6")
        ax.spines[:].set_visible(False)
        ax.set_xticks(range(len(columns)), [f"{each:g}" for each in columns])
        ax.set_yticks(range(len(lines)), [f"{each:g}" for each in lines])
        ax.set_title(name_of(name), fontsize=10, loc="left")
        label_axes(ax, name_of(x), name_of(y))
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label(title_of(value), fontsize=10)
    bar.ax.tick_params(labelsize=9, color=GRAY)
    bar.outline.set_visible(False)
    return figure


def _mean(numbers: list[float]) -> float:
    known = [number for number in numbers if np.isfinite(number)]
    return float(np.mean(known)) if known else np.nan
