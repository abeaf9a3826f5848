"""How the frequency of functions goes with their complexity."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rote import measure
from rote.studies.valleperez2019.tally import Tally, as_bits

FOUND_OFTEN = 10
"""From so many finds on, a frequency is an estimate of the probability, to about a third."""
STRINGS_AT_ONCE = 8192


class Spectrum(NamedTuple):
    """How many functions have each complexity and each number of finds; all that the figures need.

    Functions that were found once are only counted: their frequency says nothing of their
    probability, and the paper drops them too.

    Attributes:
      complexity: ``[m]``, of Lempel and Ziv.
      finds: ``[m]``, how often such a function was found, 2 or more.
      number: ``[m]``, how many such functions there are.
      once: how many functions were found once.
      num_samples: how many samples there were.
    """

    complexity: np.ndarray
    finds: np.ndarray
    number: np.ndarray
    once: int
    num_samples: int

    @property
    def num_functions(self) -> int:
        """How many different functions were found."""
        return self.once + int(self.number.sum())

    def often(self) -> "Spectrum":
        """That of the functions found at least ``FOUND_OFTEN`` times, over the same samples."""
        mine = self.finds >= FOUND_OFTEN
        return Spectrum(
            self.complexity[mine], self.finds[mine], self.number[mine], 0, self.num_samples
        )


class Line(NamedTuple):
    """The bound ``P = 2^(-slope K + offset)``."""

    slope: float
    offset: float


@jax.jit
def _complexities(bits: jax.Array) -> jax.Array:
    return measure.lempel_ziv_complexity(bits)


def complexities(words: np.ndarray, num_inputs: int) -> np.ndarray:
    """``measure.lempel_ziv_complexity`` of functions ``[F, w]``, some at a time: ``[F]``."""
    parts = []
    for start in range(0, len(words), STRINGS_AT_ONCE):
        bits = as_bits(words[start : start + STRINGS_AT_ONCE], num_inputs)
        # Filled to a power of two, so that few sizes are compiled.
        filled = np.zeros((1 << (len(bits) - 1).bit_length(), num_inputs), np.uint8)
        filled[: len(bits)] = bits
        parts.append(np.asarray(_complexities(jnp.asarray(filled)))[: len(bits)])
    return np.concatenate(parts) if parts else np.zeros(0)


def spectrum_of(tally: Tally, num_inputs: int) -> Spectrum:
    """The spectrum of what was counted."""
    again = tally.counts > 1
    pairs = np.stack([complexities(tally.words[again], num_inputs), tally.counts[again]], axis=1)
    levels, number = np.unique(pairs, axis=0, return_counts=True)
    once = len(again) - int(again.sum())
    return Spectrum(levels[:, 0], levels[:, 1].astype(int), number, once, tally.num_samples)


def ranks(spectrum: Spectrum) -> tuple[np.ndarray, np.ndarray]:
    """Ranks from 1 and frequencies, largest first: the two ends of each run of equal ones.

    Returns:
      ``(rank, probability)``, the points of the rank plot.
    """
    counts = np.append(spectrum.finds, 1) if spectrum.once else spectrum.finds
    numbers = np.append(spectrum.number, spectrum.once) if spectrum.once else spectrum.number
    levels, where = np.unique(counts, return_inverse=True)
    many = np.bincount(where, weights=numbers).astype(int)[::-1]
    last = np.cumsum(many)
    rank = np.stack([last - many + 1, last], axis=1).ravel()
    return rank, np.repeat(levels[::-1] / spectrum.num_samples, 2)


def rank_correlation(spectrum: Spectrum) -> float | None:
    """Spearman's correlation of probability and complexity, over functions found at least twice.

    Returns:
      From -1 to 1; ``None`` where one of the two does not vary.
    """
    if len(spectrum.number) == 0:
        return None
    weights = spectrum.number / spectrum.number.sum()
    x, y = (_mean_ranks(values, weights) for values in (spectrum.complexity, spectrum.finds))
    x, y = x - weights @ x, y - weights @ y
    spread = math.sqrt((weights @ x**2) * (weights @ y**2))
    return float(weights @ (x * y) / spread) if spread > 1e-12 else None


def _mean_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each value, the share of what is smaller and half the share of what is equal."""
    _, where = np.unique(values, return_inverse=True)
    shares = np.bincount(where, weights=weights)
    return (np.cumsum(shares) - shares / 2)[where]


def decades(spectrum: Spectrum) -> float | None:
    """Powers of ten between the largest and the smallest frequency, of functions found often."""
    finds = spectrum.often().finds
    return float(np.log10(finds.max() / finds.min())) if len(finds) else None


def upper_line(spectrum: Spectrum) -> Line | None:
    r"""The line over the largest probability at each complexity, of functions found often.

    .. math:: \log_2 P \le -a K + b

    ``a`` by least squares through those largest values, ``b`` the least with which none is above.

    Returns:
      The line; ``None`` with fewer than two complexities.
    """
    often = spectrum.often()
    levels = np.unique(often.complexity)
    if len(levels) < 2:
        return None
    largest = np.log2(
        [often.finds[often.complexity == level].max() / often.num_samples for level in levels]
    )
    slope = -float(np.polyfit(levels, largest, 1)[0])
    return Line(slope, float(np.max(largest + slope * levels)))


def share_above(line: Line, spectrum: Spectrum, bits: float = 1.0) -> float | None:
    """The share of functions found often that are above a line by more than so many bits.

    Args:
      line: the bound, from other samples.
      spectrum: the functions.
      bits: what the error of a frequency may be; 1 is a factor of two.
    """
    often = spectrum.often()
    if not len(often.finds):
        return None
    log2 = np.log2(often.finds / often.num_samples)
    above = log2 > line.offset - line.slope * often.complexity + bits
    return float(often.number[above].sum() / often.number.sum())
