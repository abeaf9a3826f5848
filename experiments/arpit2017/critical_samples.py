"""Critical samples: how many validation images have another predicted class close by, in training.

Claim: a net that learns noise by rote has a more complicated decision function than one that learns
real data: more of the validation images lie close to a boundary. The critical sample ratio rises
while noise is being memorised; validation accuracy is best before that, and falls as it rises.

Source: Arpit et al. 2017 (arXiv 1706.05394), section 4, Fig. 7 to 9. An image is critical if within
a radius of it, in every pixel, there is an input that the net puts into another class; the class
need not be the true one. The search (LASS) follows the sign of the gradient, with noise; see
rote.measure.critical_samples. randY redraws a fraction of the training labels, randX replaces a
fraction of the training inputs by Gaussian noise; validation images are as they are.

Expected: a higher ratio with noise than without, rising along training; with random labels a
validation accuracy that peaks early. The paper prints no numbers.

  critical          critical sample ratio, of the validation images searched, at the first epoch
                    measured and at the last
  best epoch        of those measured, the one with the best validation accuracy
  train accuracy    on the labels trained on, at that epoch and at the last

Command: python experiments/arpit2017/critical_samples.py --preset smoke
  smoke  digits (in the package), 500 images, 2x128 units, two fractions; a quarter of a minute on
         two cores
  cpu    MNIST, 2,000 images, 2x256 units, four fractions of either noise, three seeds;
         six minutes on two cores
  paper  MNIST, all images, 2x4096 units, 1,000 epochs, the rate that is known; has not been run:
         3e17 operations, by a GPU's data sheet an hour or two

What the paper leaves open, or is not known here, and what is taken: the batch, 128; the images to
validate on, drawn from the test split; the fractions, 0 to 0.8 in steps of 0.2; the epochs that
are looked at, apart by about a factor of two. The search has the settings of the authors' code: 0.3
for the radius, 0.25 for a step, 0.2 for its noise, on pixels of 0 to 255, at most 100 steps; every
image has them all, while the code ends when a step finds fewer than 20 new ones. "smoke" and "cpu"
have another rate and batch than the paper, with which a few images are fitted in minutes; "smoke"
also a larger radius, since digits have 64 pixels instead of 784.

The ratios are taken as training goes on, of the nets that every evaluation hands out. Each is kept,
and a run that is killed goes on from the last checkpoint to the same numbers.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from rote import cli, data, measure, models, optim, tables, transforms, viz
from rote.core import Dataset, InputError, Key, Model, Params, State
from rote.studies.config import check_list, check_positive, check_seeds
from rote.tables import Column
from rote.train import Evaluated, Event, Result, Run, fit_runs, make_forward

TRANSFORM = transforms.unit_scale()
RANDOMISED: dict[str, Callable[..., Dataset]] = {
    "labels": data.random_labels,
    "inputs": data.noise_inputs,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the search along training."""

    dataset: str = "mnist"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10, any TFDS set."""
    num_train: int | None = 2_000
    """Train on a class-balanced subset of this many examples; None: on all."""
    num_validation: int | None = 1_000
    """Validate on a class-balanced subset of this many test images; None: on all."""
    num_searched: int = 1_000
    """The first so many of these are searched for critical samples."""
    width: int = 256
    """Units of each hidden layer."""
    depth: int = 2
    """Hidden layers."""
    fractions: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    """Of the training labels that are redrawn, or of the training inputs that are noise; 0 comes
    with them."""
    learning_rate: float = 0.1
    """Of SGD without momentum, constant."""
    batch_size: int = 32
    """Examples per step."""
    epochs: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    """After which the samples are searched; training ends with the last."""
    radius: float = 0.3
    """How far the search goes, in every pixel, on the scale 0 to 255."""
    step_size: float = 0.25
    """Of the search, on the same scale."""
    search_noise: float = 0.2
    """Standard deviation of the noise of a step, on the same scale."""
    search_steps: int = 100
    """At most so many for an image."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the randomisation, initialization, data order and search."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("fractions", "epochs"):
            check_list(name, getattr(self, name))
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise InputError(f"fractions: {fraction}; expected more than 0, at most 1")
        if min(self.epochs) < 1 or list(self.epochs) != sorted(self.epochs):
            raise InputError(f"epochs: {self.epochs}; expected 1 or more, in ascending order")
        for name in (
            "num_searched",
            "width",
            "depth",
            "learning_rate",
            "batch_size",
            "radius",
            "step_size",
            "search_steps",
        ):
            check_positive(name, getattr(self, name))
        if self.num_validation is not None:
            check_positive("num_validation", self.num_validation)
        if not 0 <= self.search_noise < math.inf:
            raise InputError(f"search_noise: {self.search_noise}; expected 0 or a positive number")


