"""The small AlexNet of Zhang et al. 2017."""

import jax

from rote.combinators import serial
from rote.core import Model
from rote.layers import (
    Init,
    activation,
    conv,
    dense,
    dropout,
    flatten,
    he_normal,
    local_response_norm,
    max_pool,
)


def alexnet_small(*, num_classes: int, init: Init = he_normal, dropout: float = 0.0) -> Model:
    """Twice (5x5 convolution, ReLU, max-pool, local response norm), then dense 384, 192, logits.

    1,387,786 parameters on 28x28x3 images with 10 classes. The paper does not give the channels,
    strides and constants of the normalization: 64 channels and 3x3 pools of stride 2 are what that
    count implies, the constants are those of the TensorFlow CIFAR-10 tutorial.

    Args:
      num_classes: number of logits.
      init: how weights and biases start.
      dropout: probability of dropping a unit of the hidden dense layers; the paper's net has none.

    Returns:
      A model ``[B, H, W, C] -> [B, num_classes]`` with parameters ``block1/conv/kernel``, ...,
      ``head/bias``.

    Reference:
      Zhang et al. 2017 (arXiv 1611.03530), appendix A.
    """
    return serial(
        block1=_block(64, init),
        block2=_block(64, init),
        flatten=flatten(),
        dense1=dense(384, init=init),
        relu1=_relu(dropout),
        dense2=dense(192, init=init),
        relu2=_relu(dropout),
        head=dense(num_classes, init=init),
    )


def _relu(rate: float) -> Model:
    relu = activation(jax.nn.relu)
    return serial(relu=relu, dropout=dropout(rate)) if rate else relu


def _block(channels: int, init: Init) -> Model:
    return serial(
        conv=conv(channels, 5, init=init),
        relu=activation(jax.nn.relu),
        pool=max_pool(3, stride=2, padding="SAME"),
        norm=local_response_norm(),
    )
