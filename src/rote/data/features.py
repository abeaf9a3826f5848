"""Which data sets of TFDS can be used: 8-bit images of one size with one class label each."""

from typing import Any, NamedTuple

import numpy as np

from rote.core import InputError

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's name for an 8-bit image of so many channels."""


class Features(NamedTuple):
    """The names of the image and of the label in an example, and what values they have."""

    image: str
    label: str
    shape: tuple[int, int, int]
    num_classes: int


def image_and_label(info: Any, image_size: int | None = None) -> Features:
    """The features of a set that can be used, from its ``tfds.core.DatasetInfo``.

    Args:
      info: what TFDS says of the set.
      image_size: height and width to which all images are brought; ``None`` leaves them as they
        are, and then they have to be of one size.

    Raises:
      InputError: if it holds something else than images with a class label, or images of another
        type or of several sizes.
    """
    import tensorflow_datasets as tfds

    keys: tuple[Any, ...] = info.supervised_keys or ()
    if not (
        len(keys) == 2
        and all(isinstance(key, str) for key in keys)
        and isinstance(info.features[keys[0]], tfds.features.Image)
        and isinstance(info.features[keys[1]], tfds.features.ClassLabel)
    ):
        raise InputError(
            f"{info.full_name} is no set of images with one class label each; choose another"
        )
    image, label = keys
    shape, dtype = info.features[image].shape, info.features[image].np_dtype
    if image_size is not None:
        shape = (image_size, image_size, shape[-1])
    if None in shape or shape[-1] not in MODES or dtype != np.uint8:
        raise InputError(
            f"{info.full_name} has {np.dtype(dtype)} images of shape {shape}, expected 8-bit "
            "images of one size; choose a set that has them (such as imagenet_resized/32x32), or "
            "bring images to one size with image_size"
        )
    return Features(image, label, shape, info.features[label].num_classes)
