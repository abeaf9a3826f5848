"""Everything about the first steps of a training, in one figure."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rote.core import InputError
from rote.viz.style import GRAY, PALETTE, Rows, label_axes, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

COLUMNS = 6


def dashboard(
    *,
    inputs: Mapping[str, np.ndarray],
    steps: Rows,
    layers: Rows,
    arrays: Rows,
    edges: np.ndarray,
    findings: Sequence[str] = (),
    title: str | None = None,
) -> "Figure":
    """What ``rote.measure.watch`` has seen.

    Above: the pixels as stored and as the net gets them, the loss, the learning rate. Then, by
    layer and step, the standard deviation of its outputs and the share of its units that are dead.
    Below, for up to six kernels, spread evenly over the net, the histogram of the magnitudes of
    parameters, gradient and update at each step.

    Args:
      inputs: pixels, by name.
      steps: rows with ``step``, ``loss``, ``learning_rate``.
      layers: rows with ``step``, ``layer``, ``std``, ``dead``.
      arrays: rows with ``step``, ``array``, ``kind``, ``histogram``.
      edges: ``[bins + 1]``, of the histograms, in powers of ten.
      findings: what is wrong, to be said above.
      title: a line above the figure.

    Raises:
      InputError: if nothing was looked at.
    """
    if not steps or not layers or not arrays:
        raise InputError("nothing to show: no step was looked at")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 12), layout="constrained")
    heading = "\n".join(textwrap.fill(f"! {line}", 120) for line in findings[:6])
    if len(findings) > 6:
        heading += f"\n! and {len(findings) - 6} more"
    figure.suptitle(
        "\n".join(filter(None, [title, heading or "nothing found wrong"])),
        x=0.01,
        ha="left",
        fontsize=11,
        color="#B00020" if findings else "black",
    )
    above, middle, below = figure.subfigures(3, 1, squeeze=False, height_ratios=(1, 1.3, 3))[:, 0]
    _overview(above, inputs, steps)
    _layers(middle, layers)
    _arrays(below, arrays, edges)
    return figure


def _overview(figure: "SubFigure", inputs: Mapping[str, np.ndarray], steps: Rows) -> None:
    axes = figure.subplots(1, len(inputs) + 2, width_ratios=[*([1] * len(inputs)), 1.5, 1.5])
    for ax, (name, values), color in zip(axes, inputs.items(), PALETTE, strict=False):
        values = values[np.isfinite(values)]
        ax.hist(values, 40, color=color)
        ax.set_yticks([])
        ax.set_title(
            f"pixels, {name}: {values.mean():.3g} ± {values.std():.3g}", fontsize=9, loc="left"
        )
        style_axes(ax, grid=False, labelsize=8)
    at = [row["step"] for row in steps]
    for ax, column in zip(axes[len(inputs) :], ("loss", "learning_rate"), strict=True):
        values = np.array([np.nan if row[column] is None else row[column] for row in steps])
        ax.plot(at, values, color=PALETTE[0], linewidth=1.5)
        if column == "loss" and np.any(values > 0):
            ax.set_yscale("log")
        ax.set_title(column.replace("_", " "), fontsize=9, loc="left")
        style_axes(ax, labelsize=8)


def _layers(figure: "SubFigure", rows: Rows) -> None:
    names = list(dict.fromkeys(row["layer"] for row in rows))
    left, right = figure.subplots(1, 2)
    _by_layer(figure, left, rows, names, "std", "outputs: log10 of their std (white: 0)")
    _by_layer(figure, right, rows, names, "dead", "share of dead units")
    right.set_yticklabels([])


def _arrays(figure: "SubFigure", rows: Rows, edges: np.ndarray) -> None:
    kernels = list(dict.fromkeys(row["array"] for row in rows if "kernel" in row["array"]))
    kernels = kernels or list(dict.fromkeys(row["array"] for row in rows))
    some = np.unique(np.linspace(0, len(kernels) - 1, COLUMNS).round().astype(int))
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    axes = figure.subplots(len(kinds), len(some), squeeze=False, sharex=True, sharey="row")
    for line, kind in enumerate(kinds):
        for ax, index in zip(axes[line], some, strict=True):
            mine = [row for row in rows if (row["array"], row["kind"]) == (kernels[index], kind)]
            _histograms(ax, mine, edges)
            if line == 0:
                ax.set_title(_short(kernels[index]), fontsize=8, loc="left")
        label_axes(axes[line, 0], "", f"log10 |{kind}|")
    caption = f"step; below -12: zeros; {len(some)} of {len(kernels)} kernels"
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=8, color=GRAY)


def _by_layer(
    figure: "SubFigure", ax: "Axes", rows: Rows, names: Sequence[str], column: str, what: str
) -> None:
    at = sorted({row["step"] for row in rows})
    table = np.full((len(names), len(at)), np.nan)
    for row in rows:
        table[names.index(row["layer"]), at.index(row["step"])] = row[column]
    if column == "std":
        with np.errstate(divide="ignore"):
            table = np.log10(table)
        table[~np.isfinite(table)] = np.nan
        drawn = ax.imshow(table, aspect="auto", cmap="viridis", interpolation="nearest")
    else:
        drawn = ax.imshow(
            table, aspect="auto", cmap="Reds", vmin=0, vmax=1, interpolation="nearest"
        )
    figure.colorbar(drawn, ax=ax, pad=0.01)
    every = max(1, len(names) // 20)
    ax.set_yticks(range(0, len(names), every), [_short(name) for name in names[::every]])
    places = np.unique(np.linspace(0, len(at) - 1, 6).round().astype(int))
    ax.set_xticks(places, [str(at[place]) for place in places])
    ax.set_title(what, fontsize=9, loc="left")
    style_axes(ax, grid=False, labelsize=8)


def _histograms(ax: "Axes", rows: Rows, edges: np.ndarray) -> None:
    """Shares of the entries by magnitude, a column per step; the darkest of each is as dark."""
    counts = np.array([row["histogram"] for row in rows], float).T
    shares = counts / counts.max(0)
    at = [row["step"] for row in rows]
    ax.pcolormesh(at, (edges[:-1] + edges[1:]) / 2, shares, cmap="Blues", shading="nearest")
    ax.set_ylim(edges[0], edges[-1])
    ax.set_yticks(np.linspace(edges[0], edges[-1], 5))
    style_axes(ax, grid=False, labelsize=8)


def _short(path: str) -> str:
    """A path in at most 26 characters, its end kept."""
    return path if len(path) <= 26 else f"…{path[-25:]}"
