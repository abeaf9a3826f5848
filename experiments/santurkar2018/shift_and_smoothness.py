"""Why batch norm helps: not by stable inputs of the layers, but by a smoother loss.

Claims: batch norm does not keep what a layer has to learn from changing as the layers in front of
it are trained, and need not: with noise of random mean and scale behind it, which makes the inputs
less stable than they are without any norm, a net still trains well. What it does is to make the
loss smoother: loss and gradient vary less along the gradient.

Source: Santurkar, Tsipras, Ilyas and Madry 2018, "How does batch normalization help optimization?"
(NeurIPS; arXiv 1805.11604), sections 2.1 to 3.1. Measures and findings are known second-hand; the
nets (VGG on CIFAR-10, a linear net of 25 layers), the rates and the noise are recalled: they are
taken as settings. It prints no numbers that we know of. foundations/batch_norm.py has the same on a
small net over a grid of rates and scales.

Expected: train accuracy of the noisy net near that with batch norm; cosines no nearer to 1 with
batch norm; loss range, gradient change and smoothness smaller with it.

  gradient cosine  of a layer's gradient G before and G' after the layers in front of it are
                   updated, on the same mini-batch; mean over layers; 1 if nothing shifts
  gradient shift   |G - G'|, the paper's internal covariate shift; mean over layers
  relative shift   |G - G'| over |G|, which does not depend on the scale of the weights
  loss range       along the gradient of the mini-batch's loss in training mode, from half to four
                   times the learning rate: largest less smallest loss
  gradient change  the largest distance of the gradient there from the one at the start
  smoothness       the largest of these over the way, the effective beta-smoothness. It depends on
                   the scale of the weights, which a norm is free to grow
  train accuracy   at the end, in evaluation mode, without noise, on at most 5,000 images

Each is measured every so many steps; the tables have the median over a training, without the looks
at which a layer has no gradient.

Command: python experiments/santurkar2018/shift_and_smoothness.py --preset smoke
  smoke  digits (in the package), six layers of 32 units, one rate, three seeds; half a minute
  cpu    10,000 of CIFAR-10, averaged to 16x16, VGG of three stages from 16 channels, two rates, 18
         trainings of 1,000 steps; 26 minutes on two cores
  paper  CIFAR-10, VGG of 14 layers with weights, 15,000 steps; has not been run: 7e16 operations,
         by a GPU's data sheet half an hour. The linear net: --architecture linear --depth 25
         --dataset digits

What the source leaves open, or is not known here, and what is taken: plain SGD, batch 128, the
number of steps, pixels whitened per image, no augmentation, no weight decay; noise by place and
channel; what is noise is the same draw for G and G'; a layer's gradient is that of all its
parameters.

A run that is killed goes on with the first training that it has not done.
"""

import dataclasses
import itertools
import statistics
import sys
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np

from rote import cli, data, measure, optim, tables, transforms, viz
from rote.core import Dataset, InputError, Model, Params, unknown_name
from rote.studies import santurkar2018
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import averaged
from rote.tables import Column
from rote.train import TrainState, make_forward

