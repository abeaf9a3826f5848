"""Against the corruption level: time to fit, and test error in the end."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rote.core import InputError
from rote.viz.style import (
    GRAY,
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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TICKS = 8

Curve = Sequence[tuple[float, float]]


def time_to_fit(
    rows: Rows,
    *,
    unit: str = "epochs",
    target: float = 1.0,
    by: str = "model",
    title: str | None = None,
) -> "Figure":
    """Time to fit the training labels, or to a training accuracy, against their corruption.

    Each seed is a point. The line is their mean; it passes only through levels at which every seed
    got there, because a mean without the censored runs would be too low. A run that did not is an
    open triangle at the epochs it was given, labeled ``> max_epochs``.

    Args:
      rows: one per run, with the columns ``corruption``, ``epochs_to_fit`` (``None`` if censored)
        and ``max_epochs``; or ``steps_to_fit`` and ``max_steps``.
      unit: ``"epochs"`` or ``"steps"``.
      target: the training accuracy that the time is to. Below 1 the column is
        ``epochs_to_target``, or ``steps_to_target``.
      by: a column that separates lines, where the rows have it.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    figure, (ax,) = new_figure(1, _caption(rows, by, _column(unit, target), target), title)
    _draw_time(ax, rows, unit, target, by)
    legend_outside(figure)
    return figure


def test_error(
    rows: Rows,
    *,
    num_classes: int,
    expected: Curve | None = None,
    target: float = 1.0,
    by: str = "model",
    title: str | None = None,
) -> "Figure":
    """Test error at the end of training, which is where the labels are fitted, against corruption.

    Points, lines and triangles as in ``time_to_fit``; a triangle is the test error of a run that
    had not got there when it ended. The dashed line is chance, ``1 - 1/k``. With a ``target`` below
    1 training goes on past it, and so the error is that at the end.

    Args:
      rows: one per run, with the columns ``corruption``, ``epochs_to_fit`` and ``test_error`` (a
        fraction).
      num_classes: ``k``.
      expected: pairs of corruption and test error (fractions) of a curve to compare with.
      target: as in ``time_to_fit``.
      by: a column that separates lines, where the rows have it.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    column = _column("epochs", target)
    figure, (ax,) = new_figure(1, _caption(rows, by, column, target), title)
    _draw_error(ax, rows, num_classes, expected, column, by)
    legend_outside(figure)
    return figure


def corruption_sweep(
    rows: Rows,
    *,
    num_classes: int,
    expected: Curve | None = None,
    unit: str = "epochs",
    target: float = 1.0,
    by: str = "model",
    title: str | None = None,
) -> "Figure":
    """``time_to_fit`` and ``test_error`` side by side: Zhang et al. (2017), Fig. 1b and 1c.

    Args:
      rows: as in ``time_to_fit`` and ``test_error``.
      num_classes: as in ``test_error``.
      expected: as in ``test_error``.
      unit: as in ``time_to_fit``.
      target: as in ``time_to_fit``.
      by: as in both.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    column = _column(unit, target)
    figure, (left, right) = new_figure(2, _caption(rows, by, column, target), title)
    _draw_time(left, rows, unit, target, by)
    _draw_error(right, rows, num_classes, expected, column, by)
    legend_outside(figure)
    return figure


def _column(unit: str, target: float) -> str:
    return f"{unit}_to_fit" if target == 1 else f"{unit}_to_target"


class _Point(NamedTuple):
    """A run: its line, its corruption, its height on the vertical axis."""

    line: str
    level: float
    height: float
    censored: bool


def _draw_time(ax: "Axes", rows: Rows, unit: str, target: float, by: str) -> None:
    time, limit = _column(unit, target), f"max_{unit}"
    need_columns(rows, ("corruption", time, limit))
    points = [
        _Point(
            str(row.get(by, "")),
            row["corruption"],
            row[limit] if row[time] is None else row[time],
            row[time] is None,
        )
        for row in rows
    ]
    _draw_points(ax, points)
    for level, most in {(point.level, point.height) for point in points if point.censored}:
        _note(ax, f"> {most}", (level, most), (0, 6), ha="center")
    ax.set_ylim(0, 1.1 * max(point.height for point in points))
    what = "fit the training labels" if target == 1 else f"{100 * target:g} % train accuracy"
    label_axes(ax, "label corruption", f"{unit} to {what}")


def _draw_error(
    ax: "Axes", rows: Rows, num_classes: int, expected: Curve | None, time: str, by: str
) -> None:
    need_columns(rows, ("corruption", time, "test_error"))
    if num_classes < 2:
        raise InputError(f"num_classes: {num_classes}; expected at least 2")
    chance = 100 * (1 - 1 / num_classes)
    ax.axhline(chance, color=GRAY, linewidth=1, linestyle="--")
    _note(ax, f"chance, {chance:.3g} %", (0, chance), (0, 3))
    if expected is not None:
        levels, errors = np.asarray(sorted(expected), float).T
        ax.plot(levels, 100 * errors, ":", color=GRAY, linewidth=1.2, label="expected")
    points = [
        _Point(
            str(row.get(by, "")),
            row["corruption"],
            100 * row["test_error"],
            row[time] is None,
        )
        for row in rows
        if row["test_error"] is not None
    ]
    _draw_points(ax, points)
    ax.set_ylim(0, 102)
    when = "once fitted" if time.endswith("_to_fit") else "at the end"
    label_axes(ax, "label corruption", f"test error {when} (%)")


def _draw_points(ax: "Axes", points: Sequence[_Point]) -> None:
    colors = colors_for(point.line for point in points)
    all_levels = sorted({point.level for point in points})
    if len(all_levels) <= MOST_TICKS:
        ax.set_xticks(all_levels, [f"{level:g}" for level in all_levels])
    for line, color in colors.items():
        mine = [point for point in points if point.line == line]
        levels = sorted({point.level for point in mine})
        ax.plot(
            levels,
            [_mean([point for point in mine if point.level == level]) for level in levels],
            color=color,
            linewidth=2,
            label=name_of(line),
        )
        for censored, marker, face in ((False, "o", color), (True, "^", "white")):
            chosen = [point for point in mine if point.censored == censored]
            if not chosen:
                continue
            ax.plot(
                [point.level for point in chosen],
                [point.height for point in chosen],
                marker,
                color=color,
                markerfacecolor=face,
                markersize=7 if censored else 5,
                alpha=1 if censored else 0.6,
                linestyle="none",
                clip_on=False,
            )


def _mean(points: Sequence[_Point]) -> float:
    """The mean height, or NaN (a gap in the line) where a run is censored."""
    if any(point.censored for point in points):
        return math.nan
    return float(np.mean([point.height for point in points]))


def _note(
    ax: "Axes", text: str, at: tuple[float, float], offset: tuple[float, float], ha: str = "left"
) -> None:
    ax.annotate(text, at, xytext=offset, textcoords="offset points", ha=ha, fontsize=8, color=GRAY)


def _caption(rows: Rows, by: str, time: str, target: float) -> str:
    need_columns(rows, ("corruption", time))
    sizes = Counter((str(row.get(by, "")), row["corruption"]) for row in rows)
    caption = f"{count_of(sizes.values())} per level: each seed a point, the line their mean"
    if any(row[time] is None for row in rows):
        ended = "not fitted when it ended" if target == 1 else f"never at {100 * target:g} %"
        caption += f"; open triangle: {ended}, so no mean"
    return caption
