"""Cholesky factors of matrices that fill most of the memory, in place.

LAPACK's own would do, but OpenBLAS, which NumPy and SciPy bring, crashes in its threaded Cholesky
where a matrix has more than 2 GiB (scipy issue 17436; seen with OpenBLAS 0.3.30). So the matrix is
worked on in blocks: products of blocks, which take nearly all of the time, by NumPy; small factors
and triangular systems by SciPy.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

BLOCK = 1024


def factor(matrix: np.ndarray) -> bool:
    """Factors a symmetric matrix as ``L L^T``; ``L`` replaces its lower triangle.

    Args:
      matrix: ``[n, n]`` in column order; of its upper triangle nothing is read or written.

    Returns:
      Whether it is positive definite in its precision; if not, the lower triangle is spoilt.
    """
    for block in _blocks(len(matrix)):
        start, stop = block.start, block.stop
        done = matrix[block, :start]
        for rows in _blocks(len(matrix), start):
            # A block on the diagonal is taken whole; its upper part is put back.
            panel = matrix[rows, block] - matrix[rows, :start] @ done.T
            if rows.start > start:
                matrix[rows, block] = panel
                continue
            try:
                corner = cholesky(panel, lower=True, check_finite=False)
            except LinAlgError:
                return False
            matrix[block, block] = np.tril(corner) + np.triu(matrix[block, block], 1)
        if stop < len(matrix):
            below = matrix[stop:, block]
            below[:] = solve_triangular(corner, below.T, lower=True, check_finite=False).T
    return True


def solve_factored(matrix: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The solution of ``L L^T alpha = targets``.

    Args:
      matrix: ``[n, n]``, as ``factor`` leaves it.
      targets: ``[n, k]``.

    Returns:
      ``[n, k]``.
    """
    alpha = targets.copy()
    blocks = list(_blocks(len(matrix)))
    for block in blocks:
        alpha[block] -= matrix[block, : block.start] @ alpha[: block.start]
        alpha[block] = _triangular(matrix[block, block], alpha[block], transposed=False)
    for block in reversed(blocks):
        alpha[block] -= matrix[block.stop :, block].T @ alpha[block.stop :]
        alpha[block] = _triangular(matrix[block, block], alpha[block], transposed=True)
    return alpha


def symmetric_product(matrix: np.ndarray, diagonal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``K right``, of a matrix ``K`` of which the part above the diagonal is there.

    Args:
      matrix: ``[n, n]``; its diagonal and what is below are not read.
      diagonal: ``[n]``, that of ``K``.
      right: ``[n, k]``.

    Returns:
      ``[n, k]``.
    """
    product = diagonal[:, None] * right
    for block in _blocks(len(matrix)):
        above = matrix[: block.start, block]
        product[: block.start] += above @ right[block]
        product[block] += above.T @ right[: block.start]
        corner = np.triu(matrix[block, block], 1)
        product[block] += (corner + corner.T) @ right[block]
    return product


def _triangular(corner: np.ndarray, right: np.ndarray, *, transposed: bool) -> np.ndarray:
    return solve_triangular(corner, right, lower=True, trans=int(transposed), check_finite=False)


def _blocks(length: int, start: int = 0) -> Iterator[slice]:
    for begin in range(start, length, BLOCK):
        yield slice(begin, min(begin + BLOCK, length))
