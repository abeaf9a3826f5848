"""Gradient descent on a cost that can be drawn."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax

from rote.core import InputError


def descend(
    cost: Callable[[jax.Array], jax.Array],
    start: jax.typing.ArrayLike,
    optimizer: optax.GradientTransformation,
    steps: int,
) -> jax.Array:
    """The path of an optimizer over a cost surface.

    Args:
      cost: from parameters ``[...]`` to a scalar.
      start: ``[...]`` parameters to begin at; cast to the default float dtype.
      optimizer: any optax transformation; those that take the ``value`` of the cost get it.
      steps: how many updates.

    Returns:
      ``[steps + 1, ...]``, beginning with ``start``.

    Raises:
      InputError: for a negative number of steps.

    >>> path = descend(lambda w: w**2, 1.0, optax.sgd(0.25), 2)
    >>> path.tolist()
    [1.0, 0.5, 0.25]
    """
    if steps < 0:
        raise InputError(f"steps: {steps}; expected 0 or more")
    optimizer = optax.with_extra_args_support(optimizer)
    first = jnp.asarray(start, jnp.result_type(float))

    def step(
        carry: tuple[jax.Array, optax.OptState], _: None
    ) -> tuple[tuple[jax.Array, optax.OptState], jax.Array]:
        params, opt_state = carry
        value, gradient = jax.value_and_grad(cost)(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params, value=value)
        params = optax.apply_updates(params, updates)
        return (params, opt_state), params

    _, path = lax.scan(step, (first, optimizer.init(first)), length=steps)
    return jnp.concatenate([first[None], path])
