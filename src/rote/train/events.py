"""What a training run tells its caller while it goes on: three kinds of event, one callback."""

from typing import NamedTuple

from rote.train.result import Result, Row


class Started(NamedTuple):
    """Sent once per call, after compilation and a short timing on the first run's shapes.

    Attributes:
      num_runs: how many runs the call will train.
      max_epochs: the most epochs that any run may take.
      steps_per_epoch: optimizer steps in an epoch.
      compile_seconds: time spent compiling the training and the evaluation chunk.
      seconds_per_step: measured, of one optimizer step.
      seconds_per_evaluation: measured, of one full evaluation of both splits.
    """

    num_runs: int
    max_epochs: int
    steps_per_epoch: int
    compile_seconds: float
    seconds_per_step: float
    seconds_per_evaluation: float

    @property
    def max_seconds(self) -> float:
        """The predicted cost if no run stops before ``max_epochs``, in seconds."""
        epoch = self.steps_per_epoch * self.seconds_per_step + self.seconds_per_evaluation
        return self.num_runs * self.max_epochs * epoch


class Advanced(NamedTuple):
    """Sent after every compiled chunk, about twice a second.

    Attributes:
      run: index of the run within the call.
      label: the run's label.
      num_runs: how many runs the call trains.
      epoch: the epoch under way, from 1.
      max_epochs: the most epochs the run may take.
      step: optimizer steps this run has taken.
      steps_per_epoch: optimizer steps in an epoch.
      loss: mean mini-batch loss over the chunk.
      row: the epoch's evaluation where an epoch has just ended, else ``None``.
    """

    run: int
    label: str
    num_runs: int
    epoch: int
    max_epochs: int
    step: int
    steps_per_epoch: int
    loss: float
    row: Row | None


class Finished(NamedTuple):
    """Sent when a run has ended, for whatever reason.

    Attributes:
      run: index of the run within the call.
      label: the run's label.
      result: what the run produced.
    """

    run: int
    label: str
    result: Result


Event = Started | Advanced | Finished
