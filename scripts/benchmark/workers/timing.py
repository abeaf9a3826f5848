"""What the events of ``fit`` say of where its time went."""

import itertools
from collections.abc import Sequence

from rote.train.events import Advanced, Evaluated, Event, Started

Stamped = tuple[float, Event]
"""An event, and when it came."""


def training_seconds(events: Sequence[Stamped]) -> float:
    """Seconds spent in training steps: the intervals that end with steps having been taken.

    Raises:
      ValueError: if an epoch's last steps were not reported before its evaluation, so that the two
        cannot be told apart.
    """
    total, missing = 0.0, 0
    for (before, _), (now, event) in itertools.pairwise(events):
        if isinstance(event, Advanced):
            total += now - before
            missing = event.steps_per_epoch - event.taken
        elif isinstance(event, Evaluated) and missing:
            raise ValueError(f"{missing} steps of an epoch and its evaluation came as one event")
    return total


def began(events: Sequence[Stamped]) -> float:
    """When compiling was over and training began."""
    return next(now for now, event in events if isinstance(event, Started))


def first_step(events: Sequence[Stamped]) -> float:
    """When the first training steps were reported."""
    return next(now for now, event in events if isinstance(event, Advanced))
