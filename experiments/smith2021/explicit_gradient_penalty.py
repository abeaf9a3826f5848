"""What a large learning rate gives, and how much of it a gradient penalty gives at a small one.

Claim: a larger learning rate helps test accuracy, up to an optimum. At a small rate, adding the
penalty (lambda/4m) sum_k |grad C_k|^2, which is what a rate of lambda adds by itself (see
modified_loss.py), recovers part of that.

Source: Smith, Dherin, Barrett and De 2021, "On the origin of implicit regularization in stochastic
gradient descent" (ICLR; arXiv 2101.12176), their experiments with a 10-1 Wide-ResNet on CIFAR-10 at
constant rates. What larger rates do is known second-hand. What the explicit penalty does, batch 32,
no momentum and powers of two are recalled only: they are taken as settings, and nothing is judged
by them.

Expected: test accuracy rises with the learning rate, and falls again or training breaks down; at
the small rate it rises with the penalty. Where the optima are, and how high, is not known.

The step: mini-batch k descends C_k + (lambda/4) |grad C_k|^2, whose gradient is g + (lambda/2) H g.
That is an optax transformation, rote.optim.gradient_penalty, which stands before the recipe. All
that rote.train needs for it is to hand the optimizer the mini-batch's loss as a function of the
params, under the name that optax gives it (value_fn, as its line searches want it). A loss that
sees the params would have to bring the net, its state and the step's draws along, and a step of the
experiment's own would lose checkpoints, sweeps and the record of the examples. The penalty of a run
is a number like its learning rate, so all penalties train in one compiled program.

Every training ends when its training loss, without penalty, is down to "loss": so that small rates
are not cut off half-way and compared with trainings that are done. A training that does not get
there in max_epochs is "max_epochs" in the table: read its test accuracy with its train accuracy.
"Squared gradient" is (1/m) sum_k |grad C_k|^2 at the end, over mini-batches in a fixed order, in
training mode: what a penalty should make smaller.

Command: python experiments/smith2021/explicit_gradient_penalty.py --preset smoke
  smoke  digits (in the package), 500 images, MLP 1x512, two seeds; half a minute
  cpu    CIFAR-10, 2,000 images averaged to 16x16, 2,000 test images, CNN with 16 and 32
         channels, three seeds; the epochs from the 13th on took 8 minutes on two cores
  paper  CIFAR-10, all images, Wide-ResNet 10-1, seven seeds; has not been run: 2e17 operations
         in 48 million steps of 32 images, so that steps, not operations, make it a day or more

What the paper leaves open, or is not known here, and what is taken: pixels are whitened per image;
no augmentation, no weight decay; batch norm as in the published Wide-ResNet; 200 epochs in "paper"
at every rate, accuracy at the last one; the small rate is the smallest.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import optax

from rote import cli, data, measure, optim, tables, transforms, viz
from rote.core import Batch, Dataset, Model, Params, State
from rote.studies import catalog
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import averaged
from rote.tables import Column
from rote.train import Group, Result, Run, cross_entropy, fit_groups, loss_reached, make_forward

TRANSFORM = transforms.chain(transforms.unit_scale(), transforms.per_image_whitening())


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the comparison of learning rates with penalties."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10, any TFDS set."""
    num_train: int | None = 500
    """Train on a class-balanced subset of this many examples; None: on all."""
    num_test: int | None = None
    """Test on a class-balanced subset of this many examples; None: on all."""
    pool: int = 1
    """Side of the squares of pixels that are averaged, to have smaller images."""
    model: str = "mlp_1x512"
    """A network of the catalogue, such as cnn_16_32, wide_resnet_10_1."""
    learning_rates: tuple[float, ...] = (0.015625, 0.0625, 0.25)
    """Of SGD without momentum, constant."""
    penalties: tuple[float, ...] = (0.0625, 0.25)
    """lambda, at the smallest learning rate."""
    batch_size: int = 32
    """Examples per step."""
    loss: float | None = 0.02
    """Training loss at which a training ends; None: after max_epochs."""
    max_epochs: int = 200
    """Epochs after which a training ends in any case."""
    seeds: tuple[int, ...] = (0, 1)
    """Of initialization and data order."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("learning_rates", "penalties"):
            check_list(name, getattr(self, name))
        for name in ("learning_rates", "penalties"):
            for value in getattr(self, name):
                check_positive(name, value)
        for name in ("pool", "batch_size", "max_epochs"):
            check_positive(name, getattr(self, name))
        for name in ("loss", "num_test"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))
        catalog.check(self.model)


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="cifar10",
        num_train=2_000,
        num_test=2_000,
        pool=2,
        model="cnn_16_32",
        learning_rates=tuple(2.0**power for power in range(-6, 1)),
        penalties=tuple(2.0**power for power in range(-4, 1)),
        max_epochs=100,
        seeds=(0, 1, 2),
    ),
    "paper": Config(
        dataset="cifar10",
        num_train=None,
        model="wide_resnet_10_1",
        learning_rates=tuple(2.0**power for power in range(-9, 2)),
        penalties=tuple(2.0**power for power in range(-9, 2)),
        loss=None,
        max_epochs=200,
        seeds=tuple(range(7)),
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains with every rate, then at the smallest with every penalty; leaves table and figure."""
    dataset = data.load(config.dataset, num_train=config.num_train, num_test=config.num_test)
    dataset = averaged(dataset, config.pool)
    model = catalog.build(config.model, dataset.num_classes)
    small = min(config.learning_rates)
    settings = [(rate, 0.0) for rate in config.learning_rates]
    settings += [(small, penalty) for penalty in config.penalties]
    plain = group(config, dataset, model, settings[: len(config.learning_rates)], optim.sgd)
    penalised = group(config, dataset, model, settings[len(config.learning_rates) :], penalised_sgd)
    factors = {
        label(rate, penalty, seed): {"learning_rate": rate, "penalty": penalty, "seed": seed}
        for rate, penalty in settings
        for seed in config.seeds
    }
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups([plain, penalised], on_event=progress, execution=out.execution)

    gradient = squared_gradient(model, dataset, config.batch_size)
    table = [
        {**factors[result.run.label], **reached(result, gradient)}
        for results in trained
        for result in results
    ]
    about = data.describe(dataset)
    rows = shown(table, small)
    where = f"{config.model}, {about['num_train']:,} images of {dataset.name}"
    figure = viz.lines(
        rows,
        x="rate_or_penalty",
        y="test_accuracy",
        by="training",
        panel="panel",
        log=("rate_or_penalty",),
        markers=True,
        share_y=True,
        caption=where,
        title="A larger learning rate, or a gradient penalty at a small one",
    )
    out.save_figure("test_accuracy", figure)
    figure = viz.lines(
        [row for row in rows if row["own"]],
        x="rate_or_penalty",
        y="squared_gradient",
        by="panel",
        log=("rate_or_penalty", "squared_gradient"),
        markers=True,
        caption=f"mean over mini-batches, at the end; {where}",
        title="What is left of the mini-batches' gradients",
    )
    out.save_figure("squared_gradient", figure)
    summary = tables.summarize(
        table,
        ["learning_rate", "penalty"],
        {
            "test accuracy": Column("test_accuracy", 1, unit="%", above="diverged"),
            "train accuracy": Column("train_accuracy", 1, unit="%", above="diverged"),
            "train loss": Column("train_loss", 3, above="diverged"),
            "squared gradient": Column("squared_gradient", 3, above="diverged"),
            "epochs to the loss": Column("epochs_to_loss", 0, above="not reached"),
        },
    )
    out.finish(tables.format_table(summary), table=table, summary=summary, data=about)


