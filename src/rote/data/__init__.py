"""Data sets and their randomisations, in NumPy: nothing here computes on a device."""

from rote.data.corruption import (
    CONDITIONS,
    corrupt,
    gaussian,
    noise_inputs,
    random_labels,
    random_pixels,
    shuffled_labels,
    shuffled_pixels,
    wrong_labels,
)
from rote.data.datasets import describe, load, subset
from rote.data.image_file import load_image

__all__ = [
    "CONDITIONS",
    "corrupt",
    "describe",
    "gaussian",
    "load",
    "load_image",
    "noise_inputs",
    "random_labels",
    "random_pixels",
    "shuffled_labels",
    "shuffled_pixels",
    "subset",
    "wrong_labels",
]
