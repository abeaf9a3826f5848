"""SGD over all orders, gradient flow and the modified loss: by hand, by brute force, together."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from rote import measure
from rote.core import Batch, InputError

RANDOM = np.random.default_rng(0)
M, SIZE = 3, 2
TARGETS = RANDOM.normal(size=(M, SIZE, 2))
SCALES = RANDOM.uniform(0.5, 1.5, (M, SIZE))


def loss(w, batch):
    """A quadratic of its own for each mini-batch, bent by a quartic."""
    apart = w["a"] - batch.images
    return jnp.mean(batch.labels * (jnp.sum(apart**2, -1) / 2 + jnp.sum(apart**4, -1) / 8))


def gradient(w, k):
    apart = w - TARGETS[k]
    return np.mean(SCALES[k][:, None] * (apart + apart**3 / 2), 0)


@pytest.fixture
def problem():
    with jax.enable_x64(True):
        yield {"a": jnp.array([0.3, -0.2])}, Batch(jnp.array(TARGETS), jnp.array(SCALES))


def brute(w, rate, epochs):
    """Where SGD ends, by sequence of orders."""
    ends = []
    for sequence in itertools.product(itertools.permutations(range(M)), repeat=epochs):
        end = np.array(w)
        for k in itertools.chain(*sequence):
            end = end - rate * gradient(end, k)
        ends.append(end)
    return np.array(ends)


def test_the_modified_loss_is_the_mean_and_a_quarter_of_the_squared_gradients(problem):
    w, batches = problem
    squared = np.mean([np.sum(gradient(w["a"], k) ** 2) for k in range(M)])
    mean = np.mean([loss(w, Batch(batches.images[k], batches.labels[k])) for k in range(M)])
    np.testing.assert_allclose(measure.squared_gradient_norm(loss, w, batches), squared, rtol=1e-12)
    found = measure.modified_loss(loss, w, batches, 0.3)
    np.testing.assert_allclose(found, mean + 0.3 / 4 * squared, rtol=1e-12)


def test_one_epoch_takes_every_order_once(problem):
    w, batches = problem
    found = measure.sgd_over_orders(loss, w, batches, 0.1, key=jax.random.key(0), sets=2)["a"]
    assert found.shape == (2, 6, 2)
    expected = brute(w["a"], 0.1, 1)
    for ends in found:
        by_first = [np.array(sorted(each.tolist())) for each in (ends, expected)]
        np.testing.assert_allclose(*by_first, rtol=1e-12)


def test_after_several_epochs_the_mean_has_no_bias(problem):
    w, batches = problem
    sets = 400
    found = measure.sgd_over_orders(
        loss, w, batches, 0.3, key=jax.random.key(0), epochs=2, sets=sets
    )["a"]
    all_ends = brute(w["a"], 0.3, 2)
    nearest = np.abs(found.reshape(-1, 1, 2) - all_ends).max(-1).min(1)
    assert nearest.max() < 1e-12  # each is where one of the 36 sequences ends
    means = found.mean(1)
    error = means.std(0, ddof=1) / np.sqrt(sets)
    assert np.all(np.abs(means.mean(0) - all_ends.mean(0)) < 4 * error)
    # Far nearer than as many independent trainings would be.
    assert np.all(error < 0.5 * all_ends.std(0) / np.sqrt(sets * 6))


def test_gradient_flow_is_the_exponential_and_of_fourth_order(problem):
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    exact = scipy.linalg.expm(-1.5 * matrix) @ [1.0, -1.0]

    def error(steps):
        end = measure.gradient_flow(
            lambda w: w @ matrix @ w / 2, jnp.array([1.0, -1.0]), 1.5, steps=steps
        )
        return np.linalg.norm(end - exact)

    assert error(200) < 1e-9
    assert 14 < error(20) / error(40) < 19


def test_the_mean_follows_the_modified_loss_one_order_better(problem):
    w, batches = problem
    rates = [0.02, 0.01]

    def apart(rate, factor):
        ends = measure.sgd_over_orders(loss, w, batches, rate, key=jax.random.key(0))["a"]
        flow = measure.gradient_flow(
            lambda w: measure.modified_loss(loss, w, batches, factor * rate), w, M * rate, steps=20
        )["a"]
        return np.linalg.norm(ends.mean((0, 1)) - flow)

    for factor, order in ((0, 2), (1, 3), (0.5, 2), (2, 2)):
        large, small = (apart(rate, factor) for rate in rates)
        assert np.log2(large / small) == pytest.approx(order, abs=0.15), factor


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w, b: measure.gradient_flow(lambda w: w["a"].sum(), w, 1.0, steps=0), "0 steps"),
        (
            lambda w, b: measure.sgd_over_orders(loss, w, b, 0.1, key=jax.random.key(0), epochs=0),
            "0 epochs",
        ),
        (
            lambda w, b: measure.sgd_over_orders(loss, w, b, 0.1, key=jax.random.key(0), sets=0),
            "0 sets",
        ),
        (
            lambda w, b: measure.sgd_over_orders(
                loss, w, Batch(*(jnp.zeros((7, 1)),) * 2), 0.1, key=jax.random.key(0)
            ),
            "7 mini-batches; expected 1 to 6",
        ),
    ],
)
def test_what_cannot_be_computed_is_told(problem, call, message):
    with pytest.raises(InputError, match=message):
        call(*problem)
