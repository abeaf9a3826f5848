"""The search for a learning rate, and what to do with it afterwards.

Claims: a short training whose rate grows from 1e-7 with every mini-batch shows where the loss
falls most steeply, and that rate is about the best of a grid, at a fraction of its cost; a rate
that falls in the course of the training does better than a constant one.

Source: Smith 2017 (1506.01186), section 3.3, for the range test; Loshchilov and Hutter 2017
(1608.03983), eq. 5, for the cycles with restarts (SGDR).

Expected: the range test's choice within a factor of three of the grid's best. The sources name no
numbers for these nets; the README beside this file has what came out, which is not that.

  range test  rates from 1e-7 to 10, geometric, one more per mini-batch, 200 of them; chosen: the
              steepest descent of the smoothed loss against the logarithm of the rate
  grid        every rate with every seed; the best by the mean accuracy on a tenth of the training
              examples that is held out. Test accuracy chooses nothing
  constant    the rate stays
  decaying    times 0.95 after every epoch
  cyclic      a cosine from the rate to 0, three times, each twice as long as the last
  plateau     times 0.3 when the mean mini-batch loss of an epoch has not fallen for 2 epochs

Every schedule has the whole grid for its first rate, and is shown at the one that is best for it;
they are compared at the ends of the cycles.

Command: python experiments/foundations/learning_rate.py --preset smoke
  smoke  digits (in the package), MLP 1x512, three seeds, 14 epochs; seconds
  cpu    5,000 images of MNIST, MLP 1x512, five seeds, 14 epochs; minutes

Left open by the course: net and data; momentum (0.9), the factors of decay and plateau, the cycles.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax

from rote import Group, Model, Run, cli, data, fit_groups, measure, optim, tables, viz
from rote.core import Dataset, InputError
from rote.measure import RangeTest
from rote.studies import catalog, zhang2017
from rote.studies.config import check_list, check_positive
from rote.studies.foundations import best_rate
from rote.studies.split import part_to_train_on
from rote.tables import Column
from rote.train import Result

CYCLES = (1, 2, 4)
"""Lengths of the cycles, in sevenths of the training."""
Schedules = Mapping[str, Callable[[jax.Array], optax.GradientTransformation]]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the learning rates."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10."""
    num_train: int | None = None
    """Images to train and validate on, class-balanced; None: all."""
    model: str = "mlp_1x512"
    """A network of the catalogue."""
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    """The grid."""
    max_epochs: int = 14
    """Epochs of every training; a multiple of seven."""
    batch_size: int = 64
    """Examples per step."""
    held_out: float = 0.1
    """Fraction of the training examples that rates are chosen by."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of start, order and the part held out."""

    def __post_init__(self) -> None:
        """Checks the values."""
        for name in ("rates", "seeds"):
            check_list(name, getattr(self, name))
        for name in ("max_epochs", "batch_size", "held_out"):
            check_positive(name, getattr(self, name))
        for rate in self.rates:
            check_positive("rates", rate)
        catalog.check(self.model)
        if self.max_epochs % sum(CYCLES):
            raise InputError(
                f"max_epochs: {self.max_epochs}; expected a multiple of {sum(CYCLES)}, for cycles "
                "that end with an epoch"
            )


PRESETS = {
    "smoke": Config(),
    "cpu": Config(dataset="mnist", num_train=5_000, batch_size=128, seeds=(0, 1, 2, 3, 4)),
}


