"""Residual nets: what a shortcut does to the gradient, to training, and to memorising.

Claims: the gradient of a deep plain net vanishes or explodes on its way back; with shortcuts it
stays of one size, as long as a batch norm keeps the sums from growing. A deeper plain net fits its
training set worse (degradation, which is no overfitting), a deeper residual net does not. A
residual net fits random labels sooner than a plain one of equal depth. Shortcuts with projections
gain little.

Source: He, Zhang, Ren and Sun 2015 (1512.03385), sections 1, 3.3, 4.1 and 4.2: the nets for
CIFAR-10, depths 20 to 110, degradation in their Fig. 6; shortcuts A (zeros appended) and B
(projections) in Table 3. They report healthy gradients in plain nets with batch norm; that is
measured here before training, not in its course. That random labels are asked about is ours.

Expected: the published nets reach 8.75 % (20 layers) to 6.97 % (56) test error on all of CIFAR-10,
plain ones get worse with depth; nothing of the kind is to be reached here, with hundreds of images.
Degradation is an effect of long training and may not appear at this size. Without a norm the
variance about doubles with every block of a residual net at He's start, so that the gradient grows
with depth. The README beside this file has what came out.

  net       plain, residual (option A), residual_projection (option B), each with batch norm behind
            every convolution; plain_no_bn and residual_no_bn have biases instead
  gradient  of the mean cross-entropy of one batch in training mode, before the first step: its
            norm over the kernel of every layer on the main way, in order
  fitted    every label of the training set right after an epoch, in eval mode

Command: python experiments/foundations/residual.py --preset smoke
  smoke  digits (in the package), gradients at depths 8 and 20, training at depth 8; half a
         minute on two cores
  cpu    200 of CIFAR-10, scaled to 16x16; gradients and training at five depths to 56, two seeds;
         half an hour on one core

Left out for two cores: images of 32x32, augmentation, weight decay, more than a few hundred images.
Not the source's: Adam at one rate for all nets, because SGD asks for another rate with every net
that has no norm. Images are scaled by bicubic interpolation. Only the first images of the test
split are looked at.
"""

import dataclasses
import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rote import (
    Dataset,
    Group,
    Run,
    Split,
    accuracy_reached,
    cli,
    data,
    fit_groups,
    measure,
    models,
    optim,
    summary,
    tables,
    viz,
)
from rote.core import Params, unknown_name
from rote.studies import he2015, zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import ending
from rote.tables import Column
from rote.train import cross_entropy, make_forward

NETS = he2015.NETS
LABELS = ("true", "random")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the lesson on residual nets."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, cifar10, any TFDS set."""
    image_size: int | None = None
    """Scale the images of a TFDS set to this height and width, in pixels."""
    num_train: int = 200
    """Train on a class-balanced subset of this many examples."""
    num_test: int = 200
    """Test on the first so many examples of the test split."""
    gradient_nets: tuple[str, ...] = ("plain_no_bn", "plain", "residual_no_bn", "residual")
    """Whose gradients are measured: plain, residual, residual_projection, plain_no_bn,
    residual_no_bn."""
    gradient_depths: tuple[int, ...] = (8, 20)
    """At which depths, 6 n + 2."""
    nets: tuple[str, ...] = ("plain", "residual")
    """Which nets are trained."""
    depths: tuple[int, ...] = (8,)
    """At which depths."""
    learning_rate: float = 0.001
    """Of Adam."""
    batch_size: int = 32
    """Examples per step, and of the batch whose gradients are measured."""
    max_epochs: int = 15
    """Epochs after which a training ends unfitted."""
    seeds: tuple[int, ...] = (0,)
    """Of initialization, data order and labels."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("gradient_nets", "gradient_depths", "nets", "depths"):
            check_list(name, getattr(self, name))
        for name in ("num_train", "num_test", "learning_rate", "batch_size", "max_epochs"):
            check_positive(name, getattr(self, name))
        for net in (*self.gradient_nets, *self.nets):
            if net not in NETS:
                raise unknown_name("net", net, NETS)
        for depth in (*self.gradient_depths, *self.depths):
            models.resnet(depth, num_classes=2)  # an impossible depth is refused now


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="cifar10",
        image_size=16,
        num_train=200,
        num_test=100,
        gradient_depths=(8, 14, 20, 32, 56),
        nets=tuple(NETS),
        depths=(8, 14, 20, 32, 56),
        max_epochs=30,
        seeds=(0, 1),
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Measures gradients before training, then trains; leaves two tables and two figures."""
    dataset = data.load(config.dataset, num_train=config.num_train, image_size=config.image_size)
    few = Split(*(array[: config.num_test] for array in dataset.test))
    dataset = dataclasses.replace(dataset, test=few)
    gradients = [
        row
        for net in config.gradient_nets
        for depth in config.gradient_depths
        for seed in config.seeds
        for row in gradient_norms(config, net, depth, seed, dataset)
    ]
    figure = viz.lines(
        gradients,
        x="layer",
        y="gradient_norm",
        by="depth",
        panel="panel",
        log=("gradient_norm",),
        share_y=True,
        title=f"Gradient by layer before training: {dataset.name}",
    )
    out.save_figure("gradient", figure)
    table, curves = train(config, dataset, out)
    figure = viz.lines(
        curves,
        x="epoch",
        y="train_accuracy",
        by="line",
        panel="panel",
        caption="a training that has fitted stays at 100 %",
        title=f"Training: {len(dataset.train.labels)} of {dataset.name}",
    )
    out.save_figure("training", figure)
    starts = tables.summarize(
        first_over_last(gradients),
        ["net", "depth"],
        {
            "first layer's gradient over the last's, log10": Column("first_over_last", 2),
            "largest over smallest, log10": Column("spread", 2),
            "largest, log10": Column("largest", 2),
        },
    )
    trained = tables.summarize(
        table,
        ["labels", "depth", "net"],
        {
            "epochs to fit": Column("epochs_to_fit", above=f"> {config.max_epochs}"),
            "train accuracy": Column("train_accuracy", unit="%", above="diverged"),
            "test accuracy": Column("test_accuracy", unit="%", above="diverged"),
        },
    )
    text = "\n\n".join(map(tables.format_table, (starts, trained)))
    about = data.describe(dataset)
    out.finish(text, table=table, gradients=gradients, starts=starts, summary=trained, data=about)


