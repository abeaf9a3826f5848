"""Lempel-Ziv complexity, against strings worked by hand and the definition taken literally."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import measure
from rote.core import InputError

words = jax.jit(measure.lempel_ziv_words)
complexity = jax.jit(measure.lempel_ziv_complexity)


def literal_words(string: bytes) -> int:
    """The definition: a word grows until it is not found in all but its last symbol."""
    words = start = 0
    while start < len(string):
        end = start + 1
        while end <= len(string) and string[start:end] in string[: end - 1]:
            end += 1
        words, start = words + 1, end
    return words


def symbols(string: str) -> np.ndarray:
    return np.array(list(map(int, string)))


@pytest.mark.parametrize(
    "history",
    [
        "0 001 10 100 1000 101",  # Lempel and Ziv 1976
        "0",
        "0 1",
        "0 0",  # the last word was seen before
        "0 000000000",
        "0 1 010101010",  # an occurrence may overlap the word
        "0 1 00 11 0100111 000",  # the fifth repeats the start, up to its last symbol
        "0 1 2 02 10 22",
    ],
)
def test_words_by_hand(history):
    string = symbols(history.replace(" ", ""))
    assert words(string) == len(history.split())


def test_complexity_by_hand():
    strings = ["0" * 128, "1" * 128, "0" * 127 + "1", "01" * 64]
    # The third is 0 | 0...01, backwards 1 | 0 | 0...0; the last 0 | 1 | 01..., backwards alike.
    expected = [7, 7, 7 * (2 + 3) / 2, 7 * 3]
    assert complexity(np.stack(list(map(symbols, strings)))).tolist() == expected
    # Backwards: 1 | 0 | 100 | 01001 | 0110 | 00, hence 6 words either way.
    assert complexity(symbols("0001101001000101")) == 4 * 6
    assert complexity(symbols("0")) == 0


def test_every_string_and_many_random_ones_agree_with_the_definition():
    strings = np.arange(2**10)[:, None] >> np.arange(10) & 1 == 1
    expected = [literal_words(row.astype(np.uint8).tobytes()) for row in strings]
    np.testing.assert_array_equal(words(strings), expected)
    rng = np.random.default_rng(0)
    rare = rng.random((200, 128)) < rng.random((200, 1))
    for rows in (rare, rng.integers(0, 4, (50, 61), np.uint8)):
        expected = [literal_words(row.astype(np.uint8).tobytes()) for row in rows]
        np.testing.assert_array_equal(words(rows), expected)
    found = np.asarray(complexity(rare))
    both = [
        literal_words(row.tobytes()) + literal_words(row[::-1].tobytes())
        for row in rare.astype(np.uint8)
    ]
    constant = np.ptp(rare.astype(int), axis=1) == 0
    np.testing.assert_allclose(found, 7 * np.where(constant, 1, np.array(both) / 2))
    assert found.dtype == np.float32 and np.all(found % 3.5 == 0) and found.min() >= 7


def test_leading_axes_packed_bits_and_float64():
    rng = np.random.default_rng(1)
    strings = rng.random((3, 2, 24)) < 0.5
    found = complexity(strings)
    assert found.shape == (3, 2)
    unpacked = jnp.unpackbits(jnp.array(np.packbits(strings, axis=-1)), axis=-1)
    np.testing.assert_array_equal(complexity(unpacked), found)
    with jax.enable_x64(True):
        wide = complexity(strings)
        assert wide.dtype == np.float64
    np.testing.assert_allclose(wide, found, rtol=1e-6)


def test_what_is_no_string_is_refused():
    for bad in (np.zeros(0, int), np.zeros((3, 0), bool), np.array(1), np.zeros(4)):
        with pytest.raises(InputError, match=r"expected bool or integer symbols of shape"):
            measure.lempel_ziv_complexity(bad)
