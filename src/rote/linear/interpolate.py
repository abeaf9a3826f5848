"""The linear model of least norm that fits its targets."""

from typing import NamedTuple

import numpy as np

from rote.core import InputError
from rote.linear.cholesky import factor, solve_factored, symmetric_product

BLOCK = 1024


class Interpolant(NamedTuple):
    """The solution of ``(K + l2 I) alpha = Y``.

    Attributes:
      alpha: ``[n, k]`` coefficients; the model is ``f(z) = sum_i alpha_i K(x_i, z)``.
      fitted: ``[n, k]``, what it says of the training examples: ``K alpha``.
      targets: ``[n, k]``, ``Y``.
      l2: as given.
    """

    alpha: np.ndarray
    fitted: np.ndarray
    targets: np.ndarray
    l2: float

    @property
    def norm(self) -> float:
        """``sqrt(tr(alpha^T K alpha))``, the norm of the weights in feature space."""
        return float(np.sqrt(np.sum(self.alpha * self.fitted, dtype=np.float64)))

    @property
    def residual(self) -> float:
        """``|(K + l2 I) alpha - Y| / |Y|``, the error of the computation."""
        error = self.fitted.astype(np.float64) + self.l2 * self.alpha - self.targets
        return float(np.linalg.norm(error) / np.linalg.norm(self.targets))

    def columns(self, chosen: slice) -> "Interpolant":
        """The solution for some of the targets."""
        return Interpolant(
            self.alpha[:, chosen], self.fitted[:, chosen], self.targets[:, chosen], self.l2
        )


def solve(gram: np.ndarray, targets: np.ndarray, l2: float = 0.0) -> Interpolant:
    """The minimum-norm model that fits the targets, or with ``l2`` ridge regression.

    Among all ``w`` with ``<w, phi(x_i)> = y_i``, ``w = sum_i alpha_i phi(x_i)`` with
    ``K alpha = Y`` has the least norm. The matrix is factored in place (Cholesky) in its lower
    triangle; the upper one stays as it is, so it may be solved again with another ``l2``.

    Args:
      gram: ``[n, n]`` float32 or float64 in column order, symmetric, its upper triangle filled;
        the lower one is overwritten.
      targets: ``[n, k]``.
      l2: coefficient of ``|w|^2`` beside the summed squared error, at least 0.

    Returns:
      The solution, in the dtype of ``gram``.

    Raises:
      InputError: if the matrix is not positive definite in this precision, or arguments do not fit.

    Reference:
      Zhang et al. 2017 (arXiv 1611.03530), section 5, equation 3.

    >>> x = np.array([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    >>> result = solve(np.asfortranarray(x @ x.T), np.array([[1.0], [1.0]]))
    >>> (x.T @ result.alpha).ravel().round(3).tolist()  # np.linalg.pinv(x) @ [1, 1]
    [0.5, 0.5, 0.5]
    """
    if not gram.flags.f_contiguous or gram.shape != (len(targets),) * 2 or targets.ndim != 2:
        raise InputError(
            f"solve: gram {gram.shape} {'F' if gram.flags.f_contiguous else 'C'}, targets "
            f"{targets.shape}; expected [n, n] in column order (np.asfortranarray) and [n, k]"
        )
    if not l2 >= 0:
        raise InputError(f"l2: {l2}; expected 0 or a positive number")
    targets = np.asarray(targets, gram.dtype)
    diagonal = gram.diagonal().copy()
    _mirror(gram)
    np.fill_diagonal(gram, diagonal + gram.dtype.type(l2))
    try:
        if not factor(gram):
            raise InputError(
                f"the Gram matrix of {len(gram):,} examples is not positive definite in "
                f"{gram.dtype} (l2 {l2:g}); use float64, a positive l2, more features or fewer "
                "examples"
            )
        alpha = solve_factored(gram, targets)
    finally:
        np.fill_diagonal(gram, diagonal)
    fitted = symmetric_product(gram, diagonal, alpha)
    return Interpolant(alpha, fitted, targets, l2)


def _mirror(matrix: np.ndarray) -> None:
    """Copies the upper triangle to the lower one, block by block."""
    for start in range(0, len(matrix), BLOCK):
        stop = start + BLOCK
        corner = matrix[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
