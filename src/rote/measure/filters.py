"""What the filters of a convolution resemble: blurs, edges and lines."""

import math
from typing import NamedTuple

import numpy as np

from rote.core import InputError

_SMOOTH, _FIRST, _SECOND = np.array([1, 2, 1]), np.array([-1, 0, 1]), np.array([1, -2, 1])
_KINDS = ("blur", "edge", "line")


class DerivativeMatch(NamedTuple):
    """The derivative that a filter resembles most.

    Attributes:
      kind: ``"blur"``, ``"edge"`` or ``"line"``: a derivative of order 0, 1 or 2.
      angle: its direction in degrees; 0 to the right, 90 upwards.
      mask: ``[3, 3]``, the derivative, with the sign that matches.
      cosine: of the angle between filter and mask; 0 for a filter of zeros.
    """

    kind: str
    angle: int
    mask: np.ndarray
    cosine: float

    @property
    def name(self) -> str:
        """Kind and angle."""
        return self.kind if self.kind == "blur" else f"{self.kind} {self.angle}°"


def derivative_filter(order: int, angle: float = 0) -> np.ndarray:
    r"""Sobel's derivative in a direction, as a filter.

    .. math::
       D_\theta = \cos\theta\,D_x + \sin\theta\,D_y, \qquad
       D_\theta^2 = \cos^2\theta\,D_{xx} + 2\cos\theta\sin\theta\,D_{xy} + \sin^2\theta\,D_{yy}

    Along its direction it is ``[-1 0 1]`` or ``[1 -2 1]``, across it ``[1 2 1]``.

    Args:
      order: 0 (a blur), 1 (an edge) or 2 (a line).
      angle: in degrees; 0 to the right, 90 upwards.

    Returns:
      ``[3, 3]``, float64, to be correlated with an image whose rows are counted downwards.

    Raises:
      InputError: another order.

    Reference:
      Sobel and Feldman 1968 (the 3x3 gradient); Freeman and Adelson 1991, The design and use of
      steerable filters, section II (derivatives in any direction from those along the axes).

    >>> derivative_filter(1).tolist()
    [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]
    """
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    up = -_FIRST  # rows are counted downwards
    if order == 0:
        return np.outer(_SMOOTH, _SMOOTH).astype(float)
    if order == 1:
        return c * np.outer(_SMOOTH, _FIRST) + s * np.outer(up, _SMOOTH)
    if order == 2:
        along, across = np.outer(_SMOOTH, _SECOND), np.outer(_SECOND, _SMOOTH)
        return c**2 * along + 2 * c * s * np.outer(up, _FIRST) + s**2 * across
    raise InputError(f"order: {order}; expected 0, 1 or 2")


def match_derivatives(filters: np.ndarray) -> list[DerivativeMatch]:
    """The derivative of order 0, 1 or 2 that each filter resembles most, by the cosine.

    Compared with a blur, edges in steps of 5 degrees and lines in steps of 5 degrees, of either
    sign. So many candidates fit any filter somewhat: random ones reach a cosine of 0.59 on the
    mean, so set a trained layer beside its own start.

    Args:
      filters: ``[N, 3, 3]``, one per pair of channels.

    Returns:
      N matches.

    Raises:
      InputError: filters of another shape.
    """
    filters = np.asarray(filters)
    if filters.ndim != 3 or filters.shape[1:] != (3, 3):
        raise InputError(
            f"filters: shape {filters.shape}; expected [N, 3, 3]: of a kernel [3, 3, C, D], "
            "np.moveaxis(kernel.reshape(3, 3, -1), -1, 0)"
        )
    known = [
        *((0, 0, sign * derivative_filter(0)) for sign in (1, -1)),
        *((1, angle, derivative_filter(1, angle)) for angle in range(0, 360, 5)),
        *(
            (2, angle, sign * derivative_filter(2, angle))
            for sign in (1, -1)
            for angle in range(0, 180, 5)
        ),
    ]
    found = cosines(filters, np.stack([mask for _, _, mask in known]))
    matches = []
    for row in found:
        order, angle, mask = known[row.argmax()]
        matches.append(DerivativeMatch(_KINDS[order], angle, mask, float(row.max())))
    return matches


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    r"""Cosine similarity of every array of one stack with every array of another.

    .. math:: \cos(a, b) = \frac{a \cdot b}{|a|\,|b|}

    Args:
      one: ``[N, ...]``.
      other: ``[M, ...]``, of the same shape behind the first axis.

    Returns:
      ``[N, M]``; 0 where an array is all zeros.

    >>> cosines(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0, 0.0]]
    """

    def unit(arrays: np.ndarray) -> np.ndarray:
        rows = np.asarray(arrays, float).reshape(len(arrays), -1)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norms > 0, norms, 1)

    return unit(one) @ unit(other).T