PRESETS = {
    "smoke": Config(
        dataset="digits",
        num_train=500,
        num_validation=None,
        num_searched=300,
        width=128,
        fractions=(0.4, 0.8),
        learning_rate=0.2,
        epochs=(1, 4, 16, 64),
        radius=2.0,
        step_size=1.5,
        search_noise=1.0,
        search_steps=20,
    ),
    "cpu": Config(),
    "paper": Config(
        num_train=None,
        num_validation=None,
        width=4096,
        learning_rate=0.01,
        batch_size=128,
        epochs=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000),
    ),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains with every noise and seed, and searches along the way; leaves table and figures."""
    dataset = data.load(config.dataset, num_train=config.num_train, num_test=config.num_validation)
    model = models.mlp((config.width,) * config.depth, num_classes=dataset.num_classes)
    factors = settings_of(config)
    searching = Searching(config, model, dataset, factors, out)
    results = fit_runs(
        model,
        functools.partial(optim.sgd, config.learning_rate),
        dataset,
        [
            Run(of["seed"], dataset=functools.partial(randomised, dataset, **of), label=label)
            for label, of in factors.items()
        ],
        batch_size=config.batch_size,
        max_epochs=config.epochs[-1],
        transform=TRANSFORM,
        record="last",
        on_event=searching,
        execution=out.execution,
    )
    table = [
        {**factors[result.label], **row}
        for result in results
        for row in along(config, result, searching.found)
    ]
    about = data.describe(dataset)
    caption = (
        f"{config.depth}x{config.width} units, {about['num_train']:,} images of {dataset.name}; "
        f"critical: another class within {config.radius:g} of 255 in every pixel, of "
        f"{min(config.num_searched, about['num_test']):,} validation images"
    )
    for noise in RANDOMISED:
        figure = viz.lines(
            [row for row in table if row["noise"] in ("none", noise)],
            x="epoch",
            y=("critical_ratio", "validation_accuracy", "train_accuracy"),
            by="fraction",
            log=("epoch",),
            markers=True,
            caption=caption,
            title=f"Critical samples along training, a fraction of the {noise} random",
        )
        out.save_figure(f"critical_samples_{noise}", figure)
    trainings = [in_short(config, factors[result.label], table) for result in results]
    summary = tables.summarize(
        trainings,
        ["noise", "fraction"],
        {
            f"critical, epoch {config.epochs[0]}": Column("critical_first", 1, unit="%"),
            f"critical, epoch {config.epochs[-1]}": Column("critical_last", 1, unit="%"),
            "best epoch": Column("best_epoch", 1),
            "validation accuracy at best": Column("validation_then", 1, unit="%"),
            "validation accuracy at last": Column("validation_last", 1, unit="%"),
            "train accuracy at best": Column("train_then", 1, unit="%"),
            "train accuracy at last": Column("train_last", 1, unit="%"),
        },
    )
    out.finish(
        tables.format_table(summary), table=table, trainings=trainings, summary=summary, data=about
    )


def settings_of(config: Config) -> dict[str, dict[str, Any]]:
    """By label, what tells the trainings apart."""
    noises = [("none", 0.0)]
    noises += [(noise, fraction) for noise in RANDOMISED for fraction in config.fractions]
    return {
        f"{noise} {fraction:g} seed={seed}": {"noise": noise, "fraction": fraction, "seed": seed}
        for noise, fraction in noises
        for seed in config.seeds
    }


def randomised(dataset: Dataset, noise: str, fraction: float, seed: int) -> Dataset:
    """The data set with that share of its training labels or inputs random."""
    return dataset if noise == "none" else RANDOMISED[noise](dataset, fraction, seed=seed)


class Searching:
    """An ``on_event`` that shows how training goes, and searches the nets for critical samples.

    Attributes:
      found: the critical sample ratio by the name of a training and epoch.
    """

    def __init__(
        self,
        config: Config,
        model: Model,
        dataset: Dataset,
        factors: Mapping[str, Mapping[str, Any]],
        out: cli.Job,
    ) -> None:
        self.found: dict[str, float] = out.kept()
        self._config, self._factors, self._out = config, factors, out
        self._progress = cli.Progress(out, columns=factors)
        self._images = jax.device_put(dataset.test.images[: config.num_searched])
        self._search = jax.jit(functools.partial(critical_ratio, config, model))

    def __call__(self, event: Event) -> None:
        """Takes an event."""
        self._progress(event)
        if not isinstance(event, Evaluated) or event.row["epoch"] not in self._config.epochs:
            return
        name = part_name(event.label, event.row["epoch"])
        if name in self.found:
            return
        key = jax.random.key(self._factors[event.label]["seed"])
        key = jax.random.fold_in(key, event.row["epoch"])
        net = event.net()
        self.found[name] = float(self._search(net.params, net.state, self._images, key))
        self._out.keep(name, self.found[name])


def critical_ratio(
    config: Config, model: Model, params: Params, state: State, images: jax.Array, key: Key
) -> jax.Array:
    """The share of the images that are critical."""
    forward = make_forward(model, TRANSFORM)
    return measure.critical_samples(
        lambda x: forward(params, state, x, train=False)[0],
        images,
        key,
        radius=config.radius,
        step_size=config.step_size,
        noise=config.search_noise,
        max_steps=config.search_steps,
    ).critical.mean()


def part_name(label: str, epoch: int) -> str:
    """Names what a training's net was found to have after an epoch."""
    return f"{label} epoch={epoch}"


