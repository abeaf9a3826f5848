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
  plateau     times 0.3 when the mean mini-batch loss of an epoch has been no lower than the least
              before it for 2 epochs; how often that happened is counted

Every schedule has the whole grid for its first rate, and is shown at the one that is best for it;
they are compared at the ends of the cycles, seed by seed with the constant rate. A net that fits
all its examples has a training loss that goes on falling, so that a plateau may never come at a
rate that is good: the plateau schedule is compared with the constant one at every rate of the grid,
too.

Command: python experiments/foundations/learning_rate.py --preset smoke
  smoke  digits (in the package), MLP 1x512, three seeds, 14 epochs; seconds
  cpu    5,000 images of MNIST, MLP 1x512, five seeds, 14 epochs; minutes

Left open by the course: net and data; momentum (0.9), the factors of decay and plateau, the cycles.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rote import Group, Model, cli, data, fit_groups, measure, optim, tables, viz
from rote.core import Dataset, InputError
from rote.measure import RangeTest
from rote.studies import catalog, zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.foundations import best_rate, ending, rate_in_words, runs_of
from rote.studies.split import part_to_train_on
from rote.tables import Column

CYCLES = (1, 2, 4)
"""Lengths of the cycles, in sevenths of the training."""
FACTOR, EPOCHS = 0.3, 2
"""Of reduce-on-plateau: what the rate is multiplied by, after how many epochs without a fall."""
SCHEDULES = ("constant", "decaying", "cyclic", "plateau")
METRICS = ("train_loss", "train_accuracy", "held_out_accuracy", "test_accuracy")
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
        check_seeds(self.seeds)
        check_list("rates", self.rates)
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
            "train accuracy": Column("train_accuracy", 2, unit="%", above="diverged"),
            "held-out accuracy": Column("held_out_accuracy", 2, unit="%", above="diverged"),
            "test accuracy": Column("test_accuracy", 2, unit="%", above="diverged"),
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
    ends = (np.cumsum(CYCLES) * config.max_epochs // sum(CYCLES)).tolist()
    compared = compare(config, kept, ends)
    curves = [
        {"schedule": row["schedule"], "seed": row["seed"], **each}
        for row in kept
        for each in row["history"]
        if each["epoch"] > 0
    ]
    idle = not any(times_reduced(row) for row in kept if row["schedule"] == "plateau")
    figure = viz.lines(
        curves,
        x="epoch",
        y=("train_loss", "test_accuracy"),
        by="schedule",
        log=("train_loss",),
        caption="plateau never lowers the rate, and lies on constant" if idle else "",
        title=f"Schedules: {config.model} on {dataset.name}",
    )
    out.save_figure("schedules", figure)
    plateaus = at_every_rate(on_grid)
    found = list(chosen.values())
    median = float(np.median(found))
    factor = max(median / best["constant"], best["constant"] / median)
    said = (
        f"range test: {' '.join(f'{rate:.2g}' for rate in found)}, median {median:.2g}; best "
        f"constant rate of the grid: {rate_in_words(best['constant'], config.rates)}; factor "
        f"{factor:.1f}"
    )
    text = "\n\n".join(
        [
            tables.format_table(by_rate),
            said,
            "each schedule at its best rate; and its test accuracy minus the constant rate's, "
            "seed by seed, in points:\n" + tables.format_table(compared),
            "plateau, at every rate; and its test accuracy minus the constant rate's, seed by "
            "seed, in points:\n" + tables.format_table(plateaus),
        ]
    )
    table = [{name: value for name, value in row.items() if name != "history"} for row in rows]
    about = data.describe(dataset)
    out.finish(
        text,
        table=table,
        range_tests=found,
        best=best,
        summary=compared,
        plateaus=plateaus,
        data=about,
    )


def compare(
    config: Config, kept: Sequence[Mapping[str, Any]], ends: Sequence[int]
) -> list[dict[str, str]]:
    """A line per schedule: test accuracy at the ends of the cycles, alone and minus the constant's.

    Args:
      config: the settings.
      kept: the trainings of each schedule at its best rate.
      ends: the epochs.
    """
    constant = {row["seed"]: row for row in kept if row["schedule"] == "constant"}
    rows = [
        {
            **row,
            "rate": rate_in_words(row["rate"], config.rates),
            **{f"at_{end}": accuracy_at(row, end) for end in ends},
            **{f"ahead_{end}": points_ahead(row, constant[row["seed"]], end) for end in ends},
        }
        for row in kept
    ]
    columns = {"train loss, last": Column("train_loss", 4, above="diverged")}
    for end in ends:
        columns |= {
            f"test, epoch {end}": Column(f"at_{end}", 2, unit="%", above="diverged"),
            f"minus constant, {end}": Column(f"ahead_{end}", 2),
        }
    return tables.summarize(rows, ["schedule", "rate"], columns)


def at_every_rate(on_grid: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """A line per rate: how often the plateau schedule acted, and what came of it."""
    constant = {(row["rate"], row["seed"]): row for row in on_grid if row["schedule"] == "constant"}
    rows = [
        {
            **row,
            "reductions": times_reduced(row),
            "ahead": points_ahead(row, constant[row["rate"], row["seed"]], -1),
        }
        for row in on_grid
        if row["schedule"] == "plateau"
    ]
    return tables.summarize(
        rows,
        ["rate"],
        {
            "reductions": Column("reductions"),
            "train loss, last": Column("train_loss", 4, above="diverged"),
            "test accuracy": Column("test_accuracy", 2, unit="%", above="diverged"),
            "minus constant": Column("ahead", 2),
        },
    )


def times_reduced(row: Mapping[str, Any]) -> int:
    """How often the plateau schedule lowered the rate of a training; its rule, run again."""
    rule = optax.contrib.reduce_on_plateau(FACTOR, EPOCHS)
    state = rule.init(jnp.zeros(()))
    for each in row["history"][1:]:
        _, state = rule.update(jnp.zeros(()), state, value=each["batch_loss"])
    return round(np.log(float(state.scale)) / np.log(FACTOR))


def points_ahead(row: Mapping[str, Any], other: Mapping[str, Any], epoch: int) -> float | None:
    """By how many points of test accuracy a training is ahead of another after an epoch.

    ``None`` if one of them did not get there; -1 is the last epoch.
    """
    mine, others = (
        each["test_accuracy"] if epoch == -1 else accuracy_at(each, epoch) for each in (row, other)
    )
    return None if mine is None or others is None else 100 * (mine - others)


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
            optax.contrib.reduce_on_plateau(FACTOR, EPOCHS, accumulation_size=steps_per_epoch),
        )

    def decaying(learning_rate: jax.Array) -> optax.GradientTransformation:
        return optim.momentum(optim.epoch_decay(learning_rate, 0.95, steps_per_epoch))

    return dict(zip(SCHEDULES, (optim.momentum, decaying, cyclic, plateau), strict=True))


def train(
    config: Config, dataset: Dataset, out: cli.Job, tested: Mapping[int, float]
) -> list[dict[str, Any]]:
    """Trains every schedule with every rate and seed, and the constant one at the tests' rates.

    Returns:
      A row per training: its last metrics (``None`` if it diverged) and its ``history``.
    """
    factors: dict[str, dict[str, Any]] = {
        f"{name} rate={rate:g} seed={seed} {chosen_by}": {
            "schedule": name,
            "rate": rate,
            "seed": seed,
            "chosen_by": chosen_by,
        }
        for name in SCHEDULES
        for seed in config.seeds
        for rate, chosen_by in (
            *((rate, "grid") for rate in config.rates),
            *([(tested[seed], "range test")] if name == "constant" else []),
        )
    }
    runs = {
        name: runs_of(
            {label: each for label, each in factors.items() if each["schedule"] == name},
            dataset,
            config.held_out,
        )
        for name in SCHEDULES
    }
    kept = part_to_train_on(len(dataset.train.labels), config.held_out, seed=0)
    steps_per_epoch = len(kept) // config.batch_size
    groups = [
        Group(
            model=network(config, dataset),
            make_optimizer=recipe,
            dataset=dataset,
            runs=runs[name],
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            transform=zhang2017.preprocessing(dataset.image_shape, "none"),
            record="last",
        )
        for name, recipe in schedules(steps_per_epoch, config.max_epochs).items()
    ]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    return [
        {**factors[result.label], **ending(result, METRICS), "history": result.history}
        for group in trained
        for result in group
    ]


def accuracy_at(row: Mapping[str, Any], epoch: int) -> float | None:
    """Test accuracy after an epoch; ``None`` if the training did not get there."""
    return next((each["test_accuracy"] for each in row["history"] if each["epoch"] == epoch), None)


if __name__ == "__main__":
    cli.main(run, PRESETS)
