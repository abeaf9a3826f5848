"""The types everything else is written in: a model, a data set, an input error."""

import dataclasses
import difflib
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

Params = Any
"""Nested dicts of arrays, as returned by ``Model.init``: what the optimizer changes."""
State = Any
"""Nested dicts of arrays that training updates without a gradient (running statistics)."""
Key = jax.Array
"""A typed JAX random key, from ``jax.random.key``."""


class InputError(ValueError):
    """A user's input cannot be used.

    The message is one line: what was given, what was expected, what to do. The command line prints
    it without a traceback and exits with code 2.
    """


def unknown_name(kind: str, given: object, valid: Iterable[str]) -> InputError:
    """The error for a name that does not exist, with the nearest valid names.

    >>> print(unknown_name("model", "resnet81", ["resnet18", "mlp"]))
    unknown model 'resnet81': did you mean 'resnet18'? Known: mlp, resnet18
    """
    names = sorted(valid)
    near = difflib.get_close_matches(str(given), names, n=3, cutoff=0.5)
    hint = f" did you mean {' or '.join(map(repr, near))}?" if near else ""
    return InputError(f"unknown {kind} {given!r}:{hint} Known: {', '.join(names)}")


class Model(NamedTuple):
    """A pair of pure functions. A layer is a model, and so is a whole network.

    Attributes:
      init: ``(key, example) -> (params, state)``. ``example`` is an array or a
        ``jax.ShapeDtypeStruct`` with the batch axis in front; only its shape and dtype matter.
      apply: ``(params, state, x, *, train, key=None) -> (y, state)``. Always returns two values;
        the tree structure of ``state`` never changes. ``key`` is needed by random layers
        (dropout) when ``train`` is true, and ignored otherwise.
    """

    init: Callable[..., tuple[Params, State]]
    apply: Callable[..., tuple[jax.Array, State]]


class Split(NamedTuple):
    """Labelled images.

    Attributes:
      images: ``[N, H, W, C]``, uint8, or float32 for generated inputs; in both cases on the pixel
        scale 0..255 (generated noise may lie outside it).
      labels: ``[N]`` int32, the labels to train on.
      clean_labels: ``[N]`` int32, the labels of the data set as published.
    """

    images: np.ndarray
    labels: np.ndarray
    clean_labels: np.ndarray

    @property
    def changed(self) -> np.ndarray:
        """``[N]`` bool: which labels differ from the clean ones."""
        return np.asarray(self.labels) != np.asarray(self.clean_labels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the shape, dtype and bytes of images, labels and clean labels."""
        digest = hashlib.sha256()
        for array in self:
            digest.update(f"{array.shape}{np.dtype(array.dtype).str}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A train and a test split, and how they came to be. A host object: it does not go into jit.

    Attributes:
      name: the data set's name, such as ``"cifar10"``.
      train: the split to train on; its labels or images may have been randomised.
      test: the split to test on; its labels are always the clean ones.
      num_classes: number of classes ``k``; labels lie in ``0 .. k-1``.
      provenance: one mapping per operation that led here, in order (source, subset, corruption),
        each with its seed; JSON-serialisable.

    Raises:
      InputError: if a split's arrays have the wrong shape or dtype, a label is out of range, an
        image is not finite, or the splits' image shapes differ.
    """

    name: str
    train: Split
    test: Split
    num_classes: int
    provenance: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        for split_name in ("train", "test"):
            _check_split(f"{self.name} {split_name}", getattr(self, split_name), self.num_classes)
        if self.train.images.shape[1:] != self.test.images.shape[1:]:
            raise InputError(
                f"data set {self.name!r}: train images have shape {self.train.images.shape[1:]}, "
                f"test images {self.test.images.shape[1:]}; give both splits the same image shape"
            )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """``(H, W, C)``."""
        return tuple(self.train.images.shape[1:])

    @functools.cached_property
    def fingerprint(self) -> dict[str, str]:
        """The fingerprint of each split: ``{"train": ..., "test": ...}``."""
        return {"train": self.train.fingerprint, "test": self.test.fingerprint}


def _check_split(name: str, split: Split, num_classes: int) -> None:
    images, labels, clean = split
    if images.ndim != 4 or images.dtype not in (np.uint8, np.float32):
        raise InputError(
            f"{name} images: got {images.dtype} of shape {images.shape}; "
            "expected uint8 or float32 of shape [N, H, W, C]"
        )
    if len(images) == 0:
        raise InputError(f"{name}: no images; give at least one")
    for what, values in (("labels", labels), ("clean labels", clean)):
        if values.dtype != np.int32 or values.shape != (len(images),):
            raise InputError(
                f"{name} {what}: got {values.dtype} of shape {values.shape}; "
                f"expected int32 of shape ({len(images)},), one per image"
            )
        if values.min() < 0 or values.max() >= num_classes:
            raise InputError(
                f"{name} {what}: values {values.min()}..{values.max()}; "
                f"expected 0..{num_classes - 1} for {num_classes} classes"
            )
    if images.dtype != np.uint8 and not np.isfinite(images).all():
        bad = int((~np.isfinite(images)).any(axis=(1, 2, 3)).argmax())
        raise InputError(f"{name} images: image {bad} is not finite; remove or repair it")


class Batch(NamedTuple):
    """A mini-batch on the device: ``images [B, H, W, C]`` as stored, ``labels [B]`` int32."""

    images: jax.Array
    labels: jax.Array


def count_params(params: Params) -> int:
    """The number of parameters: the total size of all arrays (or shapes) in ``params``.

    >>> count_params({"kernel": np.zeros((3, 2)), "bias": np.zeros(2)})
    8
    """
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))
