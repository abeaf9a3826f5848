"""SGD on a linear model and the pseudo-inverse."""

import jax
import numpy as np
import pytest

from rote.core import InputError
from rote.linear import sgd_path


def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 15)) / np.sqrt(15)
    return x, rng.normal(size=(6, 2)), rng.normal(size=(15, 2))


def path(x, y, start, epochs=400):
    return np.asarray(
        sgd_path(x, y, start, learning_rate=0.5, epochs=epochs, key=jax.random.key(0))
    )


def test_from_zero_it_reaches_the_pseudo_inverse_solution():
    x, y, _ = problem()
    weights = path(x, y, np.zeros((15, 2)))
    np.testing.assert_allclose(weights[-1], np.linalg.pinv(x) @ y, atol=1e-5)
    outside = np.eye(15) - np.linalg.pinv(x) @ x
    assert np.abs(outside @ weights).max() < 1e-5  # never leaves the span of the examples


def test_from_elsewhere_it_keeps_what_is_orthogonal():
    x, y, start = problem()
    last = path(x, y, start)[-1]
    kept = (np.eye(15) - np.linalg.pinv(x) @ x) @ start
    np.testing.assert_allclose(x @ last, y, atol=1e-4)
    np.testing.assert_allclose(last, np.linalg.pinv(x) @ y + kept, atol=1e-4)
    assert np.linalg.norm(last) > np.linalg.norm(np.linalg.pinv(x) @ y)


def test_an_epoch_is_one_step_per_example_by_hand():
    x, y, start = problem()
    reached = path(x, y, start, epochs=1)[1]
    (epoch_key,) = jax.random.split(jax.random.key(0), 1)
    by_hand = start
    for i in np.asarray(jax.random.permutation(epoch_key, 6)):
        by_hand = by_hand - 0.5 * np.outer(x[i], x[i] @ by_hand - y[i])
    np.testing.assert_allclose(reached, by_hand, atol=1e-5)


def test_bad_input_is_named():
    x, y, start = problem()
    with pytest.raises(InputError, match=r"x \(6, 15\), y \(5, 2\), start \(15, 2\)"):
        path(x, y[:5], start)
    with pytest.raises(InputError, match=r"learning_rate: 0\.5; expected a positive number below"):
        path(3 * x, y, start)
