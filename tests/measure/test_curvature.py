"""Products with the Hessian, its trace and its eigenvalues, against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from rote import measure
from rote.core import InputError


@pytest.fixture
def key():
    return jax.random.key(0)


def quadratic(matrix):
    matrix = jnp.asarray(matrix)
    return lambda w: jnp.dot(w, matrix @ w) / 2


def eigenvalues(loss, params, key, steps):
    run = jax.jit(lambda w, key: measure.hessian_eigenvalues(loss, w, key, steps=steps))
    return run(params, key)


def rotated(eigenvalues, seed=0):
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues),) * 2))
    return basis @ np.diag(eigenvalues) @ basis.T


@pytest.fixture(scope="module")
def net():
    """A small net's loss over its tree of parameters, the parameters, and the dense Hessian."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(12, 4)), np.arange(12) % 3
    params = {
        "hidden": {"kernel": rng.normal(size=(4, 5)), "bias": rng.normal(size=5)},
        "head": rng.normal(size=(5, 3)),
    }

    def loss(params):
        hidden = jnp.tanh(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
        logits = hidden @ params["head"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, params)
        flat, unravel = ravel_pytree(params)
        hessian = np.asarray(jax.jit(jax.hessian(lambda w: loss(unravel(w))))(flat))
    return loss, params, hessian


def test_product_by_hand():
    # f = x^2 y + y^3 / 6 at (2, 3): Hessian ((2 y, 2 x), (2 x, y)) = ((6, 4), (4, 3))
    def loss(w):
        return w["x"] ** 2 * w["y"] + w["y"] ** 3 / 6

    at = {"x": jnp.array(2.0), "y": jnp.array(3.0)}
    found = measure.hessian_vector_product(loss, at, {"x": jnp.array(1.0), "y": jnp.array(-1.0)})
    assert found == {"x": 2.0, "y": 1.0}


def test_product_of_a_net(net):
    loss, params, hessian = net
    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(params)
        vectors = np.random.default_rng(0).normal(size=(3, flat.size))
        product = jax.jit(
            jax.vmap(lambda v: measure.hessian_vector_product(loss, params, unravel(v)))
        )(vectors)
        found = np.concatenate([leaf.reshape(3, -1) for leaf in jax.tree.leaves(product)], 1)
    np.testing.assert_allclose(found, vectors @ hessian, atol=1e-12)


def test_trace_of_a_matrix_worked_by_hand(key):
    # v'Hv = 1 + 2 + 2 * 3 v1 v2: 9 or -3 with equal chances, hence a standard deviation of 6
    loss = quadratic(np.array([[1.0, 3.0], [3.0, 2.0]], np.float32))
    found = jax.jit(lambda key: measure.hessian_trace(loss, jnp.zeros(2), key, samples=4000))(key)
    assert abs(found.trace - 3) < 3 * found.standard_error
    assert found.standard_error == pytest.approx(6 / 4000**0.5, rel=0.01)


def test_trace_of_a_net_and_its_standard_error(net, key):
    loss, params, hessian = net

    def estimate(key):
        return measure.hessian_trace(loss, params, key, samples=50)

    with jax.enable_x64(True):
        found = jax.jit(jax.vmap(estimate))(jax.random.split(key, 40))
    trace, standard_error = map(np.asarray, found)
    off_diagonal = hessian - np.diag(np.diag(hessian))
    expected_error = np.sqrt(2 * np.sum(off_diagonal**2) / 50)
    assert np.mean(standard_error) == pytest.approx(expected_error, rel=0.1)
    scaled = (trace - np.trace(hessian)) / standard_error
    assert abs(np.mean(scaled)) < 0.5 and 0.6 < np.std(scaled) < 1.4


def test_low_precision_parameters_are_summed_wide(key):
    def loss(w):
        return jnp.sum(w**2, dtype=jnp.bfloat16)

    w = jnp.ones(1207, jnp.bfloat16)
    found = jax.jit(lambda key: measure.hessian_trace(loss, w, key, samples=2))(key)
    assert found.trace.dtype == np.float32 and found.trace == 2 * 1207
    values = eigenvalues(loss, w, key, 2).values
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, 2, rtol=1e-2)


