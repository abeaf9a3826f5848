"""How far the layers in front of a layer change what it has to learn."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import InputError, Params
from rote.measure.norms import global_norm


class CovariateShift(NamedTuple):
    """A layer's gradient before and after the layers in front of it are updated.

    Arrays ``[L - 1]``, for the second layer to the last.

    Attributes:
      changes: the distance of the two gradients.
      relative_changes: that over the norm of the first. Not finite where there is no gradient.
      cosines: of the angle between them; 1 where nothing changes. NaN where one is all zeros.
    """

    changes: jax.Array
    relative_changes: jax.Array
    cosines: jax.Array


def internal_covariate_shift(
    loss: Callable[[Params], jax.Array], params: Params, updated: Params, layers: Sequence[str]
) -> CovariateShift:
    r"""Compares each layer's gradient with what it is once the layers before it have moved.

    .. math:: G_i = \nabla_{w_i} L(w_1, \dots, w_k), \quad
       G'_i = \nabla_{w_i} L(w'_1, \dots, w'_{i-1}, w_i, \dots, w_k)

    with the updated parameters ``w'``. Without covariate shift the two are equal. The cosine does
    not depend on the scale of the parameters; the distance does.

    Args:
      loss: from parameters to a scalar; a mini-batch, its labels and all else are fixed in it.
      params: the point, a dict of the layers' parameters.
      updated: the same after a step on that mini-batch.
      layers: keys of ``params`` in the order of the forward pass, two or more. What has other keys
        is left as it is.

    Returns:
      The comparison, over all parameters of each layer, with Euclidean norms.

    Raises:
      InputError: if there are not two layers, or one is not there.

    Reference:
      Santurkar et al. 2018, How does batch normalization help optimization?, definition 2.1.

    The loss ``(a b - 1)^2 / 2`` has the gradient ``(a b - 1) a`` for ``b``: 6 at ``a = b = 2``, and
    1 once ``a`` is 1:

    >>> found = internal_covariate_shift(
    ...     lambda w: (w["a"] * w["b"] - 1) ** 2 / 2,
    ...     {"a": jnp.array(2.0), "b": jnp.array(2.0)},
    ...     {"a": jnp.array(1.0), "b": jnp.array(0.0)},
    ...     ["a", "b"],
    ... )
    >>> found.changes.tolist(), found.cosines.tolist()
    ([5.0], [1.0])
    """
    missing = [name for name in layers if name not in params]
    if len(layers) < 2 or missing:
        raise InputError(
            f"internal_covariate_shift: layers {list(layers)}; expected two or more of "
            f"{sorted(params)}"
        )
    gradient = jax.grad(loss)(params)

    def at(index: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Of all layers, with those before the index updated."""
        there: dict[str, Any] = dict(params)
        for place, name in enumerate(layers):
            there[name] = jax.tree.map(
                lambda old, new, place=place: jnp.where(place < index, new, old),
                params[name],
                updated[name],
            )
        other = jax.grad(loss)(there)
        found = [_compared(gradient[name], other[name]) for name in layers]
        change, relative, cosine = (jnp.stack(column)[index] for column in zip(*found, strict=True))
        return change, relative, cosine

    return CovariateShift(*lax.map(at, jnp.arange(1, len(layers))))


def _compared(one: Any, other: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    change = global_norm(jax.tree.map(jnp.subtract, other, one))
    norm, other_norm = global_norm(one), global_norm(other)
    # By the sides of the triangle: the norms are what is summed in float32 or wider.
    unit, other_unit = (
        jax.tree.map(lambda array, size=size: array / size, tree)
        for tree, size in ((one, norm), (other, other_norm))
    )
    apart = global_norm(jax.tree.map(jnp.subtract, other_unit, unit))
    return change, change / norm, 1 - apart**2 / 2
