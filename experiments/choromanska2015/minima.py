"""The minima that SGD finds: the wider the net, the more alike, and the less it matters which.

Claim: of small nets many end in poor minima; the losses that large nets end with lie in a narrow
band, ever lower and narrower with the width. Which minimum a large net finds matters less and less
for the test: the correlation of training loss and test loss falls.

Source: Choromanska, Henaff, Mathieu, Ben Arous and LeCun 2015, "The loss surfaces of multilayer
networks" (AISTATS; arXiv 1412.0233), its experiments on MNIST. That minima outside a band above the
lowest become rare with size is in its abstract. The rest, the settings included, is recalled only:
it is taken as settings, and nothing is judged by it.

Expected: with the width, mean and standard deviation of the test loss fall, and so does the
correlation; 0.76 with 25 hidden units, 0.41 with 500, as the paper is recalled.

  net              10x10 pixels, one hidden layer with ReLU, softmax; all weights and biases start
                   uniform in [-half_side, half_side]
  minimum          where SGD is after the last epoch. Whether it is one is asked: "gradient norm" is
                   that of the mean training loss over all weights and biases
  outside          share of nets whose training loss is above the band, which begins at the lowest
                   of the width and is as wide at every width: as far as half of the narrowest nets
                   reach above their lowest
  correlation      Pearson's, of training loss and test loss over the nets of a width, with the 95 %
                   interval by Fisher's transformation

Command: python experiments/choromanska2015/minima.py --preset smoke
  smoke  digits (in the package), three widths, 20 nets of each; seconds
  cpu    10,000 of MNIST, 40 epochs, 200 nets of each of the five widths; 9 minutes
         on two cores
  paper  MNIST, 200 epochs, 1,000 nets of each of the five widths: a million epochs of 60,000
         images. Has not been run: by the nine minutes of "cpu", a day on two cores

What the paper leaves open, or is not known here, and what is taken: how images were brought to
10x10 (bicubic), the loss (cross-entropy), the batch (100), the learning rate (1, times 0.95 after
every epoch: of those tried in a few epochs, 0.03 to 1, the one that trains all widths fastest) and
its decay; the unit cube of the start has side 1 and its centre at 0. With the 40 epochs of "cpu"
nets are not at minima: read the gradient norms.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import optax

from rote import cli, data, models, optim, tables, transforms, viz
from rote.core import Dataset, InputError, Model, Params, State
from rote.layers import Init
from rote.studies import choromanska2015
from rote.studies.config import check_list, check_positive
from rote.studies.foundations import ending
from rote.tables import Column
from rote.train import Group, Run, cross_entropy, fit_groups, make_forward

TRANSFORM = transforms.unit_scale()
FEWEST = 4
"""Nets of a width that a correlation with an interval asks for."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the many nets."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist."""
    image_size: int | None = None
    """Scale the images of a TFDS set to this height and width, in pixels."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    num_test: int | None = None
    """Test on a class-balanced subset of this many examples; None: on all."""
    widths: tuple[int, ...] = (5, 20, 80)
    """Hidden units."""
    nets: int = 20
    """Nets of each width; seeds of initialization and data order are 0, 1, ..."""
    half_side: float = 0.5
    """Parameters start uniform between minus this and this."""
    learning_rate: float = 1.0
    """Of SGD, in the first epoch."""
    learning_rate_decay: float = 0.95
    """Factor on the learning rate after every epoch."""
    batch_size: int = 100
    """Examples per step."""
    max_epochs: int = 40
    """Of every training."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_list("widths", self.widths)
        if self.nets < FEWEST:
            raise InputError(f"nets: {self.nets}; expected at least {FEWEST}")
        for width in self.widths:
            check_positive("widths", width)
        for name in (
            "half_side",
            "learning_rate",
            "learning_rate_decay",
            "batch_size",
            "max_epochs",
        ):
            check_positive(name, getattr(self, name))


PRESETS = {
    "smoke": Config(),
    "cpu": Config(
        dataset="mnist",
        image_size=10,
        num_train=10_000,
        num_test=5_000,
        widths=(25, 50, 100, 250, 500),
        nets=200,
    ),
    "paper": Config(
        dataset="mnist",
        image_size=10,
        widths=(25, 50, 100, 250, 500),
        nets=1_000,
        max_epochs=200,
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains the nets of every width; leaves a table and a figure."""
    dataset = data.load(
        config.dataset,
        num_train=config.num_train,
        num_test=config.num_test,
        image_size=config.image_size,
    )
    nets = train(config, dataset, out)
    about = data.describe(dataset)
    figure = viz.histograms(
        nets,
        x=("train_loss", "test_loss"),
        by="width",
        unit="nets",
        caption=f"one hidden layer, {about['num_train']:,} images of {dataset.name}, after epoch "
        f"{config.max_epochs}",
        title="Where SGD ends, by the number of hidden units",
    )
    out.save_figure("losses", figure)
    summary = tables.summarize(
        nets,
        ["width"],
        {
            "train loss": Column("train_loss", 4, above="diverged"),
            "test loss": Column("test_loss", 4, above="diverged"),
            "test accuracy": Column("test_accuracy", 2, unit="%", above="diverged"),
            "gradient norm": Column("gradient_norm", 4, above="diverged"),
        },
    )
    widths = by_width(nets)
    for row, found in zip(summary, widths, strict=True):
        row |= in_words(found)
    out.finish(tables.format_table(summary), table=[*nets, *widths], summary=summary, data=about)


