"""The small convolutional network."""

from collections.abc import Sequence

import jax

from rote.combinators import serial
from rote.core import Model
from rote.layers import (
    Init,
    activation,
    batch_norm,
    conv,
    dense,
    flatten,
    he_normal,
    identity,
    max_pool,
)


def cnn(
    channels: Sequence[int] = (32, 64),
    *,
    num_classes: int,
    batch_norm: bool = True,
    init: Init = he_normal,
) -> Model:
    """A stack of 3x3 convolution, batch norm, ReLU and 2x2 max-pool, then dense 128, logits.

    The net is ours: a small one that tells true pixels from shuffled ones and memorizes random
    labels on a CPU. Its dense layer sees every position (no global pooling) and holds most of the
    parameters: 421,738 in all on 28x28x1 images with 10 classes.

    Args:
      channels: output channels of each convolution. Each one halves height and width, rounding
        down: two need images of 4x4 or more.
      num_classes: number of logits.
      batch_norm: whether the batch norm is there; without it the convolutions have biases.
      init: how weights and biases start.

    Returns:
      A model ``[B, H, W, C] -> [B, num_classes]`` with parameters ``block1/conv/kernel``, ...,
      ``head/bias``.

    Raises:
      InputError: from ``init``, if the images are too small.
    """
    return serial(
        **{f"block{i}": _block(n, batch_norm, init) for i, n in enumerate(channels, 1)},
        flatten=flatten(),
        dense=dense(128, init=init),
        relu=activation(jax.nn.relu),
        head=dense(num_classes, init=init),
    )


def _block(channels: int, normalize: bool, init: Init) -> Model:
    return serial(
        conv=conv(channels, bias=not normalize, init=init),
        norm=batch_norm() if normalize else identity(),
        relu=activation(jax.nn.relu),
        pool=max_pool(2),
    )
