"""Finite-sample expressivity: a ReLU network that fits any labels, written down without training.

Zhang et al. 2017, section 4: for n distinct points in d dimensions there is a two-layer ReLU
network with ``2n + d`` weights that takes any values at them (Theorem 1), and one of depth k whose
layers have ``O(n / k)`` units (the corollary). In NumPy, float64.
"""

from typing import Literal, NamedTuple

import numpy as np

from rote.core import InputError, unknown_name

ROWS_AT_ONCE = 1_000
"""Points whose hidden units are in memory together: 80 MB of them at n = 10,000."""

Solver = Literal["triangular", "recursion"]


class Network(NamedTuple):
    """A ReLU network of depth ``k`` with one output.

    Attributes:
      direction: ``[d]``, shared by all units of the first layer.
      biases: per hidden layer, the biases of its own units, sorted; beyond the first layer they
        count from the first bias of all.
      weights: per hidden layer, the weights of these units into the sum.
    """

    direction: np.ndarray
    biases: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The outputs ``[n]`` at points ``[n, d]``."""
        parts = np.array_split(points, max(1, -(-len(points) // ROWS_AT_ONCE)))
        return np.concatenate([self._forward(part) for part in parts])

    def _forward(self, points: np.ndarray) -> np.ndarray:
        hidden = _relu((points @ self.direction)[:, None] - self.biases[0])
        carried = hidden[:, 0]
        positive = negative = np.zeros(len(points))
        for biases, weights in zip(self.biases[1:], self.weights[:-1], strict=True):
            total = positive - negative + hidden @ weights
            positive, negative = _relu(total), _relu(-total)
            hidden = _relu(carried[:, None] - biases)
        return positive - negative + hidden @ self.weights[-1]

    @property
    def num_weights(self) -> int:
        """The numbers in its arrays: ``2n + d``.

        Fixed weights of 1 and -1 do not count, and a weight that stands in the positive and in the
        negative part of a sum (depth 3 and more) counts once.
        """
        return sum(array.size for array in (self.direction, *self.biases, *self.weights))

    @property
    def width(self) -> int:
        """Units of its widest hidden layer, those that pass something on included."""
        last = len(self.biases) - 1
        return max(
            len(biases) + (0 if layer == 0 else 2 if layer == last else 3)
            for layer, biases in enumerate(self.biases)
        )


def construct(
    points: np.ndarray,
    targets: np.ndarray,
    direction: np.ndarray,
    *,
    depth: int = 2,
    solver: Solver = "triangular",
    bias_position: float = 0.25,
) -> Network:
    """The network that takes the value ``targets[i]`` at ``points[i]``.

    Args:
      points: ``[n, d]``, all different.
      targets: ``[n]``, any numbers.
      direction: ``[d]``, on which no two points may have the same projection.
      depth: layers of weights, from 2 to n + 1.
      solver: ``"triangular"`` (more accurate, n^2 numbers in memory) or ``"recursion"`` (O(n)).
      bias_position: where a bias stands in the gap below its point, from 0 to less than 1.

    Returns:
      The network, with ``2n + d`` weights and a width of at most ``ceil(n / (depth - 1)) + 3``.

    Raises:
      InputError: if two points or two projections coincide, or an argument is out of range.

    Reference: Zhang et al. 2017, section 4 and appendix C.

    >>> network = construct(np.eye(3), np.array([5.0, 1.0, 7.0]), np.array([0.1, 0.2, 0.4]))
    >>> network(np.eye(3)).round(9).tolist(), network.num_weights
    ([5.0, 1.0, 7.0], 9)
    """
    check_position(bias_position)
    if np.ndim(points) != 2 or np.shape(direction) != np.shape(points)[1:]:
        raise InputError(
            f"points of shape {np.shape(points)} and direction of shape {np.shape(direction)}; "
            "expected [n, d] and [d]"
        )
    if len(points) == 0 or np.shape(targets) != (len(points),):
        raise InputError(
            f"targets of shape {np.shape(targets)} for {len(points)} points; expected one each, "
            "and at least one"
        )
    for name, values in (("points", points), ("targets", targets), ("direction", direction)):
        if not np.all(np.isfinite(values)):
            raise InputError(f"{name}: not all finite; give numbers")
    if solver not in ("triangular", "recursion"):
        raise unknown_name("solver", solver, ("triangular", "recursion"))
    if not 2 <= depth <= len(points) + 1:
        raise InputError(f"depth {depth}: expected 2 to n + 1 = {len(points) + 1}")
    projections = points @ direction
    order = np.argsort(projections)
    sorted_z = projections[order]
    gaps = np.diff(sorted_z)
    _check_distinct(points[order], gaps, order)
    # The first point has no lower neighbor; it gets the average gap, or 1 if it is alone.
    first = float(gaps.mean()) if len(gaps) else 1.0
    gaps = np.concatenate([[first], gaps])
    biases = sorted_z - (1 - bias_position) * gaps
    solve = _by_substitution if solver == "triangular" else _by_recursion
    weights = solve(sorted_z, biases, np.asarray(targets, float)[order])
    blocks = [np.array_split(array, depth - 1) for array in (biases, weights)]
    later = (block - biases[0] for block in blocks[0][1:])
    return Network(direction, (blocks[0][0], *later), tuple(blocks[1]))


def check_position(position: float) -> None:
    """Checks a place in the gap below a point.

    Raises:
      InputError: if it is not from 0 to less than 1.
    """
    if not 0 <= position < 1:
        raise InputError(f"bias_position: {position}; expected 0 to less than 1")


def _by_substitution(z: np.ndarray, biases: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Solves ``A w = y``, row by row from the top."""
    import scipy.linalg

    return scipy.linalg.solve_triangular(_relu(z[:, None] - biases), targets, lower=True)


def _by_recursion(z: np.ndarray, biases: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The weights are the changes of slope of a line that bends at each bias."""
    slopes = np.zeros(len(z) + 1)
    before, value = biases[0], 0.0
    for i, (point, bias, target) in enumerate(zip(z, biases, targets, strict=True)):
        at_bias = value + slopes[i] * (bias - before)
        slopes[i + 1] = (target - at_bias) / (point - bias)
        before, value = point, target
    return np.diff(slopes)


def _relu(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, 0)


def _check_distinct(sorted_points: np.ndarray, gaps: np.ndarray, order: np.ndarray) -> None:
    # Two equal points can differ in the last digit of their projections, so gaps do not tell.
    same = np.all(sorted_points[1:] == sorted_points[:-1], axis=1)
    for wrong, what in (
        (same, "are the same, and a function has one value there; give different points"),
        (~(gaps > 0), "have one projection in float64; take another direction"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            first, second = sorted(order[at : at + 2].tolist())
            raise InputError(f"points {first} and {second} {what}")
