"""Whether many nets make their errors on the same examples."""

from typing import NamedTuple

import numpy as np

from rote.core import InputError


class ErrorAgreement(NamedTuple):
    """How unequal examples are in how many nets get them wrong.

    If all examples were equally hard, the number of nets that are wrong on one would be drawn from
    the binomial distribution with ``R`` trials and the mean error rate.

    Attributes:
      error_rate: ``[N]`` float64, the share of the nets that are wrong on each example.
      distance: how far the error rates are, in the mean, from that binomial distribution: the
        Wasserstein-1 distance, which is the mean absolute difference of the sorted rates and those
        of the binomial distribution.
      dispersion: the variance of the error rates over that of the binomial distribution; 1 for
        equally hard examples. NaN where no net or every net is wrong on everything.
      split_half: Pearson's correlation over the examples of the error rates among the first half of
        the nets and among the others; 0 for equally hard examples, towards 1 the more the nets
        agree. NaN where either half has the same rate everywhere.
    """

    error_rate: np.ndarray
    distance: float
    dispersion: float
    split_half: float


def error_agreement(wrong: np.ndarray) -> ErrorAgreement:
    r"""Whether nets that were trained independently are wrong on the same examples.

    .. math:: d = \frac1R \sum_{k=0}^{R} \Big| \frac{\#\{i : c_i \le k\}}{N} - F(k) \Big|

    with ``c_i`` how many of the ``R`` nets are wrong on example ``i``, and ``F`` the distribution
    function of the binomial with ``R`` trials and ``p = mean(c) / R``.

    Args:
      wrong: ``[R, N]`` bool, whether each net is wrong on each example; ``R`` at least two.

    Returns:
      The error rates, and how unequal they are.

    Raises:
      InputError: if there are fewer than two nets, or no examples.

    Reference:
      Arpit et al. 2017, A closer look at memorization in deep networks, section 3.1 and Fig. 1,
      which shows the sorted rates beside those of a binomial distribution.

    >>> wrong = np.array([[True, False], [True, False], [True, False], [True, False]])
    >>> found = error_agreement(wrong)
    >>> found.error_rate.tolist(), found.dispersion
    ([1.0, 0.0], 4.0)
    """
    wrong = np.asarray(wrong, bool)
    if wrong.ndim != 2 or len(wrong) < 2 or not wrong.shape[1]:
        raise InputError(f"wrong: shape {wrong.shape}; expected [nets, examples], two nets or more")
    trials, _ = wrong.shape
    counts = wrong.sum(0)
    p = counts.mean() / trials
    variance = p * (1 - p) / trials
    rate = counts / trials
    first, second = wrong[: trials // 2].mean(0), wrong[trials // 2 :].mean(0)
    unequal = first.std() > 0 and second.std() > 0
    return ErrorAgreement(
        error_rate=rate,
        distance=binomial_distance(counts, trials),
        dispersion=float(rate.var() / variance) if variance > 0 else float("nan"),
        split_half=float(np.corrcoef(first, second)[0, 1]) if unequal else float("nan"),
    )


def binomial_distance(counts: np.ndarray, trials: int) -> float:
    """The Wasserstein-1 distance of shares to the binomial distribution with their mean.

    Args:
      counts: ``[N]`` integers, 0 to ``trials``.
      trials: of each count.

    Returns:
      The distance of ``counts / trials``, between 0 and 1; see ``error_agreement``.

    >>> round(binomial_distance(np.array([0, 1, 1, 2]), 2), 3)
    0.0
    """
    from scipy.stats import binom

    counts = np.asarray(counts)
    seen = np.cumsum(np.bincount(counts, minlength=trials + 1)) / len(counts)
    expected = binom.cdf(np.arange(trials + 1), trials, counts.mean() / trials)
    return float(np.abs(seen - expected).sum() / trials)


def distance_of_equals(
    trials: int, error_rate: float, num_examples: int, *, draws: int = 200, seed: int = 0
) -> float:
    """The mean distance that so many equally hard examples have by chance.

    Args:
      trials: nets.
      error_rate: their mean error rate.
      num_examples: how many examples the distance is of.
      draws: over how many draws the mean is taken.
      seed: of the draws.

    >>> distance_of_equals(100, 0.9, 100) > distance_of_equals(100, 0.9, 10_000)
    True
    """
    drawn = np.random.default_rng(seed).binomial(trials, error_rate, (draws, num_examples))
    return float(np.mean([binomial_distance(counts, trials) for counts in drawn]))
