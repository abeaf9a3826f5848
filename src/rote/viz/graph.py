"""A computation graph with its derivatives."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.core import InputError
from rote.viz.style import GRAY, PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RADIUS = 0.36
"""Of a node, in the units of the axes."""
COLUMN, ROW = 1.7, 1.15
"""Distances of neighbouring nodes."""
INCHES = 0.85
"""Of a unit."""
BENDS = (0.0, 0.15, -0.15, 0.3, -0.3, 0.45, -0.45, 0.6, -0.6)
"""How far the middle of an edge may be pulled aside, as a share of its length."""
ALONG = np.linspace(0, 1, 201)


def computation_graph(
    values: Mapping[str, float],
    edges: Sequence[tuple[str, str, float]],
    adjoints: Mapping[str, float],
    *,
    title: str | None = None,
) -> "Figure":
    """Nodes from left to right as they depend on one another.

    An edge is a straight line where it is free of other nodes and edges between the same two, else
    an arc.

    Args:
      values: by node.
      edges: ``(operand, node, local derivative)``; a node that takes an operand twice has two.
      adjoints: by node, the derivative of the output with respect to it.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there is no node, an edge's end is none, or the edges go round in a circle.
    """
    places = _places(values, edges)
    caption = (
        "in a node: its name, its value, the derivative of the output with respect to it (orange); "
        "at an edge: the local derivative"
    )
    from matplotlib.patches import Circle

    figure, (ax,) = new_figure(1, caption, title)
    ax.axis("off")
    curves = _curves(places, edges)
    labels: list[np.ndarray] = []
    for curve, (_, _, slope) in zip(curves, edges, strict=True):
        inside = curve[_outside(curve, curve[[0, -1]], RADIUS)]
        ax.annotate("", inside[-1], inside[-2], arrowprops={"arrowstyle": "->", "color": GRAY})
        ax.plot(*inside.T, color=GRAY, linewidth=1)
        others = [other for other in curves if other is not curve]
        at = _label_place(curve, [*places.values()], labels, others)
        labels.append(at)
        box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        ax.text(
            at[0],
            at[1],
            f"{slope:.3g}",
            fontsize=8,
            color=PALETTE[0],
            ha="center",
            va="center",
            bbox=box,
        )
    for name, (x, y) in places.items():
        ax.add_patch(Circle((x, y), RADIUS, facecolor="white", edgecolor=GRAY, zorder=3))
        lines = (
            (0.17, name, "black", "bold", min(9.0, 64 / max(1, len(name)))),
            (-0.02, f"{values[name]:.3g}", "black", "normal", 8.0),
            (-0.2, f"{adjoints[name]:.3g}", PALETTE[1], "normal", 8.0),
        )
        for up, text, color, weight, size in lines:
            ax.text(
                x,
                y + up,
                text,
                ha="center",
                va="center",
                color=color,
                weight=weight,
                fontsize=size,
                zorder=4,
            )
    low, high = (
        f(np.concatenate([*curves, np.array(list(places.values()))]), 0) for f in (np.min, np.max)
    )
    low, high = low - RADIUS - 0.15, high + RADIUS + 0.15
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_aspect("equal")  # so that what is computed in these units is what is seen
    width, height = INCHES * (high - low)
    figure.set_size_inches(max(6.4, width + 0.2), height + 1.0)
    return figure


def _places(
    values: Mapping[str, float], edges: Sequence[tuple[str, str, float]]
) -> dict[str, np.ndarray]:
    """Where each node is: in a column behind all that it needs."""
    if not values:
        raise InputError("computation_graph: no nodes; expected at least one")
    for edge in edges:
        for name in edge[:2]:
            if name not in values:
                raise InputError(f"computation_graph: edge {edge[0]!r} -> {edge[1]!r}: no {name!r}")
    column = dict.fromkeys(values, 0)
    for _ in values:  # after as many rounds as there are nodes nothing moves any more
        moved = False
        for one, other, _ in edges:
            if column[other] <= column[one]:
                column[other], moved = column[one] + 1, True
        if not moved:
            break
    else:
        raise InputError("computation_graph: the edges go round in a circle")
    members: dict[int, list[str]] = {}
    for name in values:
        members.setdefault(column[name], []).append(name)
    # Neighbouring columns are staggered, so that few edges run through a node.
    return {
        name: np.array([COLUMN * c, ROW * ((len(names) - 1) / 2 - i) + (0.25 if c % 2 else -0.25)])
        for c, names in members.items()
        for i, name in enumerate(names)
    }


def _curves(
    places: Mapping[str, np.ndarray], edges: Sequence[tuple[str, str, float]]
) -> list[np.ndarray]:
    """The points ``[201, 2]`` of every edge: the least bent curve that is free."""
    drawn: list[tuple[str, str, float]] = []
    curves = []
    for one, other, _ in edges:
        others = np.array([p for name, p in places.items() if name not in (one, other)])
        free = [bend for bend in BENDS if (one, other, bend) not in drawn] or [BENDS[-1]]
        candidates = [_curve(places[one], places[other], bend) for bend in free]
        clear = [_clearance(curve, others) for curve in candidates]
        best = next((i for i, c in enumerate(clear) if c > RADIUS + 0.12), int(np.argmax(clear)))
        drawn.append((one, other, free[best]))
        curves.append(candidates[best])
    return curves


def _curve(start: np.ndarray, end: np.ndarray, bend: float) -> np.ndarray:
    """A parabola whose middle is off the chord by ``bend`` times half its length, to the right."""
    chord = end - start
    control = (start + end) / 2 + bend * np.array([chord[1], -chord[0]])
    t = ALONG[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def _clearance(curve: np.ndarray, points: Sequence[np.ndarray] | np.ndarray) -> float:
    """The least distance of a curve from points; infinite where there are none."""
    if not len(points):
        return np.inf
    return float(np.linalg.norm(curve[:, None] - np.asarray(points)[None], axis=-1).min())


def _outside(curve: np.ndarray, centers: np.ndarray, radius: float) -> np.ndarray:
    """Which points of a curve lie outside all circles."""
    return np.linalg.norm(curve[:, None] - centers[None], axis=-1).min(1) > radius


def _label_place(
    curve: np.ndarray,
    nodes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    others: Sequence[np.ndarray],
) -> np.ndarray:
    """A point of the curve, near its middle, off nodes, other edges and their labels."""
    candidates = curve[[100, 80, 120, 65, 135]]
    crossed = np.concatenate(others) if others else np.empty((0, 2))
    room = [
        min(
            _clearance(at[None], nodes) - RADIUS,
            _clearance(at[None], labels),
            2 * _clearance(at[None], crossed),
        )
        for at in candidates
    ]
    return candidates[next((i for i, r in enumerate(room) if r > 0.32), int(np.argmax(room)))]
