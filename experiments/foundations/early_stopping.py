"""Early stopping: a validation split, patience, and the best parameters kept.

Claim: where a net goes on to memorise what it should not, stopping when a validation split gets no
better keeps what it had learned before. Where nothing is there to be memorised, there is little to
gain, and the split costs examples.

Source: Prechelt, "Early stopping, but when?", 1998; Zhang et al. 2017, section 3 and Fig. 2, where
on CIFAR-10 it gains nothing (experiments/zhang2017/early_stopping.py asks there).

Expected: with redrawn labels the stopped net's test accuracy is above that at the end, and it stops
before it has memorised; with true labels the two are about equal. The source names no numbers.

Three trainings from the same start. Two have the same nine tenths: one goes to the last epoch; one
stops when accuracy on the held-out tenth, whose labels are redrawn like the others, has not been
better for "patience" epochs, and keeps the parameters of its best, which are evaluated once more.
The third has all examples, and goes to the last epoch. Test labels are clean. Differences are taken
seed by seed:

  gain   test accuracy of the kept parameters, minus that of the same nine tenths at the end
  split  of all examples at the end, minus that of nine tenths at the end: what the split costs
  whole  of the kept parameters, minus that of all examples at the end: what stopping early is worth
         to somebody who would have to hold examples out for it

Command: python experiments/foundations/early_stopping.py --preset smoke
  smoke  digits (in the package), MLP 1x512, two seeds; seconds
  cpu    5,000 images of MNIST, five seeds; about seven minutes of processor time

Left open by the course: how much is held out (a tenth), the patience (10 epochs), the metric
(accuracy: the loss of a net that gets sure of itself rises before its accuracy falls).
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from rote import (
    Group,
    Model,
    Run,
    cli,
    data,
    fit_groups,
    losses,
    models,
    optim,
    patience,
    tables,
    transforms,
    viz,
)
from rote.core import Dataset, InputError
from rote.studies import zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.studies.split import part_to_train_on
from rote.tables import Column
from rote.train import Checkpoint, Result, make_forward

TO_THE_END, STOPPED, ON_ALL = KINDS = ("to the end", "stopped", "on all")
DIFFERENCES = ("gain", "split", "whole")
Trained = Mapping[tuple[str, float, int], Result]
"""By kind, corruption and seed."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of early stopping."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10."""
    num_train: int | None = None
    """Images to train and validate on, class-balanced; None: all."""
    corruptions: tuple[float, ...] = (0.0, 0.4)
    """Probabilities with which each training label is redrawn."""
    held_out: float = 0.1
    """Fraction held out for validation."""
    patience: int = 10
    """Epochs without improvement after which it stops."""
    max_epochs: int = 60
    """Of the training that does not stop."""
    learning_rate: float = 0.1
    """Of SGD with momentum 0.9."""
    batch_size: int = 128
    """Examples per step."""
    seeds: tuple[int, ...] = (0, 1)
    """Of start, order, labels and split."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        check_list("corruptions", self.corruptions)
        for name in ("patience", "max_epochs", "learning_rate", "batch_size"):
            check_positive(name, getattr(self, name))
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out: {self.held_out}; expected a fraction between 0 and 1")


PRESETS = {
    "smoke": Config(),
    "cpu": Config(dataset="mnist", num_train=5_000, seeds=(0, 1, 2, 3, 4), learning_rate=0.05),
}


