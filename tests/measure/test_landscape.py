"""Loss and gradient along the gradient, against a quadratic worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from rote import measure

H = np.array([1.0, 4.0], np.float32)


def bowl(params):
    """``(x^2 + 4 y^2) / 2`` over two arrays: the gradient is ``(x, 4 y)``."""
    return (H[0] * params["x"] ** 2 + H[1] * params["y"] ** 2).sum() / 2


def test_a_quadratic_by_hand():
    # At (2, 1): loss 4, gradient (2, 4). A step of 0.1 leads to (1.8, 0.6), loss 2.34, and changes
    # the gradient by 0.1 H g = 0.1 (2, 16), over a way of 0.1 |(2, 4)|.
    params = {"x": jnp.array([2.0]), "y": jnp.array([1.0])}
    found = jax.jit(lambda p: measure.along_gradient(bowl, p, jnp.array([0.1, 0.2, 0.5])))(params)
    np.testing.assert_allclose(found.losses, [2.34, 1.36, 2.5], rtol=1e-5)
    change = np.hypot(2, 16)
    np.testing.assert_allclose(
        found.gradient_changes, change * np.array([0.1, 0.2, 0.5]), rtol=1e-5
    )
    np.testing.assert_allclose(found.smoothness, change / np.hypot(2, 4), rtol=1e-5)
    assert H.min() < found.smoothness.max() < H.max()


def test_along_an_eigenvector_the_smoothness_is_the_eigenvalue():
    for params, expected in (((3.0, 0.0), H[0]), ((0.0, 3.0), H[1])):
        point = {"x": jnp.array([params[0]]), "y": jnp.array([params[1]])}
        found = measure.along_gradient(bowl, point, jnp.array([0.01, 1.0]))
        np.testing.assert_allclose(found.smoothness, expected, rtol=1e-4)


def test_twice_the_parameters_for_the_same_loss_is_a_quarter_of_the_smoothness():
    w = jnp.array([0.3, -0.7])
    step_sizes = jnp.array([0.05, 0.1])

    def loss(w):
        return jnp.sum(jnp.cos(w) + w**4)

    one = measure.along_gradient(loss, w, step_sizes)
    two = measure.along_gradient(lambda w: loss(w / 2), 2 * w, 4 * step_sizes)
    np.testing.assert_allclose(two.losses, one.losses, rtol=1e-5)
    np.testing.assert_allclose(two.smoothness, one.smoothness / 4, rtol=1e-4)


def test_where_nothing_moves_there_is_no_ratio():
    found = measure.along_gradient(jnp.sum, jnp.zeros(2), jnp.array([0.0, 0.5]))
    np.testing.assert_allclose(found.gradient_changes, 0)
    np.testing.assert_array_equal(found.smoothness, [np.nan, 0])
