"""What is read off the losses that many nets of several widths ended with."""

from collections.abc import Callable, Sequence

import numpy as np

from rote.core import InputError

Losses = Sequence[np.ndarray]
"""Per width, ascending, ``[n, 2]``: training loss and test loss of each net."""
Statistic = Callable[[Losses], list[float]]
"""From the losses to a number per width."""
RESAMPLES = 1_000


def outside_the_band(losses: Losses) -> list[float]:
    """Per width, the share of nets whose training loss is above the band of the lowest ones.

    The band begins at the width's lowest training loss. It is as wide at every width: as far as
    half of the nets of the first width reach above their lowest.

    >>> narrow, wide = np.array([[1.0, 0], [3.0, 0], [9.0, 0]]), np.array([[0.5, 0], [0.75, 0]])
    >>> outside_the_band([narrow, wide])
    [0.3333333333333333, 0.0]
    """
    first = losses[0][:, 0]
    band = np.median(first) - first.min()
    return [float(np.mean(of[:, 0] > of[:, 0].min() + band)) for of in losses]


def means(losses: Losses) -> list[float]:
    """Per width, the mean test loss."""
    return [float(of[:, 1].mean()) for of in losses]


def spreads(losses: Losses) -> list[float]:
    """Per width, the sample standard deviation of the test losses."""
    return [float(of[:, 1].std(ddof=1)) for of in losses]


def correlations(losses: Losses) -> list[float]:
    """Per width, Pearson's correlation of training loss and test loss over nets.

    >>> round(correlations([np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])])[0], 6)
    1.0
    """
    return [float(np.corrcoef(of.T)[0, 1]) for of in losses]


def bootstrap_steps(
    losses: Losses, statistic: Statistic, *, resamples: int = RESAMPLES
) -> np.ndarray:
    """How sure the changes of a number are, from each width to the next and over all of them.

    The nets of every width are drawn anew, with replacement, so many times.

    Args:
      losses: of two or more widths.
      statistic: the number, per width.
      resamples: how many draws; always the same ones.

    Returns:
      ``[widths, 2]``, the 95 % percentile intervals of the change: the steps in their order, then
      the last width less the first.

    Raises:
      InputError: if there are not two widths.
    """
    if len(losses) < 2:
        raise InputError(f"bootstrap_steps: {len(losses)} widths; expected two or more")
    random = np.random.default_rng(0)
    changes = []
    for _ in range(resamples):
        drawn = [of[random.integers(len(of), size=len(of))] for of in losses]
        values = np.array(statistic(drawn))
        changes.append([*np.diff(values), values[-1] - values[0]])
    return np.percentile(changes, [2.5, 97.5], axis=0).T
