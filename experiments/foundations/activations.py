"""Activations: value, derivative, saturation, blocking, and what a deep stack makes of them.

Claims: the derivative of the sigmoid is at most 1/4, so that a deep stack of sigmoids loses its
gradient; where it is large in absolute value an input saturates (almost no derivative), where it is
negative a ReLU blocks (no derivative at all); how the weights start decides whether signal and
gradient arrive at the other end.

Source: LeCun, Bottou, Orr and Mueller, Efficient BackProp, 1998; Glorot and Bengio 2010; He et al.
2015, section 2.2; Nair and Hinton 2010 (ReLU).

Expected: jax.grad equals the closed form (float32: to 1e-6); sup of the derivative 0.25 for the
sigmoid, 1 for tanh and ReLU. For a stack of L layers of n units the standard deviation of the
signal goes with (n var(w) / 2)^(L/2) under ReLU: 1 for Kaiming, 2^(-L/2) for Glorot on equal
widths.

The convention at ReLU's kink: JAX's relu has the derivative 0 at 0 (any value in [0, 1] is a
subgradient).

  sup        the largest derivative on a grid from -20 to 20; softplus comes to its sup, 1, only at
             infinity, and in float32 before 20
  saturated  the derivative is below 1 % of its sup, or 0; see rote.measure.saturation
  blocked    the derivative is 0 (of tanh: because float32 rounds tanh to 1)
  The last two are shares of inputs drawn from N(0, s^2), s = 1 and 5.

Command: python experiments/foundations/activations.py --preset smoke
  smoke  20 layers of 100 units, three seeds; seconds
  cpu    the same with 50 layers of 200 units, ten seeds; two minutes on two shared cores

Left open by the course: depth and width of the stack; what is too small (standard deviation 0.01)
and too large (0.3, three deviations of Glorot's at width 100, four at 200).
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rote import cli, layers, measure, tables, viz
from rote.core import Params, unknown_name
from rote.studies.config import check_list, check_positive, check_seeds
from rote.tables import Column


class Activation(NamedTuple):
    """A function and its derivative in closed form."""

    function: Callable[[jax.Array], jax.Array]
    derivative: Callable[[np.ndarray], np.ndarray]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _normal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distribution function and density of the standard normal distribution."""
    from scipy.special import ndtr

    return ndtr(x), np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def _gelu_derivative(x: np.ndarray) -> np.ndarray:
    below, density = _normal(x)
    return below + x * density


