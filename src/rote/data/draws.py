"""Where the random numbers of the data come from."""

import zlib

import numpy as np

from rote.core import InputError


def generator(seed: int, operation: str, stream: int = 0) -> np.random.Generator:
    """The random numbers of one operation: a pure function of its arguments.

    Args:
      seed: an integer >= 0.
      operation: what the numbers are for. Two operations under one seed are independent.
      stream: which of the operation's independent sequences, such as one per split.

    Raises:
      InputError: if ``seed`` is no integer >= 0.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed {seed!r}: expected an integer >= 0")
    key = (zlib.crc32(operation.encode()), stream)
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(int(seed), spawn_key=key)))
