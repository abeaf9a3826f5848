"""How loss and gradient vary where descent is about to go."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import Params
from rote.measure.norms import global_norm


class AlongGradient(NamedTuple):
    """Loss and gradient at the points ``w - eta g``, one per step size ``eta``.

    Attributes:
      losses: ``[S]``, the loss at each point.
      gradient_changes: ``[S]``, the distance of the gradient there from the gradient at ``w``.
      smoothness: ``[S]``, that distance over the distance moved, ``eta |g|``. Its largest value is
        the effective beta-smoothness. NaN where nothing was moved.
    """

    losses: jax.Array
    gradient_changes: jax.Array
    smoothness: jax.Array


def along_gradient(
    loss: Callable[[Params], jax.Array], params: Params, step_sizes: jax.Array
) -> AlongGradient:
    r"""Follows the negative gradient from a point and says how loss and gradient change.

    .. math:: \frac{|\nabla L(w) - \nabla L(w - \eta g)|}{\eta\,|g|}, \quad g = \nabla L(w)

    is at most the Lipschitz constant of the gradient; for a quadratic with Hessian ``H`` it is
    ``|H g| / |g|`` at every step size. It depends on the scale of the parameters: where they are
    twice as large and the net computes the same, it is a quarter.

    Args:
      loss: from parameters to a scalar; a mini-batch, its labels and all else are fixed in it.
      params: the point, a tree of arrays.
      step_sizes: ``[S]``, positive.

    Returns:
      The losses and changes of the gradient, with Euclidean norms over all parameters, summed
      in float32 or wider.

    Reference:
      Santurkar et al. 2018, How does batch normalization help optimization?, section 3.1 and Fig.
      4: the range of the losses, of the changes ("gradient predictiveness"), and the largest ratio.

    >>> found = along_gradient(lambda w: 1.5 * w**2, jnp.array(2.0), jnp.array([0.125, 0.25]))
    >>> found.losses.tolist(), found.gradient_changes.tolist(), found.smoothness.tolist()
    ([2.34375, 0.375], [2.25, 4.5], [3.0, 3.0])
    """
    gradient = jax.grad(loss)(params)

    def at(step_size: jax.Array) -> AlongGradient:
        there = jax.tree.map(lambda w, g: w - step_size.astype(w.dtype) * g, params, gradient)
        value, other = jax.value_and_grad(loss)(there)
        change = global_norm(jax.tree.map(jnp.subtract, other, gradient))
        moved = global_norm(jax.tree.map(jnp.subtract, there, params))
        return AlongGradient(value, change, change / moved)

    return lax.map(at, jnp.asarray(step_sizes))
