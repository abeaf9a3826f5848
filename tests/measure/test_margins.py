"""Distances to decision boundaries, against linear classifiers worked by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import measure
from rote.core import InputError

W = np.array([[3.0, 0.0, 1.0], [4.0, 0.0, -1.0]], np.float32)
"""Logits ``3 a + 4 b``, 0 and ``a - b``; the differences of the columns are (3, 4), (2, 5), (1, -1)
and their negatives."""


def linear(x):
    return x.reshape(len(x), -1) @ W


@pytest.mark.parametrize(
    ("ord", "expected"),
    [
        # At (1, 3), logits (15, 0, -2); as class 0 the boundaries are 15 and 17 over the norms,
        # as class 1 they are -15 and 2, as class 2 -17 and -2. In the p-norm: dual norms.
        (2, [15 / 5, -15 / 5, -17 / 29**0.5]),
        (math.inf, [15 / 7, -15 / 7, -17 / 7]),
        (1, [17 / 5, -15 / 4, -17 / 5]),
    ],
)
def test_by_hand(ord, expected):
    x = jnp.array([[[1], [3]]] * 3, jnp.uint8)
    found = jax.jit(lambda x: measure.input_margins(linear, x, jnp.arange(3), ord=ord))(x)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_of_a_linear_net_the_margin_is_the_distance():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 5)).astype(np.float32)
    x = rng.normal(size=(30, 4)).astype(np.float32)
    labels = (x @ weights).argmax(1)
    margins = jax.jit(
        lambda x: measure.input_margins(lambda x: x @ weights, x, labels, batch_size=7)
    )
    found = np.asarray(margins(x))
    assert found.min() > 0
    # Going that far along each boundary's normal, the first tie is with the nearest class.
    for point, label, margin in zip(x, labels, found, strict=True):
        normals = weights - weights[:, [label]]
        normals = normals / np.maximum(np.linalg.norm(normals, axis=0), 1e-9)
        leads = [
            np.delete(z @ weights - z @ weights[:, label], label).max()
            for z in (point[:, None] + margin * normals).T
        ]
        assert max(leads) == pytest.approx(0, abs=1e-5)


def test_of_a_curved_net_it_is_that_of_the_tangent_and_can_be_differentiated():
    def logits(x):
        return jnp.stack([x[:, 0] ** 2, jnp.ones(len(x))], 1)

    with jax.enable_x64(True):
        x, labels = jnp.array([[3.0], [0.5]]), jnp.array([0, 1])
        found = jax.jit(lambda x: measure.input_margins(logits, x, labels))(x)
        slope = jax.jit(jax.grad(lambda x: measure.input_margins(logits, x, labels).sum()))(x)
    np.testing.assert_allclose(found, [8 / 6, 0.75 / 1])
    np.testing.assert_allclose(slope, [[(1 + 1 / 9) / 2], [-(1 + 4) / 2]])


def test_where_the_logits_do_not_move():
    def margin(logits):
        return measure.input_margins(lambda x: logits[None], jnp.zeros((1, 2)), jnp.array([0]))[0]

    logits = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # ahead, behind, tied
    np.testing.assert_array_equal(jax.jit(jax.vmap(margin))(logits), [np.inf, -np.inf, np.nan])


def test_bad_input_is_named():
    with pytest.raises(InputError, match=r"ord: 3; expected 1, 2 or math\.inf"):
        measure.input_margins(linear, jnp.ones((1, 2)), jnp.array([0]), ord=3)
    with pytest.raises(InputError, match=r"shapes \(2, 2\), \(1,\); expected the same number"):
        measure.input_margins(linear, jnp.ones((2, 2)), jnp.array([0]))
