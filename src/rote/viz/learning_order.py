"""In which order training examples are learned."""

from typing import TYPE_CHECKING

import numpy as np

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

STYLES = {"unchanged": "-", "changed": "--"}


def learning_order(rows: Rows, *, by: str = "corruption", title: str | None = None) -> "Figure":
    """How many examples have been learned for good by each epoch, changed and unchanged ones apart.

    Each line is the mean over seeds; a run that has ended keeps its last value.

    Args:
      rows: one per run, part and epoch, with the columns ``by``, ``seed``, ``part`` (``"changed"``
        or ``"unchanged"``), ``epoch`` and ``fraction``.
      by: the column that tells the conditions apart.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no rows or a column is missing.
    """
    need_columns(rows, (by, "seed", "part", "epoch", "fraction"))
    values = dict.fromkeys(row[by] for row in rows)
    names = {str(value): _in_words(by, value) for value in values}
    colors = colors_for(names)
    last = max(row["epoch"] for row in rows)
    sizes = []
    lines = []
    for name in names:
        for part, style in STYLES.items():
            runs: dict[object, list[float]] = {}
            for row in rows:
                if str(row[by]) == name and row["part"] == part:
                    runs.setdefault(row["seed"], []).append(100 * row["fraction"])
            if runs:
                sizes.append(len(runs))
                full = [run + run[-1:] * (last + 1 - len(run)) for run in runs.values()]
                lines.append((name, part, style, np.mean(full, axis=0)))
    caption = (
        f"mean of seeds ({count_of(sizes)}); solid: label unchanged, dashed: label changed; "
        "learned: right from this epoch on until the end, on the label trained on"
    )
    figure, (ax,) = new_figure(1, caption, title)
    for name, part, style, mean in lines:
        label = names[name] if part == "unchanged" else f"{names[name]}, changed"
        ax.plot(mean, style, color=colors[name], linewidth=2, label=label)
    ax.set_ylim(0, 102)
    ax.set_xlim(left=0)
    label_axes(ax, "epoch", "examples learned (%)")
    legend_outside(figure)
    return figure


def _in_words(by: str, value: object) -> str:
    return f"{name_of(by)} {value:g}" if isinstance(value, float) else name_of(str(value))
