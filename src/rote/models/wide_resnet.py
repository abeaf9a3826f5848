"""Wide residual networks."""

import jax

from rote.combinators import residual, serial
from rote.core import Model
from rote.layers import activation, batch_norm, conv, dense, dropout, global_avg_pool
from rote.models.resnet import blocks_per_stage


def wide_resnet(depth: int, width: int, *, num_classes: int, dropout: float = 0.0) -> Model:
    """The wide residual network: a 3x3 convolution, three stages of blocks, mean pool, logits.

    Blocks are pre-activated: twice (batch norm, ReLU, 3x3 convolution). The stages have ``width``
    times 16, 32, 64 channels and ``(depth - 4) / 6`` blocks each. Where the number of channels
    changes, a 1x1 convolution of the batch-normalized and rectified input is the shortcut, else the
    input itself. WRN-28-1 has 369,498 parameters on 32x32x3 images with 10 classes, the count of
    the first author's code for Zhang et al. 2017.

    Args:
      depth: number of convolutions, those of three shortcuts included: ``6 n + 4``.
      width: factor of the channels, at least 1.
      num_classes: number of logits.
      dropout: probability of dropping, between the two convolutions of a block.

    Returns:
      A model ``[B, H, W, C] -> [B, num_classes]`` with parameters ``stem/kernel``,
      ``stage1/block1/body/convs/conv1/kernel``, ...,
      ``head/bias``.

    Raises:
      InputError: if ``depth`` is not ``6 n + 4``.

    Reference:
      Zagoruyko and Komodakis 2016 (arXiv 1605.07146), section 2 and table 1.
    """
    num_blocks = blocks_per_stage("wide_resnet", depth, 4)
    return serial(
        stem=_conv(16),
        stage1=_stage(num_blocks, 16, 16 * width, 1, dropout),
        stage2=_stage(num_blocks, 16 * width, 32 * width, 2, dropout),
        stage3=_stage(num_blocks, 32 * width, 64 * width, 2, dropout),
        norm=batch_norm(),
        relu=activation(jax.nn.relu),
        pool=global_avg_pool(),
        head=dense(num_classes),
    )


def _stage(num_blocks: int, before: int, channels: int, stride: int, rate: float) -> Model:
    same = before == channels
    first = _block(channels, rate) if same else _changing_block(channels, stride, rate)
    return serial(
        block1=first,
        **{f"block{i}": _block(channels, rate) for i in range(2, num_blocks + 1)},
    )


def _block(channels: int, rate: float) -> Model:
    return residual(serial(pre=_norm_relu(), convs=_two_convs(channels, 1, rate)))


def _changing_block(channels: int, stride: int, rate: float) -> Model:
    shortcut = conv(channels, 1, stride=stride, bias=False)
    return serial(pre=_norm_relu(), sum=residual(_two_convs(channels, stride, rate), shortcut))


def _two_convs(channels: int, stride: int, rate: float) -> Model:
    return serial(
        conv1=_conv(channels, stride),
        norm=batch_norm(),
        relu=activation(jax.nn.relu),
        dropout=dropout(rate),
        conv2=_conv(channels),
    )


def _norm_relu() -> Model:
    return serial(norm=batch_norm(), relu=activation(jax.nn.relu))


def _conv(channels: int, stride: int = 1) -> Model:
    return conv(channels, stride=stride, padding=1, bias=False)
