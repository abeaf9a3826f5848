"""What goes into a run and what comes out of it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rote.core import Dataset, Params, State, unknown_name

Row = dict[str, Any]
"""One line of a run's history: plain numbers, ``None`` where a quantity does not exist."""


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What distinguishes one training from another of the same model.

    Attributes:
      init_seed: seed of the initial parameters.
      order_seed: seed of the data order, dropout and augmentation; by default ``init_seed``.
      dataset: what this run trains and tests on, where it differs from the call's data set (other
        labels, other images of the same shape); or a function that makes it, called when the run
        begins, so that a long list of runs holds one data set at a time. Arrays that are the same
        object as another run's are stored on the device once.
      subset: ``[n]`` indices of the training examples this run may train on, equally many in every
        run of a call; by default all. The run is evaluated on all of them.
      hparams: what ``make_optimizer`` receives, by name; traced, so runs can differ in them without
        compiling again.
      label: names the run in records and figures.
    """

    init_seed: int
    order_seed: int | None = None
    dataset: Dataset | Callable[[], Dataset] | None = None
    subset: np.ndarray | None = None
    hparams: Mapping[str, float] = dataclasses.field(default_factory=dict)
    label: str = ""


class Record(NamedTuple):
    """What the net said of every training example, epoch by epoch.

    Attributes:
      epochs: ``[E]`` int32, the epochs recorded; 0 is before training.
      predicted: ``[E, N]``, the predicted class, uint8 up to 256 classes and int32 beyond.
      margin: ``[E, N]`` float32, the logit of the label trained on minus the largest other logit.
    """

    epochs: np.ndarray
    predicted: np.ndarray
    margin: np.ndarray


class DataRecord(NamedTuple):
    """What a run was trained on, without the images.

    Attributes:
      name: the data set's name.
      num_classes: number of classes.
      image_shape: ``(H, W, C)``.
      labels: ``[N]`` int32, the labels trained on.
      clean_labels: ``[N]`` int32, as published.
      provenance: see ``Dataset.provenance``.
      fingerprint: see ``Dataset.fingerprint``.
    """

    name: str
    num_classes: int
    image_shape: tuple[int, ...]
    labels: np.ndarray
    clean_labels: np.ndarray
    provenance: tuple[Mapping[str, Any], ...]
    fingerprint: dict[str, str]

    @classmethod
    def of(cls, dataset: Dataset) -> "DataRecord":
        """The record of a data set."""
        return cls(
            dataset.name,
            dataset.num_classes,
            dataset.image_shape,
            np.asarray(dataset.train.labels),
            np.asarray(dataset.train.clean_labels),
            dataset.provenance,
            dataset.fingerprint,
        )


class Checkpoint(NamedTuple):
    """Parameters and state after ``epoch`` epochs, or in its course where the run was cut short."""

    epoch: int
    params: Params
    state: State

    def trees(self) -> dict[str, Any]:
        """The two trees, by name."""
        return {"params": self.params, "state": self.state}


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a run produced. All arrays are NumPy arrays on the host.

    Attributes:
      run: what was asked for.
      data: what it was trained on: labels, provenance and fingerprints.
      status: ``"fitted"``, ``"patience"``, ``"max_epochs"`` (ended without meeting the stop rule:
        censored, not failed), ``"diverged"`` (the loss stopped being finite) or ``"interrupted"``.
      error: one line that names epoch and step where the run diverged, else ``None``.
      final: parameters and state at the end (the last ones with a finite loss, where it diverged).
      initial: parameters and state before the first step.
      best: the best parameters by the stop rule, where it keeps any.
      history: one row per epoch, from epoch 0 (before training). Losses are mean losses and
        accuracies fractions of a full pass in evaluation mode: ``train_*`` on the labels trained
        on; ``changed_accuracy`` and ``unchanged_accuracy`` on the part of them that differs from
        the clean labels and the part that does not; ``clean_accuracy`` on the training examples'
        clean labels; ``held_out_accuracy`` on training examples outside the run's subset;
        ``test_*`` on the test split; ``batch_loss`` is the mean mini-batch loss during the epoch;
        ``seconds`` since the run began.
      record: the per-example record.
      steps_per_epoch: optimizer steps in an epoch.
    """

    run: Run
    data: DataRecord
    status: str
    error: str | None
    final: Checkpoint
    initial: Checkpoint
    best: Checkpoint | None
    history: Sequence[Row]
    record: Record
    steps_per_epoch: int

    @property
    def label(self) -> str:
        """The run's label."""
        return self.run.label

    @property
    def params(self) -> Params:
        """The final parameters."""
        return self.final.params

    @property
    def state(self) -> State:
        """The final model state."""
        return self.final.state

    def time_to(
        self, metric: str = "train_accuracy", at_least: float = 1.0
    ) -> tuple[int, int] | None:
        """The first ``(epoch, step)`` evaluated with ``metric >= at_least``, or ``None``.

        A run that was interrupted before its first evaluation has reached nothing.

        Raises:
          InputError: if the history has no such metric.
        """
        if self.history and metric not in self.history[0]:
            raise unknown_name("metric", metric, self.history[0])
        for row in self.history:
            if row[metric] is not None and row[metric] >= at_least:
                return row["epoch"], row["step"]
        return None


class DivergedError(ArithmeticError):
    """The loss of a run stopped being finite; ``result`` holds what it produced until then."""

    def __init__(self, result: Result):
        super().__init__(result.error)
        self.result = result


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during training; ``results`` holds the runs that ended, then those cut short."""

    def __init__(self, results: Sequence[Result]):
        super().__init__("training was interrupted")
        self.results = results
