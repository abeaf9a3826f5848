"""Smaller images, so that a lesson takes minutes on a CPU."""

import dataclasses

import numpy as np

from rote.core import Dataset, InputError, Split


def averaged(dataset: Dataset, side: int) -> Dataset:
    """The data set with images averaged over squares of pixels.

    Args:
      dataset: any data set.
      side: of the squares, in pixels; 1 leaves the images as they are. Rows and columns that fill
        no square are cut off below and on the right.

    Returns:
      The data set with float32 images ``[N, H // side, W // side, C]``, on the same scale; the
      labels are the same objects.

    Raises:
      InputError: if no square fits an image.

    >>> from rote import data
    >>> averaged(data.load("digits"), 2).image_shape
    (4, 4, 1)
    """
    if not 1 <= side <= min(dataset.image_shape[:2]):
        raise InputError(
            f"averaged: squares of {side}x{side} in images of shape {dataset.image_shape}; expected"
            " a side from 1 to theirs"
        )
    if side == 1:
        return dataset

    def smaller(split: Split) -> Split:
        count, height, width, channels = split.images.shape
        rows, columns = height // side, width // side
        whole = split.images[:, : rows * side, : columns * side].astype(np.float32)
        squares = whole.reshape(count, rows, side, columns, side, channels)
        return split._replace(images=squares.mean((2, 4)))

    return dataclasses.replace(
        dataset,
        train=smaller(dataset.train),
        test=smaller(dataset.test),
        provenance=(*dataset.provenance, {"operation": "averaged", "side": side}),
    )
