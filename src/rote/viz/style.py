"""What all figures share: colors, sizes, words."""

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rote.core import InputError, unknown_name

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]

# The palette of Okabe and Ito (2008) without its yellow, which is too light for lines; told apart
# with all common color blindnesses.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
CONDITION_COLORS = dict(
    zip(
        (
            "true",
            "random_labels",
            "shuffled_pixels",
            "random_pixels",
            "gaussian",
            "shuffled_labels",
        ),
        PALETTE,
        strict=False,
    )
)
GRAY = "#595959"
CAPTION_CHARACTERS_PER_INCH = 15

NAMES = {
    "true": "true labels",
    "random": "random labels",
    "step": "training step",
    "gini_coefficient": "Gini coefficient",
    "num_train": "training examples",
    "train_loss": "training loss",
    "batch_loss": "mini-batch loss",
    "train_accuracy": "training accuracy",
    "clean_accuracy": "accuracy on the clean labels",
    "changed_accuracy": "training accuracy, changed labels",
    "unchanged_accuracy": "training accuracy, unchanged labels",
    "random_accuracy": "training accuracy on random labels",
    "critical_ratio": "critical sample ratio",
}
FRACTIONS = ("accuracy", "test_error", "error_rate", "critical_ratio")


def name_of(word: str) -> str:
    """A condition or a column, in words."""
    return NAMES.get(word, str(word).replace("_", " "))


def in_percent(column: str) -> bool:
    """Whether a column, fractions in the table, is shown in percent: by the end of its name."""
    return column.endswith(FRACTIONS)


def title_of(column: str) -> str:
    """What an axis says of a column: its name in words, and percent where it is shown so."""
    return f"{name_of(column)} (%)" if in_percent(column) else name_of(column)


def colors_for(names: Iterable[str]) -> dict[str, str]:
    """A color per name: its own for a known condition, the others' in their order."""
    names = list(dict.fromkeys(names))
    taken = {CONDITION_COLORS[name] for name in names if name in CONDITION_COLORS}
    free = [color for color in PALETTE if color not in taken]
    others = [name for name in names if name not in CONDITION_COLORS]
    return {name: CONDITION_COLORS[name] for name in names if name in CONDITION_COLORS} | {
        name: free[i % len(free)] for i, name in enumerate(others)
    }


def new_figure(
    panels: int, caption: str, title: str | None, *, rows: int = 1, share_y: bool = False
) -> "tuple[Figure, list[Axes]]":
    """A figure with panels side by side, a title above and a caption below.

    Args:
      panels: how many.
      caption: number of seeds and what is shown of their spread.
      title: a line above everything, or nothing.
      rows: over how many rows the panels are spread.
      share_y: whether all panels have the same ordinate.

    Raises:
      InputError: if there is nothing to show.
    """
    from matplotlib.figure import Figure

    if panels < 1:
        raise InputError("nothing to show: there is no panel")

    columns = -(-panels // rows)
    width = 6.4 if columns == 1 else 4.6 * columns
    height = 4.0 if rows == 1 else 3.4 * rows
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    axes, left_over = list(grid.flat[:panels]), grid.flat[panels:]
    for ax in left_over:
        ax.remove()
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    unbroken = caption.replace(" = ", "\u00a0=\u00a0")
    caption = textwrap.fill(unbroken, int(CAPTION_CHARACTERS_PER_INCH * width))
    caption = caption.replace("\u00a0", " ")
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=8, color=GRAY)
    for ax in axes:
        style_axes(ax)
    return figure, axes


def style_axes(ax: "Axes", *, grid: bool = True, labelsize: int = 9) -> None:
    """The look of all axes: no frame to the right and above, a light grid behind."""
    if grid:
        ax.grid(color="#E6E6E6", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GRAY)
    ax.tick_params(labelsize=labelsize, color=GRAY)


def label_axes(ax: "Axes", x: str, y: str) -> None:
    """Says what the axes show."""
    ax.set_xlabel(x, fontsize=10)
    ax.set_ylabel(y, fontsize=10)


def legend_outside(figure: "Figure") -> None:
    """One legend to the right of all panels, where they have more than one entry."""
    entries: dict[str, Artist] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if len(entries) > 1:
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside right center",
            frameon=False,
            fontsize=9,
            handlelength=2.5,
        )


def need_columns(rows: Rows, columns: Iterable[str]) -> None:
    """Checks that there are rows, and that each has the columns.

    Raises:
      InputError: if not.
    """
    if not rows:
        raise InputError("nothing to plot: the table has no rows")
    for row in rows:
        for column in columns:
            if column not in row:
                raise unknown_name("column", column, row)


def count_of(sizes: Collection[int]) -> str:
    """``n = 3``, or ``n = 2 to 3`` where the numbers differ."""
    low, high = min(sizes), max(sizes)
    return f"n = {low}" if low == high else f"n = {low} to {high}"
