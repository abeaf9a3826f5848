"""Trainings with a part of the examples held out, and what is read off their histories."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rote.core import Dataset
from rote.studies.split import part_to_train_on
from rote.train import Result, Run


def runs_of(
    factors: Mapping[str, Mapping[str, Any]], dataset: Dataset, held_out: float
) -> list[Run]:
    """A run per training, each on what its seed does not hold out.

    Args:
      factors: by label, what tells the trainings apart: ``seed``, of start, order and the part that
        is held out, and ``rate``, the learning rate.
      dataset: the data set.
      held_out: the fraction of its training examples to hold out, in (0, 1).

    Raises:
      InputError: if nothing would be held out, or nothing left.
    """
    count = len(dataset.train.labels)
    return [
        Run(
            init_seed=each["seed"],
            subset=part_to_train_on(count, held_out, each["seed"]),
            hparams={"learning_rate": each["rate"]},
            label=label,
        )
        for label, each in factors.items()
    ]


def ending(result: Result, metrics: Iterable[str], place: int = -1) -> dict[str, float | None]:
    """Metrics of a training at a place of its history, the last by default.

    They are ``None`` where it diverged: what its parameters were before that is no result.
    """
    row = result.history[place] if result.status != "diverged" else {}
    return {name: row.get(name) for name in metrics}


def at_loss(
    history: Sequence[Mapping[str, Any]], loss: float, metrics: Iterable[str]
) -> dict[str, float | None]:
    """Metrics where the training loss first comes down to a value, linear between two epochs.

    They are ``None`` where it does not.

    >>> history = [{"train_loss": 2.0, "test_accuracy": 0.1}, {"train_loss": 1.0,
    ...                                                        "test_accuracy": 0.5}]
    >>> at_loss(history, 1.75, ["test_accuracy"]), at_loss(history, 0.5, ["test_accuracy"])
    ({'test_accuracy': 0.2}, {'test_accuracy': None})
    """
    for before, after in itertools.pairwise(history):
        high, low = before["train_loss"], after["train_loss"]
        if low <= loss < high:
            share = (high - loss) / (high - low)
            return {name: before[name] + share * (after[name] - before[name]) for name in metrics}
    return dict.fromkeys(metrics)
