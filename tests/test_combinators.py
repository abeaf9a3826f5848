"""Combinators; strict dtype promotion is on (conftest)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote.combinators import concat, residual, serial
from rote.core import InputError, Model, Params, State
from rote.layers import activation, batch_norm, conv, dense, dropout, flatten, identity, max_pool

X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32))


def init(net: Model, x: jax.Array | jax.ShapeDtypeStruct = X) -> tuple[Params, State]:
    return net.init(jax.random.key(0), x)


def test_serial_applies_in_order() -> None:
    net = serial(conv(3), activation(jnp.tanh), flatten(), dense(5))
    params, state = init(net)
    y, _ = net.apply(params, state, X, train=False)
    h, _ = conv(3).apply(params["0"], {}, X, train=False)
    expected = jnp.tanh(h).reshape(4, -1) @ params["3"]["kernel"] + params["3"]["bias"]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_serial_keys() -> None:
    shapes = jax.ShapeDtypeStruct((1, 6, 6, 2), jnp.float32)
    params, state = init(serial(*[identity()] * 9, batch_norm()), shapes)
    assert list(params) == list(state) == [str(i) for i in range(10)]
    params, _ = init(serial(*[identity()] * 10, dense(3)), shapes)
    assert list(params) == [f"{i:02}" for i in range(11)] == sorted(params)
    params, state = init(serial(zoom=conv(3), act=identity()), shapes)
    assert list(params) == list(state) == ["zoom", "act"]
    assert set(params["zoom"]) == {"kernel", "bias"} and params["act"] == {}


def test_empty_serial_is_the_identity() -> None:
    assert init(serial()) == ({}, {})
    y, state = serial().apply({}, {}, X, train=True)
    np.testing.assert_array_equal(y, X)
    assert state == {}


def test_equal_layers_start_differently() -> None:
    params, _ = init(serial(a=dense(2), b=dense(2)))
    assert not np.array_equal(params["a"]["kernel"], params["b"]["kernel"])
    params, _ = init(concat(a=dense(2), b=dense(2)))
    assert not np.array_equal(params["a"]["kernel"], params["b"]["kernel"])


def test_children_draw_differently() -> None:
    x = jnp.ones((1, 1000))
    one, two = (
        net.apply(*init(net, x), x, train=True, key=jax.random.key(1))[0]
        for net in (concat(dropout(0.5), dropout(0.5)), residual(dropout(0.5), dropout(0.5)))
    )
    left, right = np.split(np.asarray(one[0]), 2)
    assert 0.4 < np.mean(left == right) < 0.6
    assert set(np.unique(two)) == {0, 2, 4}
    chain = serial(dropout(0.5), dropout(0.5))
    y, _ = chain.apply(*init(chain, x), x, train=True, key=jax.random.key(1))
    assert 0.65 < np.mean(y == 0) < 0.85  # 3/4; one mask applied twice gives 1/2


def test_state_is_threaded() -> None:
    inner = serial(scale=activation(lambda x: 2 * x), norm=batch_norm(momentum=0.0))
    net = serial(block=residual(inner, batch_norm(momentum=0.0)), more=concat(inner, inner))
    params, state = init(net)
    _, new = net.apply(params, state, X, train=True)
    assert jax.tree.structure(new) == jax.tree.structure(state)
    mean = np.mean(X, (0, 1, 2))
    body, shortcut = new["block"]["body"]["norm"], new["block"]["shortcut"]
    np.testing.assert_allclose(body["mean"], 2 * mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(shortcut["mean"], mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(new["more"]["1"]["norm"]["var"], 16, rtol=1e-4)  # (2 * (1 + 1))^2


def test_concat_and_residual() -> None:
    params, state = init(concat(a=identity(), b=conv(3)))
    y, _ = concat(a=identity(), b=conv(3)).apply(params, state, X, train=False)
    b, _ = conv(3).apply(params["b"], {}, X, train=False)
    np.testing.assert_array_equal(y, np.concatenate([X, b], -1))

    params, state = init(residual(conv(3), conv(3, 1)))
    y, _ = residual(conv(3), conv(3, 1)).apply(params, state, X, train=False)
    body, _ = conv(3).apply(params["body"], {}, X, train=False)
    shortcut, _ = conv(3, 1).apply(params["shortcut"], {}, X, train=False)
    np.testing.assert_array_equal(y, body + shortcut)

    net = residual(activation(jnp.square))
    np.testing.assert_array_equal(net.apply(*init(net), X, train=False)[0], X * X + X)


def test_init_allocates_parameters_alone() -> None:
    """Shapes are found abstractly, so a huge example costs nothing."""
    huge = jax.ShapeDtypeStruct((10**6, 1000, 1000, 3), jnp.float32)
    params, _ = init(serial(conv(4), max_pool(2), residual(conv(4))), huge)
    assert params["2"]["body"]["kernel"].shape == (3, 3, 4, 4)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="serial: 1 positional and 1 named models; name all"):
        serial(identity(), other=identity())
    with pytest.raises(InputError, match="concat: 1 positional and 1 named models; name all"):
        concat(identity(), other=identity())
    net = residual(conv(3))
    params, state = init(net)
    with pytest.raises(
        InputError,
        match=r"residual: the body gives shape \(4, 6, 6, 3\), the shortcut \(4, 6, 6, 2\); give",
    ):
        net.apply(params, state, X, train=False)
