"""A rule fixed before any number was compared, and the intervals that it asks for.

A number of ours is the mean of n runs, one per seed; the paper's is one run, as far as is known. So
what is asked is whether a single run of ours would come out as the paper's did: the difference of
the means has the 95 % prediction interval ``t_{n-1, 0.975} * s * sqrt(1 + 1/n)`` to either side,
with s the sample standard deviation over the seeds. ``judge`` turns it into a word.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Any, Literal

Tag = Literal["verified", "second-hand", "computed", "recalled"]
"""How sure a number or a claim of a paper is; see ``published``."""
Verdict = Literal[
    "agrees", "differs", "inconclusive", "too few", "not comparable", "no verdict", "not run"
]

FEWEST_SEEDS = 3
"""Fewer say too little about the spread."""


def t_quantile(n: int) -> float:
    """The 97.5 % quantile of Student's t with ``n - 1`` degrees of freedom.

    >>> round(t_quantile(3), 3)
    4.303
    """
    from scipy.stats import t

    return float(t.ppf(0.975, n - 1))


def prediction_interval(values: Sequence[float], paper: float) -> tuple[float, float]:
    """Where the difference of one more run of ours to the paper's lies, with 95 %.

    Args:
      values: ours, two or more.
      paper: the paper's.
    """
    n, mean = len(values), statistics.fmean(values)
    half = t_quantile(n) * statistics.stdev(values) * math.sqrt(1 + 1 / n)
    return mean - paper - half, mean - paper + half


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % t interval of a mean, ``mean +- t_{n-1, 0.975} * s / sqrt(n)``.

    Args:
      values: two or more.
    """
    half = t_quantile(len(values)) * statistics.stdev(values) / math.sqrt(len(values))
    mean = statistics.fmean(values)
    return mean - half, mean + half


def judge(
    values: Sequence[float],
    paper: float,
    margin: float | None,
    *,
    tag: Tag = "verified",
    comparable: bool = True,
    drawn: bool = True,
) -> Verdict:
    """The verdict on our values, by the first line that applies.

    1. no values: ``"not run"``;
    2. a recalled value, or no margin fixed for the quantity: ``"no verdict"``;
    3. other data or settings than the paper's: ``"not comparable"``;
    4. fewer than three seeds: ``"too few"``;
    5. the 95 % prediction interval of the difference within the margin: ``"agrees"``; wholly
       outside it: ``"differs"``; else ``"inconclusive"``.

    Where nothing is drawn (``drawn=False``) every run gives the same number: one is enough, and the
    interval has no width.

    >>> judge([0.504, 0.506, 0.505], 0.5051, 0.01)
    'agrees'
    """
    if not values:
        return "not run"
    if tag == "recalled" or margin is None:
        return "no verdict"
    if not comparable:
        return "not comparable"
    if drawn and len(values) < FEWEST_SEEDS:
        return "too few"
    if drawn:
        low, high = prediction_interval(values, paper)
    else:
        low = high = statistics.fmean(values) - paper
    slack = 1e-9  # the margin itself is within, although 0.515 - 0.505 > 0.01 in floats
    if -margin - slack <= low and high <= margin + slack:
        return "agrees"
    return "differs" if low > margin + slack or high < -margin - slack else "inconclusive"


def is_number(value: Any) -> bool:
    """Whether a row's value is there and finite."""
    return isinstance(value, int | float) and math.isfinite(value)