def run(config: Config, out: cli.Job) -> None:
    """Tests the range, trains the schedules over the grid; leaves tables and figures."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    tests = {seed: range_of(config, dataset, seed) for seed in config.seeds}
    chosen = {seed: choice_of(seed, test) for seed, test in tests.items()}
    save_range_tests(out, config, tests, list(chosen.values()))
    rows = train(config, dataset, out, chosen)

    constant = [row for row in rows if row["schedule"] == "constant"]
    by_rate = tables.summarize(
        [
            {**row, "rate": f"{row['rate']:g}" if row["chosen_by"] == "grid" else "range test's"}
            for row in constant
        ],
        ["rate"],
        {
            "train accuracy": Column("train_accuracy", 2, percent=True, above="diverged"),
            "held-out accuracy": Column("held_out_accuracy", 2, percent=True, above="diverged"),
            "test accuracy": Column("test_accuracy", 2, percent=True, above="diverged"),
        },
    )
    on_grid = [row for row in rows if row["chosen_by"] == "grid"]
    best = {
        name: best_rate([row for row in on_grid if row["schedule"] == name])
        for name in dict.fromkeys(row["schedule"] for row in on_grid)
    }
    figure = viz.lines(
        on_grid,
        x="rate",
        y="held_out_accuracy",
        by="schedule",
        log=("rate",),
        markers=True,
        marks={"": list(chosen.values())},
        caption="dashed: chosen by the range test, one line per seed",
        title=f"A plain grid: {config.model} on {dataset.name}, {config.max_epochs} epochs",
    )
    out.save_figure("grid", figure)

    kept = [row for row in on_grid if row["rate"] == best[row["schedule"]]]
    ends = np.cumsum(CYCLES) * config.max_epochs // sum(CYCLES)
    compared = tables.summarize(
        [{**row, **{f"at_{end}": accuracy_at(row, end) for end in ends}} for row in kept],
        ["schedule", "rate"],
        {
            f"test accuracy, epoch {end}": Column(f"at_{end}", 2, percent=True, above="diverged")
            for end in ends
        }
        | {"train loss, last": Column("train_loss", 4, above="diverged")},
    )
    curves = [
        {"schedule": row["schedule"], "seed": row["seed"], **each}
        for row in kept
        for each in row["history"]
        if each["epoch"] > 0
    ]
    figure = viz.lines(
        curves,
        x="epoch",
        y=("train_loss", "test_accuracy"),
        by="schedule",
        log=("train_loss",),
        title=f"Schedules: {config.model} on {dataset.name}",
    )
    out.save_figure("schedules", figure)
    found = list(chosen.values())
    median = float(np.median(found))
    factor = max(median / best["constant"], best["constant"] / median)
    said = (
        f"range test: {' '.join(f'{rate:.2g}' for rate in found)}, median {median:.2g}; best "
        f"constant rate of the grid: {best['constant']:g}; factor {factor:.1f}"
    )
    text = "\n\n".join([tables.format_table(by_rate), said, tables.format_table(compared)])
    table = [{name: value for name, value in row.items() if name != "history"} for row in rows]
    about = zhang2017.describe_data(dataset)
    out.finish(text, table=table, range_tests=found, best=best, summary=compared, data=about)


def part(config: Config, dataset: Dataset, seed: int) -> np.ndarray:
    """The training examples that are trained on."""
    return part_to_train_on(len(dataset.train.labels), config.held_out, seed)


def network(config: Config, dataset: Dataset) -> Model:
    """The network."""
    return catalog.build(config.model, dataset.num_classes)


def range_of(config: Config, dataset: Dataset, seed: int) -> RangeTest:
    """The range test of a seed."""
    return measure.range_test(
        network(config, dataset),
        optim.momentum,
        dataset,
        seed=seed,
        batch_size=config.batch_size,
        transform=zhang2017.preprocessing(dataset.image_shape, "none"),
    )


def choice_of(seed: int, test: RangeTest) -> float:
    """The rate that a range test chose.

    Raises:
      InputError: if it chose none.
    """
    if test.chosen is None:
        raise InputError(
            f"seed {seed}: the loss does not fall in the range test by more than it scatters, so "
            "that no rate can be chosen; try a larger batch_size or another model"
        )
    return test.chosen


def save_range_tests(
    out: cli.Job, config: Config, tests: Mapping[int, RangeTest], chosen: Sequence[float]
) -> None:
    """The losses of a seed's range test, raw and smoothed, and what all seeds chose."""
    first = next(iter(tests.values()))
    figure = viz.range_test(
        first.rates,
        first.losses,
        first.smoothed,
        marks=chosen,
        caption="one seed's losses; dashed: the steepest descent, one line per seed",
        title=f"Range test: {config.model} on {config.dataset}",
    )
    out.save_figure("range_test", figure)


def schedules(steps_per_epoch: int, epochs: int) -> Schedules:
    """The schedules by name, each from its first rate, which may be traced, to the optimizer."""
    lengths = [steps_per_epoch * epochs * each // sum(CYCLES) for each in CYCLES]

    def cyclic(learning_rate: jax.Array) -> optax.GradientTransformation:
        cycles = [optax.cosine_decay_schedule(learning_rate, length) for length in lengths]
        return optim.momentum(optax.join_schedules(cycles, np.cumsum(lengths[:-1]).tolist()))

    def plateau(learning_rate: jax.Array) -> optax.GradientTransformation:
        return optax.chain(
            optim.momentum(learning_rate),
            optax.contrib.reduce_on_plateau(0.3, 2, accumulation_size=steps_per_epoch),
        )

    def decaying(learning_rate: jax.Array) -> optax.GradientTransformation:
        return optim.momentum(optim.epoch_decay(learning_rate, 0.95, steps_per_epoch))

    return {
        "constant": optim.momentum,
        "decaying": decaying,
        "cyclic": cyclic,
        "plateau": plateau,
    }


def train(
    config: Config, dataset: Dataset, out: cli.Job, tested: Mapping[int, float]
) -> list[dict[str, Any]]:
    """Trains every schedule with every rate and seed, and the constant one at the tests' rates.

    Returns:
      A row per training: its last metrics (``None`` if it diverged) and its ``history``.
    """
    steps_per_epoch = len(part(config, dataset, 0)) // config.batch_size
    recipes = schedules(steps_per_epoch, config.max_epochs)
    factors: dict[str, dict[str, Any]] = {
        f"{name} rate={rate:g} seed={seed} {chosen_by}": {
            "schedule": name,
            "rate": rate,
            "seed": seed,
            "chosen_by": chosen_by,
        }
        for name in recipes
        for seed in config.seeds
        for rate, chosen_by in (
            *((rate, "grid") for rate in config.rates),
            *([(tested[seed], "range test")] if name == "constant" else []),
        )
    }
    groups = [
        Group(
            model=network(config, dataset),
            make_optimizer=recipe,
            dataset=dataset,
            runs=[
                Run(
                    init_seed=each["seed"],
                    subset=part(config, dataset, each["seed"]),
                    hparams={"learning_rate": each["rate"]},
                    label=label,
                )
                for label, each in factors.items()
                if each["schedule"] == name
            ],
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            transform=zhang2017.preprocessing(dataset.image_shape, "none"),
            record="last",
        )
        for name, recipe in recipes.items()
    ]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    return [
        {**factors[result.run.label], **ending(result), "history": result.history}
        for group in trained
        for result in group
    ]


def ending(result: Result) -> dict[str, Any]:
    """The last metrics of a training; ``None`` for one that diverged."""
    names = ("train_loss", "train_accuracy", "held_out_accuracy", "test_accuracy")
    last = result.history[-1]
    return {name: None if result.status == "diverged" else last[name] for name in names}


def accuracy_at(row: Mapping[str, Any], epoch: int) -> float | None:
    """Test accuracy after an epoch; ``None`` if the training did not get there."""
    return next((each["test_accuracy"] for each in row["history"] if each["epoch"] == epoch), None)


if __name__ == "__main__":
    cli.main(run, PRESETS)
