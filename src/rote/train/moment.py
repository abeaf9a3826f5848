"""The values that training goes through on the host.

A ``Moment`` is a value: nothing in it changes in place. Whoever holds one can go on from it, save
it, or go back to it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rote.core import Dataset
from rote.train.result import Checkpoint, Record, Row, Run
from rote.train.step import TrainState
from rote.train.stop import StopRule


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A run with the data it uses.

    Attributes:
      index: the run's number within the call.
      run: the run.
      dataset: what it trains and tests on.
      examples: ``[n]`` int32, the training examples it trains on.
    """

    index: int
    run: Run
    dataset: Dataset
    examples: np.ndarray


class Settings(NamedTuple):
    """What holds for every run of a call."""

    batch_size: int
    max_epochs: int
    steps_per_epoch: int
    stop: StopRule | None
    record: str


class RunLog(NamedTuple):
    """What the host knows of a run.

    Attributes:
      history: its rows.
      recorded: ``(epoch, predicted [N], margin [N])`` of the training examples, by epoch.
      stop_state: the stop rule's state.
      best: the best parameters by the stop rule.
      status: why the run has ended; ``None`` while it goes on.
      error: one line, where it diverged.
      final: parameters and state at the end, once it has ended.
    """

    history: tuple[Row, ...] = ()
    recorded: tuple[tuple[int, np.ndarray, np.ndarray], ...] = ()
    stop_state: Any = None
    best: Checkpoint | None = None
    status: str | None = None
    error: str | None = None
    final: Checkpoint | None = None


class Moment(NamedTuple):
    """Where the runs of a cohort stand between two compiled calls.

    Attributes:
      slots: per slot of the run axis the index of its run, ``None`` where it is idle.
      train: the states, with a leading axis of slots.
      loss_sum: ``[S]``, mini-batch losses of the epoch so far.
      epoch: the epoch under way, from 1; 0 before the first evaluation.
      taken: steps of the epoch taken; all of them when the evaluation is due.
      logs: by run, of those in the slots.
      seconds: training time so far.
    """

    slots: tuple[int | None, ...]
    train: TrainState
    loss_sum: jax.Array
    epoch: int
    taken: int
    logs: Mapping[int, RunLog]
    seconds: float

    @property
    def active(self) -> list[int]:
        """The runs that go on, in the order of the call."""
        return sorted(run for run in self.slots if run is not None)


def arrange(runs: Sequence[int], devices: int, per_device: int = 0) -> tuple[int | None, ...]:
    """Runs dealt out to devices in turn, as slots: those of the first device, then the next's.

    Args:
      runs: the runs.
      devices: how many devices there are.
      per_device: the least number of slots on each.

    >>> arrange([4, 5, 6], devices=2)
    (4, 6, 5, None)
    """
    per_device = max(per_device, -(-len(runs) // devices))
    dealt = [list(runs[device::devices]) for device in range(devices)]
    return tuple(run for mine in dealt for run in [*mine, *[None] * (per_device - len(mine))])


def plain_keys(train: TrainState) -> TrainState:
    """With keys as plain arrays of numbers, as files hold them."""
    return train._replace(key=jax.random.key_data(train.key))


def as_record(recorded: Sequence[tuple[int, np.ndarray, np.ndarray]], task: Task) -> Record:
    """The per-example record of a run."""
    empty = np.zeros((0, len(task.dataset.train.labels)))
    epochs, predicted, margins = zip(*recorded, strict=True) if recorded else ((), empty, empty)
    return Record(np.array(epochs, np.int32), np.array(predicted), np.array(margins, np.float32))


def occupied(slots: Sequence[int | None]) -> list[tuple[int, int]]:
    """``(slot, run)`` where there is a run."""
    return [(slot, run) for slot, run in enumerate(slots) if run is not None]


def one_slot(host: Any, slot: int) -> Any:
    """One slot of a tree of host arrays ``[S, ...]``, as copies of its own."""
    return jax.tree.map(lambda leaf: np.array(leaf[slot]), host)