ACTIVATIONS = {
    "sigmoid": Activation(jax.nn.sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x))),
    "tanh": Activation(jnp.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "relu": Activation(jax.nn.relu, lambda x: (x > 0).astype(float)),
    "leaky_relu": Activation(
        lambda x: jax.nn.leaky_relu(x, 0.01), lambda x: np.where(x < 0, 0.01, 1.0)
    ),
    "elu": Activation(jax.nn.elu, lambda x: np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))),
    "softplus": Activation(jax.nn.softplus, _sigmoid),
    "silu": Activation(jax.nn.silu, lambda x: _sigmoid(x) * (1 + x * (1 - _sigmoid(x)))),
    "gelu": Activation(lambda x: jax.nn.gelu(x, approximate=False), _gelu_derivative),
}
STARTS = {
    "uniform Kaiming": layers.uniform_kaiming,
    "Glorot": layers.glorot_uniform,
    "too small": layers.Init(jax.nn.initializers.normal(0.01)),
    "too large": layers.Init(jax.nn.initializers.normal(0.3)),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the activations."""

    activations: tuple[str, ...] = tuple(ACTIVATIONS)
    """Which activations."""
    in_the_stack: tuple[str, ...] = ("sigmoid", "tanh", "relu")
    """Which of them a deep stack is built of."""
    depth: int = 20
    """Layers of the stack."""
    width: int = 100
    """Units of each."""
    batch: int = 200
    """Inputs, normal, that go through the stack."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of weights and inputs."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("activations", "in_the_stack"):
            check_list(name, getattr(self, name))
        for name in ("depth", "width", "batch"):
            check_positive(name, getattr(self, name))
        for name in (*self.activations, *self.in_the_stack):
            if name not in ACTIVATIONS:
                raise unknown_name("activation", name, ACTIVATIONS)


PRESETS = {"smoke": Config(), "cpu": Config(depth=50, width=200, seeds=tuple(range(10)))}


def run(config: Config, out: cli.Job) -> None:
    """Compares derivatives, counts saturation, sends signals through stacks."""
    grid = np.linspace(-6, 6, 481)
    curves = [
        {"activation": name, "x": float(x), "value": float(value), "derivative": float(slope)}
        for name in config.activations
        for x, value, slope in zip(grid, *value_and_slope(name, grid), strict=True)
    ]
    table = [measure_one(name) for name in config.activations]
    out.save_figure(
        "activations",
        viz.lines(curves, x="x", y=("value", "derivative"), by="activation", title="Activations"),
    )
    signals = [
        row
        for name in config.in_the_stack
        for start in STARTS
        for seed in config.seeds
        for row in through_the_stack(config, name, start, seed)
    ]
    for column, what in (("signal", "Signal"), ("gradient", "Gradient")):
        figure = viz.lines(
            signals,
            x="layer",
            y=column,
            by="start",
            panel="activation",
            log=(column,),
            title=f"{what} by layer: {config.depth} layers of {config.width} units",
        )
        out.save_figure(column, figure)
    ends = [row for row in signals if row["layer"] == config.depth]
    firsts = {
        (row["activation"], row["start"], row["seed"]): row["gradient"]
        for row in signals
        if row["layer"] == 1
    }
    for row in ends:
        first = firsts[row["activation"], row["start"], row["seed"]]
        row["first_gradient"] = math.log10(first / row["gradient"]) if first else None
        row["log_signal"] = math.log10(row["signal"]) if row["signal"] else None
    stacks = tables.summarize(
        ends,
        ["activation", "start"],
        {
            "signal of the last layer, log10": Column("log_signal", 2, above="outside float32"),
            "gradient of the first over the last, log10": Column(
                "first_gradient", 2, above="outside float32"
            ),
        },
    )
    text = f"{tables.format_table(table)}\n\n{tables.format_table(stacks)}"
    out.finish(text, table=table, signals=signals, summary=stacks)


def value_and_slope(name: str, x: jax.typing.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives by ``jax.grad``, at every entry."""
    function = ACTIVATIONS[name].function
    at = jnp.asarray(x, jnp.result_type(float))
    return np.asarray(function(at)), np.asarray(jax.vmap(jax.grad(function))(at))


def measure_one(name: str) -> dict[str, Any]:
    """The derivative: against the closed form, its sup, at 0, and where there is none."""
    grid = np.linspace(-20, 20, 16_001)
    slope = value_and_slope(name, grid)[1]
    row: dict[str, Any] = {
        "activation": name,
        "sup of the derivative": float(slope.max()),
        "derivative at 0": float(value_and_slope(name, np.zeros(1))[1][0]),
        "jax.grad - closed form": f"{np.abs(slope - ACTIVATIONS[name].derivative(grid)).max():.0e}",
    }
    random = np.random.default_rng(0).normal(size=100_000)
    for scale in (1, 5):
        inputs = jnp.asarray(scale * random, jnp.result_type(float))
        saturated = float(measure.saturation(ACTIVATIONS[name].function, inputs))
        blocked = np.mean(value_and_slope(name, inputs)[1] == 0)
        row[f"saturated, s={scale}"] = f"{100 * saturated:.1f} %"
        row[f"blocked, s={scale}"] = f"{100 * blocked:.1f} %"
    return row


def size(array: np.ndarray, of: Callable[[np.ndarray], Any]) -> float:
    """A norm or deviation, also of entries whose squares are no float32."""
    return float(of(array.astype(np.float64)))


def through_the_stack(config: Config, name: str, start: str, seed: int) -> list[dict[str, Any]]:
    """By layer, the deviation of the signal and the norm of the gradient at its output."""
    layer = layers.dense(config.width, init=STARTS[start])
    key, of_inputs, of_outputs = jax.random.split(jax.random.key(seed), 3)
    x = jax.random.normal(of_inputs, (config.batch, config.width))
    params = jax.vmap(lambda key: layer.init(key, x)[0])(jax.random.split(key, config.depth))
    weights = jax.random.normal(of_outputs, x.shape)
    outputs, gradients = signals_and_gradients(name, params, x, weights)
    return [
        {
            "activation": name,
            "start": start,
            "seed": seed,
            "layer": i + 1,
            "signal": size(np.asarray(outputs[i]), np.std),
            "gradient": size(np.asarray(gradients[i]), np.linalg.norm),
        }
        for i in range(config.depth)
    ]


@functools.partial(jax.jit, static_argnums=0)
def signals_and_gradients(
    name: str, params: Params, x: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """What every layer puts out, and the gradient of ``sum(weights * y)`` with respect to it.

    Args:
      name: the activation.
      params: of dense layers, with an axis of the layers in front.
      x: ``[B, n]`` inputs.
      weights: ``[B, n]``.

    Returns:
      Twice ``[layers, B, n]``.
    """
    function = ACTIVATIONS[name].function
    layer = layers.dense(x.shape[-1])

    def weighted(offsets: jax.Array) -> tuple[jax.Array, jax.Array]:
        def one(x: jax.Array, each: tuple[Params, jax.Array]) -> tuple[jax.Array, jax.Array]:
            params, offset = each
            y, _ = layer.apply(params, {}, x, train=False)
            y = function(y) + offset  # which is 0: the gradient of the offset is that of the output
            return y, y

        y, outputs = jax.lax.scan(one, x, (params, offsets))
        return jnp.sum(y * weights), outputs

    offsets = jnp.zeros((len(params["bias"]), *x.shape))
    gradients, outputs = jax.grad(weighted, has_aux=True)(offsets)
    return outputs, gradients


if __name__ == "__main__":
    cli.main(run, PRESETS)
