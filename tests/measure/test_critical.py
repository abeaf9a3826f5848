"""Langevin adversarial search, against classifiers whose boundaries are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import measure, models
from rote.core import InputError


@pytest.fixture
def key():
    return jax.random.key(0)


RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, 2)).astype(np.float32)


def linear(x):
    return x.reshape(len(x), -1) @ W


def at_distance(distance):
    """Inputs ``[40, 3, 2]`` that far from the boundary in the largest value, on either side."""
    normal = W[:, 0] - W[:, 1]
    x = RNG.uniform(0, 255, (40, 6)).astype(np.float32)
    x -= np.outer(x @ normal, normal) / (normal @ normal)
    sides = RNG.choice([-1, 1], 40)
    x += np.outer(sides * distance * np.abs(normal).sum(), normal) / (normal @ normal)
    return x.reshape(40, 3, 2)


def test_a_linear_boundary_is_found_within_the_radius_and_not_beyond(key):
    search = jax.jit(lambda x, key: measure.critical_samples(linear, x, key))
    keys = jax.random.split(key, 2)
    near = search(at_distance(0.27), keys[0])
    assert near.critical.all()
    far = search(x := at_distance(0.31), keys[1])
    assert not far.critical.any()
    np.testing.assert_array_equal(far.adversaries, x)


def test_without_noise_a_step_is_that_of_the_sign_however_confident_the_net(key):
    # One step goes 0.25 along each axis. Logits are 2000 apart or more: there the gradient of the
    # cross-entropy is 0 in float32.
    def search(x, key):
        return measure.critical_samples(lambda x: linear(1e4 * x), x, key, noise=0, max_steps=1)

    search, keys = jax.jit(search), jax.random.split(key)
    near = search(x := at_distance(0.2), keys[0])
    assert near.critical.all()
    np.testing.assert_allclose(np.abs(np.asarray(near.adversaries) - x), 0.25, atol=2e-5)
    assert not search(at_distance(0.29), keys[1]).critical.any()


def test_what_is_found_proves_it_and_depends_on_no_other_example(key):
    model = models.mlp((16,), num_classes=4)
    x = RNG.integers(0, 256, (50, 5, 5, 1)).astype(np.uint8)
    params, state = jax.jit(model.init)(jax.random.key(1), x / np.float32(255))

    def logits(x):
        return model.apply(params, state, x / 255, train=False)[0]

    @jax.jit
    def search(x, key):
        return measure.critical_samples(
            logits, x, key, radius=6, step_size=5, noise=4, batch_size=25
        )

    again = jax.random.clone(key)
    critical, adversaries = search(x, key)
    assert 0.1 < critical.mean() < 0.9
    floats = x.astype(np.float32)
    differs = logits(adversaries).argmax(1) != logits(floats).argmax(1)
    np.testing.assert_array_equal(differs, critical)
    assert np.abs(adversaries - floats).max() <= 6
    x[20:] //= 2
    np.testing.assert_array_equal(search(x, again).critical[:20], critical[:20])


def test_noise_finds_what_is_off_the_gradient(key):
    # The gradient pulls back to 0, the boundary is at 0.2 all the same.
    def logits(x):
        return jnp.stack([jnp.where(x[:, 0] > 0.2, -9.0, x[:, 0] ** 2), 0 * x[:, 0] - 1], 1)

    def search(key):
        return measure.critical_samples(logits, jnp.zeros((20, 1)), key, step_size=0.01, noise=0.1)

    assert jax.jit(search)(key).critical.mean() > 0.8


def test_several_nets_at_once_in_float64(key):
    def search(threshold, key):
        x = jnp.array([1.0, 2.0, 3.0])
        return measure.critical_samples(lambda x: jnp.stack([x, threshold + 0 * x], 1), x, key)

    with jax.enable_x64(True):
        thresholds = jnp.array([2.1, 9.0])
        found = jax.jit(jax.vmap(search))(thresholds, jax.random.split(key))
    np.testing.assert_array_equal(found.critical, [[False, True, False], [False] * 3])
    assert found.adversaries.dtype == np.float64


def test_bad_input_is_named(key):
    for name, value in (("radius", 0), ("step_size", -1.0), ("radius", float("nan"))):
        with pytest.raises(InputError, match=f"{name}: {value}; expected a positive number"):
            measure.critical_samples(linear, at_distance(1), key, **{name: value})
    for setting in ({"noise": -0.1}, {"max_steps": 0}):
        with pytest.raises(InputError, match="expected at least 0 and at least 1"):
            measure.critical_samples(linear, at_distance(1), key, **setting)
    with pytest.raises(InputError, match="batch_size: 0; expected at least 1"):
        measure.critical_samples(linear, at_distance(1), key, batch_size=0)
