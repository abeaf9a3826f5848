"""The gradient as a direction, and what a mini-batch makes of it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import Batch, InputError, Key, Params
from rote.measure.norms import global_norm


def fall_along(
    loss: Callable[[Params], jax.Array], params: Params, direction: Params, *, way: float = 1e-2
) -> jax.Array:
    r"""How fast a loss falls along a direction, per unit of way.

    .. math:: \frac{L(w - h u) - L(w + h u)}{2 h}, \quad u = \frac{\text{direction}}
        {|\text{direction}|}

    which for a short way ``h`` is ``-g u`` with the gradient ``g``: at most ``|g|``, and that along
    ``-g``. The difference is central, so that the curvature does not enter.

    Args:
      loss: from parameters to a scalar.
      params: the point, a tree of arrays.
      direction: a tree like it, not all zeros; its length does not matter.
      way: ``h``, positive. The rounding of the loss is divided by it.

    Returns:
      A scalar, positive where the loss falls.

    Raises:
      InputError: if the way is not positive.

    >>> bowl = lambda w: (w ** 2).sum()
    >>> float(fall_along(bowl, jnp.array([3.0, 4.0]), jnp.array([0.0, -2.0]), way=0.5))
    8.0
    """
    if not way > 0:
        raise InputError(f"fall_along: way {way}; expected a positive number")
    length = global_norm(direction)

    def at(step: float) -> jax.Array:
        return loss(
            jax.tree.map(lambda w, d: w + (step / length).astype(w.dtype) * d, params, direction)
        )

    return (at(-way) - at(way)) / (2 * way)


def gradient_noise(
    loss: Callable[[Params, Batch], jax.Array],
    params: Params,
    batch: Batch,
    size: int,
    *,
    key: Key,
    draws: int = 50,
) -> jax.Array:
    r"""How far the gradient of a mini-batch is from that of all examples, over the latter's norm.

    .. math:: \frac{\sqrt{\operatorname{mean} |g_B - g|^2}}{|g|}

    over mini-batches of ``B`` that are drawn from the ``N`` examples without replacement. By the
    theory of samples it goes with ``sqrt((1 - (B - 1) / (N - 1)) / B)``, and is 0 for ``B = N``.

    Args:
      loss: ``(params, batch) -> scalar``, the mean over the batch; what else is random is fixed.
      params: the point, a tree of arrays.
      batch: all examples, ``[N, ...]`` each.
      size: ``B``.
      key: of the draws.
      draws: how many mini-batches the mean is taken over.

    Raises:
      InputError: if a mini-batch is empty or larger than the batch, or nothing is drawn.
    """
    count = len(batch.labels)
    if not 1 <= size <= count:
        raise InputError(f"gradient_noise: size {size}; expected 1 to {count}")
    if draws < 1:
        raise InputError(f"gradient_noise: {draws} draws; expected at least 1")
    gradient = jax.grad(loss)
    whole = gradient(params, batch)

    def squared_distance(key: Key) -> jax.Array:
        rows = jax.random.permutation(key, count)[:size]
        part = gradient(params, jax.tree.map(lambda array: array[rows], batch))
        return global_norm(jax.tree.map(jnp.subtract, part, whole)) ** 2

    distances = lax.map(squared_distance, jax.random.split(key, draws))
    return jnp.sqrt(distances.mean()) / global_norm(whole)