TRANSFORM = transforms.chain(transforms.unit_scale(), transforms.per_image_whitening())
SHIFT = ("gradient_cosine", "gradient_shift", "relative_shift")
LARGEST_EVALUATION = 5_000


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the trainings that are looked at."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, cifar10, any TFDS set."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    pool: int = 1
    """Side of the squares of pixels that are averaged, to have smaller images."""
    nets: tuple[str, ...] = santurkar2018.NETS
    """Which nets: plain, batch_norm, noisy_batch_norm."""
    architecture: Literal["dense", "linear", "vgg"] = "dense"
    """Dense layers with ReLU, dense layers without, or VGG."""
    depth: int = 6
    """Hidden layers; of VGG, stages (five in the published net)."""
    width: int = 32
    """Units of each; of VGG, channels of the first stage."""
    learning_rates: tuple[float, ...] = (0.1,)
    """Of SGD."""
    batch_size: int = 128
    """Examples per step."""
    steps: int = 200
    """Of every training."""
    every: int = 10
    """Steps from one look to the next."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of initialization, data order and noise."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("nets", "learning_rates"):
            check_list(name, getattr(self, name))
        for net in self.nets:
            if net not in santurkar2018.NETS:
                raise unknown_name("net", net, santurkar2018.NETS)
        for rate in self.learning_rates:
            check_positive("learning_rates", rate)
        for name in ("pool", "depth", "width", "batch_size", "steps", "every"):
            check_positive(name, getattr(self, name))
        if self.architecture == "vgg":
            santurkar2018.vgg("plain", self.depth, self.width, 2)  # so many stages are refused now


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="cifar10",
        num_train=10_000,
        pool=2,
        architecture="vgg",
        depth=3,
        width=16,
        learning_rates=(0.1, 0.5),
        steps=1_000,
        every=20,
    ),
    "paper": Config(
        dataset="cifar10",
        architecture="vgg",
        depth=5,
        width=64,
        learning_rates=(0.1, 0.5),
        steps=15_000,
        every=200,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains every net at every rate and looks; leaves a table and two figures."""
    dataset = averaged(data.load(config.dataset, num_train=config.num_train), config.pool)
    count = len(dataset.train.labels)
    if config.batch_size > count:
        raise InputError(f"batch_size: {config.batch_size}; expected 1 to {count}")
    kept = out.kept()
    parts = list(itertools.product(config.nets, config.learning_rates, config.seeds))
    table, course = [], []
    for done, (net, rate, seed) in enumerate(parts, start=1):
        part = f"{net} rate={rate:g} seed={seed}"
        if part not in kept:
            kept[part] = looked_at(config, dataset, net, rate, seed)
            out.keep(part, kept[part])
            print(f"[{done}/{len(parts)}] {part}", file=sys.stderr)
        row, looks = kept[part]["row"], kept[part]["looks"]
        table.append(row)
        course += [{**row, **look} for look in looks]

    several = len(config.learning_rates) > 1
    course = [
        {**row, "training": row["net"] + f", rate {row['learning_rate']:g}" * several}
        for row in course
    ]
    about = data.describe(dataset)
    where = f"{config.architecture} net of depth {config.depth}, width {config.width}; " + (
        f"{about['num_train']:,} images of {dataset.name}"
    )
    for name, columns, log, title in (
        ("shift", ("loss", *SHIFT), ("loss", *SHIFT[1:]), "Training, and what shifts in it"),
        ("landscape", santurkar2018.LANDSCAPE, santurkar2018.LANDSCAPE, "Along the gradient"),
    ):
        figure = viz.lines(
            course, x="step", y=columns, by="training", log=log, caption=where, title=title
        )
        out.save_figure(name, figure)
    summary = tables.summarize(
        table,
        ["learning_rate", "net"],
        {
            "train accuracy": Column("train_accuracy", 1, unit="%", above="diverged"),
            **{
                name.replace("_", " "): Column(name, 3, above="diverged")
                for name in (*SHIFT, *santurkar2018.LANDSCAPE)
            },
        },
    )
    out.finish(
        tables.format_table(summary), table=table, course=course, summary=summary, data=about
    )


def build(config: Config, net: str, num_classes: int) -> santurkar2018.Net:
    """The net of the configured architecture."""
    if config.architecture == "vgg":
        return santurkar2018.vgg(net, config.depth, config.width, num_classes)
    activation = {"dense": jax.nn.relu, "linear": lambda x: x}[config.architecture]
    return santurkar2018.chain(net, config.depth, config.width, num_classes, activation=activation)


def looked_at(config: Config, dataset: Dataset, net: str, rate: float, seed: int) -> dict[str, Any]:
    """One training: what was seen at its looks, and what it comes to."""
    model, layers = build(config, net, dataset.num_classes)

    def look(loss: Callable[[Params], jax.Array], params: Params) -> dict[str, jax.Array]:
        updated = jax.tree.map(lambda w, g: w - rate * g, params, jax.grad(loss)(params))
        shift = measure.internal_covariate_shift(loss, params, updated, layers)
        return {
            **santurkar2018.landscape(loss, params, rate),
            "gradient_cosine": shift.cosines.mean(),
            "gradient_shift": shift.changes.mean(),
            "relative_shift": shift.relative_changes.mean(),
        }

    *seen, last = santurkar2018.looks_along(
        model,
        optim.sgd(rate),
        dataset,
        look,
        seed=seed,
        batch_size=config.batch_size,
        steps=config.steps,
        every=config.every,
        transform=TRANSFORM,
    )
    looks = [{"step": step, **jax.tree.map(float, found)} for step, found, _ in seen]
    accuracy = train_accuracy(model, dataset, last.train_state)
    finite = accuracy is not None and all(np.isfinite(row["loss"]) for row in looks)
    row = {
        "net": net,
        "learning_rate": rate,
        "seed": seed,
        "status": "max_steps" if finite else "diverged",
        "train_accuracy": accuracy if finite else None,
    }
    for name in (*SHIFT, *santurkar2018.LANDSCAPE):
        values = [look[name] for look in looks if np.isfinite(look[name])]
        row[name] = statistics.median(values) if finite and values else None
    return {"row": row, "looks": looks}


def train_accuracy(model: Model, dataset: Dataset, train_state: TrainState) -> float | None:
    """The accuracy in evaluation mode; ``None`` where an output is not finite."""
    forward = jax.jit(
        lambda params, state, images: make_forward(model, TRANSFORM)(
            params, state, images, train=False
        )[0]
    )
    images, labels = (array[:LARGEST_EVALUATION] for array in dataset.train[:2])
    logits = np.concatenate(
        [
            forward(train_state.params, train_state.state, images[begin : begin + 500])
            for begin in range(0, len(labels), 500)
        ]
    )
    return float(np.mean(logits.argmax(-1) == labels)) if np.isfinite(logits).all() else None


if __name__ == "__main__":
    cli.main(run, PRESETS)
