"""Images side by side: examples, weights, and how sure a net is of what."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.core import InputError
from rote.viz.style import GRAY, colors_for, label_axes, legend_outside, name_of, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def image_grid(
    images: np.ndarray,
    captions: Sequence[str] = (),
    *,
    columns: int = 8,
    signed: bool = False,
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """Images in rows.

    Args:
      images: ``[N, H, W]`` or ``[N, H, W, C]`` with 1 or 3 channels; uint8, or floats of any scale
        (color: 0..1).
      captions: a line above each image, or none.
      columns: images in a row.
      signed: shows values around 0, such as weights, each image with a scale of its own: blue
        below, red above; of color images each channel on its own, gray where all are 0.
      caption: what the reader must know.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no images or columns, or captions are not one per image.
    """
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if len(images) == 0 or images.ndim not in (3, 4):
        raise InputError(f"images of shape {images.shape}; expected one or more, [N, H, W(, C)]")
    if columns < 1:
        raise InputError(f"columns: {columns}; expected at least 1")
    if len(captions) not in (0, len(images)):
        raise InputError(f"{len(captions)} captions for {len(images)} images; expected one each")
    from matplotlib.figure import Figure

    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.1 * columns, 1.25 * rows + 0.7), layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    if caption:
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=8, color=GRAY)
    for i, ax in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        ax.axis("off")
        if i >= len(images):
            continue
        if signed:
            scale = np.abs(images[i]).max() or 1.0
            image = images[i] if images.ndim == 3 else (1 + images[i] / scale) / 2
            ax.imshow(image, cmap="RdBu_r", vmin=-scale, vmax=scale)
        else:
            ax.imshow(images[i], cmap="gray")
        if len(captions):
            ax.set_title(captions[i], fontsize=8)
    return figure


def feature_maps(
    images: np.ndarray,
    maps: Mapping[str, np.ndarray],
    *,
    caption: str = "",
    title: str | None = None,
) -> "Figure":
    """What the layers make of images: a row per image, a column per layer, a tile per channel.

    Every place of the grid has a gray scale of its own, from its smallest value to its largest.

    Args:
      images: ``[N, H, W]`` or ``[N, H, W, C]`` with 1 or 3 channels.
      maps: by layer, its outputs ``[N, H', W', channels]``.
      caption: what the reader must know.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no images, or a layer's outputs are no images of as many.
    """
    images = np.asarray(images)
    if len(images) == 0 or images.ndim not in (3, 4):
        raise InputError(f"images of shape {images.shape}; expected one or more, [N, H, W(, C)]")
    for layer, values in maps.items():
        if values.ndim != 4 or len(values) != len(images):
            raise InputError(
                f"{layer}: outputs of shape {values.shape}; expected [{len(images)}, H, W, C]"
            )
    from matplotlib.figure import Figure

    size = (1.7 * (1 + len(maps)), 1.75 * len(images) + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    if caption:
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=8, color=GRAY)
    grid = figure.subplots(len(images), 1 + len(maps), squeeze=False)
    for row, (image, axes) in enumerate(zip(images, grid, strict=True)):
        axes[0].imshow(image, cmap="gray")
        for ax, values in zip(axes[1:], maps.values(), strict=True):
            ax.imshow(_tiles(values[row]), cmap="gray", interpolation="nearest")
        for ax in axes:
            ax.axis("off")
    for ax, name in zip(grid[0], ["input", *maps], strict=True):
        ax.set_title(name, fontsize=9)
    return figure


def _tiles(values: np.ndarray) -> np.ndarray:
    """The channels of ``[H, W, C]`` side by side, with gaps of NaN between them."""
    height, width, channels = values.shape
    columns = int(np.ceil(np.sqrt(channels)))
    rows = -(-channels // columns)
    gap = 1 + max(height, width) // 16
    tiles = np.full((rows * columns, height + gap, width + gap), np.nan)
    tiles[:channels, :height, :width] = np.moveaxis(values, -1, 0)
    tiles = tiles.reshape(rows, columns, height + gap, width + gap).swapaxes(1, 2)
    return tiles.reshape(rows * (height + gap), columns * (width + gap))[:-gap, :-gap]


def confidences(
    values: Mapping[str, Mapping[str, np.ndarray]], *, title: str | None = None
) -> "Figure":
    """How often a net is how sure: a panel per net, a histogram per kind of input.

    Args:
      values: by net, then by kind of input, confidences in 0..1.
      title: a line above the figure.

    Returns:
      The figure.
    """
    figure, axes = new_figure(len(values), "confidence: the largest output", title)
    kinds = list(dict.fromkeys(kind for each in values.values() for kind in each))
    colors = colors_for(kinds)
    edges = np.linspace(0, 1, 41)
    for ax, (net, each) in zip(axes, values.items(), strict=True):
        for kind, found in each.items():
            counts, _ = np.histogram(found, edges)
            label = name_of(kind)
            ax.stairs(100 * counts / len(found), edges, color=colors[kind], lw=2, label=label)
        ax.set_title(name_of(net), fontsize=10, loc="left")
        label_axes(ax, "confidence", "share of the inputs (%)")
    legend_outside(figure)
    return figure
