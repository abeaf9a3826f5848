"""The small Inception of Zhang et al. 2017."""

import jax

from rote.combinators import concat, serial
from rote.core import Model
from rote.layers import (
    Init,
    activation,
    batch_norm,
    conv,
    dense,
    dropout,
    global_avg_pool,
    he_normal,
    identity,
    max_pool,
)


def inception_small(
    *,
    num_classes: int,
    batch_norm: bool = True,
    init: Init = he_normal,
    dropout: float = 0.0,
) -> Model:
    """A 3x3 convolution, eight Inception and two down-sampling modules, mean pool, logits.

    An Inception module joins a 1x1 and a 3x3 convolution, a down-sampling module a 3x3 convolution
    and a 3x3 max-pool of stride 2. Every convolution is followed by batch norm (offset only) and
    ReLU; without batch norm it has a bias instead. So both variants have the 1,649,402 parameters
    of the paper (28x28x3 images, 10 classes); that is our inference, the paper does not say it. The
    7x7 mean pool of the paper is a mean over all positions here: the same for 28x28 images, and
    defined for other sizes.

    Args:
      num_classes: number of logits.
      batch_norm: whether the batch norm is there.
      init: how weights and biases start.
      dropout: probability of dropping a mean before the logits; the paper's net has none.

    Returns:
      A model ``[B, H, W, C] -> [B, num_classes]`` with parameters ``stem/conv/kernel``,
      ``inception1/conv1x1/conv/kernel``, ..., ``head/bias``.

    Reference:
      Zhang et al. 2017 (arXiv 1611.03530), appendix A and figure 3.
    """
    return serial(
        stem=_conv(96, 3, batch_norm, init),
        inception1=_inception(32, 32, batch_norm, init),
        inception2=_inception(32, 48, batch_norm, init),
        down1=_down(80, batch_norm, init),
        inception3=_inception(112, 48, batch_norm, init),
        inception4=_inception(96, 64, batch_norm, init),
        inception5=_inception(80, 80, batch_norm, init),
        inception6=_inception(48, 96, batch_norm, init),
        down2=_down(96, batch_norm, init),
        inception7=_inception(176, 160, batch_norm, init),
        inception8=_inception(176, 160, batch_norm, init),
        pool=_pool(dropout),
        head=dense(num_classes, init=init),
    )


def _pool(rate: float) -> Model:
    pool = global_avg_pool()
    return serial(pool=pool, dropout=dropout(rate)) if rate else pool


def _inception(channels1: int, channels3: int, normalize: bool, init: Init) -> Model:
    return concat(
        conv1x1=_conv(channels1, 1, normalize, init),
        conv3x3=_conv(channels3, 3, normalize, init),
    )


def _down(channels: int, normalize: bool, init: Init) -> Model:
    return concat(
        conv3x3=_conv(channels, 3, normalize, init, stride=2),
        pool=max_pool(3, stride=2, padding="SAME"),
    )


def _conv(channels: int, kernel: int, normalize: bool, init: Init, stride: int = 1) -> Model:
    return serial(
        conv=conv(channels, kernel, stride=stride, bias=not normalize, init=init),
        norm=batch_norm(scale=False) if normalize else identity(),
        relu=activation(jax.nn.relu),
    )
