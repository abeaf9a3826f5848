"""Learning order and forgetting, against sequences worked by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from rote.core import InputError
from rote.measure import forgetting_counts, learned_epochs

# Rows are epochs, columns examples; 1 is right (all labels are 1).
#                     always  late  forgotten, relearned  lost  never  flickers
HISTORY = np.array(
    [
        [1, 0, 0, 1, 0, 1],
        [1, 0, 1, 1, 0, 0],
        [1, 0, 0, 1, 0, 1],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 1],
    ]
)
LABELS = np.ones(6, int)


def test_learned_since():
    learned = learned_epochs(np.arange(5), HISTORY, LABELS)
    np.testing.assert_array_equal(learned, [0, 3, 3, np.nan, np.nan, 4])
    later = learned_epochs(np.array([0, 2, 4, 6, 8]), HISTORY, LABELS)
    np.testing.assert_array_equal(later, 2 * learned)


def test_forgotten():
    counts = forgetting_counts(np.arange(5), HISTORY, LABELS)
    np.testing.assert_array_equal(counts, [0, 0, 1, 1, 0, 2])


def test_other_labels_may_be_asked_about():
    np.testing.assert_array_equal(
        learned_epochs(np.arange(5), HISTORY, 1 - LABELS), [np.nan, np.nan, np.nan, 3, 0, np.nan]
    )


def test_from_any_training_loop():
    """Hebbian steps on two weights: what a plain loop collects is a list of device arrays."""
    x = jnp.array([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.5], [2.0, -0.5]])
    labels = jnp.array([1, 1, 0, 0])
    weights, predicted = jnp.array([-1.0, -1.0]), []
    for number in range(6):
        sign = 1.0 if labels[number % 4] == 1 else -1.0
        weights = weights + sign * x[number % 4]
        predicted.append((x @ weights > 0).astype(jnp.int32))
    # Worked by hand: the weights go (0, -1), (1, 0), (2, -0.5), (0, 0), (1, 0), (2, 1).
    by_hand = [[0, 0, 0, 1], [1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1], [1, 1, 0, 1]]
    assert np.array(predicted).tolist() == by_hand
    learned = learned_epochs(range(6), predicted, labels)
    np.testing.assert_array_equal(learned, [4, 4, 0, np.nan])
    counts = forgetting_counts(range(6), predicted, labels)
    assert isinstance(counts, np.ndarray) and counts.dtype == np.int64
    np.testing.assert_array_equal(counts, [1, 1, 0, 1])


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"predicted: shape \(5, 6\); expected \(5, 5\)"):
        learned_epochs(np.arange(5), HISTORY, LABELS[:5])
    for epochs, rows in (([4], HISTORY[:1]), ([0, 2, 3, 4, 5], HISTORY)):
        with pytest.raises(InputError, match=r"record all of them \(rote.fit: record='all'\)"):
            forgetting_counts(np.array(epochs), rows, LABELS)
