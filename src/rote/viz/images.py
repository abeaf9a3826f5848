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
      signed: shows values around 0, such as weights: blue below, red above, each image with a
        scale of its own.
      caption: what the reader must know.
      title: a line above the figure.

    Returns:
      The figure.

    Raises:
      InputError: if there are no images, or captions are not one per image.
    """
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if len(images) == 0 or images.ndim not in (3, 4):
        raise InputError(f"images of shape {images.shape}; expected one or more, [N, H, W(, C)]")
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
            ax.imshow(images[i], cmap="RdBu_r", vmin=-scale, vmax=scale)
        else:
            ax.imshow(images[i], cmap="gray")
        if len(captions):
            ax.set_title(captions[i], fontsize=8)
    return figure


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
