"""Gradients with respect to inputs, at a point and through a training; the Gini coefficient."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rote import measure
from rote.core import InputError


def linear_loss(params, x, labels):
    """Half the square of ``w x - y``, for one weight and scalar inputs."""
    return (params * x - labels) ** 2 / 2


def test_input_gradient_norms_by_hand():
    # Logits x W, loss = minus the logit of the label: the gradient is minus a column of W.
    w = jnp.array([[3.0, 1.0], [-4.0, 2.0]])

    def loss(x, labels):
        return -jnp.take_along_axis(x.reshape(len(x), -1) @ w, labels[:, None], 1)[:, 0]

    x = jnp.array([[[7], [9]], [[1], [2]], [[0], [0]]], jnp.uint8)  # of any shape and dtype
    labels = jnp.array([0, 1, 0])
    for ord, expected in ((1, [7, 3, 7]), (2, [5, 5**0.5, 5]), (math.inf, [4, 2, 4])):
        norms = jax.jit(lambda x, ord=ord: measure.input_gradient_norms(loss, x, labels, ord=ord))
        found = norms(x)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_example_does_not_depend_on_the_others():
    def loss(x, labels):  # of a net that mixes the examples of a batch
        return ((x - jnp.mean(x, 0)).sum(1) + labels * x.sum(1)) ** 2

    x, labels = jnp.arange(10.0).reshape(5, 2), jnp.ones(5)
    whole = jax.jit(lambda x: measure.input_gradient_norms(loss, x, labels))(x)
    alone = np.linalg.norm(2 * np.asarray(x).sum(1)[:, None] * np.ones(2), axis=1)
    np.testing.assert_allclose(whole, alone, rtol=1e-6)
    parts = jax.jit(lambda x: measure.input_gradient_norms(loss, x, labels, batch_size=3))(x)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)


def test_sensitivity_of_two_steps_by_hand():
    # One weight from 0, targets 1 and 2, inputs 1 and 3, each example once, at a rate of 0.1:
    # w1 = 0.1 a y_a = 0.1, w2 = w1 - 0.1 b (b w1 - y_b) = 0.1 - 0.3 (0.3 - 2) = 0.61. With
    # L = ((a w - y_a)^2 + (b w - y_b)^2) / 4 and the residuals r = (a w - y_a, b w - y_b):
    # t=1: dw1 = (0.1, 0); r = (-0.9, -1.7); dL/dw = (a r_a + b r_b) / 2 = -3.0
    #      dL = (r_a w / 2 + dL/dw dw1_a, r_b w / 2) = (-0.045 - 0.3, -0.085)
    # t=2: dw2 = (0.1 (1 - 0.1 b^2), -0.1 (2 b w1 - y_b)) = (0.01, 0.14); r = (-0.39, -0.17);
    #      dL/dw = (-0.39 - 0.51) / 2 = -0.45; dL = (-0.11895 - 0.0045, -0.05185 - 0.063)
    x, labels, batches = jnp.array([1.0, 3.0]), jnp.array([1.0, 2.0]), jnp.array([[0], [1]])

    def sensitivity(x, every):
        start, optimizer = jnp.array(0.0), optax.sgd(0.1)
        return measure.loss_sensitivity(
            linear_loss, start, x, labels, batches, optimizer, every=every
        )

    sensitivity = jax.jit(sensitivity, static_argnames="every")
    found = sensitivity(x, every=1)
    np.testing.assert_allclose(found, [[0.345, 0.085], [0.12345, 0.11485]], rtol=1e-5)
    np.testing.assert_allclose(sensitivity(x, every=2), found[1:], rtol=1e-6)


def test_sensitivity_of_a_net_agrees_with_retraining_on_changed_inputs():
    """Central differences through a plain loop of steps, in float64, with momentum."""
    rng = np.random.default_rng(0)
    params = {"in": rng.normal(size=(3, 4)), "out": rng.normal(size=(4, 2))}
    x, labels = rng.normal(size=(4, 3)), np.array([0, 1, 1, 0])
    batches = np.array([[0, 1], [2, 3], [3, 1], [0, 0], [1, 2], [2, 0]])

    def loss(params, x, labels):
        logits = jnp.tanh(x @ params["in"]) @ params["out"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels)

    def step(x, params, velocity, batch):
        gradient = jax.grad(lambda p: loss(p, x[batch], labels[batch]).mean())(params)
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient)
        params = jax.tree.map(lambda w, v: w - 0.5 * v, params, velocity)
        return params, velocity, loss(params, x, labels).mean()

    def sensitivity(x):
        optimizer = optax.sgd(0.5, momentum=0.9)
        return measure.loss_sensitivity(loss, params, x, labels, batches, optimizer, every=2)

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):  # optax mixes dtypes
        labels, x, batches, params = jax.tree.map(jnp.asarray, (labels, x, batches, params))
        changes = np.stack([1e-5 * np.eye(12), -1e-5 * np.eye(12)]).reshape(24, 4, 3)
        now = jax.tree.map(lambda w: jnp.stack([w] * 24), params)
        velocity, losses = jax.tree.map(jnp.zeros_like, now), []
        take = jax.jit(jax.vmap(step, (0, 0, 0, None)))
        for batch in batches:
            now, velocity, values = take(x + changes, now, velocity, batch)
            losses.append(np.asarray(values).reshape(2, 4, 3))
        found = jax.jit(sensitivity)(x)
    expected = [np.abs((above - below) / 2e-5).sum(1) for above, below in losses[1::2]]
    assert found.shape == (3, 4) and found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_gini_by_hand():
    values = jnp.array([[2.0, 2.0, 2.0], [0.0, 6.0, 0.0], [1.0, 3.0, 2.0]])
    # the last: differences 2 (2 + 1 + 1) over 2 * 3 * 6
    np.testing.assert_allclose(measure.gini_coefficient(values), [0, 2 / 3, 8 / 36], rtol=1e-6)
    assert measure.gini_coefficient(np.array([5])) == 0


def test_gini_agrees_with_its_definition_and_knows_no_scale():
    values = np.random.default_rng(0).exponential(size=(2, 4, 50)).astype(np.float32)
    differences = np.abs(values[..., :, None] - values[..., None, :]).sum((-1, -2))
    expected = differences / (2 * 50 * values.sum(-1))
    gini = jax.jit(measure.gini_coefficient)
    np.testing.assert_allclose(gini(values), expected, rtol=1e-4)
    np.testing.assert_allclose(gini(1000 * values), expected, rtol=1e-4)
    slope = jax.jit(jax.grad(measure.gini_coefficient))(
        jnp.array([1.0, 3.0])
    )  # (b - a) / 2 (a + b)
    np.testing.assert_allclose(slope, [-3 / 16, 1 / 16], rtol=1e-5)


def test_gini_of_what_is_no_share():
    for values in ([0.0, 0.0], [-1.0, 3.0], [np.nan, 1.0]):
        assert np.isnan(measure.gini_coefficient(jnp.array(values)))
    for bad in (jnp.array(1.0), jnp.zeros((3, 0))):
        with pytest.raises(InputError, match=r"expected \[\.\.\., n\] with n at least 1"):
            measure.gini_coefficient(bad)


def test_bad_input_is_named():
    x, labels = jnp.ones(4), jnp.ones(3)
    with pytest.raises(InputError, match=r"shapes \(4,\), \(3,\); expected the same number"):
        measure.input_gradient_norms(lambda x, y: x * y, x, labels)
    for ord in (0, 3, -math.inf):
        with pytest.raises(InputError, match=r"ord: .*; expected 1, 2 or math.inf"):
            measure.input_gradient_norms(lambda x, y: x * y, x, x, ord=ord)
    with pytest.raises(InputError, match="batch_size: 0; expected at least 1"):
        measure.input_gradient_norms(lambda x, y: x * y, x, x, batch_size=0)

    def sensitivity(labels, batches, every=1):
        start, optimizer = jnp.array(0.0), optax.sgd(0.1)
        measure.loss_sensitivity(linear_loss, start, x, labels, batches, optimizer, every=every)

    with pytest.raises(InputError, match="4 inputs and 3 labels"):
        sensitivity(labels, jnp.zeros((2, 1), int))
    for batches in (jnp.zeros(2, int), jnp.zeros((2, 1))):
        with pytest.raises(InputError, match=r"batches: .* expected integers \[T, B\]"):
            sensitivity(x, batches)
    for every in (0, 2):
        with pytest.raises(InputError, match=f"every: {every} with 3 batches"):
            sensitivity(x, jnp.zeros((3, 1), int), every)
