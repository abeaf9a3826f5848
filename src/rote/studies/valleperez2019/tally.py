"""How often each function was sampled, counted exactly and without keeping the samples."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

SAMPLES_TO_SORT = 2**20
"""Samples that are gathered before they are sorted and counted: 16 MB of 128 bits each."""


class Tally(NamedTuple):
    """Different functions and how often each was found.

    Attributes:
      words: ``[F, w]`` uint64, the bits of each function; see ``as_words``. Sorted.
      counts: ``[F]`` int64.
    """

    words: np.ndarray
    counts: np.ndarray

    @property
    def num_samples(self) -> int:
        """How many samples were counted."""
        return int(self.counts.sum())


def as_words(packed: np.ndarray) -> np.ndarray:
    """Packed bits ``[S, b]`` uint8 as ``[S, ceil(b / 8)]`` uint64, to be sorted and compared."""
    short = -packed.shape[1] % 8
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, short)))).view(np.uint64)


def as_bits(words: np.ndarray, num_inputs: int) -> np.ndarray:
    """The bits ``[S, num_inputs]`` uint8 of ``as_words``."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, count=num_inputs)


def count(words: np.ndarray, counts: np.ndarray | None = None) -> Tally:
    """Sorts words and joins equal ones.

    Args:
      words: ``[S, w]`` uint64.
      counts: ``[S]``, how often each was found already; by default once.
    """
    order = np.lexsort(words.T)
    words = words[order]
    new = np.ones(len(words), bool)
    new[1:] = np.any(words[1:] != words[:-1], axis=1)
    first = np.flatnonzero(new)
    if counts is None:
        return Tally(words[first], np.diff(first, append=len(words)))
    sums = np.add.reduceat(counts[order], first) if len(first) else counts
    return Tally(words[first], sums)


def merge(tallies: Sequence[Tally]) -> Tally:
    """One tally of all samples of several."""
    if len(tallies) == 1:
        return tallies[0]
    return count(
        np.concatenate([tally.words for tally in tallies]),
        np.concatenate([tally.counts for tally in tallies]),
    )


class Counter:
    """Counts samples as they come.

    It holds a few tallies, each more than twice as large as the next, so that a sample is sorted
    again only when what it belongs to has doubled.

    Args:
      tallies: of samples that were counted before.
    """

    def __init__(self, tallies: Iterable[Tally] = ()) -> None:
        self._tallies = list(tallies)
        self._waiting: list[np.ndarray] = []

    def add(self, packed: np.ndarray) -> None:
        """Counts samples, packed bits ``[S, b]`` uint8."""
        self._waiting.append(as_words(packed))
        if sum(map(len, self._waiting)) >= SAMPLES_TO_SORT:
            self._sort()

    def total(self) -> Tally:
        """All that was counted until now, at least one sample."""
        self._sort()
        self._tallies = [merge(self._tallies)]
        return self._tallies[0]

    def _sort(self) -> None:
        if self._waiting:
            last = count(np.concatenate(self._waiting))
            self._waiting = []
            while self._tallies and len(self._tallies[-1].counts) <= 2 * len(last.counts):
                last = merge([self._tallies.pop(), last])
            self._tallies.append(last)
