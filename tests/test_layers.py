"""Layers against NumPy, naive loops and ``jax.lax``; strict dtype promotion is on (conftest)."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.flatten_util import ravel_pytree

from rote.core import InputError, Model
from rote.layers import (
    Padding,
    activation,
    avg_pool,
    batch_norm,
    conv,
    dense,
    dropout,
    flatten,
    gaussian_noise,
    global_avg_pool,
    glorot_uniform,
    he_normal,
    identity,
    local_response_norm,
    max_pool,
    uniform_kaiming,
)

LAYERS: dict[str, Callable[[], Model]] = {
    "identity": identity,
    "activation": lambda: activation(jax.nn.gelu),
    "flatten": flatten,
    "dense": lambda: dense(3, init=uniform_kaiming),
    "conv": lambda: conv(3, stride=2, init=uniform_kaiming),
    "batch_norm": batch_norm,
    "local_response_norm": lambda: local_response_norm(2, bias=0.5, alpha=0.1),
    "dropout": lambda: dropout(0.5),
    "gaussian_noise": lambda: gaussian_noise(0.5),
    "max_pool": lambda: max_pool(3, stride=2, padding="SAME"),
    "avg_pool": lambda: avg_pool(3, stride=2, padding=1),
    "global_avg_pool": global_avg_pool,
}


def images(*shape: int, seed: int = 0, dtype: Any = np.float32) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype(dtype))


@functools.partial(jax.jit, static_argnames="layer")
def run(layer: Model, x: jax.Array) -> jax.Array:
    """The output of the freshly initialized layer in eval mode."""
    params, state = layer.init(jax.random.key(0), x)
    return layer.apply(params, state, x, train=False)[0]


# Every layer


@pytest.mark.parametrize(
    ("name", "train"),
    [
        *((name, False) for name in LAYERS),
        ("batch_norm", True),
        ("dropout", True),
        ("gaussian_noise", True),
    ],
)
def test_derivatives(name: str, train: bool) -> None:
    """First and second order, forward and reverse, against finite differences in float64."""
    layer = LAYERS[name]()
    with jax.enable_x64(True):
        x = images(2, 5, 5, 3, dtype=np.float64)
        params, state = layer.init(jax.random.key(0), x)
        point, unravel = ravel_pytree((params, x))
        direction = images(point.size, seed=1, dtype=np.float64)
        weights = images(
            *jax.eval_shape(functools.partial(run, layer), x).shape, seed=2, dtype=np.float64
        )

        def loss(point):
            y, _ = layer.apply(
                unravel(point)[0], state, unravel(point)[1], train=train, key=jax.random.key(1)
            )
            return (weights * y**2).sum()

        @jax.jit
        def derivatives(point):
            gradient, forward_over_reverse = jax.jvp(jax.grad(loss), (point,), (direction,))
            reverse_over_reverse = jax.grad(lambda p: jax.grad(loss)(p) @ direction)(point)
            slope = jax.jvp(loss, (point,), (direction,))[1]
            return loss(point), gradient, slope, forward_over_reverse, reverse_over_reverse

        _, gradient, slope, *hvps = derivatives(point)
        above, below = (derivatives(point + h * direction) for h in (1e-5, -1e-5))
        difference, gradient_difference = (
            (a - b) / 2e-5 for a, b in zip(above[:2], below[:2], strict=True)
        )
        np.testing.assert_allclose(slope, difference, rtol=1e-6)
        np.testing.assert_allclose(gradient @ direction, slope, rtol=1e-10)
        for hvp in hvps:
            np.testing.assert_allclose(hvp, gradient_difference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_bfloat16_and_float64(name: str) -> None:
    layer = LAYERS[name]()
    x = images(2, 5, 5, 3)

    @functools.partial(jax.jit, static_argnames="dtype")
    def cast_and_run(dtype):
        params, state = layer.init(jax.random.key(0), x)
        params, low = jax.tree.map(lambda array: array.astype(dtype), (params, x))
        return layer.apply(params, state, low, train=True, key=jax.random.key(1))

    expected, _ = cast_and_run(jnp.float32)
    y, state = cast_and_run(jnp.bfloat16)
    assert y.dtype == jnp.bfloat16
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state))
    np.testing.assert_allclose(y.astype(jnp.float32), expected, rtol=0.03, atol=0.03)

    with jax.enable_x64(True):
        x = images(2, 5, 5, 3, dtype=np.float64)
        params, _ = jax.eval_shape(layer.init, jax.random.key(0), x)
        leaves = jax.tree.leaves((params, jax.eval_shape(functools.partial(run, layer), x)))
        assert all(leaf.dtype == jnp.float64 for leaf in leaves)


@pytest.mark.parametrize("name", LAYERS)
def test_numpy_images_in_float64_are_taken_as_float32(name: str) -> None:
    """``images / 255`` in NumPy, outside ``jit``: neither a warning nor another dtype."""
    layer = LAYERS[name]()
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3))
    params, state = layer.init(jax.random.key(0), x)
    y, _ = layer.apply(params, state, x, train=True, key=jax.random.key(1))
    assert name in ("identity", "flatten") or y.dtype == jnp.float32


# Dense, convolution, initializers


def test_dense() -> None:
    x = images(4, 5)
    params, state = dense(3, init=uniform_kaiming).init(jax.random.key(0), x)
    y, _ = dense(3).apply(params, state, x, train=False)
    np.testing.assert_allclose(y, x @ params["kernel"] + params["bias"], rtol=1e-5)
    assert params["kernel"].shape == (5, 3) and params["bias"].shape == (3,)
    assert set(dense(3, bias=False).init(jax.random.key(0), x)[0]) == {"kernel"}


def test_conv_by_hand() -> None:
    x = images(2, 5, 4, 2)
    layer = conv(3, (2, 3), stride=2, init=uniform_kaiming)
    params, state = layer.init(jax.random.key(0), x)
    kernel, bias = (np.asarray(params[name], np.float64) for name in ("kernel", "bias"))
    assert kernel.shape == (2, 3, 2, 3)
    padded = np.zeros((2, 6, 5, 2))  # ((0, 1), (0, 1)): the extra row and column at the end
    padded[:, :5, :4] = x
    expected = np.zeros((2, 3, 2, 3)) + bias
    for b, h, w, i, j, c in np.ndindex(2, 3, 2, 2, 3, 2):
        expected[b, h, w] += padded[b, 2 * h + i, 2 * w + j, c] * kernel[i, j, c]
    y, _ = jax.jit(functools.partial(layer.apply, train=False))(params, state, x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


CONVOLUTIONS: list[tuple[int | tuple[int, int], int, Padding]] = [
    (1, 2, "SAME"),
    (2, 1, "SAME"),
    (3, 1, "SAME"),
    (3, 2, "SAME"),
    ((4, 3), 3, "SAME"),
    ((4, 3), 2, "VALID"),
    (3, 2, 0),
    (2, 1, 2),
    (3, 2, 1),
    (3, 1, ((0, 1), (2, 0))),
]


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize(("kernel", "stride", "padding"), CONVOLUTIONS)
def test_conv_agrees_with_lax(
    monkeypatch: pytest.MonkeyPatch,
    kernel: int | tuple[int, int],
    stride: int,
    padding: Padding,
    backend: str,
) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: backend)  # both formulations, on CPU
    x = images(2, 7, 6, 3)
    layer = conv(4, kernel, stride=stride, padding=padding, bias=False)
    shape = jax.eval_shape(layer.init, jax.random.key(0), x)[0]["kernel"].shape
    pads = [(padding, padding)] * 2 if isinstance(padding, int) else padding

    def ours(kernel, x):
        return layer.apply({"kernel": kernel}, {}, x, train=False)[0]

    def reference(kernel, x):
        return lax.conv_general_dilated(
            x, kernel, (stride, stride), pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    @jax.jit
    def both(kernel, x):
        (y, back), (expected, expected_back) = (jax.vjp(f, kernel, x) for f in (ours, reference))
        cotangent = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
        return (y, *back(cotangent)), (expected, *expected_back(cotangent))

    for actual, expected in zip(*both(images(*shape), x), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_conv_kernel_size_may_be_a_number() -> None:
    x = images(1, 6, 6, 2)
    params, _ = jax.eval_shape(conv(3, 5).init, jax.random.key(0), x)
    assert params["kernel"].shape == (5, 5, 2, 3)
    assert jax.eval_shape(functools.partial(run, conv(3, 5)), x).shape == (1, 6, 6, 3)


@pytest.mark.parametrize(
    ("layer", "shape", "n_in"),
    [
        (dense(200, init=uniform_kaiming), (1, 300), 300),
        (conv(200, 3, init=uniform_kaiming), (1, 4, 4, 40), 360),
    ],
)
def test_uniform_kaiming(layer: Model, shape: tuple[int, ...], n_in: int) -> None:
    params, _ = layer.init(jax.random.key(0), images(*shape))
    for values, bound in (
        (params["kernel"], math.sqrt(6 / n_in)),
        (params["bias"], 1 / math.sqrt(n_in)),
    ):
        assert np.abs(values).max() <= bound
        assert values.min() < -0.9 * bound and values.max() > 0.9 * bound
        deviations = values.size**0.5 * np.mean(values) / (bound / math.sqrt(3))
        assert abs(deviations) < 4


def test_gaussian_and_glorot_initializers() -> None:
    x = images(1, 4, 4, 40)
    params, _ = conv(200, init=he_normal).init(jax.random.key(0), x)
    np.testing.assert_allclose(np.std(params["kernel"]), math.sqrt(2 / 360), rtol=0.02)
    np.testing.assert_array_equal(params["bias"], 0)
    params, _ = dense(200, init=glorot_uniform).init(jax.random.key(0), images(1, 300))
    bound = math.sqrt(6 / 500)
    assert 0.99 * bound < np.abs(params["kernel"]).max() <= bound
    np.testing.assert_array_equal(params["bias"], 0)


def test_activation_and_flatten() -> None:
    x = images(2, 3, 4, 5)
    np.testing.assert_array_equal(run(activation(jnp.abs), x), np.abs(x))
    np.testing.assert_array_equal(run(flatten(), x), np.reshape(x, (2, 60)))
    np.testing.assert_array_equal(run(identity(), x), x)


# Batch norm


@pytest.mark.parametrize("steps", [0, 1, 200])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("offset", [True, False])
def test_batch_norm_agrees_with_numpy(scale: bool, offset: bool, steps: int) -> None:
    rng = np.random.default_rng(0)
    layer = batch_norm(scale=scale, offset=offset)
    batches = (3 * rng.normal(size=(max(steps, 1), 4, 3, 3, 2)) + [1, -2]).astype(np.float32)
    params, state = layer.init(jax.random.key(0), batches[0])
    assert set(params) == {name for name, there in (("scale", scale), ("offset", offset)) if there}
    params = {name: jnp.asarray(rng.normal(size=2).astype(np.float32)) for name in params}
    gamma, beta = params.get("scale", 1.0), params.get("offset", 0.0)

    mean, var = np.zeros(2), np.ones(2)
    apply = jax.jit(layer.apply, static_argnames="train")
    for x in batches[:steps]:
        batch_mean, batch_var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        expected = gamma * (x - batch_mean) / np.sqrt(batch_var + 1e-5) + beta
        mean = 0.9 * mean + 0.1 * batch_mean
        var = 0.9 * var + 0.1 * batch_var
        y, state = apply(params, state, x, train=True)
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)

    np.testing.assert_allclose(state["mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state["var"], var, rtol=1e-5)
    x = batches[0]
    y, after = apply(params, state, x, train=False)
    expected = gamma * (x - mean) / np.sqrt(var + 1e-5) + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, after, state)


def test_batch_norm_constants_and_low_precision() -> None:
    x = images(8, 3)
    layer = batch_norm(momentum=0.5, epsilon=0.1)
    params, state = layer.init(jax.random.key(0), x)
    y, state = layer.apply(params, state, x, train=True)
    mean, var = np.mean(x, 0), np.var(x, 0)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 0.1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(state["mean"], 0.5 * mean, rtol=1e-5)
    np.testing.assert_allclose(state["var"], 0.5 + 0.5 * var, rtol=1e-5)

    # Around 1000, bfloat16 has steps of 4: sums in it would be far off.
    x = jnp.asarray(1000 + 100 * np.random.default_rng(0).normal(size=(4096, 1)), jnp.bfloat16)
    params, state = layer.init(jax.random.key(0), x)
    _, state = layer.apply(params, state, x, train=True)
    wide = np.asarray(x, np.float64)
    np.testing.assert_allclose(state["mean"], 0.5 * wide.mean(), rtol=1e-5)
    np.testing.assert_allclose(state["var"], 0.5 + 0.5 * wide.var(), rtol=1e-4)


# Pools and local response norm


@pytest.mark.parametrize("padding", ["SAME", "VALID", 1])
@pytest.mark.parametrize(("window", "stride"), [(2, None), (3, 2), (3, 1), (2, 3)])
def test_pools_agree_with_reduce_window(window: int, stride: int | None, padding: Padding) -> None:
    x = images(2, 7, 8, 3)
    dims, steps = (1, window, window, 1), (1, stride or window, stride or window, 1)
    pads = padding if isinstance(padding, str) else ((0, 0), (1, 1), (1, 1), (0, 0))

    def largest(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, dims, steps, pads)

    def total(x):
        return lax.reduce_window(x, 0.0, lax.add, dims, steps, pads)

    for layer, reference in (
        (max_pool(window, stride=stride, padding=padding), largest),
        (
            avg_pool(window, stride=stride, padding=padding),
            lambda x: total(x) / total(jnp.ones_like(x)),
        ),
    ):

        @jax.jit
        def both(x, layer=layer, reference=reference):
            ours, back = jax.vjp(lambda x: run(layer, x), x)
            expected, expected_back = jax.vjp(reference, x)
            cotangent = jnp.cos(jnp.arange(ours.size, dtype=ours.dtype)).reshape(ours.shape)
            return (ours, *back(cotangent)), (expected, *expected_back(cotangent))

        for actual, expected in zip(*both(x), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_max_pool_shares_the_gradient_of_ties() -> None:
    gradient = jax.grad(lambda x: run(max_pool(2), x).sum())(jnp.ones((1, 4, 4, 1)))
    np.testing.assert_array_equal(gradient, np.full((1, 4, 4, 1), 0.25))


def test_global_avg_pool() -> None:
    x = images(2, 5, 3, 4)
    np.testing.assert_allclose(run(global_avg_pool(), x), np.mean(x, (1, 2)), rtol=1e-5)


@pytest.mark.parametrize(("radius", "beta"), [(0, 0.6), (1, 0.6), (4, 0.6), (1, 0.75)])
def test_local_response_norm_by_hand(radius: int, beta: float) -> None:
    x = np.asarray(images(2, 2, 3, 6))
    expected = np.empty_like(x)
    for c in range(6):
        window = x[..., max(0, c - radius) : c + radius + 1]
        expected[..., c] = x[..., c] / (2 + 0.3 * (window**2).sum(-1)) ** beta
    actual = run(local_response_norm(radius, bias=2, alpha=0.3, beta=beta), jnp.asarray(x))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


# Dropout


def test_gaussian_noise() -> None:
    x, layer = jnp.full((100, 1000), 3.0), gaussian_noise(0.2)
    noisy, state = layer.apply({}, {}, x, train=True, key=jax.random.key(0))
    assert state == {}
    np.testing.assert_allclose(jnp.mean(noisy), 3.0, atol=0.002)
    np.testing.assert_allclose(jnp.std(noisy), 0.2, rtol=0.02)
    np.testing.assert_array_equal(layer.apply({}, {}, x, train=False)[0], x)
    np.testing.assert_array_equal(gaussian_noise(0.0).apply({}, {}, x, train=True)[0], x)


def test_dropout() -> None:
    x, layer = jnp.ones((100, 1000)), dropout(0.2)
    y, _ = layer.apply({}, {}, x, train=True, key=jax.random.key(0))
    np.testing.assert_allclose(np.unique(y), [0, 1.25])
    assert abs(np.mean(y == 0) - 0.2) < 4 * math.sqrt(0.2 * 0.8 / x.size)
    again, _ = layer.apply({}, {}, x, train=True, key=jax.random.key(0))
    other, _ = layer.apply({}, {}, x, train=True, key=jax.random.key(1))
    np.testing.assert_array_equal(y, again)
    assert np.mean(y != other) == pytest.approx(2 * 0.2 * 0.8, abs=0.01)
    np.testing.assert_array_equal(layer.apply({}, {}, x, train=False)[0], x)
    np.testing.assert_array_equal(dropout(0.0).apply({}, {}, x, train=True)[0], x)


# Bad input


@pytest.mark.parametrize(
    ("build", "shape", "dtype", "message"),
    [
        (lambda: dense(3), (2, 4), np.uint8, "dense: input of dtype uint8; expected a float"),
        (lambda: conv(3), (2, 4, 4, 1), np.uint8, "conv: input of dtype uint8; expected a float"),
        (batch_norm, (2, 4), np.int32, "batch_norm: input of dtype int32"),
        (local_response_norm, (2, 4), np.uint8, "local_response_norm: input of dtype uint8"),
        (lambda: conv(3), (2, 16), np.float32, r"conv: input of shape \(2, 16\); expected images"),
        (lambda: max_pool(2), (2, 16), np.float32, r"max_pool: input of shape \(2, 16\)"),
        (global_avg_pool, (2, 16), np.float32, r"global_avg_pool: input of shape \(2, 16\)"),
        (lambda: max_pool(2), (2, 1, 4, 1), np.float32, "max_pool: an image of 1x4 is too small"),
        (lambda: avg_pool(5), (2, 4, 4, 1), np.float32, "avg_pool: an image of 4x4 is too small"),
        (
            lambda: conv(3, 5, padding="VALID"),
            (2, 4, 4, 1),
            np.float32,
            "conv: an image of 4x4 is too small for a window of 5x5 with padding VALID; use larger",
        ),
        (lambda: max_pool(2, padding=2), (2, 4, 4, 1), np.float32, "windows of padding alone"),
        (lambda: conv(3, stride=0), (2, 4, 4, 1), np.float32, "conv: stride 0; expected at least"),
        (
            lambda: conv(3, padding="FULL"),  # type: ignore[arg-type]
            (2, 4, 4, 1),
            np.float32,
            "conv: padding 'FULL'; expected 'SAME', 'VALID', a number",
        ),
        (lambda: conv(3, 0), (2, 4, 4, 1), np.float32, "conv: kernel 0; expected at least 1"),
        (lambda: max_pool(0), (2, 4, 4, 1), np.float32, "max_pool: window 0; expected at least"),
        (lambda: conv(0), (2, 4, 4, 1), np.float32, "conv: 0 channels; expected at least 1"),
        (lambda: dense(0), (2, 4), np.float32, "dense: width 0; expected at least 1"),
        (lambda: dropout(1.0), (2, 4), np.float32, r"dropout: rate 1.0; expected .* \[0, 1\)"),
        (lambda: dropout(-0.1), (2, 4), np.float32, "dropout: rate -0.1"),
        (lambda: gaussian_noise(-1.0), (2, 4), np.float32, "gaussian_noise: deviation -1.0"),
    ],
)
def test_bad_input(
    build: Callable[[], Model], shape: tuple[int, ...], dtype: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        build().init(jax.random.key(0), jax.ShapeDtypeStruct(shape, dtype))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layer", [dropout, gaussian_noise])
def test_what_is_random_needs_a_key(layer) -> None:
    name = layer.__name__
    with pytest.raises(InputError, match=rf"{name}: train=True without a key; call .*key="):
        layer(0.5).apply({}, {}, jnp.ones((2, 3)), train=True)
