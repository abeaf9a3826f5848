"""What training tells its caller while it goes on: a few kinds of event, one callback."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from rote.train.result import Checkpoint, Result, Row


class Started(NamedTuple):
    """Sent once per call, after compilation and a short timing.

    Attributes:
      num_runs: how many runs the call has.
      max_epochs: the most epochs that any run may take.
      steps_per_epoch: optimizer steps in an epoch.
      mapping: how the runs map to the hardware, in words.
      epochs_left: the most epochs, summed over the runs, that are still to be trained.
      compile_seconds: time spent compiling the training and the evaluation chunk.
      seconds_per_step: measured, of one optimizer step of one run: the time of a step divided by
        the number of runs that take it at the same time.
      seconds_per_evaluation: measured likewise, of one full evaluation of both splits.
      groups: where runs of several architectures are trained, what each group alone would say; the
        fields before hold sums, maxima and means of theirs.
    """

    num_runs: int
    max_epochs: int
    steps_per_epoch: int
    mapping: str
    epochs_left: int
    compile_seconds: float
    seconds_per_step: float
    seconds_per_evaluation: float
    groups: tuple["Started", ...] = ()

    @property
    def max_seconds(self) -> float:
        """The predicted cost if no run stops before ``max_epochs``, in seconds."""
        if self.groups:
            return sum(group.max_seconds for group in self.groups)
        epoch = self.steps_per_epoch * self.seconds_per_step + self.seconds_per_evaluation
        return self.epochs_left * epoch

    @classmethod
    def of_groups(cls, groups: Sequence["Started"]) -> "Started":
        """What several groups together say."""
        if len(groups) == 1:
            return groups[0]
        return cls(
            num_runs=sum(group.num_runs for group in groups),
            max_epochs=max(group.max_epochs for group in groups),
            steps_per_epoch=max(group.steps_per_epoch for group in groups),
            mapping="; ".join(dict.fromkeys(group.mapping for group in groups)),
            epochs_left=sum(group.epochs_left for group in groups),
            compile_seconds=sum(group.compile_seconds for group in groups),
            seconds_per_step=fmean(group.seconds_per_step for group in groups),
            seconds_per_evaluation=fmean(group.seconds_per_evaluation for group in groups),
            groups=tuple(groups),
        )


class Resumed(NamedTuple):
    """Sent before ``Started`` where a checkpoint was found.

    Attributes:
      finished: the results of the runs that had ended, by index.
      histories: the rows of the runs that were under way, by index.
      notes: what differs from the call that was interrupted, in words.
    """

    finished: Mapping[int, Result]
    histories: Mapping[int, Sequence[Row]]
    notes: Sequence[str]


class Advanced(NamedTuple):
    """Sent after every compiled chunk of steps, about twice a second.

    Attributes:
      runs: index and label of the runs that are trained together now.
      epoch: the epoch under way, from 1.
      max_epochs: the most epochs a run may take.
      taken: steps of the epoch taken.
      steps: steps of the chunk.
      steps_per_epoch: optimizer steps in an epoch.
      loss: mean mini-batch loss of the epoch so far, over the runs.
    """

    runs: Mapping[int, str]
    epoch: int
    max_epochs: int
    taken: int
    steps: int
    steps_per_epoch: int
    loss: float


class Evaluated(NamedTuple):
    """Sent for every run at the end of each of its epochs, and before the first.

    Attributes:
      run: index of the run within the call.
      label: the run's label.
      row: the new row of its history.
      net: gives the parameters and the state evaluated, copied to the host, for measures of the
        caller's own along training. An interrupted training that is continued may send the last
        events again, with the same nets. Of several processes, all must call it or none.
    """

    run: int
    label: str
    row: Row
    net: Callable[[], Checkpoint]


class Finished(NamedTuple):
    """Sent when a run has ended, unless by an interruption.

    Attributes:
      run: index of the run within the call.
      label: the run's label.
      result: what the run produced.
    """

    run: int
    label: str
    result: Result


Event = Resumed | Started | Advanced | Evaluated | Finished


def renumbered(event: Event, first: int) -> Event:
    """The same event with the runs numbered from ``first`` on."""
    match event:
        case Evaluated() | Finished():
            return event._replace(run=first + event.run)
        case Advanced():
            return event._replace(runs={first + run: label for run, label in event.runs.items()})
        case Resumed():
            finished = {first + run: result for run, result in event.finished.items()}
            histories = {first + run: rows for run, rows in event.histories.items()}
            return event._replace(finished=finished, histories=histories)
        case Started():
            return event
