"""Residual networks: the CIFAR family and the ImageNet family of He et al. 2015."""

import functools
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from rote.combinators import residual, serial
from rote.core import InputError, Model, unknown_name
from rote.layers import activation, batch_norm, conv, dense, global_avg_pool, max_pool

Stem = Literal["imagenet", "cifar"]
_Block = Callable[[int, int, bool], Model]  # (channels, stride, whether the first of its stage)


def resnet(
    depth: int,
    *,
    num_classes: int,
    residual: bool = True,
    batch_norm: bool = True,
    projection: bool = False,
) -> Model:
    """The residual network for CIFAR: a 3x3 convolution, three stages of blocks, mean pool, logits.

    A block is two 3x3 convolutions, each with batch norm; the stages have 16, 32 and 64 channels,
    and ``(depth - 2) / 6`` blocks each. Shortcuts have no parameters (option A): where the shape
    changes they take every second row and column and append channels of zeros. On 32x32x3 images
    with 10 classes the depths 20, 32, 44, 56, 110 have 269,722, 464,154, 658,586, 853,018 and
    1,727,962 parameters; depth 20 has 272,474 with projections, and 269,034 without batch norm.

    Args:
      depth: number of layers with weights, ``6 n + 2``.
      num_classes: number of logits.
      residual: False for the plain net: the same without shortcuts.
      batch_norm: whether the batch norm is there; without it the convolutions have biases.
      projection: True for shortcuts by 1x1 convolution and batch norm where the shape changes
        (option B).

    Returns:
      A model ``[B, H, W, C] -> [B, num_classes]`` with parameters ``stem/conv/kernel``,
      ``stage1/block1/sum/body/conv1/kernel``, ..., ``head/bias``.

    Raises:
      InputError: if ``depth`` is not ``6 n + 2``, or a plain net is to have projections.

    Reference:
      He et al. 2015 (arXiv 1512.03385), section 4.2.
    """
    num_blocks = blocks_per_stage("resnet", depth, 2)
    if projection and not residual:
        raise InputError("resnet: projection without residual; a plain net has no shortcuts")
    kind = _basic_block if projection else _option_a_block
    block = functools.partial(kind if residual else _plain_block, normalize=batch_norm)
    return serial(
        stem=_cifar_stem(16, batch_norm),
        stage1=_stage(block, num_blocks, 16, 1),
        stage2=_stage(block, num_blocks, 32, 2),
        stage3=_stage(block, num_blocks, 64, 2),
        pool=global_avg_pool(),
        head=dense(num_classes),
    )


def resnet18(*, num_classes: int, stem: Stem = "imagenet") -> Model:
    """The residual network of 18 layers: four stages of 2, 2, 2, 2 basic blocks.

    11,689,512 parameters on 224x224x3 images with 1000 classes; with the CIFAR stem, 11,173,962 on
    32x32x3 images with 10 classes. Padding is symmetric and explicit, as in torchvision, and
    shortcuts are projections (1x1 convolution, batch norm) where the shape changes (option B).

    Args:
      num_classes: number of logits.
      stem: ``"imagenet"``, a 7x7 convolution of stride 2 and a 3x3 max-pool of stride 2, or
        ``"cifar"``, a 3x3 convolution of stride 1.

    Returns:
      A model ``[B, H, W, C] -> [B, num_classes]`` with parameters ``stem/conv/kernel``,
      ``stage1/block1/sum/body/conv1/kernel``, ..., ``head/bias``.

    Raises:
      InputError: if there is no such stem.

    Reference:
      He et al. 2015 (arXiv 1512.03385), table 1.
    """
    return _four_stages(_basic_block, (2, 2, 2, 2), num_classes, stem)


def resnet34(*, num_classes: int, stem: Stem = "imagenet") -> Model:
    """The residual network of 34 layers: ``resnet18`` with 3, 4, 6, 3 basic blocks.

    21,797,672 parameters on 224x224x3 images with 1000 classes.

    Args:
      num_classes: number of logits.
      stem: as in ``resnet18``.

    Raises:
      InputError: if there is no such stem.

    Reference:
      He et al. 2015 (arXiv 1512.03385), table 1.
    """
    return _four_stages(_basic_block, (3, 4, 6, 3), num_classes, stem)


def resnet50(*, num_classes: int, stem: Stem = "imagenet") -> Model:
    """The residual network of 50 layers: four stages of 3, 4, 6, 3 bottleneck blocks.

    25,557,032 parameters on 224x224x3 images with 1000 classes. Blocks that halve the image do so
    in their 3x3 convolution, as torchvision's do; the paper does it in the first 1x1 convolution.

    Args:
      num_classes: number of logits.
      stem: as in ``resnet18``.

    Raises:
      InputError: if there is no such stem.

    Reference:
      He et al. 2015 (arXiv 1512.03385), table 1.
    """
    return _four_stages(_bottleneck_block, (3, 4, 6, 3), num_classes, stem)


