"""The critical sample ratio: how many inputs lie close to a decision boundary."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import InputError, Key
from rote.measure.per_example import per_example, to_float


class CriticalSamples(NamedTuple):
    """What a search for adversarial inputs found.

    Attributes:
      critical: ``[N]`` bool: whether an input of another predicted class was found nearby. Their
        share, ``critical.mean()``, is the critical sample ratio.
      adversaries: ``[N, ...]``, that input; the input itself where there is none.
    """

    critical: jax.Array
    adversaries: jax.Array


def critical_samples(
    logits: Callable[[jax.Array], jax.Array],
    x: jax.Array,
    key: Key,
    *,
    radius: float = 0.3,
    step_size: float = 0.25,
    noise: float = 0.2,
    max_steps: int = 100,
    batch_size: int = 100,
) -> CriticalSamples:
    r"""Searches around each input for one that is classified otherwise (LASS).

    .. math:: \delta \leftarrow \operatorname{clip}_{[-r, r]} \left( \delta
       + \alpha \operatorname{sign} \nabla_x \ell(f(x + \delta), k) + \beta \eta \right), \quad
       \eta \sim \mathcal{N}(0, 1)

    from ``delta = 0``, with the cross-entropy of the class ``k`` predicted for ``x`` itself, which
    need not be the true one; the search ends where the prediction is another. It is in every value
    within ``radius`` of the input, and may leave 0..255. What is found proves that a sample is
    critical; not to find anything proves nothing, so the ratio is a lower bound.

    The paper writes the gradient of the logit ``k``, its code takes that of the cross-entropy. The
    code also stops when a step adds fewer than 20 critical samples; here every input has its
    ``max_steps``, and the outcome for one does not depend on the others. The gradient is computed
    from the logits' differences, which do not vanish by rounding as the cross-entropy's gradient
    does in a confident net; its signs are the same.

    Args:
      logits: ``[B, ...] -> [B, K]``, in eval mode, from inputs on the scale of ``x``, so with the
        transform of the images in it; a net's parameters and state are fixed in it. Every example
        is given to it by itself, in a batch of one.
      x: ``[N, ...]``; integers, such as stored images, are turned into floating-point numbers. The
        paper's settings, which are the defaults, are for pixels on the scale 0..255. It takes them
        from the validation set.
      key: of the noise; each input has its own.
      radius: ``r``, in units of the input.
      step_size: ``alpha``, in the same units.
      noise: ``beta``, the standard deviation of the noise, in the same units.
      max_steps: how many steps a search may take.
      batch_size: inputs at a time: the memory of a forward and backward pass over so many. They
        take as many steps as the last of them needs.

    Returns:
      Which inputs are critical, and what was found. Logits that are NaN make no input critical.

    Raises:
      InputError: if a number cannot be used.

    Reference:
      Arpit et al. 2017, A closer look at memorization in deep networks, section 4 (there: LASS),
      and its authors' code.

    >>> def logits(x):  # the prediction changes at 10
    ...     return jnp.stack([x, 10 - (x - 10)], 1)
    >>> critical_samples(logits, jnp.array([9.8, 10.5]), jax.random.key(0)).critical.tolist()
    [True, False]
    """
    for name, value in (("radius", radius), ("step_size", step_size)):
        if not value > 0:
            raise InputError(f"{name}: {value}; expected a positive number, in units of the input")
    if noise < 0 or max_steps < 1:
        raise InputError(
            f"noise: {noise}, max_steps: {max_steps}; expected at least 0 and at least 1"
        )

    def search(x: jax.Array, number: jax.Array) -> tuple[jax.Array, jax.Array]:
        own_key = jax.random.fold_in(key, number)
        predicted = jnp.argmax(logits(x[None])[0])

        def lead_of_others(delta: jax.Array) -> tuple[jax.Array, jax.Array]:
            """By how much the others exceed the class; the cross-entropy is its softplus."""
            scores = logits((x + delta)[None])[0]
            is_predicted = jnp.arange(len(scores)) == predicted
            others = jnp.where(is_predicted, -jnp.inf, scores)
            return jax.nn.logsumexp(others) - scores[predicted], jnp.argmax(scores) != predicted

        def unfinished(carry: tuple) -> jax.Array:
            step, _, found = carry
            return ~found & (step <= max_steps)

        def look_and_move(carry: tuple) -> tuple:
            step, delta, _ = carry
            slope, found = jax.grad(lead_of_others, has_aux=True)(delta)
            drawn = jax.random.normal(jax.random.fold_in(own_key, step), delta.shape, delta.dtype)
            moved = delta + step_size * jnp.sign(slope) + noise * drawn
            moved = jnp.clip(moved, -radius, radius)
            return step + 1, jnp.where(found, delta, moved), found

        start = jnp.zeros((), jnp.int32), jnp.zeros_like(x), jnp.zeros((), bool)
        _, delta, found = lax.while_loop(unfinished, look_and_move, start)
        return found, jnp.where(found, x + delta, x)

    x = to_float(x)
    return CriticalSamples(*per_example(search, x, jnp.arange(len(x)), batch_size=batch_size))
