"""Falls along directions and the noise of mini-batches, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import measure
from rote.core import Batch, InputError


def tilted(params):
    """``3 x - 4 y + x y``: at (1, 2) the gradient is (5, -3)."""
    x, y = params["x"], params["y"]
    return (3 * x - 4 * y + x * y).sum()


POINT = {"x": jnp.array([1.0]), "y": jnp.array([2.0])}


def test_the_fall_is_the_gradient_times_the_direction():
    for x, y in ((1.0, 0.0), (0.0, -2.0), (0.3, 0.7)):
        direction = {"x": jnp.array([x]), "y": jnp.array([y])}
        found = measure.fall_along(tilted, POINT, direction)
        assert found == pytest.approx(-(5 * x - 3 * y) / np.hypot(x, y), rel=1e-3)


def test_nothing_falls_faster_than_the_negative_gradient():
    gradient = jax.grad(tilted)(POINT)
    steepest = measure.fall_along(tilted, POINT, jax.tree.map(jnp.negative, gradient))
    assert steepest == pytest.approx(np.hypot(5, 3), rel=1e-3)
    for angle in np.linspace(0, 6, 20):
        direction = {"x": jnp.array([np.cos(angle)]), "y": jnp.array([np.sin(angle)])}
        assert measure.fall_along(tilted, POINT, direction) <= steepest * (1 + 1e-3)


def test_curvature_does_not_enter():
    def bent(w):
        return 2 * w + 100 * w**2

    assert measure.fall_along(bent, jnp.array(0.0), jnp.array(-1.0), way=0.5) == 2


def squared(params, batch):
    """The mean of ``(w - x)^2 / 2``, whose gradient is ``w`` minus the mean of ``x``."""
    return ((params["w"] - batch.images) ** 2).mean() / 2


def test_the_noise_of_a_mean_by_the_theory_of_samples():
    x = np.random.default_rng(0).normal(5, 2, 60).astype(np.float32)
    batch = Batch(jnp.asarray(x), jnp.zeros(60, jnp.int32))
    params = {"w": jnp.array(1.0)}
    for size in (1, 10, 50):
        found = measure.gradient_noise(
            squared, params, batch, size, key=jax.random.key(size), draws=2000
        )
        variance = x.var() * (1 - (size - 1) / 59) / size
        assert found == pytest.approx(np.sqrt(variance) / abs(1 - x.mean()), rel=0.06)
    whole = measure.gradient_noise(squared, params, batch, 60, key=jax.random.key(0), draws=3)
    assert whole < 1e-5


def test_what_cannot_be_measured_is_refused():
    batch = Batch(jnp.zeros(4), jnp.zeros(4, jnp.int32))
    for size in (0, 5):
        with pytest.raises(InputError, match=f"size {size}; expected 1 to 4"):
            measure.gradient_noise(squared, {"w": 0.0}, batch, size, key=jax.random.key(0))
    with pytest.raises(InputError, match="0 draws; expected at least 1"):
        measure.gradient_noise(squared, {"w": 0.0}, batch, 2, key=jax.random.key(0), draws=0)
    with pytest.raises(InputError, match="way 0; expected a positive number"):
        measure.fall_along(tilted, POINT, POINT, way=0)
