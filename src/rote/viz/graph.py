"""A computation graph with its derivatives."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rote.viz.style import GRAY, PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def computation_graph(
    values: Mapping[str, float],
    edges: Mapping[tuple[str, str], float],
    adjoints: Mapping[str, float],
    *,
    title: str | None = None,
) -> "Figure":
    """Nodes from left to right as they depend on one another.

    Args:
      values: by node, in an order in which each comes after those that it needs.
      edges: by ``(operand, node)``, the local derivative.
      adjoints: by node, the derivative of the output with respect to it.
      title: a line above the figure.

    Returns:
      The figure.
    """
    column: dict[str, int] = {}
    for name in values:
        column[name] = 1 + max((column[one] for one, other in edges if other == name), default=-1)
    members: dict[int, list[str]] = {}
    for name in values:
        members.setdefault(column[name], []).append(name)
    # Rows of neighbouring columns are staggered, so that few edges run through a node.
    place = {
        name: (1.2 * c, len(names) / 2 - i + (0.25 if c % 2 else -0.25))
        for c, names in members.items()
        for i, name in enumerate(names)
    }
    caption = (
        "in a node: its value (black), the derivative of the output with respect to it "
        "(orange); at an edge: the local derivative"
    )
    figure, (ax,) = new_figure(1, caption, title)
    figure.set_size_inches(max(6.4, 1.5 * len(members)), 1.6 + max(2.4, 1.1 * len(members[0])))
    ax.grid(False)
    ax.axis("off")
    for (one, other), slope in edges.items():
        # What skips a column goes below the nodes in it.
        span = column[other] - column[one]
        bend = 0.14 * span if span > 1 else 0.0
        ax.annotate(
            "",
            place[other],
            place[one],
            arrowprops={
                "arrowstyle": "->",
                "color": GRAY,
                "shrinkA": 24,
                "shrinkB": 24,
                "connectionstyle": f"arc3,rad={bend}",
            },
        )
        (x0, y0), (x1, y1) = place[one], place[other]
        # A quadratic curve's middle is half as far from the chord as its control point.
        ax.text(
            (x0 + x1) / 2 + bend * (y1 - y0) / 2,
            (y0 + y1) / 2 - bend * (x1 - x0) / 2,
            f"{slope:.3g}",
            fontsize=8,
            color=PALETTE[0],
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )
    for name, (x, y) in place.items():
        ax.plot(x, y, "o", markersize=50, markerfacecolor="white", markeredgecolor=GRAY, zorder=3)
        ax.text(x, y + 0.14, name, ha="center", va="center", weight="bold", fontsize=9, zorder=4)
        ax.text(x, y - 0.02, f"{values[name]:.3g}", ha="center", va="center", fontsize=8, zorder=4)
        ax.text(
            x,
            y - 0.18,
            f"{adjoints[name]:.3g}",
            ha="center",
            va="center",
            fontsize=8,
            color=PALETTE[1],
            zorder=4,
        )
    ax.set_aspect("equal")  # so that what is computed above is where curves go
    ax.margins(0.08, 0.2)
    for text in ax.texts:
        text.set_in_layout(False)
    return figure
