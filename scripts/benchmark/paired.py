"""The median ratio of paired rounds, and how well it is known."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A median with its confidence interval, and the interval's coverage (a fraction)."""

    median: float
    low: float
    high: float
    coverage: float


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The median with an interval between two order statistics, whatever the distribution.

    The population's median lies between the ``k``-th smallest and the ``k``-th largest of ``n``
    independent values with probability ``1 - 2 P(Binomial(n, 1/2) < k)``. The largest ``k`` that
    reaches ``confidence`` is taken. Below six values there is none for 95 %: then the interval is
    the range, and ``coverage`` says how little that is.

    >>> median_interval([5.0, 1.0, 3.0, 2.0, 4.0, 6.0])
    Interval(median=3.5, low=1.0, high=6.0, coverage=0.96875)
    """
    ordered = sorted(values)
    n = len(ordered)

    def coverage(k: int) -> float:
        return max(0.0, 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n)

    k = max((k for k in range(1, n // 2 + 1) if coverage(k) >= confidence), default=1)
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[n - k], coverage(k))


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> list[float]:
    """The ratio of each round: both were timed in the same one."""
    return [a / b for a, b in zip(numerator, denominator, strict=True)]


def deviation(one: object, other: object) -> float:
    """The largest relative difference between numbers at the same place of two nested structures.

    Of mappings the keys that both have are compared; ``None`` is skipped.

    Raises:
      ValueError: if two lists differ in length, or no number is compared.

    >>> deviation([{"loss": 2.0, "seconds": 1.0}], [{"loss": 2.5}])
    0.2
    """
    differences = list(_differences(one, other))
    if not differences:
        raise ValueError("nothing to compare")
    return max(differences)


def _differences(one, other):
    if isinstance(one, dict):
        for key in one.keys() & other.keys():
            yield from _differences(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            yield from _differences(a, b)
    elif one is not None and other is not None:
        scale = max(abs(one), abs(other))
        difference = abs(one - other) / scale if scale else 0.0
        yield difference if math.isfinite(difference) else math.inf
