"""How much it takes to describe a string: the complexity of Lempel and Ziv."""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import InputError


def lempel_ziv_words(strings: jax.Array) -> jax.Array:
    """The number of words in the exhaustive history of each string.

    A string is read from the left; a word ends with the first symbol that makes it new, that is,
    not found in all that was read up to the symbol before (earlier occurrences may overlap it). The
    last word may be one seen before: ``0001101001000101`` is ``0 001 10 100 1000 101``.

    For many strings at once, on the device: ``n`` steps over ``n`` numbers per string, at about
    ``8 n`` bytes per string; give more of them in parts, by ``jax.lax.map``.

    Args:
      strings: ``[..., n]``, bool or integer symbols, of any alphabet. Packed bits are unpacked by
        ``jnp.unpackbits``.

    Returns:
      ``[...]`` int32.

    Raises:
      InputError: for an empty string, or symbols that are not integers.

    Reference:
      Lempel and Ziv 1976, On the complexity of finite sequences; the example is theirs.

    >>> lempel_ziv_words(jnp.array([0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1])).item()
    6
    """
    strings = jnp.asarray(strings)
    symbols = strings.dtype == bool or jnp.issubdtype(strings.dtype, jnp.integer)
    if not strings.ndim or not strings.shape[-1] or not symbols:
        raise InputError(
            f"strings: {strings.dtype} of shape {strings.shape}; expected bool or integer symbols "
            "of shape [..., n], n at least 1"
        )
    return _count_words(strings)


@functools.partial(jnp.vectorize, signature="(n)->()")
def _count_words(string: jax.Array) -> jax.Array:
    """From the back: how long a match each place has before it, and the words from there on."""
    n = len(string)
    distances = jnp.arange(1, n + 1, dtype=jnp.int32)
    backwards = jnp.concatenate([string[::-1], jnp.zeros(n, string.dtype)])

    def step(carry, place):
        # matches[d - 1]: for how long what follows place + 1 equals what is d symbols before it
        matches, words = carry
        before = lax.dynamic_slice_in_dim(backwards, n - place, n)  # the symbols left of the place
        same = (before == string[place]) & (distances <= place)
        matches = jnp.where(same, matches + 1, 0)
        following = jnp.minimum(place + jnp.max(matches) + 1, n)
        return (matches, words.at[place].set(1 + words[following])), None

    start = jnp.zeros(n, jnp.int32), jnp.zeros(n + 1, jnp.int32)
    (_, words), _ = lax.scan(step, start, jnp.arange(n, dtype=jnp.int32), reverse=True)
    return words[0]


def lempel_ziv_complexity(strings: jax.Array) -> jax.Array:
    r"""The complexity of each string, as the work on simplicity bias measures it.

    .. math:: K(s) = \log_2 n \cdot \begin{cases} 1 & \text{if all symbols of } s \text{ are equal}
       \\ \frac12 [N(s) + N(\bar s)] & \text{else} \end{cases}

    with ``N`` the words of ``lempel_ziv_words`` and the string ``s`` reversed. For the 128 outputs
    of a Boolean function of seven inputs it is a multiple of 3.5, at least 7.

    Args:
      strings: ``[..., n]``, bool or integer symbols. Memory as ``lempel_ziv_words``, twice.

    Returns:
      ``[...]``, in the default float dtype.

    Raises:
      InputError: for an empty string, or symbols that are not integers.

    Reference:
      Dingle, Camargo and Louis 2018, Input-output maps are strongly biased towards simple outputs;
      Valle-Perez, Camargo and Louis 2019, Deep learning generalizes because the parameter-function
      map is biased towards simple functions.

    >>> lempel_ziv_complexity(jnp.array([[0, 0, 0, 0], [0, 0, 0, 1]])).tolist()
    [2.0, 5.0]
    """
    strings = jnp.asarray(strings)
    both = lempel_ziv_words(strings) + lempel_ziv_words(strings[..., ::-1])
    constant = jnp.all(strings == strings[..., :1], -1)
    words = jnp.where(constant, 1.0, both.astype(jnp.result_type(float)) / 2)
    return math.log2(strings.shape[-1]) * words
