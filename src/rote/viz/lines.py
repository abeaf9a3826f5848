"""Lines over any two columns of a table, in as many panels as are asked for."""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rote.core import InputError
from rote.viz.style import (
    GRAY,
    PALETTE,
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


def lines(
    rows: Rows,
    *,
    x: str,
    y: str | Sequence[str],
    by: str | None = None,
    reference: Any = None,
    panel: str | None = None,
    log: Sequence[str] = (),
    markers: bool = False,
    share_y: bool = False,
    marks: Mapping[Any, Sequence[float]] | None = None,
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """One column against another: a line per value of ``by``, a panel per column or value.

    Rows that agree in all of these are seeds: the line is their mean, the band goes from the
    smallest to the largest. A place where a seed's value is ``None`` or not finite, or cannot be
    shown on a logarithmic axis, is left out: the others' mean would not tell of it. Fractions, such
    as accuracies and errors, are shown in percent. More than three panels stand in two rows.

    Args:
      rows: the table.
      x: column of the abscissa; numbers.
      y: column of the ordinate, or several: a panel each.
      by: column that tells the lines apart.
      reference: the value of ``by`` whose line is dashed and gray: what others are compared with.
      panel: column that tells the panels apart; only with one ``y``.
      log: which of the columns ``x`` and ``y`` have a logarithmic axis.
      markers: show where the values are; for few of them. Up to eight places on a panel's
        logarithmic abscissa then have a tick each, long numbers as powers of two or rounded.
      share_y: whether all panels have the same ordinate.
      marks: by value of ``panel`` (``""`` without one), abscissas at which a dashed line stands.
      caption: what else the reader must know; the number of seeds is added.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows, a column is missing, or several columns meet ``panel``.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    columns = [y] if isinstance(y, str) else list(y)
    if panel is not None and len(columns) > 1:
        raise InputError(f"lines: panel={panel!r} with {len(columns)} columns y; expected one")
    need_columns(rows, [x, *columns, *filter(None, (by, panel))])
    shown: list[tuple[str, Any, Rows]] = [(column, "", rows) for column in columns]
    if panel is not None:
        values = list(dict.fromkeys(row[panel] for row in rows))
        shown = [
            (columns[0], value, [row for row in rows if row[panel] == value]) for value in values
        ]
    names = list(dict.fromkeys("" if by is None else row[by] for row in rows))
    colors = colors_for(names)
    styles = {name: ("-", "--", ":")[i // len(PALETTE) % 3] for i, name in enumerate(names)}
    if reference is not None:
        colors[reference], styles[reference] = GRAY, "--"
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
    for ax, (column, value, mine), group in zip(axes, shown, groups, strict=True):
        number = functools.partial(_number, positive=column in log)
        scale = 100 if in_percent(column) else 1
        for name, line in group.items():
            at = sorted(line)
            table = [[scale * number(row[column]) for row in line[place]] for place in at]
            mean, low, high = (
                np.array([f(seeds) for seeds in table]) for f in (np.mean, np.min, np.max)
            )
            label = name_of(name) if isinstance(name, str) else f"{name_of(by or '')} {name:g}"
            style = ("o" if markers else "") + styles[name]
            ax.plot(at, mean, style, color=colors[name], linewidth=2, markersize=4, label=label)
            if np.any(low < high):
                ax.fill_between(at, low, high, color=colors[name], alpha=0.2, linewidth=0)
        if x in log:
            ax.set_xscale("log")
            places = sorted({float(row[x]) for row in mine})
            if markers and len(places) <= 8:
                ax.set_xticks(places, _short(places))
                ax.xaxis.set_minor_locator(NullLocator())
        elif whole:
            ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if column in log and any(np.isfinite(line.get_ydata()).any() for line in ax.lines):
            ax.set_yscale("log")
            bottom, top = ax.get_ylim()
            if top < 100 * bottom:  # too few powers of ten to read by
                ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                ax.yaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place:g}"))
                ax.yaxis.set_minor_formatter(NullFormatter())
        for place in (marks or {}).get(value, ()):
            ax.axvline(place, color=GRAY, linestyle="--", linewidth=1)
        if panel is not None:
            ax.set_title(name_of(value), fontsize=10, loc="left")
        label_axes(ax, name_of(x), title_of(column))
    if by is not None:
        legend_outside(figure)
    return figure


def _short(places: Sequence[float]) -> list[str]:
    """Numbers as ticks say them: if one is long, all as powers of two, or rounded."""
    texts = [f"{place:g}" for place in places]
    if max(map(len, texts)) <= 5:
        return texts
    powers = [round(np.log2(place)) for place in places]
    if all(2.0**power == place for power, place in zip(powers, places, strict=True)):
        return [f"$2^{{{power}}}$" for power in powers]
    return [f"{place:.2g}" for place in places]


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
