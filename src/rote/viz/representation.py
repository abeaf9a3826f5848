"""What a layer of two units makes of the plane: a strip of stills, and a film."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rote.core import InputError
from rote.viz.style import GRAY, PALETTE, new_figure

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Frame(NamedTuple):
    """The layer at one moment of training.

    Attributes:
      epoch: when.
      points: ``[N, 2]``, what it makes of every example.
      correct: ``[N]`` bool, whether the net classifies it correctly.
      rays: ``[M, 2]`` each, what it makes of lines in the plane.
    """

    epoch: int
    points: np.ndarray
    correct: np.ndarray
    rays: Sequence[np.ndarray] = ()


def representation_stills(
    frames: Sequence[Frame], labels: np.ndarray, *, title: str | None = None
) -> "Figure":
    """Frames side by side; each axis standardised over the examples of its frame.

    Args:
      frames: the moments to show.
      labels: ``[N]`` 0 or 1.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no frames.
    """
    if not frames:
        raise InputError("nothing to plot: no frames")
    figure, axes = new_figure(len(frames), _CAPTION, title)
    figure.set_size_inches(2.6 * len(frames), 3.4)
    for ax, frame in zip(axes, frames, strict=True):
        _draw(ax, frame, np.asarray(labels))
    return figure


def representation_film(
    frames: Sequence[Frame], labels: np.ndarray, *, title: str | None = None
) -> "FuncAnimation":
    """The frames one after another; ``RunDir.save_animation`` writes it.

    Args:
      frames: the moments to show.
      labels: ``[N]`` 0 or 1.
      title: a line above the figure.

    Returns:
      The animation.

    Raises:
      InputError: if there are no frames.
    """
    from matplotlib.animation import FuncAnimation

    if not frames:
        raise InputError("nothing to plot: no frames")
    figure, (ax,) = new_figure(1, _CAPTION, title)
    figure.set_size_inches(4.6, 4.8)

    def show(index: int) -> list["Axes"]:
        ax.clear()
        _draw(ax, frames[index], np.asarray(labels))
        return [ax]

    return FuncAnimation(figure, show, frames=len(frames), repeat=False)


_CAPTION = "color: class; cross: classified wrongly; lines: the rays to the four corners"


def _draw(ax: "Axes", frame: Frame, labels: np.ndarray) -> None:
    center, scale = frame.points.mean(0), frame.points.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    for ray in frame.rays:
        ax.plot(*((ray - center) / scale).T, color=GRAY, linewidth=0.8, zorder=1)
    points = (frame.points - center) / scale
    for kind in (0, 1):
        mine = labels == kind
        right, wrong = points[mine & frame.correct], points[mine & ~frame.correct]
        ax.plot(*right.T, ".", color=PALETTE[kind], markersize=3, alpha=0.5, zorder=2 + kind)
        ax.plot(*wrong.T, "x", color=PALETTE[kind], markersize=4, zorder=4)
    ax.set_xlim(-3.2, 3.2)
    ax.set_ylim(-3.2, 3.2)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    share = 100 * np.mean(frame.correct)
    ax.set_title(f"epoch {frame.epoch}: {share:.1f} %", fontsize=10, loc="left")
