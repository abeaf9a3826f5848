"""Lines through points."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from rote.viz.style import GRAY, colors_for, label_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fitted_lines(
    x: np.ndarray,
    y: np.ndarray,
    fits: Mapping[str, tuple[float, float]],
    *,
    title: str | None = None,
) -> "Figure":
    """Points, and lines through them.

    Args:
      x: ``[n]``.
      y: ``[n]``.
      fits: by name, slope and intercept.
      title: a line above the figure.

    Returns:
      The figure.
    """
    figure, (ax,) = new_figure(1, f"{len(x)} points", title)
    ax.plot(x, y, "o", color=GRAY, markersize=5)
    ends = np.array([x.min(), x.max()])
    dashes = ("-", "--", ":")
    for i, ((name, (slope, intercept)), color) in enumerate(
        zip(fits.items(), colors_for(fits).values(), strict=True)
    ):
        label = f"{name}: y = {slope:.2f} x {intercept:+.2f}"
        ax.plot(
            ends, slope * ends + intercept, dashes[i % 3], color=color, linewidth=2, label=label
        )
    label_axes(ax, "x", "y")
    ax.legend(frameon=False, fontsize=9)
    return figure
