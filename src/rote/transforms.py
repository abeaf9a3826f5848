"""Preprocessing and augmentation of images: on the device, inside the step, pure and batched.

A transform takes images as stored (uint8 or float32, on the scale 0..255) and returns them in the
default float dtype. Random ones act only in training and leave evaluation deterministic.

>>> prepare = chain(center_crop(28), per_image_whitening())
>>> prepare(jnp.zeros((2, 32, 32, 3), jnp.uint8), train=False).shape
(2, 28, 28, 3)
"""

import math
from collections.abc import Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import lax

from rote.core import InputError, Key


class Transform(Protocol):
    """``(images, *, train, key=None) -> images``, a pure function of a batch of images."""

    def __call__(self, images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        """Transform ``images``.

        Args:
          images: ``[B, H, W, C]``, uint8 or float, on the scale 0..255 unless an earlier transform
            changed it.
          train: whether random transforms act.
          key: randomness; needed by random transforms where ``train`` is true, ignored otherwise.

        Returns:
          ``[B, H', W', C]`` in the default float dtype.
        """
        ...


def chain(*transforms: Transform) -> Transform:
    """One transform after the other, each with a key of its own, derived from its position."""

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        keys = [None] * len(transforms) if key is None else jax.random.split(key, len(transforms))
        for each, each_key in zip(transforms, keys, strict=True):
            images = each(images, train=train, key=each_key)
        return _to_float(images)

    return transform


def unit_scale() -> Transform:
    """Pixels divided by 255: from 0..255 to 0..1."""

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        return _to_float(images) / 255

    return transform


def standardize(mean: Sequence[float], std: Sequence[float]) -> Transform:
    """Every channel shifted and scaled: ``(x - mean) / std``.

    Args:
      mean: one per channel, on the scale of the images that arrive: 0..255, or 0..1 after
        `unit_scale`.
      std: one per channel, positive, on the same scale.

    Raises:
      InputError: if a ``std`` is not positive, or (when called) the channels' number differs.
    """
    if not all(value > 0 for value in std):
        raise InputError(f"standardize: std {tuple(std)} is not positive; leave that channel at 1")

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        if not len(mean) == len(std) == images.shape[-1]:
            raise InputError(
                f"standardize: {len(mean)} means and {len(std)} stds for images with "
                f"{images.shape[-1]} channels; give one of each per channel"
            )
        x = _to_float(images)
        return (x - jnp.asarray(mean, x.dtype)) / jnp.asarray(std, x.dtype)

    return transform


def imagenet_standardize() -> Transform:
    """Pixels as torchvision's ImageNet nets take them: to 0..1, then mean and deviation by channel.

    .. code-block:: text

       (x / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)

    Red, green and blue; the numbers are those of torchvision's presets.

    Raises:
      InputError: (when called) if the images do not have three channels.
    """
    return chain(unit_scale(), standardize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def per_image_whitening() -> Transform:
    """Each image shifted and scaled by itself: ``(x - mean) / max(std, 1 / sqrt(n))``.

    Mean and standard deviation run over the ``n = H W C`` values of an image; the lower bound keeps
    constant images finite. TensorFlow's ``per_image_standardization`` is the same on float images
    (its uint8 images are divided by 255 first, which moves only the lower bound).

    Reference: Zhang et al., Understanding deep learning requires rethinking generalization, ICLR
    2017, Appendix A.
    """

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        x = _to_float(images)
        axes = (1, 2, 3)
        std = jnp.maximum(x.std(axes, keepdims=True), math.prod(x.shape[1:]) ** -0.5)
        return (x - x.mean(axes, keepdims=True)) / std

    return transform


def center_crop(size: int) -> Transform:
    """The central ``size`` x ``size`` window; an odd remainder is cut at the bottom and right.

    Raises:
      InputError: (when called) if the images are smaller than ``size``.
    """

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        _check_fits("center_crop", size, images)
        return _to_float(_center(images, size))

    return transform


def random_crop(size: int, padding: int = 0) -> Transform:
    """In training a random ``size`` x ``size`` window of each zero-padded image.

    In evaluation the central window of the image itself. ``random_crop(32, padding=4)`` with
    `random_flip` is the usual augmentation of CIFAR.

    Args:
      size: height and width of the window, in pixels.
      padding: rows and columns of zeros added on every side first, in pixels.

    Raises:
      InputError: (when called) if the images are smaller than ``size``, or training has no key.

    Reference: He et al., Deep residual learning for image recognition, CVPR 2016, section 4.2.
    """

    def window(image: jax.Array, corner: jax.Array) -> jax.Array:
        return lax.dynamic_slice(image, (*corner, 0), (size, size, image.shape[-1]))

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        _check_fits("random_crop", size, images)
        if not train:
            return _to_float(_center(images, size))
        batch, height, width, _ = images.shape
        slack = jnp.array([height, width]) + 2 * padding - size
        corners = jax.random.randint(_needed("random_crop", key), (batch, 2), 0, slack + 1)
        padded = jnp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        return _to_float(jax.vmap(window)(padded, corners))

    return transform


def random_flip() -> Transform:
    """In training each image is mirrored left to right with probability one half.

    Raises:
      InputError: (when called) if training has no key.
    """

    def transform(images: jax.Array, *, train: bool, key: Key | None = None) -> jax.Array:
        if not train:
            return _to_float(images)
        mirrored = jax.random.bernoulli(_needed("random_flip", key), shape=(len(images), 1, 1, 1))
        return _to_float(jnp.where(mirrored, images[:, :, ::-1], images))

    return transform


def _to_float(images: jax.Array) -> jax.Array:
    return jnp.asarray(images, jnp.result_type(float))


def _center(images: jax.Array, size: int) -> jax.Array:
    top, left = (images.shape[1] - size) // 2, (images.shape[2] - size) // 2
    return images[:, top : top + size, left : left + size]


def _check_fits(name: str, size: int, images: jax.Array) -> None:
    height, width = images.shape[1:3]
    if not 1 <= size <= min(height, width):
        raise InputError(
            f"{name}: got size {size} for images of {height}x{width} pixels; "
            f"expected 1..{min(height, width)}"
        )


def _needed(name: str, key: Key | None) -> Key:
    if key is None:
        raise InputError(f"{name}: train=True needs randomness; pass key=jax.random.key(seed)")
    return key
