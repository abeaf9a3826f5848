"""Data sets by name, and parts of them."""

import dataclasses
import os
from importlib import resources
from typing import Any

import numpy as np

from rote.core import Dataset, InputError, Split
from rote.data import tfds
from rote.data.draws import generator


def load(
    name: str,
    *,
    num_train: int | None = None,
    num_test: int | None = None,
    subset_seed: int = 0,
    image_size: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Dataset:
    """A data set by name.

    ``"digits"`` is in the package: 1,437 + 360 real 8x8 images. ``"mnist"``, ``"fashion_mnist"``,
    ``"cifar10"`` and ``"cifar100"`` are read from where tensorflow-datasets (TFDS) keeps them, and
    prepared there first from published files that are on the disk already (TFDS's or torchvision's)
    or, unless ``download=False``, from the network. Of every other image-classification set of
    TFDS, by its name there, a prepared directory is read. Decoded images are kept beside the data,
    or in the user's cache folder, and mapped into memory.

    The test split is TFDS's ``test``, or ``validation`` where there is none; ``provenance`` says
    which, and as what (PNG, JPEG) the images were stored.

    Args:
      name: ``"digits"``, or TFDS's ``"NAME"`` or ``"NAME/CONFIG"``.
      num_train: the size of a class-balanced part of the training split; by default all of it.
      num_test: likewise of the test split.
      subset_seed: which parts these are.
      image_size: brings the images of a TFDS set to this height and width, in pixels: scaled
        (bicubic) until the shorter side has it, the longer one cut on both ends. Needed for sets
        whose images differ in size, such as ``"imagenet2012"``.
      data_dir: where the data are; by default ``TFDS_DATA_DIR``, else ``~/tensorflow_datasets``.
      download: whether files that are missing may be downloaded.

    Returns:
      The data set, its images uint8 ``[N, H, W, C]``.

    Raises:
      InputError: if the name is unknown, the data are missing or unreadable, or ``num_train``
        or ``num_test`` is not possible. The message says what to do.

    >>> load("digits").train.images.shape
    (1437, 8, 8, 1)
    """
    if image_size is not None and (name == "digits" or image_size < 1):
        raise InputError(
            f"image_size: {image_size} for {name!r}; expected a positive number, and a TFDS set"
        )
    if name == "digits":
        dataset = _digits()
    else:
        dataset = tfds.load(name, data_dir=data_dir, download=download, image_size=image_size)
    return subset(dataset, num_train, num_test, seed=subset_seed)


def subset(
    dataset: Dataset, num_train: int | None = None, num_test: int | None = None, *, seed: int
) -> Dataset:
    """A random part of the training split, or the test split, balanced over the clean classes.

    Class counts differ by at most one, as long as every class has enough examples. Under one seed a
    smaller part lies within every larger one. The examples keep their order.

    Args:
      dataset: any data set.
      num_train: how many training examples to keep, from the number of classes to all of them; by
        default all.
      num_test: likewise of the test examples.
      seed: an integer >= 0.

    Returns:
      The data set with the smaller splits; a split of which nothing is left out is the same object.

    Raises:
      InputError: if a number is out of range.

    >>> np.bincount(subset(load("digits"), 50, seed=0).train.labels).tolist()
    [5, 5, 5, 5, 5, 5, 5, 5, 5, 5]
    """
    for split, operation, count in (
        ("train", "subset", num_train),
        ("test", "test_subset", num_test),
    ):
        if count is None:
            continue
        whole: Split = getattr(dataset, split)
        available = len(whole.labels)
        if not dataset.num_classes <= count <= available:
            raise InputError(
                f"num_{split} {count}: expected {dataset.num_classes} (one per class) to "
                f"{available} for {dataset.name!r}"
            )
        kept = _balanced(whole.clean_labels, dataset.num_classes, count, generator(seed, operation))
        made = {"operation": operation, f"num_{split}": int(count), "seed": int(seed)}
        part: dict[str, Any] = {split: Split(*(array[kept] for array in whole))}
        provenance = (*dataset.provenance, made)
        dataset = dataclasses.replace(dataset, provenance=provenance, **part)
    return dataset


def describe(dataset: Dataset) -> dict[str, Any]:
    """What tells a data set from the one that a paper had, for a run's ``summary.json``.

    Returns:
      JSON-serializable: ``name``, ``num_train``, ``num_test``, ``subset`` (whether training
      examples were left out) and ``stored_as`` (the format that the images were kept in).
    """
    return {
        "name": dataset.name,
        "num_train": len(dataset.train.labels),
        "num_test": len(dataset.test.labels),
        "subset": any(step.get("operation") == "subset" for step in dataset.provenance),
        "stored_as": dataset.provenance[0].get("image_format") if dataset.provenance else None,
    }


def _balanced(
    labels: np.ndarray, num_classes: int, count: int, random: np.random.Generator
) -> np.ndarray:
    """Which examples to keep, in their order: the first of every class, then the second, ..."""
    order = random.permutation(len(labels))
    round_of = np.empty(len(labels), np.int64)
    for label in range(num_classes):
        members = np.flatnonzero(labels[order] == label)
        round_of[members] = np.arange(len(members))
    return np.sort(order[np.argsort(round_of, kind="stable")[:count]])


def _digits() -> Dataset:
    """Of each class the 36 examples with the smallest draws are the test split.

    digits.NOTICE.txt, beside the file, says where the images come from.
    """
    with (
        resources.as_file(resources.files("rote.data") / "digits.npz") as path,
        np.load(path, allow_pickle=False) as file,
    ):
        arrays = dict(file)

    def split(name: str) -> Split:
        labels = arrays[f"{name}_labels"].astype(np.int32)
        return Split(arrays[f"{name}_images"][..., None], labels, labels)

    source = {"operation": "load", "name": "digits", "split_seed": int(arrays["split_seed"])}
    return Dataset("digits", split("train"), split("test"), 10, (source,))
