"""The contenders. Each module has ``make(job) -> Contestant`` and loads its own framework only."""

from typing import Any, NamedTuple, Protocol


class Round(NamedTuple):
    """One training of all runs.

    Attributes:
      training: seconds spent in training steps; ``None`` where whole processes are timed.
      total: seconds with the evaluations: one before the first epoch and one after each.
      histories: per run one row per epoch, from epoch 0, with what was measured of ``batch_loss``,
        ``train_loss``, ``train_accuracy``, ``test_loss``, ``test_accuracy``.
    """

    training: float | None
    total: float
    histories: list[list[dict[str, Any]]]


class Start(NamedTuple):
    """How long it takes to begin.

    Attributes:
      first_step: when the first training step had finished, in seconds since the epoch.
      compile_seconds: spent in compiling; ``None`` where nothing is.
    """

    first_step: float
    compile_seconds: float | None


class Contestant(Protocol):
    """A contender in its process, ready to train."""

    def start(self) -> Start:
        """Does the first training step, and whatever it needs."""

    def round(self) -> Round:
        """Trains from the initial weights."""
