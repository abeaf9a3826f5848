"""Training examples held out for validation."""

import numpy as np

from rote.core import InputError


def part_to_train_on(num_examples: int, held_out: float, seed: int) -> np.ndarray:
    """The indices of the examples that are not held out, in ascending order.

    Args:
      num_examples: of the training split.
      held_out: the fraction to hold out, in (0, 1).
      seed: which part that is.

    Raises:
      InputError: if nothing would be held out, or nothing left.

    >>> part_to_train_on(10, 0.2, seed=0).size
    8
    """
    kept = num_examples - round(held_out * num_examples)
    if not 0 < kept < num_examples:
        raise InputError(
            f"held_out: {held_out} of {num_examples} examples are {num_examples - kept}; "
            "expected at least one on either side"
        )
    return np.sort(np.random.default_rng(seed).permutation(num_examples)[:kept])
