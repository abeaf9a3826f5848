"""Batch norm: where a net trains with it and without, and what it does to the loss's surface.

Claims: with batch norm a deep net trains over a wider range of learning rates and of initial
scales; that is not because the inputs of the layers keep their distribution, for with noise of
random mean and scale behind the normalisation it trains about as well; loss and gradient vary less
along the direction of the gradient.

Source: Ioffe and Szegedy 2015; Santurkar, Tsipras, Ilyas and Madry 2018 (1805.11604), sections 2.2
and 3.1, Fig. 4. They have VGG on CIFAR-10 and a deep linear net; here it is a deep MLP.

Expected: with batch norm more cells of the grid train than without. A layer in front of a norm
gives the same whatever its scale s, and its gradient goes with 1/s: rate and scale count as rate /
s^2, and the cells that train lie along a diagonal. Noisy batch norm trains in most of the cells in
which batch norm does. Loss range, change of the gradient and effective smoothness are smaller with
batch norm. The source names no numbers; the README beside this file has what came out.

  net        hidden layers of dense, (batch norm, (noise,)) ReLU; dense without bias before a norm
  scale      factor on the uniform Kaiming weights of all layers, the last included; biases 0
  trains     training accuracy of 90 % or more after the last epoch, in eval mode. This is about
             training: no cell is chosen, and no test accuracy is compared
  noise      in training only, behind the norm: s x + m, for each unit j and step
             mu_j ~ U(-0.5, 0.5), sigma_j ~ U(1, 1.25), and for each example i
             m_ij ~ U(mu_j - 0.1, mu_j + 0.1), s_ij ~ N(sigma_j, 0.1^2)
  landscape  every so many steps, at points w - eta g of the mini-batch's loss in training mode,
             eta from half to four times the learning rate: loss range is the largest minus the
             smallest loss, gradient change the largest |g(w) - g(w - eta g)|, smoothness the
             largest of these over |eta g|

Command: python experiments/foundations/batch_norm.py --preset smoke
  smoke  digits (in the package), 4 layers of 32, three rates by two scales, one seed; half a
         minute on two cores, most of it compiling
  cpu    5,000 of MNIST, 6 layers of 100, seven rates by five scales, three seeds; minutes on two
         cores

Left open by the source: the constants of the noise are those of its appendix as we remember it; at
test time there is no noise here; the step sizes that are looked at (its figure does not name them).
Smoothness depends on the scale of the weights, which batch norm is free to grow; both nets start at
the same. Plain SGD, no decay.
"""

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import jax

from rote import (
    Dataset,
    Group,
    Model,
    Run,
    cli,
    data,
    fit_groups,
    layers,
    optim,
    tables,
    transforms,
    viz,
)
from rote.core import unknown_name
from rote.studies import santurkar2018
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import ending
from rote.tables import Column

MEASURES = santurkar2018.LANDSCAPE
NETS = santurkar2018.NETS
TRAINS = 0.9
"""Training accuracy from which on a training counts."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the lesson on batch norm."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist."""
    nets: tuple[str, ...] = NETS
    """Which nets: plain, batch_norm, noisy_batch_norm."""
    depth: int = 4
    """Hidden layers."""
    width: int = 32
    """Units of each."""
    learning_rates: tuple[float, ...] = (0.01, 0.1, 1.0)
    """Of SGD, across the grid."""
    initial_scales: tuple[float, ...] = (1.0, 3.0)
    """Factors on the initial weights, up the grid."""
    max_epochs: int = 10
    """Of every training of the grid."""
    batch_size: int = 64
    """Examples per step."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    seeds: tuple[int, ...] = (0,)
    """Of initialization, data order and noise."""
    landscape_learning_rate: float = 0.1
    """Of the trainings along which loss and gradient are looked at."""
    landscape_steps: int = 100
    """Their length."""
    landscape_every: int = 5
    """Steps from one look to the next."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("nets", "learning_rates", "initial_scales"):
            check_list(name, getattr(self, name))
        for name in (
            "depth",
            "width",
            "max_epochs",
            "batch_size",
            "landscape_learning_rate",
            "landscape_steps",
            "landscape_every",
        ):
            check_positive(name, getattr(self, name))
        for name in ("learning_rates", "initial_scales"):
            for value in getattr(self, name):
                check_positive(name, value)
        for name in self.nets:
            if name not in NETS:
                raise unknown_name("net", name, NETS)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="mnist",
        depth=6,
        width=100,
        learning_rates=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        initial_scales=(0.1, 0.3, 1.0, 3.0, 10.0),
        max_epochs=5,
        num_train=5_000,
        seeds=(0, 1, 2),
        landscape_steps=300,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains the grid, looks along gradients; leaves two tables and two figures."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    grid = train_grid(config, dataset, out)
    figure = viz.heat_map(
        grid,
        x="learning_rate",
        y="initial_scale",
        value="train_accuracy",
        panel="net",
        title=f"Where {config.depth} layers of {config.width} units train: {dataset.name}, "
        f"after epoch {config.max_epochs}",
    )
    out.save_figure("grid", figure)
    surface = [
        row
        for net in config.nets
        if net != "noisy_batch_norm"
        for seed in config.seeds
        for row in along_training(config, net, dataset, seed)
    ]
    figure = viz.lines(
        surface,
        x="step",
        y=MEASURES,
        by="net",
        log=MEASURES,
        caption=f"steps of 1/2 to 4 times the rate {config.landscape_learning_rate:g}",
        title=f"Along the gradient: {dataset.name}",
    )
    out.save_figure("landscape", figure)
    table = tables.summarize(
        what_trains(grid),
        ["net"],
        {
            "cells that train": Column("cells", 0, unit="%"),
            "rates, at the best scale": Column("rates"),
            "scales, at the best rate": Column("scales"),
            "where batch norm trains": Column("with_batch_norm", 0, unit="%"),
            "best train accuracy": Column("train_accuracy", unit="%"),
        },
    )
    means = tables.summarize(
        mean_over_steps(surface),
        ["net"],
        {
            name.replace("_", " "): Column(name, 2)
            for name in ("loss", *MEASURES, "smoothness_at_the_start")
        },
    )
    text = "\n\n".join(map(tables.format_table, (table, means)))
    about = data.describe(dataset)
    out.finish(text, table=table, landscape=means, grid=grid, surface=surface, data=about)


