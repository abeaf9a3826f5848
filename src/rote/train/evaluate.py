"""From what a net says of each example to the metrics of an evaluation."""

from collections.abc import Callable

import numpy as np

from rote.core import Dataset
from rote.train.program import PerExample

Metrics = Callable[[PerExample, PerExample], dict[str, float | None]]
"""``(train, test) -> metrics``, from what the net said of either split."""


def make_metrics(dataset: Dataset, examples: np.ndarray) -> Metrics:
    """The metrics of a run; see ``Result.history`` for their meaning.

    Args:
      dataset: the data set evaluated.
      examples: ``[n]`` indices of the training examples that the run trains on.
    """
    split = dataset.train
    trained_on = np.zeros(len(split.labels), bool)
    trained_on[examples] = True
    changed, unchanged = trained_on & split.changed, trained_on & ~split.changed
    held_out = ~trained_on
    train_labels, clean_labels = np.asarray(split.labels), np.asarray(split.clean_labels)
    test_labels = np.asarray(dataset.test.labels)

    def metrics(train: PerExample, test: PerExample) -> dict[str, float | None]:
        correct = train.predicted == train_labels
        return {
            "train_loss": _mean(train.loss, trained_on),
            "train_accuracy": _mean(correct, trained_on),
            "changed_accuracy": _mean(correct, changed),
            "unchanged_accuracy": _mean(correct, unchanged),
            "clean_accuracy": _mean(train.predicted == clean_labels, trained_on),
            "held_out_accuracy": _mean(correct, held_out),
            "test_loss": _mean(test.loss),
            "test_accuracy": _mean(test.predicted == test_labels),
        }

    return metrics


def _mean(values: np.ndarray, where: np.ndarray | slice = slice(None)) -> float | None:
    """The mean over the examples selected, in float64; ``None`` where there are none."""
    selected = values[where]
    return float(np.mean(selected, dtype=np.float64)) if selected.size else None
