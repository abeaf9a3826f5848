"""The convolution on CPU against ``lax.conv_general_dilated``, in every mode and transformation."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rote.convolution import Pads, convolve

NONE: Pads = ((0, 0), (0, 0))
CASES: list[tuple[tuple[int, int], int, Pads]] = [
    ((1, 1), 1, NONE),
    ((1, 1), 2, NONE),
    ((1, 1), 2, ((3, 2), (0, 4))),
    ((2, 2), 1, ((0, 1), (0, 1))),
    ((3, 3), 1, ((1, 1), (1, 1))),
    ((3, 3), 2, NONE),
    ((3, 3), 2, ((0, 1), (0, 1))),
    ((4, 3), 3, ((0, 1), (2, 0))),
    ((5, 1), 2, ((2, 2), (0, 0))),
    ((2, 4), 5, ((4, 0), (1, 6))),
]


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    with jax.numpy_dtype_promotion("strict"):
        yield


def arrays(*shapes: tuple[int, ...], dtype: Any = np.float32) -> list[jax.Array]:
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=shape).astype(dtype)) for shape in shapes]


def native(x: jax.Array, kernel: jax.Array, stride: int, pads: Pads) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def assert_equal_trees(actual: Any, expected: Any, tolerance: float) -> None:
    def compare(a, b):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)

    jax.tree.map(compare, actual, expected)


@pytest.mark.parametrize(("window", "stride", "pads"), CASES)
def test_every_derivative_is_the_native_one(
    window: tuple[int, int], stride: int, pads: Pads
) -> None:
    with jax.enable_x64(True):
        shapes = (2, 8, 7, 3), (*window, 3, 4)
        point = arrays(*shapes, dtype=np.float64)
        direction = [jnp.cos(3 * array) for array in point]

        def derivatives(function: Callable[..., jax.Array]) -> Any:
            def loss(point):
                return jnp.sin(function(*point, stride, pads)).sum()

            def slope(point):
                return jax.jvp(loss, (point,), (direction,))

            forward_over_reverse = jax.jvp(jax.grad(loss), (point,), (direction,))
            reverse_over_forward = jax.grad(lambda point: slope(point)[1])(point)
            gradient = jax.grad(loss)
            third = jax.grad(
                lambda p: sum((u * v).sum() for u, v in zip(gradient(p), direction, strict=True))
            )
            return slope(point), forward_over_reverse, reverse_over_forward, third(point)

        actual, expected = jax.jit(lambda: (derivatives(convolve), derivatives(native)))()
        assert_equal_trees(actual, expected, 1e-10)


@pytest.mark.parametrize(("window", "stride", "pads"), CASES)
def test_float32_and_bfloat16(window: tuple[int, int], stride: int, pads: Pads) -> None:
    """XLA computes float32 with other code than float64."""
    x, kernel = arrays((2, 8, 7, 3), (*window, 3, 4))

    @jax.jit
    def gradients(x, kernel):
        def of(function):
            y, back = jax.vjp(lambda x, kernel: function(x, kernel, stride, pads), x, kernel)
            return y, back(jnp.cos(y))

        return of(convolve), of(native)

    assert_equal_trees(*gradients(x, kernel), 1e-4)
    low = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (x, kernel))
    actual, expected = gradients(*low)
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(actual))

    def to_float(tree):
        return jax.tree.map(lambda a: a.astype(jnp.float32), tree)

    assert_equal_trees(to_float(actual), to_float(expected), 0.1)


@pytest.mark.parametrize("axes", [(1, None), (None, 2), (2, 0), (0, 0)])
def test_vmap(axes: tuple[int | None, int | None]) -> None:
    x, kernel = arrays((3, 2, 6, 5, 2), (3, 3, 2, 2, 4))
    x = x[0] if axes[0] is None else jnp.moveaxis(x, 0, axes[0])
    kernel = kernel[0] if axes[1] is None else jnp.moveaxis(kernel, 0, axes[1])

    def gradient(function):
        def loss(x, kernel):
            return jnp.sin(function(x, kernel, 2, ((1, 1), (0, 1)))).sum()

        return jax.vmap(jax.grad(loss, (0, 1)), axes)

    actual, expected = jax.jit(
        lambda x, kernel: (gradient(convolve)(x, kernel), gradient(native)(x, kernel))
    )(x, kernel)
    assert_equal_trees(actual, expected, 1e-4)


def test_hessian_vector_products_in_loops() -> None:
    x, kernel = arrays((2, 6, 6, 2), (3, 3, 2, 2))
    pads = ((1, 1), (1, 1))

    def power(function):
        def loss(kernel):
            return jnp.tanh(function(x, kernel, 1, pads)).sum()

        def multiply(direction):
            return jax.jvp(jax.grad(loss), (kernel,), (direction,))[1]

        def body(direction, _):
            return multiply(direction), loss(direction)

        scanned, losses = lax.scan(body, kernel, length=2)
        _, looped = lax.while_loop(
            lambda c: c[0] < 2, lambda c: (c[0] + 1, multiply(c[1])), (0, kernel)
        )
        through_scan = jax.grad(lambda k: lax.scan(body, k, length=2)[1].sum())(kernel)
        return scanned, looped, losses, through_scan

    actual, expected = jax.jit(lambda: (power(convolve), power(native)))()
    assert_equal_trees(actual, expected, 1e-3)
    np.testing.assert_array_equal(actual[0], actual[1])


@pytest.mark.parametrize("specs", [(P("i"), P()), (P(), P(None, None, None, "i"))])
def test_shard_map(specs: tuple[P, P]) -> None:
    """With its check on, whichever operand the devices share."""
    mesh = Mesh(jax.devices()[:2], ("i",))
    x, kernel = arrays((4, 5, 5, 2), (3, 3, 2, 4))

    def loss(x, kernel):
        return jnp.sin(convolve(x, kernel, 1, NONE)).sum()

    @jax.jit
    @jax.shard_map(mesh=mesh, in_specs=specs, out_specs=specs)
    def sharded(x, kernel):
        return jax.grad(lambda x, kernel: lax.psum(loss(x, kernel), "i"), (0, 1))(x, kernel)

    assert_equal_trees(sharded(x, kernel), jax.jit(jax.grad(loss, (0, 1)))(x, kernel), 1e-4)


def test_a_batch_over_devices() -> None:
    mesh = Mesh(jax.devices()[:2], ("i",))
    x, kernel = arrays((4, 5, 5, 2), (3, 3, 2, 4))

    @jax.jit
    def gradient(x, kernel):
        return jax.grad(lambda *args: jnp.sin(convolve(*args, 2, NONE)).sum(), (0, 1))(x, kernel)

    over_devices = jax.device_put(x, NamedSharding(mesh, P("i")))
    shared = jax.device_put(kernel, NamedSharding(mesh, P()))
    assert_equal_trees(gradient(over_devices, shared), gradient(x, kernel), 1e-4)


def test_outside_jit_and_with_two_dtypes() -> None:
    x, kernel = arrays((2, 6, 6, 2), (3, 3, 2, 2))
    np.testing.assert_allclose(
        convolve(x, kernel, 1, NONE), native(x, kernel, 1, NONE), rtol=1e-5, atol=1e-5
    )
    with jax.numpy_dtype_promotion("standard"):
        assert convolve(x.astype(jnp.bfloat16), kernel, 1, NONE).dtype == jnp.float32