def blocks_per_stage(name: str, depth: int, extra: int) -> int:
    """The ``n`` of ``depth = 6 n + extra``: three stages of ``n`` blocks of two convolutions.

    Raises:
      InputError: if there is no such ``n``; it names the nearest depths.
    """
    num_blocks, rest = divmod(depth - extra, 6)
    if rest or num_blocks < 1:
        below = max(6 * num_blocks + extra, 6 + extra)
        raise InputError(
            f"{name}: depth {depth}; expected 6 n + {extra} with n >= 1, "
            f"such as {below} or {below + 6}"
        )
    return num_blocks


def _four_stages(block: _Block, num_blocks: Sequence[int], num_classes: int, stem: str) -> Model:
    stems = {"imagenet": _imagenet_stem(64), "cifar": _cifar_stem(64)}
    if stem not in stems:
        raise unknown_name("stem", stem, stems)
    return serial(
        stem=stems[stem],
        stage1=_stage(block, num_blocks[0], 64, 1),
        stage2=_stage(block, num_blocks[1], 128, 2),
        stage3=_stage(block, num_blocks[2], 256, 2),
        stage4=_stage(block, num_blocks[3], 512, 2),
        pool=global_avg_pool(),
        head=dense(num_classes),
    )


def _cifar_stem(channels: int, normalize: bool = True) -> Model:
    return serial(**_conv_norm("", channels, 3, 1, normalize), relu=_relu())


def _imagenet_stem(channels: int) -> Model:
    return serial(
        conv=_conv(channels, 7, 2),
        norm=batch_norm(),
        relu=_relu(),
        pool=max_pool(3, stride=2, padding=1),
    )


def _stage(block: _Block, num_blocks: int, channels: int, stride: int) -> Model:
    return serial(
        block1=block(channels, stride, True),
        **{f"block{i}": block(channels, 1, False) for i in range(2, num_blocks + 1)},
    )


def _plain_block(channels: int, stride: int, first: bool, normalize: bool = True) -> Model:
    del first
    return serial(body=_two_convs(channels, stride, normalize), relu=_relu())


def _option_a_block(channels: int, stride: int, first: bool, normalize: bool = True) -> Model:
    del first
    shortcut = _subsample_and_pad(channels, stride) if stride > 1 else None
    return serial(sum=residual(_two_convs(channels, stride, normalize), shortcut), relu=_relu())


def _basic_block(channels: int, stride: int, first: bool, normalize: bool = True) -> Model:
    del first
    shortcut = _projection(channels, stride, normalize) if stride > 1 else None
    return serial(sum=residual(_two_convs(channels, stride, normalize), shortcut), relu=_relu())


def _bottleneck_block(channels: int, stride: int, first: bool) -> Model:
    shortcut = _projection(4 * channels, stride) if first else None
    body = serial(
        conv1=_conv(channels, 1),
        norm1=batch_norm(),
        relu1=_relu(),
        conv2=_conv(channels, 3, stride),
        norm2=batch_norm(),
        relu2=_relu(),
        conv3=_conv(4 * channels, 1),
        norm3=batch_norm(),
    )
    return serial(sum=residual(body, shortcut), relu=_relu())


def _two_convs(channels: int, stride: int, normalize: bool) -> Model:
    return serial(
        **_conv_norm("1", channels, 3, stride, normalize),
        relu1=_relu(),
        **_conv_norm("2", channels, 3, 1, normalize),
    )


def _projection(channels: int, stride: int, normalize: bool = True) -> Model:
    return serial(**_conv_norm("", channels, 1, stride, normalize))


def _conv_norm(
    number: str, channels: int, kernel: int, stride: int, normalize: bool
) -> dict[str, Model]:
    """A convolution with batch norm, or with biases instead."""
    if not normalize:
        return {f"conv{number}": _conv(channels, kernel, stride, bias=True)}
    return {f"conv{number}": _conv(channels, kernel, stride), f"norm{number}": batch_norm()}


def _subsample_and_pad(channels: int, stride: int) -> Model:
    def function(x: jax.Array) -> jax.Array:
        x = x[:, ::stride, ::stride]
        return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))

    return activation(function)


def _conv(channels: int, kernel: int, stride: int = 1, bias: bool = False) -> Model:
    return conv(channels, kernel, stride=stride, padding=kernel // 2, bias=bias)


def _relu() -> Model:
    return activation(jax.nn.relu)
