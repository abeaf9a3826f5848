"""A function of every example by itself, some examples at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import InputError


def per_example(
    function: Callable[..., Any], x: jax.Array, *others: jax.Array, batch_size: int
) -> Any:
    """Maps ``function(x[i], *others[i])`` over the examples, ``batch_size`` of them at a time.

    Args:
      function: from one example, without a batch axis, to a tree of arrays.
      x: ``[N, ...]``, the examples.
      *others: ``[N, ...]`` each.
      batch_size: what is needed of memory grows with it, what comes out does not depend on it.

    Returns:
      What the function returns, with an axis of N in front.

    Raises:
      InputError: if the arrays are not equally long or the batch size is not positive.
    """
    shapes = [jnp.shape(array) for array in (x, *others)]
    if any(shape[:1] != shapes[0][:1] or not shape for shape in shapes):
        raise InputError(
            f"examples and what belongs to them have the shapes {', '.join(map(str, shapes))}; "
            "expected the same number in front of each"
        )
    if batch_size < 1:
        raise InputError(f"batch_size: {batch_size}; expected at least 1")
    return lax.map(lambda each: function(*each), (x, *others), batch_size=batch_size)


def to_float(x: jax.Array) -> jax.Array:
    """Floating-point arrays as they are; others, such as uint8 images, in the default dtype."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.result_type(float))