def build(config: Config, net: str, scale: float, num_classes: int) -> Model:
    """The net; ``scale`` is a factor on the uniform Kaiming weights."""
    init = layers.Init(jax.nn.initializers.variance_scaling(2 * scale**2, "fan_in", "uniform"))
    return santurkar2018.chain(net, config.depth, config.width, num_classes, init=init).model


def train_grid(config: Config, dataset: Dataset, out: cli.Job) -> list[dict[str, Any]]:
    """Trains every net at every rate, from every scale: a row per training.

    What diverged has no accuracy.
    """
    cells = list(itertools.product(config.nets, config.initial_scales))
    groups = [
        Group(
            model=build(config, net, scale, dataset.num_classes),
            make_optimizer=optim.sgd,
            dataset=dataset,
            runs=[
                Run(
                    init_seed=seed,
                    hparams={"learning_rate": rate},
                    label=f"{net} scale={scale:g} rate={rate:g} seed={seed}",
                )
                for rate in config.learning_rates
                for seed in config.seeds
            ],
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            transform=transforms.unit_scale(),
            record="last",
        )
        for net, scale in cells
    ]
    # Without ``out``: of hundreds of short trainings the table keeps what counts, and that some
    # diverge is a result here, not a failure.
    trained = fit_groups(groups, on_event=cli.Progress(), execution=out.execution)
    table: list[dict[str, Any]] = []
    for (net, scale), results in zip(cells, trained, strict=True):
        table += [
            {
                "net": net,
                "initial_scale": scale,
                "learning_rate": result.run.hparams["learning_rate"],
                "seed": result.run.init_seed,
                **ending(result, ("train_accuracy", "test_accuracy")),
            }
            for result in results
        ]
    return table


def what_trains(grid: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Which part of the grid trains: a row per net and seed."""

    def place(row: dict[str, Any]) -> tuple[float, float]:
        return row["initial_scale"], row["learning_rate"]

    trains: dict[tuple[str, int], set[tuple[float, float]]] = {}
    for row in grid:
        cells = trains.setdefault((row["net"], row["seed"]), set())
        if (row["train_accuracy"] or 0) >= TRAINS:
            cells.add(place(row))
    table = []
    for (net, seed), cells in trains.items():
        mine = [row for row in grid if (row["net"], row["seed"]) == (net, seed)]
        normed = trains.get(("batch_norm", seed), set())
        scales, rates = (Counter(cell[i] for cell in cells) for i in (0, 1))
        table.append(
            {
                "net": net,
                "seed": seed,
                "cells": len(cells) / len(mine),
                "rates": max(scales.values(), default=0),
                "scales": max(rates.values(), default=0),
                "with_batch_norm": len(cells & normed) / len(normed) if normed else None,
                "train_accuracy": max(row["train_accuracy"] or 0 for row in mine),
            }
        )
    return table


def along_training(config: Config, net: str, dataset: Dataset, seed: int) -> list[dict[str, Any]]:
    """Trains a net from scale 1, and looks along the gradient every so many steps."""
    rate = config.landscape_learning_rate
    seen = santurkar2018.looks_along(
        build(config, net, 1.0, dataset.num_classes),
        optim.sgd(rate),
        dataset,
        functools.partial(santurkar2018.landscape, learning_rate=rate),
        seed=seed,
        batch_size=config.batch_size,
        steps=config.landscape_steps,
        every=config.landscape_every,
        transform=transforms.unit_scale(),
    )
    return [
        {"net": net, "seed": seed, "step": step, **jax.tree.map(float, found)}
        for step, found, _ in seen
        if found is not None
    ]


def mean_over_steps(surface: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the steps that were looked at: a row per net and seed."""
    trainings: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in surface:
        trainings.setdefault((row["net"], row["seed"]), []).append(row)
    return [
        {
            "net": net,
            "seed": seed,
            **{name: fmean(row[name] for row in rows) for name in ("loss", *MEASURES)},
            "smoothness_at_the_start": rows[0]["smoothness"],
        }
        for (net, seed), rows in trainings.items()
    ]


if __name__ == "__main__":
    cli.main(run, PRESETS)
