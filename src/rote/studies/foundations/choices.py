"""What several lessons choose and time in the same way."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rote.core import InputError


def best_rate(rows: Sequence[Mapping[str, Any]], metric: str = "held_out_accuracy") -> float:
    """The learning rate with the highest mean of a metric over seeds.

    Args:
      rows: one per training, with ``rate`` and the metric; ``None`` and NaN, of what diverged,
        count as 0.
      metric: an accuracy.

    Raises:
      InputError: if there are no rows.

    >>> rows = [{"rate": 0.1, "held_out_accuracy": 0.8}, {"rate": 1.0, "held_out_accuracy": None}]
    >>> best_rate(rows)
    0.1
    """
    if not rows:
        raise InputError("best_rate: no trainings; expected at least one")
    groups: dict[float, list[float]] = {}
    for row in rows:
        value = row[metric]
        known = value is not None and not math.isnan(value)
        groups.setdefault(row["rate"], []).append(value if known else 0.0)
    return max(groups, key=lambda rate: sum(groups[rate]) / len(groups[rate]))


def rate_in_words(rate: float, grid: Iterable[float]) -> str:
    """A chosen rate; and where it is at an edge of its grid, that: a better one may lie beyond.

    >>> rate_in_words(0.3, [0.1, 0.3, 1.0]), rate_in_words(1.0, [0.1, 0.3, 1.0])
    ('0.3', '1, the highest tried')
    """
    rates = sorted(grid)
    edges = {rates[0]: ", the lowest tried", rates[-1]: ", the highest tried"}
    return f"{rate:g}{edges.get(rate, '')}"


def alternate(
    calls: Mapping[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Times calls in turn, so that what else the machine does meets all of them.

    Args:
      calls: what is timed, by name. Each is called once before, uncounted.
      rounds: how often.
      clock: gives the time in seconds.

    Returns:
      By name, the seconds of each round.
    """
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begin = clock()
            call()
            times[name].append(clock() - begin)
    return times