def along(config: Config, result: Result, found: Mapping[str, float]) -> list[dict[str, Any]]:
    """A training's rows, one for each epoch searched; ``None`` where it diverged before."""
    history = {row["epoch"]: row for row in result.history if result.status != "diverged"}
    return [
        {
            "epoch": epoch,
            "status": result.status,
            "critical_ratio": found.get(part_name(result.label, epoch)),
            "train_loss": history.get(epoch, {}).get("train_loss"),
            "train_accuracy": history.get(epoch, {}).get("train_accuracy"),
            "validation_accuracy": history.get(epoch, {}).get("test_accuracy"),
        }
        for epoch in config.epochs
    ]


def in_short(
    config: Config, factors: Mapping[str, Any], table: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """One line for a training: its ratios at both ends, and where it was best."""
    rows = [row for row in table if all(row[name] == factors[name] for name in factors)]
    first, last = rows[0], rows[-1]
    best = max(rows, key=lambda row: row["validation_accuracy"] or 0.0)
    reached = last["validation_accuracy"] is not None
    return {
        **factors,
        "critical_first": first["critical_ratio"],
        "critical_last": last["critical_ratio"],
        "best_epoch": best["epoch"] if reached else None,
        "validation_then": best["validation_accuracy"],
        "validation_last": last["validation_accuracy"],
        "train_then": best["train_accuracy"],
        "train_last": last["train_accuracy"],
    }


if __name__ == "__main__":
    cli.main(run, PRESETS)
