"""Train and test accuracy, a line per setting."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.viz.style import (
    GRAY,
    PALETTE,
    Rows,
    count_of,
    label_axes,
    legend_outside,
    name_of,
    need_columns,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = {"train_accuracy": PALETTE[0], "test_accuracy": PALETTE[1]}
INCHES_PER_LINE = 0.27


def accuracies(
    rows: Rows, *, by: Sequence[str], num_classes: int | None = None, title: str | None = None
) -> "Figure":
    """Train and test accuracy after training, a line per setting.

    Each seed is a point, the bar across them their mean. A run without a value (``None``: it
    diverged) has no point, and its line no bar.

    Args:
      rows: one per run, with the columns of ``by``, ``train_accuracy`` and ``test_accuracy``
        (fractions).
      by: the columns that tell settings apart. Of a column of booleans its name is shown where it
        is true.
      num_classes: draws a dashed line at chance, ``1/k``.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(rows, (*by, *METRICS))
    groups: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        words = [
            (name_of(column) if value else "") if isinstance(value, bool) else name_of(value)
            for column, value in ((column, row[column]) for column in by)
        ]
        groups.setdefault(", ".join(filter(None, words)), []).append(index)
    sizes = [len(members) for members in groups.values()]
    caption = f"{count_of(sizes)} per line: each seed a point, the bar their mean"
    figure, (ax,) = new_figure(1, caption, title)
    figure.set_size_inches(8.4, 1.7 + INCHES_PER_LINE * len(groups))
    if num_classes is not None:
        ax.axvline(100 / num_classes, color=GRAY, linewidth=1, linestyle="--", label="chance")
    for metric, color in METRICS.items():
        for line, members in enumerate(groups.values()):
            given = [rows[index][metric] for index in members]
            values = [np.nan if value is None else 100 * value for value in given]
            ax.plot(values, [line] * len(values), "o", color=color, markersize=4, alpha=0.6)
            ax.plot([np.mean(values)] * 2, [line - 0.3, line + 0.3], color=color, linewidth=2)
        ax.plot([], [], "o-", color=color, markersize=4, label=name_of(metric))
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.set_xlim(0, 102)
    label_axes(ax, "accuracy (%)", "")
    legend_outside(figure)
    return figure