def gradient_norms(
    config: Config, net: str, depth: int, seed: int, dataset: Dataset
) -> list[dict[str, Any]]:
    """The gradient's norm by layer, before training: a row per layer on the main way."""
    model = he2015.build(net, depth, dataset.num_classes)
    transform = zhang2017.preprocessing(dataset.image_shape, "none")
    forward = make_forward(model, transform)
    chosen = np.random.default_rng(seed).permutation(len(dataset.train.labels))[: config.batch_size]
    images = jnp.asarray(dataset.train.images[chosen])
    labels = jnp.asarray(dataset.train.labels[chosen])
    x = transform(images, train=False)
    params, state = model.init(jax.random.key(seed), x)

    def loss(params: Params) -> jax.Array:
        logits, _ = forward(params, state, images, train=True)
        return cross_entropy(logits, labels).mean()

    # Not jitted: the operations of all depths are the same few, a deep net as one program is not.
    norms = jax.device_get(measure.array_norms(jax.grad(loss)(params)))
    main_way = [
        f"{row.path}/kernel"
        for row in summary(model, x).rows
        if f"{row.path}/kernel" in norms and "shortcut" not in row.path
    ]
    return [
        {
            "net": net,
            "panel": he2015.in_words(net),
            "depth": depth,
            "seed": seed,
            "layer": layer,
            "gradient_norm": float(norms[path]),
        }
        for layer, path in enumerate(main_way, start=1)
    ]


def first_over_last(gradients: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What becomes of the gradient on its way back: a row per net, depth and seed."""
    nets: dict[tuple[str, int, int], list[float]] = {}
    for row in gradients:
        norms = nets.setdefault((row["net"], row["depth"], row["seed"]), [])
        norms.append(row["gradient_norm"])
    return [
        {
            "net": net,
            "depth": depth,
            "seed": seed,
            "first_over_last": math.log10(norms[0] / norms[-1]),
            "spread": math.log10(max(norms) / min(norms)),
            "largest": math.log10(max(norms)),
        }
        for (net, depth, seed), norms in nets.items()
    ]


def train(
    config: Config, dataset: Dataset, out: cli.Job
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Trains every net on true and on random labels: how it ended, and how it went."""
    cells = list(itertools.product(config.depths, config.nets))
    factors: dict[str, dict[str, Any]] = {
        f"{net} depth={depth} {labels} seed={seed}": {
            "labels": labels,
            "depth": depth,
            "net": net,
            "seed": seed,
        }
        for depth, net in cells
        for labels in LABELS
        for seed in config.seeds
    }
    probability = {"true": 0.0, "random": 1.0}
    groups = [
        Group(
            model=he2015.build(net, depth, dataset.num_classes),
            make_optimizer=functools.partial(optim.adam, config.learning_rate),
            dataset=dataset,
            runs=[
                Run(
                    init_seed=each["seed"],
                    dataset=functools.partial(
                        data.random_labels,
                        dataset,
                        probability[each["labels"]],
                        seed=each["seed"],
                    ),
                    label=label,
                )
                for label, each in factors.items()
                if (each["depth"], each["net"]) == (depth, net)
            ],
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            transform=zhang2017.preprocessing(dataset.image_shape, "none"),
            stop=accuracy_reached(1.0),
            record="last",
        )
        for depth, net in cells
    ]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    table, curves = [], []
    for result in itertools.chain.from_iterable(trained):
        each = factors[result.label]
        fitted = result.time_to()
        table.append(
            {
                **each,
                "epochs_to_fit": None if fitted is None else fitted[0],
                **ending(result, ("train_accuracy", "test_accuracy")),
            }
        )
        panel = f"{each['labels']} labels, {each['depth']} layers"
        curves += [
            {
                "panel": panel,
                "line": he2015.in_words(each["net"]),
                "seed": each["seed"],
                "epoch": epoch,
                "train_accuracy": row["train_accuracy"],
            }
            for epoch in range(config.max_epochs + 1)
            for row in [result.history[min(epoch, len(result.history) - 1)]]
        ]
    # First true labels at all depths, then random ones: a row of panels each.
    return table, sorted(curves, key=lambda row: LABELS.index(row["panel"].split()[0]))


if __name__ == "__main__":
    cli.main(run, PRESETS)
