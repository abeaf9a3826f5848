"""The layers. Each is a ``Model``: a pair of pure functions (see ``rote.core.Model``).

Images are NHWC. Layers compute in the dtype of their input and create parameters in JAX's default
float dtype (float64 where x64 is enabled); there are no dtype arguments. Every layer can be
differentiated any number of times, forward and reverse, inside and outside ``jax.lax.scan``.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from rote.convolution import convolve
from rote.core import InputError, Model, Params

Initializer = Callable[..., jax.Array]
"""``(key, shape, dtype) -> array``, as in ``jax.nn.initializers``."""
Padding = Literal["SAME", "VALID"] | int | Sequence[tuple[int, int]]
"""``"SAME"``, ``"VALID"``, one number for all four sides, or ``((top, bottom), (left, right))``."""


class Init(NamedTuple):
    """How a layer's parameters start.

    Attributes:
      kernel: initializer of the weights, any of ``jax.nn.initializers``.
      bias: the initializer of the biases, given the number of inputs ``n_in`` of one unit.

    >>> standard_normal = jax.nn.initializers.normal(1.0)
    >>> nielsen = Init(standard_normal, lambda n_in: standard_normal)
    """

    kernel: Initializer
    bias: Callable[[int], Initializer] = lambda n_in: jax.nn.initializers.zeros


def _uniform_bias(n_in: int) -> Initializer:
    def init(key: jax.Array, shape: Sequence[int], dtype: Any) -> jax.Array:
        bound = 1 / math.sqrt(n_in)
        return jax.random.uniform(key, shape, dtype, minval=-bound, maxval=bound)

    return init


he_normal = Init(jax.nn.initializers.he_normal())
r"""Weights :math:`N(0, 2/n_{in})`, cut at two deviations; biases 0 (He et al. 2015, eq. 10)."""

uniform_kaiming = Init(jax.nn.initializers.he_uniform(), _uniform_bias)
r"""Weights :math:`\sqrt{6/n_{in}}\,U[-1, 1]`, biases :math:`U[-1, 1]/\sqrt{n_{in}}`."""

glorot_uniform = Init(jax.nn.initializers.glorot_uniform())
r"""Weights :math:`\sqrt{6/(n_{in}+n_{out})}\,U[-1, 1]`; biases 0 (Glorot, Bengio 2010, eq. 16)."""


def _stateless(
    kind: str,
    function: Callable[[Params, jax.Array], jax.Array],
    init: Callable[[jax.Array, Any], Params] = lambda key, example: {},
) -> Model:
    """A layer that gives ``function(params, x)``; ``kind`` names it in summaries and profiles."""

    def apply(params, state, x, *, train, key=None):
        del train, key
        with jax.named_scope(kind):
            return function(params, x), state

    return Model(lambda key, example: (init(key, example), {}), apply)


def identity() -> Model:
    """Returns its input."""
    return _stateless("identity", lambda params, x: x)


def activation(function: Callable[[jax.Array], jax.Array]) -> Model:
    """Applies ``function`` to the whole array: ``activation(jax.nn.relu)``.

    Args:
      function: any of ``jax.nn``, or a function of one array that keeps the batch axis.
    """
    return _stateless("activation", lambda params, x: function(x))


def flatten() -> Model:
    """Joins all axes but the first: ``[B, ...] -> [B, F]``."""
    return _stateless("flatten", lambda params, x: x.reshape(x.shape[0], -1))


def dense(width: int, *, bias: bool = True, init: Init = he_normal) -> Model:
    r"""The fully connected layer :math:`y = xW + b`.

    Args:
      width: number of units, at least 1.
      bias: whether ``b`` is there.
      init: how weights and biases start.

    Returns:
      A model ``[..., F] -> [..., width]`` with parameters ``kernel [F, width]``, ``bias [width]``.
    """
    _require(width >= 1, f"dense: width {width}; expected at least 1")

    def make(key, example):
        _require_float("dense", example)
        return _affine_params(key, (example.shape[-1], width), bias, init)

    return _stateless("dense", lambda params, x: _add_bias(params, x @ params["kernel"]), make)


def conv(
    channels: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    padding: Padding = "SAME",
    bias: bool = True,
    init: Init = he_normal,
) -> Model:
    r"""The 2-D convolution (cross-correlation, as the field has it).

    .. math:: y_{bhwd} = \sum_{i,j,c} x_{b,\,sh+i,\,sw+j,\,c}\,W_{ijcd} + b_d

    ``"SAME"`` pads so that the output has ``ceil(size / stride)`` rows, with an extra row or
    column at the end, as TensorFlow does; PyTorch's ``padding=p`` is ``padding=p`` here.

    Args:
      channels: number of output channels.
      kernel: window height and width, one number for both.
      stride: step of the window along both axes.
      padding: see ``Padding``.
      bias: whether ``b`` is there.
      init: how weights and biases start; ``n_in`` is height x width x input channels.

    Returns:
      A model ``[B, H, W, C] -> [B, H', W', channels]`` with parameters
      ``kernel [height, width, C, channels]``, ``bias [channels]``.
    """
    window = tuple(kernel) if isinstance(kernel, tuple) else (kernel, kernel)
    _require(min(window) >= 1, f"conv: kernel {kernel}; expected at least 1")
    _require(channels >= 1, f"conv: {channels} channels; expected at least 1")

    def make(key, example):
        _require_image("conv", example)
        _require_float("conv", example)
        _window_pads("conv", example.shape, window, stride, padding)
        return _affine_params(key, (*window, example.shape[-1], channels), bias, init)

    def function(params, x):
        pads = _window_pads("conv", x.shape, window, stride, padding)
        return _add_bias(params, convolve(x, params["kernel"], stride, pads))

    return _stateless("conv", function, make)


def batch_norm(
    *, scale: bool = True, offset: bool = True, momentum: float = 0.9, epsilon: float = 1e-5
) -> Model:
    r"""Batch normalization over all axes but the last.

    .. math:: y = \gamma\,\frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    With ``train=True`` :math:`\mu, \sigma^2` are the batch's mean and biased variance (divided by
    the number of elements), and the running statistics move to
    ``momentum * running + (1 - momentum) * batch``; the variance that enters is the same biased one
    (PyTorch uses the unbiased one there). With ``train=False`` the running statistics are used and
    returned unchanged. They start at mean 0 and variance 1. Statistics are computed in float32 or
    wider whatever the input's dtype, and the result is cast back.

    Args:
      scale: whether the learned factor gamma is there.
      offset: whether the learned term beta is there.
      momentum: weight of the old running statistics, in [0, 1].
      epsilon: added to the variance.

    Returns:
      A model ``[..., C] -> [..., C]`` with parameters ``scale [C]``, ``offset [C]`` and state
      ``mean [C]``, ``var [C]``.

    Reference:
      Ioffe and Szegedy 2015, algorithms 1 and 2.
    """

    def init(key, example):
        del key
        _require_float("batch_norm", example)
        shape = (example.shape[-1],)
        params = {}
        if scale:
            params["scale"] = jnp.ones(shape)
        if offset:
            params["offset"] = jnp.zeros(shape)
        return params, {"mean": jnp.zeros(shape), "var": jnp.ones(shape)}

    def apply(params, state, x, *, train, key=None):
        del key
        with jax.named_scope("batch_norm"):
            x = jnp.asarray(x)
            wide = x.astype(x.dtype if jnp.finfo(x.dtype).bits > 32 else jnp.float32)
            mean, var = state["mean"], state["var"]
            if train:
                axes = tuple(range(x.ndim - 1))
                mean, var = jnp.mean(wide, axes), jnp.var(wide, axes)
                batch = {"mean": mean, "var": var}
                state = jax.tree.map(
                    lambda old, new: momentum * old + (1 - momentum) * new.astype(old.dtype),
                    state,
                    batch,
                )
            factor = lax.rsqrt(var.astype(wide.dtype) + epsilon)
            if scale:
                factor = factor * params["scale"].astype(wide.dtype)
            y = (wide - mean.astype(wide.dtype)) * factor
            if offset:
                y = y + params["offset"].astype(wide.dtype)
            return y.astype(x.dtype), state

    return Model(init, apply)


def local_response_norm(
    radius: int = 4, *, bias: float = 1.0, alpha: float = 0.001 / 9, beta: float = 0.75
) -> Model:
    r"""Local response normalization across channels.

    .. math:: y_c = x_c \Big/ \Big(\text{bias} + \alpha \sum_{|c'-c| \le r} x_{c'}^2\Big)^{\beta}

    The sum is not divided by the window's size. The defaults are the constants of the TensorFlow
    CIFAR-10 tutorial; its ``depth_radius=4`` is a window of nine channels (PyTorch's ``size`` is
    the whole window, and its ``alpha`` is divided by it).

    Args:
      radius: channels on either side that count.
      bias: added to the sum; positive.
      alpha: factor of the sum.
      beta: exponent.

    Reference:
      Krizhevsky et al. 2012, section 3.3.
    """

    def function(params, x):
        # Shifted slices instead of the product would have XLA compute the power once per slice.
        x, index = jnp.asarray(x), np.arange(x.shape[-1])
        band = jnp.asarray(np.abs(index[:, None] - index) <= radius, x.dtype)
        total = jnp.matmul(x * x, band, precision="highest")
        return x * _inverse_power(bias + alpha * total, beta)

    def make(key, example):
        _require_float("local_response_norm", example)
        return {}

    return _stateless("local_response_norm", function, make)


def _inverse_power(x: jax.Array, exponent: float) -> jax.Array:
    if exponent != 0.75:
        return x**-exponent
    root = lax.rsqrt(x)  # two roots are cheaper than a logarithm and an exponential
    return root * jnp.sqrt(root)


def dropout(rate: float) -> Model:
    """Zeroes each element with probability ``rate`` and divides the others by ``1 - rate``.

    Acts with ``train=True`` only, and needs a ``key`` there.

    Args:
      rate: probability of dropping, in [0, 1).

    Raises:
      InputError: if ``rate`` is outside [0, 1), or ``train=True`` and there is no key.

    Reference:
      Srivastava et al. 2014, in the inverted form.
    """
    _require(0 <= rate < 1, f"dropout: rate {rate}; expected a probability of dropping in [0, 1)")

    def apply(params, state, x, *, train, key=None):
        del params
        if not train or rate == 0:
            return x, state
        _require(
            key is not None,
            "dropout: train=True without a key; call apply(..., train=True, key=jax.random.key(0))",
        )
        with jax.named_scope("dropout"):
            keep = jax.random.bernoulli(key, 1 - rate, x.shape)
            return jnp.where(keep, x / (1 - rate), 0), state

    return Model(lambda key, example: ({}, {}), apply)


def gaussian_noise(deviation: float) -> Model:
    r"""Adds noise :math:`\eta \sim \mathcal{N}(0, \sigma^2)` to each element.

    Acts with ``train=True`` only, and needs a ``key`` there.

    Args:
      deviation: the noise's standard deviation :math:`\sigma`, in units of the input.

    Raises:
      InputError: if it is negative, or ``train=True`` and there is no key.

    Reference:
      Bishop 1995, Training with noise is equivalent to Tikhonov regularization.
    """
    _require(deviation >= 0, f"gaussian_noise: deviation {deviation}; expected 0 or more")

    def apply(params, state, x, *, train, key=None):
        del params
        if not train or deviation == 0:
            return x, state
        _require(
            key is not None,
            "gaussian_noise: train=True without a key; call apply(..., train=True, "
            "key=jax.random.key(0))",
        )
        with jax.named_scope("gaussian_noise"):
            x = jnp.asarray(x)
            noise = jax.random.normal(key, x.shape, jnp.float32)  # the same draws in every dtype
            return x + (deviation * noise).astype(x.dtype), state

    return Model(lambda key, example: ({}, {}), apply)


def max_pool(window: int = 2, *, stride: int | None = None, padding: Padding = "VALID") -> Model:
    """The largest element of each window, per channel.

    Where several elements tie, the gradient is shared among them.

    Args:
      window: height and width of the window.
      stride: step of the window; by default ``window``.
      padding: see ``Padding``; padded elements never win.
    """
    return _pool("max_pool", window, stride, padding, jnp.maximum, -jnp.inf)


def avg_pool(window: int = 2, *, stride: int | None = None, padding: Padding = "VALID") -> Model:
    """The mean of each window, per channel; padded elements do not count.

    Args:
      window: height and width of the window.
      stride: step of the window; by default ``window``.
      padding: see ``Padding``.
    """
    return _pool("avg_pool", window, stride, padding, jnp.add, 0)


def global_avg_pool() -> Model:
    """The mean over height and width: ``[B, H, W, C] -> [B, C]``."""

    def make(key, example):
        _require_image("global_avg_pool", example)
        return {}

    return _stateless("global_avg_pool", lambda params, x: jnp.mean(x, (1, 2)), make)


def _pool(kind, window, stride, padding, combine, fill) -> Model:
    _require(window >= 1, f"{kind}: window {window}; expected at least 1")
    stride = window if stride is None else stride

    def init(key, example):
        _require_image(kind, example)
        pads = _window_pads(kind, example.shape, (window, window), stride, padding)
        _require(
            np.max(pads) < window,
            f"{kind}: padding {padding} with a window of {window}x{window} gives windows of "
            "padding alone; give a padding smaller than the window",
        )
        return {}

    def function(params, x):
        pads = _window_pads(kind, x.shape, (window, window), stride, padding)
        y = _slide(x, window, stride, pads, combine, fill)
        if kind == "avg_pool":  # divide by how many elements of the window lie inside the image
            ones = np.ones((1, *x.shape[1:3], 1), x.dtype)
            y = y / _slide(ones, window, stride, pads, combine, fill)
        return y

    return _stateless(kind, function, init)


def _slide(x, window, stride, pads, combine, fill):
    """Reduces each window with ``combine``, one axis at a time, over shifted strided slices.

    Equal to ``lax.reduce_window`` (tests), whose gradient is slow on CPU, and differentiable in
    every mode.
    """
    for axis, pad in zip((1, 2), pads, strict=True):
        widths = [(0, 0)] * 4
        widths[axis] = pad
        x = jnp.pad(x, widths, constant_values=fill)
        span = (x.shape[axis] - window) // stride * stride + 1
        parts = [lax.slice_in_dim(x, i, i + span, stride=stride, axis=axis) for i in range(window)]
        x = parts[0]
        for part in parts[1:]:
            x = combine(x, part)
    return x


def _affine_params(key, shape, bias, init):
    kernel_key, bias_key = jax.random.split(key)
    dtype = jax.dtypes.canonicalize_dtype(float)
    params = {"kernel": init.kernel(kernel_key, shape, dtype)}
    if bias:
        params["bias"] = init.bias(math.prod(shape[:-1]))(bias_key, shape[-1:], dtype)
    return params


def _add_bias(params, y):
    return y + params["bias"] if "bias" in params else y


def _window_pads(kind, shape, window, stride, padding) -> tuple[tuple[int, int], ...]:
    """The explicit padding of height and width; an error where no window fits the image."""
    _require(stride >= 1, f"{kind}: stride {stride}; expected at least 1")
    if isinstance(padding, str):
        _require(
            padding in ("SAME", "VALID"),
            f"{kind}: padding {padding!r}; expected 'SAME', 'VALID', a number or "
            "((top, bottom), (left, right))",
        )
        pads = lax.padtype_to_pads(shape[1:3], window, (stride, stride), padding)
    elif isinstance(padding, int):
        pads = [(padding, padding)] * 2
    else:
        pads = [tuple(pad) for pad in padding]
    for size, length, pad in zip(shape[1:3], window, pads, strict=True):
        _require(
            size + sum(pad) >= length,
            f"{kind}: an image of {shape[1]}x{shape[2]} is too small for a window of "
            f"{window[0]}x{window[1]} with padding {padding}; use larger images or a smaller net",
        )
    return tuple(pads)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)


def _require_image(kind, example) -> None:
    _require(
        len(example.shape) == 4,
        f"{kind}: input of shape {example.shape}; expected images [B, H, W, C]",
    )


def _require_float(kind, example) -> None:
    _require(
        jnp.issubdtype(example.dtype, jnp.floating),
        f"{kind}: input of dtype {example.dtype}; expected a float dtype "
        "(rote.transforms.unit_scale() turns stored uint8 images into floats)",
    )
