"""How a loss curves over its parameters: products with its Hessian, trace and eigenvalues.

The Hessian is never formed. A product with it costs about as much as two gradients.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from rote.core import InputError, Key, Params

Objective = Callable[[Params], jax.Array]
"""From parameters to a scalar loss; mini-batch, labels, state and all else are fixed in it."""


def hessian_vector_product(loss: Objective, params: Params, vector: Params) -> Params:
    r"""The Hessian of a loss times a vector.

    .. math:: H v = \left. \frac{d}{d\epsilon} \nabla L(w + \epsilon v) \right|_{\epsilon = 0}

    Exact, by forward differentiation of the gradient. At a kink, as of a ReLU, it is the product
    with the Hessian of the side that JAX's gradient takes.

    Args:
      loss: from parameters to a scalar.
      params: the point, a tree of floating-point arrays.
      vector: a tree of arrays of the same shapes and dtypes.

    Returns:
      A tree like ``params``.

    Raises:
      InputError: if the vector has another tree structure, or other shapes.

    Reference:
      Pearlmutter 1994, Fast exact multiplication by the Hessian.

    >>> def loss(w):
    ...     return w[0] ** 2 * w[1]
    >>> hessian_vector_product(loss, jnp.array([2.0, 3.0]), jnp.array([1.0, 0.0])).tolist()
    [6.0, 4.0]
    """
    expected, given = (jax.tree.map(jnp.shape, tree) for tree in (params, vector))
    if expected != given:
        raise InputError(f"a vector of shapes {given}; expected those of the params, {expected}")
    return jax.jvp(jax.grad(loss), (params,), (vector,))[1]


class HessianTrace(NamedTuple):
    """An estimate of the trace of a Hessian.

    Attributes:
      trace: the mean of the samples.
      standard_error: their standard deviation over the square root of their number.
    """

    trace: jax.Array
    standard_error: jax.Array


def hessian_trace(loss: Objective, params: Params, key: Key, *, samples: int = 100) -> HessianTrace:
    r"""Estimates the trace of the Hessian of a loss by Hutchinson's method.

    .. math:: \operatorname{tr} H = \mathrm{E}\, v^\top H v, \quad v_i = \pm 1

    with independent, equally likely signs. The variance of one sample is twice the sum of the
    squares of what lies off the diagonal of ``H``; a diagonal one is found exactly. Samples are
    taken one after another, in the memory of one product with the Hessian; ``jax.vmap`` over keys
    takes several at a time. Sums are in float32 or wider.

    Args:
      loss: from parameters to a scalar.
      params: the point, a tree of floating-point arrays.
      key: of the signs.
      samples: how many, at least 2.

    Returns:
      The estimate and its standard error.

    Raises:
      InputError: for fewer than two samples.

    Reference:
      Hutchinson 1990, A stochastic estimator of the trace of the influence matrix for Laplacian
      smoothing splines.

    >>> found = hessian_trace(lambda w: jnp.sum(w**4), jnp.array([1.0, -0.5]), jax.random.key(0))
    >>> found.trace.item(), found.standard_error.item()
    (15.0, 0.0)
    """
    if samples < 2:
        raise InputError(f"samples: {samples}; expected at least 2, to know the standard error")
    leaves, tree = jax.tree.flatten(params)

    def sample(number: jax.Array) -> jax.Array:
        keys = jax.random.split(jax.random.fold_in(key, number), len(leaves))
        signs = [
            jax.random.rademacher(leaf_key, jnp.shape(leaf), jnp.result_type(leaf))
            for leaf_key, leaf in zip(keys, leaves, strict=True)
        ]
        product = hessian_vector_product(loss, params, jax.tree.unflatten(tree, signs))
        terms = zip(signs, jax.tree.leaves(product), strict=True)
        return jnp.sum(jnp.stack([jnp.sum(_wide(v) * _wide(hv)) for v, hv in terms]))

    found = lax.map(sample, jnp.arange(samples))
    return HessianTrace(jnp.mean(found), jnp.std(found, ddof=1) / samples**0.5)


class HessianEigenvalues(NamedTuple):
    """Approximate eigenvalues of a Hessian (Ritz values), the largest first.

    Attributes:
      values: ``[S]``, descending.
      residuals: ``[S]``, ``|H v - value v|`` for the unit vector that belongs to each: an
        eigenvalue of the Hessian is no further away than that, rounding aside.
    """

    values: jax.Array
    residuals: jax.Array


def hessian_eigenvalues(
    loss: Objective, params: Params, key: Key, *, steps: int = 30
) -> HessianEigenvalues:
    r"""The outermost eigenvalues of the Hessian of a loss, by Lanczos' method.

    From a random start, ``steps`` products with the Hessian span a space; the eigenvalues of the
    Hessian restricted to it are returned. The first approach the largest eigenvalues from below and
    the last the smallest from above, the outermost soonest; those in between mean little. Their
    residuals say which can be relied on.

    Every new vector is orthogonalized twice against all the earlier ones, so that no eigenvalue
    comes up twice by rounding. An eigenvalue of which there are several is found once, unless the
    space that the start can reach is exhausted: then the method goes on from a new random vector,
    and with as many steps as parameters all eigenvalues are found. The vectors take the memory of
    ``steps`` times the parameters, in float32 or wider.

    Args:
      loss: from parameters to a scalar.
      params: the point, a tree of floating-point arrays.
      key: of the start.
      steps: how many products, hence how many values; at most the number of parameters.

    Returns:
      The values and their residuals.

    Raises:
      InputError: if ``steps`` is less than 1 or more than there are parameters.

    Reference:
      Lanczos 1950; Golub and Van Loan, Matrix computations, 4th edition, chapter 10 (complete
      reorthogonalization; residuals). Of nets: Ghorbani, Krishnan and Xiao 2019, An investigation
      into neural net optimization via Hessian eigenvalue density.

    >>> found = hessian_eigenvalues(
    ...     lambda w: w[0] ** 2 - 2 * w[1] ** 2, jnp.ones(2), jax.random.key(0), steps=2
    ... )
    >>> found.values.round(4).tolist()
    [2.0, -4.0]
    """
    flat, unravel = ravel_pytree(params)
    if not 1 <= steps <= flat.size:
        raise InputError(f"steps: {steps}; expected 1..{flat.size}, the number of parameters")
    dtype = _wide(flat).dtype
    rounding = 10 * float(jnp.finfo(dtype).eps)

    def product(vector: jax.Array) -> jax.Array:
        tree = hessian_vector_product(loss, params, unravel(vector.astype(flat.dtype)))
        return ravel_pytree(tree)[0].astype(dtype)

    def orthogonal(vector: jax.Array, basis: jax.Array) -> jax.Array:
        for _ in range(2):  # the second time takes away what rounding left
            along = jnp.matmul(basis, vector, precision="highest")
            vector = vector - jnp.matmul(along, basis, precision="highest")
        return vector

    def random(number: jax.Array | int) -> jax.Array:
        return jax.random.normal(jax.random.fold_in(key, number), flat.shape, dtype)

    def step(basis: jax.Array, number: jax.Array) -> tuple[jax.Array, tuple]:
        vector = basis[number]  # the rows after it are still 0
        image = product(vector)
        rest = orthogonal(image, basis)
        size = jnp.linalg.norm(rest)
        exhausted = size <= rounding * jnp.linalg.norm(image)
        following = jnp.where(exhausted, orthogonal(random(number + 1), basis), rest)
        following = following / jnp.linalg.norm(following)
        basis = basis.at[number + 1].set(following, mode="drop")
        return basis, (jnp.sum(vector * image), jnp.where(exhausted, 0, size))

    start = random(0)
    basis = jnp.zeros((steps, flat.size), dtype).at[0].set(start / jnp.linalg.norm(start))
    _, (alphas, betas) = lax.scan(step, basis, jnp.arange(steps))
    inner = betas[:-1]
    tridiagonal = jnp.diag(alphas) + jnp.diag(inner, 1) + jnp.diag(inner, -1)
    values, vectors = jnp.linalg.eigh(tridiagonal)
    return HessianEigenvalues(values[::-1], betas[-1] * jnp.abs(vectors[-1, ::-1]))


def _wide(array: jax.Array) -> jax.Array:
    return array.astype(jnp.float64 if array.dtype == jnp.float64 else jnp.float32)
