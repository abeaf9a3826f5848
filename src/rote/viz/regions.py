"""Decision regions in the plane."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rote.viz.style import PALETTE, label_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plane(NamedTuple):
    """A classifier of points in the plane, and points to show with it.

    Attributes:
      classify: from points ``[n, 2]`` to classes ``[n]``, integers from 0.
      points: ``[n, 2]``.
      labels: ``[n]`` classes of the points.
    """

    classify: Callable[[np.ndarray], np.ndarray]
    points: np.ndarray
    labels: np.ndarray


def decision_regions(
    planes: Mapping[str, Plane],
    *,
    low: float,
    high: float,
    resolution: int = 200,
    title: str | None = None,
) -> "Figure":
    """What a classifier says everywhere in a square, a panel per classifier.

    Points that it gets wrong are marked with a cross.

    Args:
      planes: the classifiers, by panel.
      low: the square's lower bound in both coordinates.
      high: its upper bound.
      resolution: points per side at which the classifier is asked.
      title: a line above the figure.

    Returns:
      The figure.
    """
    from matplotlib.colors import ListedColormap

    side = np.linspace(low, high, resolution)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    caption = "background: what the classifier says; dots: points by class; cross: said wrongly"
    figure, axes = new_figure(len(planes), caption, title)
    for ax, (name, plane) in zip(axes, planes.items(), strict=True):
        said = np.asarray(plane.classify(grid)).reshape(resolution, resolution)
        labels = np.asarray(plane.labels)
        largest = max(int(said.max()), int(labels.max()))
        colors = [PALETTE[i % len(PALETTE)] for i in range(largest + 1)]
        ax.pcolormesh(
            side,
            side,
            said,
            cmap=ListedColormap(colors),
            vmin=-0.5,
            vmax=largest + 0.5,
            alpha=0.25,
            shading="nearest",
            rasterized=True,
        )
        wrong = np.asarray(plane.classify(plane.points)) != labels
        for kind in range(largest + 1):
            mine = labels == kind
            ax.plot(*plane.points[mine & ~wrong].T, "o", color=colors[kind], markersize=5)
            ax.plot(*plane.points[mine & wrong].T, "X", color=colors[kind], markersize=9)
        ax.set_title(name, fontsize=10, loc="left")
        ax.set_aspect("equal")
        label_axes(ax, "x1", "x2")
    return figure
