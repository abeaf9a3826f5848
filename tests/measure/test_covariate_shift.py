"""The shift of a layer's gradient, against gradients taken one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote.measure import internal_covariate_shift
from rote.models import mlp

LAYERS = ("hidden1", "hidden2", "head")


@pytest.fixture
def point():
    model = mlp((5, 4), num_classes=3)
    x = jax.random.normal(jax.random.key(1), (6, 7))
    params, state = model.init(jax.random.key(0), x)

    def loss(params):
        return (model.apply(params, state, x, train=True)[0] ** 2).mean()

    updated = jax.tree.map(lambda w, g: w - 0.3 * g, params, jax.grad(loss)(params))
    return loss, params, updated


def test_it_is_the_gradient_with_the_layers_in_front_updated(point):
    loss, params, updated = point
    found = jax.jit(lambda p, q: internal_covariate_shift(loss, p, q, LAYERS))(params, updated)
    assert found.changes.shape == found.cosines.shape == (2,)
    for index, name in enumerate(LAYERS[1:], start=1):
        there = params | {before: updated[before] for before in LAYERS[:index]}
        one, other = (
            np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(jax.grad(loss)(at)[name])])
            for at in (params, there)
        )
        change = np.linalg.norm(other - one)
        np.testing.assert_allclose(found.changes[index - 1], change, rtol=1e-4)
        size, other_size = np.linalg.norm(one), np.linalg.norm(other)
        np.testing.assert_allclose(found.relative_changes[index - 1], change / size, rtol=1e-4)
        cosine = one @ other / size / other_size
        np.testing.assert_allclose(found.cosines[index - 1], cosine, atol=1e-5)


def test_nothing_shifts_where_nothing_moves(point):
    loss, params, _ = point
    found = internal_covariate_shift(loss, params, params, LAYERS)
    np.testing.assert_array_equal(found.changes, 0)
    np.testing.assert_array_equal(found.cosines, 1)


def test_opposite_gradients():
    """Of ``a b``, for ``b``: the gradient is ``a``."""
    found = internal_covariate_shift(
        lambda w: (w["a"] * w["b"]).sum(),
        {"a": jnp.array([1.0]), "b": jnp.array([1.0])},
        {"a": jnp.array([-2.0]), "b": jnp.array([1.0])},
        ("a", "b"),
    )
    assert (found.changes[0], found.relative_changes[0], found.cosines[0]) == (3, 3, -1)


@pytest.mark.parametrize("layers", [("hidden1",), ("hidden1", "hidden9")])
def test_layers_that_are_not_there_are_refused(point, layers):
    with pytest.raises(ValueError, match="expected two or more of"):
        internal_covariate_shift(*point, layers)
