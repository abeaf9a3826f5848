"""Look at everything: what goes in, what comes out of each layer, how the arrays move.

Claim: data that were not normalised, a dead layer and a gradient that explodes are seen in a
dashboard of the first steps, before a long training is wasted on them; and a few fixed rules find
them without anybody looking.

Source: the course's advice to look at everything; Glorot and Bengio 2010, section 4 (activations
and gradients by layer).

Expected: no finding for the net as it should be; for each planted fault its own finding. A fault
may bring others with it.

Rules (rote/measure/monitor.py): root mean square of the net's input above 10; nine tenths of a
layer's units with the same output for all examples; an update larger than the parameters; all
updates 0; a loss that is not finite. A net that none of them finds may still be wrong. The third
was another at first, a gradient a thousand times as large as the parameters: on digits that found
the explosion with one seed of three. The preset "cpu" was not run before the rules stood.

  none       MLP, ReLU, He's start, images whitened one by one
  raw data   the pixels as stored, 0..255, and no whitening
  dead layer the second hidden layer starts with biases of -100
  explosion  weights start with a standard deviation of 1

Command: python experiments/foundations/monitor.py --preset smoke
  smoke  digits (in the package), three hidden layers of 64 units, 60 steps; seconds
  cpu    MNIST, five hidden layers of 256 units, 200 steps; a minute

Left open by the course: net, batch, rate (0.05, momentum 0.9), and what counts as wrong.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from rote import Model, cli, data, layers, measure, optim, tables, viz
from rote.combinators import serial
from rote.core import Dataset, InputError, unknown_name
from rote.measure import Watched
from rote.studies import zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.tables import Column
from rote.transforms import Transform

FAULTS = {
    "none": "",
    "raw data": "inputs are not normalised",
    "dead layer": "layer hidden2/activation is dead",
    "explosion": "the training explodes",
}
"""How the finding begins that each fault must bring."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the monitor."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10."""
    faults: tuple[str, ...] = tuple(FAULTS)
    """What is planted: none, "raw data", "dead layer", explosion."""
    depth: int = 3
    """Hidden layers, at least two."""
    width: int = 64
    """Units of each."""
    steps: int = 60
    """Mini-batches."""
    batch_size: int = 128
    """Examples per step."""
    learning_rate: float = 0.05
    """Of SGD with momentum 0.9."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of start and order; the figures are of the first."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        check_list("faults", self.faults)
        for name in ("width", "steps", "batch_size", "learning_rate"):
            check_positive(name, getattr(self, name))
        if self.depth < 2:
            raise InputError(f"depth: {self.depth}; expected at least 2, one of them may be dead")
        for name in self.faults:
            if name not in FAULTS:
                raise unknown_name("fault", name, FAULTS)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(dataset="mnist", depth=5, width=256, steps=200),
}


def run(config: Config, out: cli.Job) -> None:
    """Watches a training per fault and seed; leaves a table and dashboards."""
    dataset = data.load(config.dataset)
    table: list[dict[str, Any]] = []
    for fault in config.faults:
        for seed in config.seeds:
            watched = watch(config, fault, dataset, seed)
            findings = watched.findings()
            last = watched.steps[-1]["loss"]
            begins = FAULTS[fault]
            seen = any(line.startswith(begins) for line in findings) if begins else not findings
            table.append(
                {
                    "fault": fault,
                    "seed": seed,
                    "steps": len(watched.steps),
                    "first_loss": watched.steps[0]["loss"],
                    "last_loss": last if math.isfinite(last) else None,
                    "found": findings,
                    "as_expected": seen,
                }
            )
            if seed == config.seeds[0]:
                figure = viz.dashboard(
                    **watched._asdict(),
                    findings=findings,
                    title=f"fault: {fault}; {config.dataset}, {config.depth} hidden layers",
                )
                out.save_figure(f"dashboard_{fault.replace(' ', '_')}", figure)
    columns = {
        "loss, first step": Column("first_loss", 2),
        "last": Column("last_loss", 3, above="not finite"),
        "as expected": Column("as_expected", 0, unit="%"),
    }
    summary = tables.summarize(table, ["fault"], columns)
    said = [
        f"{row['fault']}: {line}"
        for row in table
        if row["seed"] == config.seeds[0]
        for line in row["found"]
    ]
    wrong = sum(not row["as_expected"] for row in table)
    verdict = (
        f"{wrong} of {len(table)} trainings NOT as expected"
        if wrong
        else f"all {len(table)} trainings as expected"
    )
    text = "\n\n".join([tables.format_table(summary), "\n".join(said), verdict])
    out.finish(text, table=table, summary=summary, wrong=wrong)


def watch(config: Config, fault: str, dataset: Dataset, seed: int) -> Watched:
    """The first steps of a training with a fault."""
    return measure.watch(
        build(config, fault, dataset.num_classes),
        optim.momentum(config.learning_rate),
        dataset,
        seed=seed,
        batch_size=config.batch_size,
        transform=as_stored if fault == "raw data" else whitened(dataset.image_shape),
        learning_rate=config.learning_rate,
        steps=config.steps,
        every=max(1, config.steps // 20),
    )


def build(config: Config, fault: str, num_classes: int) -> Model:
    """The MLP, with its fault."""
    large = layers.Init(jax.nn.initializers.normal(1.0))
    off = layers.Init(layers.he_normal.kernel, lambda n_in: jax.nn.initializers.constant(-100.0))
    usual = large if fault == "explosion" else layers.he_normal
    hidden = {}
    for number in range(1, config.depth + 1):
        init = off if fault == "dead layer" and number == 2 else usual
        dense = layers.dense(config.width, init=init)
        hidden[f"hidden{number}"] = serial(dense=dense, activation=layers.activation(jax.nn.relu))
    return serial(flatten=layers.flatten(), **hidden, head=layers.dense(num_classes, init=usual))


def whitened(image_shape: tuple[int, ...]) -> Transform:
    """The usual preprocessing."""
    return zhang2017.preprocessing(image_shape, "none")


def as_stored(images: jax.Array, *, train: bool, key: jax.Array | None = None) -> jax.Array:
    """The pixels on the scale on which they are stored."""
    del train, key
    return images.astype(jnp.float32)


if __name__ == "__main__":
    cli.main(run, PRESETS)
