"""Nets without batch norm, with it, and with noise behind it."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from rote import layers
from rote.combinators import serial
from rote.core import InputError, Model, Params, State, unknown_name

NETS = ("plain", "batch_norm", "noisy_batch_norm")
LARGEST_SHIFT, LARGEST_SCALE, SPREAD = 0.5, 1.25, 0.1
"""Of the noise."""
VGG_CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Per stage, in the net of 16 layers with weights."""


class Net(NamedTuple):
    """A net and its layers.

    Attributes:
      model: the net.
      layers: the keys of its parameters in the order of the forward pass.
    """

    model: Model
    layers: tuple[str, ...]


def chain(
    net: str,
    depth: int,
    width: int,
    num_classes: int,
    *,
    activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
    init: layers.Init = layers.he_normal,
) -> Net:
    """Dense layers, each with what the net has behind it and an activation; logits.

    Args:
      net: one of ``NETS``. With a norm behind them layers have no bias.
      depth: hidden layers.
      width: units of each.
      num_classes: number of logits.
      activation: ``lambda x: x`` for a deep linear net.
      init: how weights and biases start, the last layer's included.

    Raises:
      InputError: if there is no such net.

    >>> chain("plain", 2, 8, 10).layers
    ('hidden1', 'hidden2', 'head')
    """
    hidden = {
        f"hidden{i}": serial(
            dense=layers.dense(width, bias=net == "plain", init=init),
            **_behind(net),
            activation=layers.activation(activation),
        )
        for i in range(1, depth + 1)
    }
    head = layers.dense(num_classes, init=init)
    return Net(serial(flatten=layers.flatten(), **hidden, head=head), (*hidden, "head"))


def vgg(net: str, stages: int, width: int, num_classes: int) -> Net:
    """The VGG net of 3x3 convolutions, with one dense layer at its end, as is usual on CIFAR.

    Args:
      net: one of ``NETS``.
      stages: how many of its five, each ended by a max-pool of 2; all five on 32x32 images.
      width: channels of the first stage, 64 as published; they double up to eight times as many.
      num_classes: number of logits.

    Raises:
      InputError: if there is no such net, or there are not so many stages.

    Reference:
      Simonyan and Zisserman 2014 (arXiv 1409.1556), configuration D.

    >>> len(vgg("plain", 5, 64, 10).layers)
    14
    """
    if not 1 <= stages <= len(VGG_CONVOLUTIONS):
        raise InputError(f"vgg: {stages} stages; expected 1 to {len(VGG_CONVOLUTIONS)}")
    hidden: dict[str, Model] = {}
    for stage, count in enumerate(VGG_CONVOLUTIONS[:stages]):
        for i in range(1, count + 1):
            pool = {"pool": layers.max_pool(2, stride=2)} if i == count else {}
            hidden[f"conv{stage + 1}_{i}"] = serial(
                conv=layers.conv(width * min(2**stage, 8), bias=net == "plain"),
                **_behind(net),
                activation=layers.activation(jax.nn.relu),
                **pool,
            )
    model = serial(**hidden, flatten=layers.flatten(), head=layers.dense(num_classes))
    return Net(model, (*hidden, "head"))


def _behind(net: str) -> dict[str, Model]:
    """What stands behind a layer's weights."""
    if net not in NETS:
        raise unknown_name("net", net, NETS)
    return {
        "plain": {},
        "batch_norm": {"norm": layers.batch_norm()},
        "noisy_batch_norm": {"norm": layers.batch_norm(), "noise": noise()},
    }[net]


def noise() -> Model:
    """A layer that scales and shifts ``[B, ...]``; how, changes with step, unit and example.

    ``s x + m``, for each unit (of an image: place and channel) and step ``mu ~ U(-0.5, 0.5)``,
    ``sigma ~ U(1, 1.25)``, and for each example besides ``m ~ U(mu - 0.1, mu + 0.1)``,
    ``s ~ N(sigma, 0.1^2)``. Acts with ``train=True`` only, and needs a ``key`` there.

    Reference:
      Santurkar et al. 2018 (arXiv 1805.11604), section 2.1; the constants are recalled from its
      appendix.
    """

    def apply(
        params: Params, state: State, x: jax.Array, *, train: bool, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        if not train:
            return x, state
        if key is None:
            raise InputError("noise: train=True without a key")
        of_shift, of_scale, of_m, of_s = jax.random.split(key, 4)
        shape, units = x.shape, x.shape[1:]
        shift = jax.random.uniform(of_shift, units, x.dtype, -LARGEST_SHIFT, LARGEST_SHIFT)
        scale = jax.random.uniform(of_scale, units, x.dtype, 1, LARGEST_SCALE)
        m = shift + jax.random.uniform(of_m, shape, x.dtype, -SPREAD, SPREAD)
        s = scale + SPREAD * jax.random.normal(of_s, shape, x.dtype)
        return s * x + m, state

    return Model(lambda key, example: ({}, {}), apply)