def test_the_trace_can_be_differentiated(key):
    def trace(w):
        return measure.hessian_trace(lambda w: jnp.sum(w**4), w, key, samples=2).trace

    np.testing.assert_allclose(jax.jit(jax.grad(trace))(jnp.array([1.0, 2.0])), [24.0, 48.0])


SPECTRA = [
    [9.0, 2.0, 0.5, 0.0, -3.0],
    [0.0] * 5,
    [2.0] * 5,
    [5.0, 0.0, 0.0, 0.0, 0.0],
    [4.0, 4.0, 1.0, 1.0, -1.0],
]


def test_all_eigenvalues_with_as_many_steps_as_parameters(key):
    # Where some are equal, the space that a start can reach is exhausted before.
    matrices = np.stack([*map(rotated, SPECTRA), *map(np.diag, SPECTRA)]).astype(np.float32)

    def all_eigenvalues(matrix, key):
        return measure.hessian_eigenvalues(quadratic(matrix), jnp.zeros(5), key, steps=5).values

    found = jax.jit(jax.vmap(all_eigenvalues))(matrices, jax.random.split(key, len(matrices)))
    np.testing.assert_allclose(found, SPECTRA + SPECTRA, atol=2e-5)


def test_one_step_is_a_rayleigh_quotient(key):
    found = eigenvalues(quadratic(np.diag([1.0, 4.0]).astype(np.float32)), jnp.zeros(2), key, 1)
    value, residual = found.values.item(), found.residuals.item()
    share = (value - 1) / 3  # of the start's square in the second direction
    assert 0 < share < 1
    assert residual == pytest.approx(3 * (share * (1 - share)) ** 0.5, rel=1e-5)


def test_extremes_of_a_net_within_their_residuals(net, key):
    loss, params, hessian = net
    exact = np.linalg.eigvalsh(hessian)[::-1]
    with jax.enable_x64(True):
        found = eigenvalues(loss, params, key, 18)
    values, residuals = np.asarray(found.values), np.asarray(found.residuals)
    assert np.all(np.diff(values) <= 0) and len(exact) == 40
    np.testing.assert_allclose(values[:3], exact[:3], rtol=1e-3)
    np.testing.assert_allclose(values[-1], exact[-1], rtol=1e-2)
    assert np.all(values[:5] <= exact[:5] + 1e-12)
    distances = np.abs(values[:, None] - exact).min(1)
    assert np.all(distances <= residuals + 1e-12)


def test_long_runs_in_float32_stay_orthogonal(key):
    # Without reorthogonalization the large eigenvalue comes up again and again.
    spectrum = np.append(np.linspace(0, 1, 199), 100).astype(np.float32)
    diagonal = jnp.asarray(spectrum)
    found = eigenvalues(lambda w: jnp.sum(diagonal * w**2) / 2, jnp.zeros(200), key, 100)
    assert found.values[0] == pytest.approx(100, rel=1e-5)
    assert found.values[1] <= 1.0001
    assert found.residuals[0] < 1e-3


def test_bad_input_is_named(key):
    loss = quadratic(np.eye(2, dtype=np.float32))
    with pytest.raises(InputError, match=r"a vector of shapes \(3,\); expected those .* \(2,\)"):
        measure.hessian_vector_product(loss, jnp.zeros(2), jnp.zeros(3))
    with pytest.raises(InputError, match="samples: 1; expected at least 2"):
        measure.hessian_trace(loss, jnp.zeros(2), key, samples=1)
    for steps in (0, 3):
        with pytest.raises(InputError, match=rf"steps: {steps}; expected 1..2, the number"):
            measure.hessian_eigenvalues(loss, jnp.zeros(2), key, steps=steps)
