"""How far inputs are from being classified otherwise.

The margin of the logits themselves is ``rote.losses.margin``.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from rote.measure.norms import check_norm
from rote.measure.per_example import per_example, to_float

_DUAL: dict[float, float] = {1: math.inf, 2: 2, math.inf: 1}


def input_margins(
    logits: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    labels: jax.Array,
    *,
    ord: float = 2,
    batch_size: int = 100,
) -> jax.Array:
    r"""How far each input is from the nearest decision boundary, to first order.

    .. math:: \min_{j \ne y} \frac{f_y(x) - f_j(x)}{\|\nabla f_y(x) - \nabla f_j(x)\|_q}, \qquad
       \frac1p + \frac1q = 1

    For logits that are linear in the input this is the smallest change, in the p-norm, after which
    another class ties with the label. Where an input is classified otherwise, it is negative: minus
    the distance to the furthest of the boundaries between the label's class and another.

    Args:
      logits: ``[B, ...] -> [B, K]``; a net's parameters and state are fixed in it. Every example is
        given to it by itself, in a batch of one.
      x: ``[N, ...]``; integers, such as stored images, are turned into floating-point numbers.
      labels: ``[N]`` int, in ``0 .. K-1``.
      ord: the norm ``p`` of the change, 1, 2 or ``math.inf``.
      batch_size: examples at a time: the memory of ``K`` backward passes over so many.

    Returns:
      ``[N]``, in units of the input. Infinite where the logits differ but no change of the input
      moves them (to first order); NaN where they do not even differ.

    Raises:
      InputError: for another norm, or if there is not one label per example.

    Reference:
      Elsayed et al. 2018, Large margin deep networks for classification, section 3 (there: the
      linearised distance); Moosavi-Dezfooli et al. 2016, DeepFool.

    >>> w = jnp.array([[3.0, 0.0], [4.0, 0.0]])
    >>> input_margins(lambda x: x @ w, jnp.array([[1.0, 3.0]]), jnp.array([0])).tolist()
    [3.0]
    """
    check_norm(ord)

    def one(x: jax.Array, label: jax.Array) -> jax.Array:
        def scores(x: jax.Array) -> tuple[jax.Array, jax.Array]:
            found = logits(x[None])[0]
            return found, found

        slopes, values = jax.jacrev(scores, has_aux=True)(x)
        others = jnp.arange(len(values)) != label
        differences = jnp.where(
            others[:, None], (slopes[label] - slopes).reshape(len(values), -1), 1
        )
        distances = (values[label] - values) / jnp.linalg.norm(differences, _DUAL[ord], axis=1)
        return jnp.min(jnp.where(others, distances, jnp.inf))

    return per_example(one, to_float(x), labels, batch_size=batch_size)
