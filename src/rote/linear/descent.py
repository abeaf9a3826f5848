"""Stochastic gradient descent on a linear model, by hand of ``jax.grad``."""

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import InputError, Key


def sgd_path(
    x: jax.typing.ArrayLike,
    y: jax.typing.ArrayLike,
    start: jax.typing.ArrayLike,
    *,
    learning_rate: float,
    epochs: int,
    key: Key,
) -> jax.Array:
    """The weights after every epoch of ``w <- w - learning_rate grad |x_i w - y_i|^2 / 2``.

    One example a step, in a new order every epoch. Each gradient is a multiple of ``x_i``: started
    at zero, ``w`` stays in the span of the examples, and where it fits them all it is the
    minimum-norm solution ``pinv(x) y``. Started elsewhere it keeps what is orthogonal to them.

    Args:
      x: ``[n, d]`` examples.
      y: ``[n, k]`` targets.
      start: ``[d, k]`` initial weights.
      learning_rate: below ``2 / max_i |x_i|^2``.
      epochs: how many.
      key: of the orders.

    Returns:
      ``[epochs + 1, d, k]``, beginning with ``start``.

    Raises:
      InputError: if the shapes do not belong together, or the learning rate is too large.

    Reference:
      Zhang et al. 2017 (arXiv 1611.03530), section 5.
    """
    x, y, start = (jnp.asarray(array, jnp.result_type(float)) for array in (x, y, start))
    if x.ndim != 2 or y.shape != (len(x), *start.shape[1:]) or start.shape[0] != x.shape[1]:
        raise InputError(
            f"sgd_path: x {x.shape}, y {y.shape}, start {start.shape}; expected [n, d], [n, k] and "
            "[d, k]"
        )
    largest = float(jnp.max(jnp.sum(x * x, axis=1)))
    if not 0 < learning_rate * largest < 2:
        raise InputError(
            f"learning_rate: {learning_rate}; expected a positive number below {2 / largest:.3g}, "
            "two over the largest squared norm of an example"
        )

    def loss(w: jax.Array, i: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(x[i] @ w - y[i])) / 2

    def step(w: jax.Array, i: jax.Array) -> tuple[jax.Array, None]:
        return w - learning_rate * jax.grad(loss)(w, i), None

    def epoch(w: jax.Array, epoch_key: Key) -> tuple[jax.Array, jax.Array]:
        w, _ = lax.scan(step, w, jax.random.permutation(epoch_key, len(x)))
        return w, w

    @jax.jit
    def run(start: jax.Array, key: Key) -> jax.Array:
        _, path = lax.scan(epoch, start, jax.random.split(key, epochs))
        return jnp.concatenate([start[None], path])

    return run(start, key)