def train(config: Config, dataset: Dataset, out: cli.Job) -> list[dict[str, Any]]:
    """Trains all nets: a row for each, with the losses it ended with."""
    steps_per_epoch = max(1, len(dataset.train.labels) // config.batch_size)

    def make_optimizer() -> optax.GradientTransformation:
        return optim.sgd(
            optim.epoch_decay(config.learning_rate, config.learning_rate_decay, steps_per_epoch)
        )

    groups = [
        Group(
            model=build(width, config.half_side, dataset.num_classes),
            make_optimizer=make_optimizer,
            dataset=dataset,
            runs=[Run(init_seed=seed, label=f"width={width} seed={seed}") for seed in range(nets)],
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            transform=TRANSFORM,
            record="last",
        )
        for nets in [config.nets]
        for width in sorted(config.widths)
    ]
    # Without ``out``: of a thousand short trainings the table keeps what counts.
    trained = fit_groups(groups, on_event=cli.Progress(), execution=out.execution)
    table = []
    for width, group, results in zip(sorted(config.widths), groups, trained, strict=True):
        gradient = gradient_norm(group.model, dataset)
        for result in results:
            ended = ending(result, ("train_loss", "test_loss", "test_accuracy"))
            norm = None
            if result.status != "diverged":
                norm = float(gradient(result.params, result.state))
            table.append(
                {
                    "kind": "net",
                    "width": width,
                    "seed": result.run.init_seed,
                    "status": result.status,
                    **ended,
                    "gradient_norm": norm,
                }
            )
    return table


def build(width: int, half_side: float, num_classes: int) -> Model:
    """The net, its parameters uniform in a cube around 0."""

    def uniform(key: jax.Array, shape: Sequence[int], dtype: Any) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -half_side, half_side)

    return models.mlp((width,), num_classes=num_classes, init=Init(uniform, lambda n_in: uniform))


def gradient_norm(model: Model, dataset: Dataset) -> Callable[[Params, State], jax.Array]:
    """``(params, state) ->`` the norm of the gradient of the mean training loss."""
    forward = make_forward(model, TRANSFORM)

    @jax.jit
    def norm(params: Params, state: State, images: jax.Array, labels: jax.Array) -> jax.Array:
        def loss(params: Params) -> jax.Array:
            logits, _ = forward(params, state, images, train=False)
            return cross_entropy(logits, labels).mean()

        return optax.tree.norm(jax.grad(loss)(params))

    images, labels = jax.device_put((dataset.train.images, dataset.train.labels))
    return functools.partial(norm, images=images, labels=labels)


def by_width(nets: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the nets of a width say together: a row per width, ascending."""
    ended = [row for row in nets if row["train_loss"] is not None]
    widths = list(dict.fromkeys(row["width"] for row in nets))
    losses = [
        np.array([[row["train_loss"], row["test_loss"]] for row in ended if row["width"] == width])
        for width in widths
    ]
    enough = min(map(len, losses)) >= FEWEST
    nothing: list[None] = [None] * len(widths)
    outside = choromanska2015.outside_the_band(losses) if enough else nothing
    correlations = choromanska2015.correlations(losses) if enough else nothing
    return [
        {
            "kind": "width",
            "width": width,
            "nets": len(of),
            "outside": share,
            "correlation": correlation,
        }
        for width, of, share, correlation in zip(widths, losses, outside, correlations, strict=True)
    ]


def in_words(found: dict[str, Any]) -> dict[str, str]:
    """What the nets of a width say together, as the table shows it."""
    if found["correlation"] is None:
        return dict.fromkeys(("outside", "correlation"), "too many diverged")
    half = 1.96 / math.sqrt(found["nets"] - 3)
    middle = math.atanh(found["correlation"])
    low, high = math.tanh(middle - half), math.tanh(middle + half)
    return {
        "outside": f"{100 * found['outside']:.1f} %",
        "correlation": f"{found['correlation']:.2f} [{low:.2f}, {high:.2f}]",
    }


if __name__ == "__main__":
    cli.main(run, PRESETS)
