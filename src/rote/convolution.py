"""The 2-D convolution, in the formulation that suits the platform.

XLA's CPU backend has a fast convolution for images NHWC and kernels HWIO. The gradient that JAX
derives has other layouts; XLA rewrites these outside loops only, and inside ``scan`` or
``while_loop`` runs them up to a hundred times slower (jax issue 12868). Hence a primitive of our
own on CPU. Both transposes of a convolution are convolutions, so they are written as the same
primitive, with its layouts, and JAX builds every derivative of any order from these.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

Pads = tuple[tuple[int, int], ...]
_LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(x: jax.Array, kernel: jax.Array, stride: int, pads: Pads) -> jax.Array:
    """The cross-correlation of images and a kernel; differentiable any number of times.

    A primitive of our own on CPU, native on accelerators and where a mesh's axes are explicit
    (JAX then puts shardings into types, by rules of its own): chosen when it is traced.

    Args:
      x: images ``[B, H, W, C]``.
      kernel: ``[height, width, C, D]``.
      stride: step of the window along both axes.
      pads: ``((top, bottom), (left, right))``.

    Returns:
      ``[B, H', W', D]``, in the wider dtype of the two.
    """
    dtype = jnp.result_type(x, kernel)
    x, kernel = jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)
    explicit = any(jax.typeof(array).sharding.mesh.explicit_axes for array in (x, kernel))
    if jax.default_backend() != "cpu" or explicit:
        return _native(x, kernel, stride=stride, pads=pads, x_dilation=1, kernel_dilation=1)
    x, kernel = _vary_alike(x, kernel)
    return _bind(x, kernel, stride, pads, 1, 1)


def _native(x, kernel, *, stride, pads, x_dilation, kernel_dilation):
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        pads,
        lhs_dilation=(x_dilation, x_dilation),
        rhs_dilation=(kernel_dilation, kernel_dilation),
        dimension_numbers=_LAYOUT,
    )


def _vary_alike(x, kernel):
    """Inside ``shard_map``: both marked as varying along the axes where either varies."""
    axes = [jax.typeof(array).mat.varying for array in (x, kernel)]
    return tuple(
        lax.pcast(array, tuple((axes[0] | axes[1]) - own), to="varying")
        for array, own in zip((x, kernel), axes, strict=True)
    )


def _bind(x, kernel, stride, pads, x_dilation, kernel_dilation):
    return _convolution.bind(
        x,
        kernel,
        stride=stride,
        pads=tuple(pads),
        x_dilation=x_dilation,
        kernel_dilation=kernel_dilation,
    )


def _span(size: int, dilation: int) -> int:
    return (size - 1) * dilation + 1


def _out_aval(x, kernel, *, stride, pads, x_dilation, kernel_dilation):
    height, width = (
        (_span(size, x_dilation) + sum(pad) - _span(length, kernel_dilation)) // stride + 1
        for size, length, pad in zip(x.shape[1:3], kernel.shape[:2], pads, strict=True)
    )
    return x.update(shape=(x.shape[0], height, width, kernel.shape[3]), weak_type=False)


def _transpose_x(g, x, kernel, *, stride, pads, x_dilation, kernel_dilation):
    """The cotangent of x: g, dilated by the stride, with the turned kernel."""
    sizes = zip(x.aval.shape[1:3], kernel.shape[:2], g.shape[1:3], pads, strict=True)
    back = []
    for size, length, out, (before, _) in sizes:
        reach = _span(length, kernel_dilation) - 1
        back.append((reach - before, _span(size, x_dilation) + before - _span(out, stride)))
    turned = jnp.swapaxes(lax.rev(kernel, (0, 1)), 2, 3)
    return _bind(g, turned, x_dilation, back, stride, kernel_dilation)


def _transpose_kernel(g, x, kernel, *, stride, pads, x_dilation, kernel_dilation):
    """The cotangent of the kernel: x with g as the kernel, images and channels interchanged."""
    sizes = zip(x.shape[1:3], kernel.aval.shape[:2], g.shape[1:3], pads, strict=True)
    back = []
    for size, length, out, (before, _) in sizes:
        reach = _span(length, kernel_dilation) - 1
        back.append((before, reach - before + _span(out, stride) - _span(size, x_dilation)))
    y = _bind(
        x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3), kernel_dilation, back, x_dilation, stride
    )
    return y.transpose(1, 2, 0, 3)


def _batch(operands, axes, **params):
    """Many images are more images, many kernels more channels, many of both one after another.

    The last would natively be a grouped convolution, which is slow on CPU.
    """
    x, kernel = operands
    x_axis, kernel_axis = axes
    if kernel_axis is None:
        x = jnp.moveaxis(x, x_axis, 0)
        y = _convolution.bind(x.reshape(-1, *x.shape[2:]), kernel, **params)
        return y.reshape(*x.shape[:2], *y.shape[1:]), 0
    if x_axis is None:
        kernel = jnp.moveaxis(kernel, kernel_axis, 3)
        y = _convolution.bind(x, kernel.reshape(*kernel.shape[:3], -1), **params)
        return y.reshape(*y.shape[:3], *kernel.shape[3:]), 3
    pairs = jnp.moveaxis(x, x_axis, 0), jnp.moveaxis(kernel, kernel_axis, 0)
    return lax.map(lambda pair: _convolution.bind(*pair, **params), pairs), 0


_convolution = Primitive("rote_convolution")
_convolution.def_impl(
    jax.jit(_native, static_argnames=("stride", "pads", "x_dilation", "kernel_dilation"))
)
_convolution.def_abstract_eval(_out_aval)
ad.defbilinear(_convolution, _transpose_x, _transpose_kernel)
batching.primitive_batchers[_convolution] = _batch
mlir.register_lowering(_convolution, mlir.lower_fun(_native, multiple_results=False))
