"""Gram matrices, filled block by block where they will be factored."""

from collections.abc import Iterator

import numpy as np

from rote.core import InputError
from rote.memory import free_memory

BLOCK = 1024  # rows of a block; beside the Gram matrix one block of its columns is in memory


def empty_gram(num_examples: int, dtype: np.typing.DTypeLike) -> np.ndarray:
    """Memory for a Gram matrix, zeros, in LAPACK's column order.

    Args:
      num_examples: ``n``.
      dtype: float32 or float64.

    Returns:
      ``[n, n]``.

    Raises:
      InputError: if the machine has less free memory than that takes.
    """
    needed, free = num_examples**2 * np.dtype(dtype).itemsize, free_memory()
    if needed > 0.95 * free:
        raise InputError(
            f"the Gram matrix of {num_examples:,} examples in {np.dtype(dtype)} takes "
            f"{needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free; take float32 or fewer "
            "examples"
        )
    return np.zeros((num_examples, num_examples), dtype, order="F")


def gaussian_gram(x: np.ndarray, gamma: float) -> np.ndarray:
    """The Gaussian kernel of every pair: ``K_ij = exp(-gamma |x_i - x_j|^2)``.

    Args:
      x: ``[n, d]`` float32 or float64.
      gamma: positive, in units of one over squared distance.

    Returns:
      ``[n, n]`` in the dtype of ``x``; its upper triangle alone is filled, as ``solve`` takes it.

    Raises:
      InputError: if it does not fit into memory.
    """
    gram = empty_gram(len(x), x.dtype)
    for rows in _blocks(len(x)):
        gram[: rows.stop, rows] = _gaussian(x[: rows.stop], x[rows], gamma)
    return gram


def gaussian_predict(z: np.ndarray, x: np.ndarray, alpha: np.ndarray, gamma: float) -> np.ndarray:
    """What the model says of other examples: ``f(z) = sum_i alpha_i exp(-gamma |z - x_i|^2)``.

    Args:
      z: ``[m, d]``.
      x: ``[n, d]``, what was trained on.
      alpha: ``[n, k]`` coefficients.
      gamma: as in ``gaussian_gram``.

    Returns:
      ``[m, k]``.
    """
    parts = [_gaussian(z[rows], x, gamma) @ alpha for rows in _blocks(len(z))]
    return np.concatenate(parts)


def add_products(gram: np.ndarray, features: np.ndarray, others: np.ndarray | None = None) -> None:
    """Adds inner products to a matrix of them: ``K_ij += <f_i, g_j>``.

    Features that do not fit into memory together are added part by part.

    Args:
      gram: ``[n, n]``, or ``[n, m]`` with ``others``; changed in place, its upper triangle alone
        where there are no others.
      features: ``[n, p]``, some of the features of every example.
      others: ``[m, p]`` features of other examples.
    """
    right = features if others is None else others
    for rows in _blocks(len(right)):
        stop = rows.stop if others is None else len(features)
        gram[:stop, rows] += features[:stop] @ right[rows].T


def mean_squared_distance(x: np.ndarray) -> float:
    """The mean of ``|x_i - x_j|^2`` over all pairs: twice the summed variances.

    Args:
      x: ``[n, d]``.
    """
    return 2 * float(np.sum(np.var(x, axis=0, dtype=np.float64)))


def _gaussian(a: np.ndarray, b: np.ndarray, gamma: float) -> np.ndarray:
    """``[len(a), len(b)]``; squared distances as ``|a|^2 + |b|^2 - 2 <a, b>``, at least 0."""
    block = a @ b.T
    block *= -2
    block += np.sum(a * a, axis=1)[:, None]
    block += np.sum(b * b, axis=1)
    np.maximum(block, 0, out=block)
    block *= -gamma
    return np.exp(block, out=block)


def _blocks(length: int) -> Iterator[slice]:
    for start in range(0, length, BLOCK):
        yield slice(start, min(start + BLOCK, length))
