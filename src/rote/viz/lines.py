"""Lines over any two columns of a table, in as many panels as are asked for."""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rote.viz.style import (
    GRAY,
    PALETTE,
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


def lines(
    rows: Rows,
    *,
    x: str,
    y: str | Sequence[str],
    by: str | None = None,
    panel: str | None = None,
    log: Sequence[str] = (),
    markers: bool = False,
    share_y: bool = False,
    marks: Mapping[str, Sequence[float]] | None = None,
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """One column against another: a line per value of ``by``, a panel per column or value.

    Rows that agree in all of these are seeds: the line is their mean, the band goes from the
    smallest to the largest. Values that are ``None`` or not finite leave a gap, and so does what a
    logarithmic axis cannot show. Accuracies and test errors, fractions in the table, are shown in
    percent. More than three panels stand in two rows.

    Args:
      rows: the table.
      x: column of the abscissa; numbers.
      y: column of the ordinate, or several: a panel each.
      by: column that tells the lines apart.
      panel: column that tells the panels apart; only with one ``y``.
      log: which of the columns ``x`` and ``y`` have a logarithmic axis.
      markers: show where the values are; for few of them.
      share_y: whether all panels have the same ordinate.
      marks: by value of ``panel``, abscissas at which a dashed line stands.
      caption: what else the reader must know; the number of seeds is added.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    from matplotlib.ticker import MaxNLocator

    columns = [y] if isinstance(y, str) else list(y)
    need_columns(rows, [x, *columns, *filter(None, (by, panel))])
    shown: list[tuple[str, str, Rows]] = [(column, "", rows) for column in columns]
    if panel is not None:
        values = list(dict.fromkeys(row[panel] for row in rows))
        shown = [
            (columns[0], name_of(value), [row for row in rows if row[panel] == value])
            for value in values
        ]
    names = list(dict.fromkeys("" if by is None else row[by] for row in rows))
    colors = colors_for(names)
    styles = {name: ("-", "--", ":")[i // len(PALETTE) % 3] for i, name in enumerate(names)}
    groups = [_by_place(mine, x, by) for _, _, mine in shown]
    sizes = {len(seeds) for group in groups for line in group.values() for seeds in line.values()}
    if max(sizes) > 1:
        caption = "; ".join(
            filter(None, [caption, f"mean and range over seeds ({count_of(sizes)})"])
        )
    figure, axes = new_figure(
        len(shown), caption, title, rows=1 + (len(shown) > 3), share_y=share_y
    )
    whole = all(float(row[x]).is_integer() for row in rows)
    for ax, (column, heading, _), group in zip(axes, shown, groups, strict=True):
        number = functools.partial(_number, positive=column in log)
        percent = column.endswith(("accuracy", "test_error"))
        scale = 100 if percent else 1
        for name, line in group.items():
            at = sorted(line)
            table = [[scale * number(row[column]) for row in line[place]] for place in at]
            mean, low, high = (np.array([f(seeds) for seeds in table]) for f in (np.mean, min, max))
            label = name_of(name) if isinstance(name, str) else f"{name_of(by or '')} {name:g}"
            style = ("o" if markers else "") + styles[name]
            ax.plot(at, mean, style, color=colors[name], linewidth=2, markersize=4, label=label)
            if np.any(low < high):
                ax.fill_between(at, low, high, color=colors[name], alpha=0.2, linewidth=0)
        if x in log:
            ax.set_xscale("log")
        elif whole:
            ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if column in log:
            ax.set_yscale("log")
        for place in (marks or {}).get(heading, ()):
            ax.axvline(place, color=GRAY, linestyle="--", linewidth=1)
        if heading:
            ax.set_title(heading, fontsize=10, loc="left")
        label_axes(ax, name_of(x), f"{name_of(column)} (%)" if percent else name_of(column))
    if by is not None:
        legend_outside(figure)
    return figure


def _by_place(
    rows: Rows, x: str, by: str | None
) -> dict[Any, dict[float, list[Mapping[str, Any]]]]:
    """The rows by line, and within it by abscissa."""
    found: dict[Any, dict[float, list[Mapping[str, Any]]]] = {}
    for row in rows:
        line = found.setdefault("" if by is None else row[by], {})
        line.setdefault(float(row[x]), []).append(row)
    return found


def _number(value: Any, *, positive: bool) -> float:
    shown = value is not None and np.isfinite(value) and (value > 0 or not positive)
    return float(value) if shown else np.nan