def run(config: Config, out: cli.Job) -> None:
    """Trains with and without stopping, and without a split; leaves a table and a figure."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    results = train(config, dataset, out)
    table, curves = [], []
    for corruption in config.corruptions:
        for seed in config.seeds:
            stopped, whole, on_all = (
                results[kind, corruption, seed] for kind in (STOPPED, TO_THE_END, ON_ALL)
            )
            factors = {"corruption": corruption, "seed": seed}
            table.append({**factors, **compare(dataset, stopped, whole, on_all)})
            curves += [
                {
                    "panel": f"corruption {corruption:g}",
                    "seed": seed,
                    "epoch": row["epoch"],
                    "split": split,
                    "accuracy": row[f"{split}_accuracy"],
                }
                for row in whole.history
                for split in ("train", "held_out", "test")
            ]
    marks = {
        f"corruption {corruption:g}": [
            row["best_epoch"] for row in table if row["corruption"] == corruption
        ]
        for corruption in config.corruptions
    }
    figure = viz.lines(
        curves,
        x="epoch",
        y="accuracy",
        by="split",
        panel="panel",
        marks=marks,
        caption="dashed: the epoch that validation chooses, one line per seed",
        title=f"Early stopping: {dataset.name}",
    )
    out.save_figure("early_stopping", figure)
    accuracies = tables.summarize(
        table,
        ["corruption"],
        {
            "epoch kept": Column("best_epoch"),
            "stopped at": Column("stopped_at"),
            "train accuracy, kept": Column("train_accuracy", unit="%"),
            "at the end": Column("train_accuracy_end", unit="%"),
            "test accuracy, kept": Column("test_accuracy", unit="%"),
            "the end": Column("test_accuracy_end", unit="%"),
            "on all, the end": Column("test_accuracy_all", unit="%"),
        },
    )
    differences = tables.summarize(
        [{**row, **{name: 100 * row[name] for name in DIFFERENCES}} for row in table],
        ["corruption"],
        {f"{name}, points": Column(name, 2) for name in DIFFERENCES},
    )
    away = max(abs(row["test_accuracy"] - row["test_accuracy_history"]) for row in table)
    text = "\n\n".join(
        [
            tables.format_table(accuracies),
            "test accuracy, seed by seed:\n" + tables.format_table(differences),
            f"the kept parameters, evaluated again: test accuracy at most {away:.1g} from that of "
            "the history",
        ]
    )
    about = data.describe(dataset)
    out.finish(text, table=table, summary=accuracies, differences=differences, data=about)


def network(dataset: Dataset) -> Model:
    """The MLP."""
    return models.mlp((512,), num_classes=dataset.num_classes)


def preprocessing(dataset: Dataset) -> transforms.Transform:
    """From stored images to the net's input."""
    return zhang2017.preprocessing(dataset.image_shape, "none")


def train(config: Config, dataset: Dataset, out: cli.Job) -> Trained:
    """The three trainings of every corruption and seed."""
    count = len(dataset.train.labels)
    factors: dict[str, dict[str, Any]] = {
        f"corruption={corruption:g} {kind} seed={seed}": {
            "corruption": corruption,
            "training": kind,
            "seed": seed,
        }
        for kind, corruption, seed in itertools.product(KINDS, config.corruptions, config.seeds)
    }
    groups = [
        Group(
            model=network(dataset),
            make_optimizer=functools.partial(optim.momentum, config.learning_rate),
            dataset=dataset,
            runs=[
                Run(
                    init_seed=each["seed"],
                    dataset=functools.partial(
                        data.random_labels, dataset, each["corruption"], seed=each["seed"]
                    ),
                    subset=None
                    if kind == ON_ALL
                    else part_to_train_on(count, config.held_out, each["seed"]),
                    label=label,
                )
                for label, each in factors.items()
                if each["training"] == kind
            ],
            batch_size=config.batch_size,
            max_epochs=config.max_epochs,
            transform=preprocessing(dataset),
            stop=patience(config.patience, "held_out_accuracy") if kind == STOPPED else None,
            record="last",
        )
        for kind in KINDS
    ]
    progress = cli.Progress(out, columns=factors)
    trained = fit_groups(groups, on_event=progress, execution=out.execution)
    return {
        (each["training"], each["corruption"], each["seed"]): result
        for each, result in zip(factors.values(), itertools.chain(*trained), strict=True)
    }


def compare(dataset: Dataset, stopped: Result, whole: Result, on_all: Result) -> dict[str, Any]:
    """What the three trainings of a seed came to, and their differences; see the header."""
    assert stopped.best is not None  # kept by the stop rule
    then = next(row for row in stopped.history if row["epoch"] == stopped.best.epoch)
    kept = accuracy_of(dataset, stopped.best)
    end, end_on_all = (each.history[-1]["test_accuracy"] for each in (whole, on_all))
    return {
        "stopped_at": stopped.history[-1]["epoch"],
        "best_epoch": stopped.best.epoch,
        "train_accuracy": then["train_accuracy"],
        "train_accuracy_end": whole.history[-1]["train_accuracy"],
        "test_accuracy": kept,
        "test_accuracy_history": then["test_accuracy"],
        "test_accuracy_end": end,
        "test_accuracy_all": end_on_all,
        "gain": kept - end,
        "split": end_on_all - end,
        "whole": kept - end_on_all,
    }


def accuracy_of(dataset: Dataset, kept: Checkpoint) -> float:
    """The test accuracy of parameters."""
    forward = make_forward(network(dataset), preprocessing(dataset))
    logits, _ = forward(kept.params, kept.state, dataset.test.images, train=False)
    return float(losses.accuracy(logits, jnp.asarray(dataset.test.labels)).mean())


if __name__ == "__main__":
    cli.main(run, PRESETS)