def penalised_sgd(
    learning_rate: jax.Array, penalty: jax.Array
) -> optax.GradientTransformationExtraArgs:
    """SGD on C_k + (penalty / 4) |grad C_k|^2."""
    return optax.chain(optim.gradient_penalty(penalty / 4), optim.sgd(learning_rate))


def label(rate: float, penalty: float, seed: int) -> str:
    """Names a training in files and messages."""
    extra = f" penalty={penalty:g}" if penalty else ""
    return f"rate={rate:g}{extra} seed={seed}"


def group(
    config: Config,
    dataset: Dataset,
    model: Model,
    settings: Sequence[tuple[float, float]],
    make_optimizer: Any,
) -> Group:
    """The trainings of one compiled program: all without a penalty, or all with one."""
    return Group(
        model=model,
        make_optimizer=make_optimizer,
        dataset=dataset,
        runs=[
            Run(
                init_seed=seed,
                hparams={"learning_rate": rate} | ({"penalty": penalty} if penalty else {}),
                label=label(rate, penalty, seed),
            )
            for rate, penalty in settings
            for seed in config.seeds
        ],
        batch_size=config.batch_size,
        max_epochs=config.max_epochs,
        transform=TRANSFORM,
        stop=None if config.loss is None else loss_reached(config.loss),
        record="last",
    )


def squared_gradient(model: Model, dataset: Dataset, size: int) -> Any:
    """``(params, state) -> (1/m) sum_k |grad C_k|^2`` over mini-batches of the training images."""
    count = len(dataset.train.labels) // size
    images, labels = (
        np.reshape(array[: count * size], (count, size, *array.shape[1:]))
        for array in (dataset.train.images, dataset.train.labels)
    )
    forward = make_forward(model, TRANSFORM)

    @jax.jit
    def measured(params: Params, state: State, batches: Batch) -> jax.Array:
        def loss(params: Params, batch: Batch) -> jax.Array:
            logits, _ = forward(params, state, batch.images, train=True)
            return cross_entropy(logits, batch.labels).mean()

        return measure.squared_gradient_norm(loss, params, batches)

    batches = Batch(jax.device_put(images), jax.device_put(labels))
    return functools.partial(measured, batches=batches)


def reached(result: Result, gradient: Any) -> dict[str, Any]:
    """What a training has reached; ``None`` where it diverged."""
    last = result.history[-1]
    ended = result.status != "diverged"
    names = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
    return {
        "status": result.status,
        "epochs": last["epoch"],
        "epochs_to_loss": last["epoch"] if result.status == "fitted" else None,
        **{name: last[name] if ended else None for name in names},
        "squared_gradient": float(gradient(result.params, result.state)) if ended else None,
    }


def shown(table: Sequence[dict[str, Any]], small: float) -> list[dict[str, Any]]:
    """The rows of the figures: over rates, and over penalties with no penalty beside them.

    The latter, which stand at other coefficients than their own 0, have a false ``own``.
    """
    rates = [row for row in table if not row["penalty"]]
    penalised = [row for row in table if row["penalty"]]
    over = f"penalty lambda, at learning rate {small:g}"
    places = [row["penalty"] for row in penalised]
    rows = [
        {**row, "panel": "learning rate, no penalty", "rate_or_penalty": row["learning_rate"]}
        for row in rates
    ]
    rows += [{**row, "panel": over, "rate_or_penalty": row["penalty"]} for row in penalised]
    rows = [{**row, "own": True} for row in rows]
    rows += [
        {**row, "panel": over, "rate_or_penalty": at, "own": False}
        for row in rates
        if row["learning_rate"] == small
        for at in dict.fromkeys((min(places), max(places)))
    ]
    return [{**row, "training": "with penalty" if row["penalty"] else "no penalty"} for row in rows]


if __name__ == "__main__":
    cli.main(run, PRESETS)
