"""Which function a net computes on a finite set of inputs, for parameters drawn at random."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rote.core import InputError, Key, Model


def random_functions(model: Model, inputs: ArrayLike, keys: Key) -> jax.Array:
    r"""The signs of a net's output on every input, one net for each key.

    .. math:: f_\theta(x) = [\, \mathrm{net}_\theta(x) > 0 \,], \quad \theta \sim \text{init}

    Products are computed in full float32 on every device: where an output is near 0, fewer bits
    could give another function.

    Args:
      model: a net with one output, without state; its ``init`` is the distribution of parameters.
      inputs: ``[N, ...]``, such as all 128 of seven bits.
      keys: ``[S]`` random keys. Parameters and outputs of all S nets are in memory together.

    Returns:
      ``[S, ceil(N / 8)]`` uint8: the N signs as bits, the first input in the highest bit of the
      first byte, filled with 0; ``jnp.unpackbits(..., axis=-1, count=N)`` has them apart.

    Raises:
      InputError: if the net does not have one output per input.

    Reference:
      Valle-Perez, Camargo and Louis 2019, Deep learning generalizes because the parameter-function
      map is biased towards simple functions.
    """
    inputs = jnp.asarray(inputs)

    def signs(key: Key) -> jax.Array:
        params, state = model.init(key, inputs)
        outputs, _ = model.apply(params, state, inputs, train=False)
        if outputs.shape != (len(inputs), 1):
            raise InputError(
                f"random_functions: outputs of shape {outputs.shape} for {len(inputs)} inputs; "
                f"expected {(len(inputs), 1)}, such as of a net with num_classes=1"
            )
        return outputs[:, 0] > 0

    with jax.default_matmul_precision("highest"):
        return jnp.packbits(jax.vmap(signs)(keys), axis=-1)
