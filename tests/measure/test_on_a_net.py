"""The measures on a whole net with convolutions and batch norm, as a training leaves it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rote import measure
from rote.combinators import residual, serial
from rote.layers import activation, batch_norm, conv, dense, flatten, max_pool

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained():
    """A net's params and state after some plain steps on noise, its images and labels."""
    x = jax.random.uniform(jax.random.key(0), (20, 8, 8, 1)) * 255
    labels = jnp.arange(20) % 3
    block = serial(conv(4), batch_norm(), activation(jax.nn.relu), conv(4))
    net = serial(conv(4), residual(block), max_pool(2), flatten(), dense(3))
    params, state = jax.jit(net.init)(jax.random.key(1), x)

    @jax.jit
    def step(params, state):
        def loss(params):
            logits, after = net.apply(params, state, x / 255, train=True)
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), after

        gradient, state = jax.grad(loss, has_aux=True)(params)
        return jax.tree.map(lambda w, g: w - 0.1 * g, params, gradient), state

    for _ in range(20):
        params, state = step(params, state)

    def logits(params, x):
        return net.apply(params, state, x / 255, train=False)[0]

    def loss(params, x, labels):
        return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), labels)

    return params, x, labels, logits, loss


def test_gradients_of_inputs_are_those_of_the_whole_batch(trained):
    params, x, labels, _, loss = trained
    found = measure.input_gradient_norms(lambda x, y: loss(params, x, y), x, labels, batch_size=8)
    gradients = jax.jit(jax.grad(lambda x: loss(params, x, labels).sum()))(x)
    expected = np.linalg.norm(gradients.reshape(20, -1), axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_margins_and_critical_samples_agree(trained):
    params, x, _, logits, _ = trained
    predicted = logits(params, x).argmax(1)
    margins = measure.input_margins(lambda x: logits(params, x), x, predicted, ord=np.inf)
    radius = float(np.median(margins))
    found = measure.critical_samples(
        lambda x: logits(params, x),
        x,
        jax.random.key(2),
        radius=radius,
        step_size=radius / 2,
        noise=radius / 4,
    )
    changed = logits(params, found.adversaries).argmax(1) != predicted
    np.testing.assert_array_equal(changed, found.critical)
    # What is near to first order is found, what is far is not: in most cases, as it is no line.
    assert np.mean(found.critical == (margins < radius)) > 0.8


def test_curvature(trained):
    params, x, labels, _, loss = trained
    key, other = jax.random.split(jax.random.key(3))

    def mean_loss(params):
        return loss(params, x, labels).mean()

    found = jax.jit(lambda p, k: measure.hessian_eigenvalues(mean_loss, p, k, steps=40))(
        params, key
    )
    trace = jax.jit(lambda p, k: measure.hessian_trace(mean_loss, p, k, samples=50))(params, other)
    assert found.residuals[0] < 0.01 * found.values[0]
    assert abs(trace.trace - found.values.sum()) < 5 * trace.standard_error + 0.1 * trace.trace
    # The top eigenvalue is the largest second derivative along any direction.
    rng = np.random.default_rng(0)
    for _ in range(3):
        v = jax.tree.map(lambda w: jnp.asarray(rng.normal(size=w.shape), w.dtype), params)
        product = measure.hessian_vector_product(mean_loss, params, v)
        rayleigh = optax.tree.vdot(v, product) / optax.tree.vdot(v, v)
        assert found.values[-1] - 1e-3 <= rayleigh <= found.values[0] + 1e-3


def test_sensitivity_through_training(trained):
    params, x, labels, _, loss = trained
    batches = jnp.arange(20).reshape(4, 5)
    found = jax.jit(
        lambda x: measure.loss_sensitivity(
            loss, params, x, labels, batches, optax.sgd(0.01), every=2
        )
    )(x)
    assert found.shape == (2, 20) and np.all(np.isfinite(found)) and np.all(found > 0)
