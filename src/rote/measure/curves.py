"""The shape of a training curve: how straight it is, and how quickly it rises.

A curve is two arrays, such as steps and training accuracies. It may rise or fall: what counts is
the way from its first value to its last.
"""

import numpy as np

from rote.core import InputError


def linear_r2(x: np.ndarray, y: np.ndarray) -> float:
    r"""R² of the straight line fitted to a curve by least squares.

    .. math:: R^2 = 1 - \sum_i (y_i - a x_i - b)^2 / \sum_i (y_i - \bar y)^2

    1 for a straight line. For a curve that rises at once and then stays it goes to 0.

    Args:
      x: ``[n]``, increasing.
      y: ``[n]``.

    Returns:
      A number in [0, 1]; NaN for fewer than three points, through which a line always goes, and
      for a curve that does not move.

    Raises:
      InputError: if these are no curve.

    >>> linear_r2(np.array([0, 1, 2, 3]), np.array([0.0, 1.0, 1.0, 2.0])).__round__(2)
    0.9
    """
    _check(x, y)
    if len(x) < 3 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def time_to_share(x: np.ndarray, y: np.ndarray, share: float) -> float:
    """Where a curve has first gone that share of the way from its first value to its last.

    Between two points the curve is taken to be straight.

    Args:
      x: ``[n]``, increasing.
      y: ``[n]``.
      share: in (0, 1].

    Returns:
      A value between the first and the last ``x``; NaN for a curve that ends where it began.

    Raises:
      InputError: if these are no curve, or the share is outside (0, 1].

    >>> time_to_share(np.array([0, 10, 20]), np.array([1.0, 3.0, 5.0]), 0.75)
    15.0
    """
    _check(x, y)
    if not 0 < share <= 1:
        raise InputError(f"share: {share}; expected a number in (0, 1]")
    if y[0] == y[-1]:
        return float("nan")
    gone = (np.asarray(y, np.float64) - y[0]) / (y[-1] - y[0])
    gone[-1] = 1  # rounding aside, it is
    after = int(np.argmax(gone >= share))
    return float(np.interp(share, gone[after - 1 : after + 1], x[after - 1 : after + 1]))


def rise_time(x: np.ndarray, y: np.ndarray, low: float = 0.1, high: float = 0.9) -> float:
    """How long a curve takes from ``low`` to ``high`` of its way: the 10-90 % rise time.

    A straight line takes 0.8 of its length.

    Args:
      x: ``[n]``, increasing.
      y: ``[n]``; it may fall as well.
      low: share of the way at which the time begins.
      high: share at which it ends.

    Returns:
      A difference of ``x``; NaN for a curve that ends where it began.

    Raises:
      InputError: if these are no curve, or not ``0 < low < high <= 1``.

    >>> rise_time(np.array([0, 100]), np.array([2.5, 0.0]))
    80.0
    """
    if not low < high:
        raise InputError(f"rise time from {low} to {high}; expected the smaller share first")
    return time_to_share(x, y, high) - time_to_share(x, y, low)


def _check(x: np.ndarray, y: np.ndarray) -> None:
    if np.ndim(x) != 1 or np.shape(x) != np.shape(y) or len(x) < 2:
        raise InputError(
            f"a curve of shapes {np.shape(x)} and {np.shape(y)}; expected two equally long lists "
            "of at least 2"
        )
    if not np.all(np.diff(x) > 0) or not np.all(np.isfinite(y)):
        raise InputError("a curve needs x that increase and y that are finite")
