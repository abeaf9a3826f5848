"""The randomisations of labels and inputs: each a pure function of a data set and a seed.

Labels are drawn relative to the clean ones, so randomising labels twice is randomising them once.
Test labels are never touched. What an operation does not change is the same array object in the
result, and every operation is recorded in the data set's ``provenance``.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from rote.core import Dataset, InputError, Split, unknown_name
from rote.data.draws import generator

_CHUNK = 512  # images handled at once where a pass needs larger temporaries than its result


def random_labels(dataset: Dataset, probability: float, *, seed: int) -> Dataset:
    """Each training label, with the given probability, is redrawn uniformly over all k classes.

    A share ``probability * (k - 1) / k`` of the labels is expected to be wrong afterwards. The same
    draws decide at every probability: a larger one changes a superset of the labels, to the same
    values.

    Args:
      dataset: any data set.
      probability: in [0, 1], independent for each label.
      seed: an integer >= 0.

    Returns:
      The data set with new training labels; images and test split are the same objects.

    Raises:
      InputError: if the probability is outside [0, 1].

    Reference: Zhang et al. 2017, "Understanding deep learning requires rethinking generalization",
      section 2.1 ("partially corrupted labels").

    >>> import rote.data
    >>> noisy = random_labels(rote.data.load("digits"), 0.5, seed=0)
    >>> bool(0.4 < noisy.train.changed.mean() < 0.5)
    True
    """
    _check_share("probability", probability)
    rng = generator(seed, "random_labels")
    clean = dataset.train.clean_labels
    redrawn = rng.random(len(clean)) < probability
    labels = rng.integers(dataset.num_classes, size=len(clean))
    return _relabel(
        dataset,
        np.where(redrawn, labels, clean),
        operation="random_labels",
        probability=float(probability),
        seed=int(seed),
    )


def wrong_labels(dataset: Dataset, fraction: float, *, seed: int) -> Dataset:
    """That fraction of the training labels becomes wrong: uniform over the k-1 other classes.

    Exactly ``round(fraction * N)`` labels change. A larger fraction changes a superset of them, to
    the same values.

    Args:
      dataset: any data set.
      fraction: in [0, 1].
      seed: an integer >= 0.

    Returns:
      The data set with new training labels; images and test split are the same objects.

    Raises:
      InputError: if the fraction is outside [0, 1].
    """
    rng = generator(seed, "wrong_labels")
    clean = dataset.train.clean_labels
    chosen = _choose(rng, len(clean), fraction)
    others = (clean + rng.integers(1, dataset.num_classes, size=len(clean))) % dataset.num_classes
    return _relabel(
        dataset,
        np.where(chosen, others, clean),
        operation="wrong_labels",
        fraction=float(fraction),
        seed=int(seed),
    )


def shuffled_labels(dataset: Dataset, *, seed: int) -> Dataset:
    """The training labels are permuted: random, but with the class counts kept.

    Args:
      dataset: any data set.
      seed: an integer >= 0.

    Returns:
      The data set with permuted training labels; images and test split are the same objects.
    """
    labels = generator(seed, "shuffled_labels").permutation(dataset.train.clean_labels)
    return _relabel(dataset, labels, operation="shuffled_labels", seed=int(seed))


def shuffled_pixels(dataset: Dataset, *, seed: int) -> Dataset:
    """One random permutation of the pixel positions is applied to all train and test images.

    Args:
      dataset: any data set.
      seed: an integer >= 0.

    Returns:
      The data set with permuted images; the labels are the same objects.

    Reference: Zhang et al. 2017, section 2.1.
    """
    height, width, _ = dataset.image_shape
    order = generator(seed, "shuffled_pixels").permutation(height * width)

    def shuffle(images: np.ndarray, _: int) -> np.ndarray:
        return np.take(_positions(images), order, axis=1).reshape(images.shape)

    return _reimage(dataset, shuffle, operation="shuffled_pixels", seed=int(seed))


def random_pixels(dataset: Dataset, *, seed: int) -> Dataset:
    """To each train and test image its own random permutation of the pixel positions is applied.

    The channels of a position move together. An image keeps the set of its pixel values, which
    alone carries some information about its class.

    Args:
      dataset: any data set.
      seed: an integer >= 0.

    Returns:
      The data set with permuted images; the labels are the same objects.

    Reference: Zhang et al. 2017, section 2.1.
    """
    height, width, _ = dataset.image_shape

    def shuffle(images: np.ndarray, stream: int) -> np.ndarray:
        rng = generator(seed, "random_pixels", stream)
        result = np.empty(images.shape, images.dtype)
        for start in range(0, len(images), _CHUNK):
            chunk = _positions(images[start : start + _CHUNK])
            order = np.tile(np.arange(height * width, dtype=np.int32), (len(chunk), 1))
            order = rng.permuted(order, axis=1, out=order)[:, :, None]
            _positions(result)[start : start + _CHUNK] = np.take_along_axis(chunk, order, axis=1)
        return result

    return _reimage(dataset, shuffle, operation="random_pixels", seed=int(seed))


def gaussian(dataset: Dataset, *, seed: int, moments: str = "dataset") -> Dataset:
    """All train and test images become Gaussian noise with the training images' mean and variance.

    The noise is float32 on the pixel scale, neither clipped nor rounded, and independent of the
    labels, which stay.

    Args:
      dataset: any data set.
      seed: an integer >= 0.
      moments: ``"dataset"`` for one mean and variance over all pixels, ``"channel"`` for one of
        each per channel. The paper does not say which.

    Returns:
      The data set with float32 images; the labels are the same objects.

    Raises:
      InputError: for another ``moments``.

    Reference: Zhang et al. 2017, section 2.1.
    """
    mean, std = _moments(dataset.train.images, moments)

    def draw(images: np.ndarray, stream: int) -> np.ndarray:
        return _noise(generator(seed, "gaussian", stream), images.shape, mean, std)

    return _reimage(dataset, draw, operation="gaussian", moments=moments, seed=int(seed))


def noise_inputs(
    dataset: Dataset, fraction: float, *, seed: int, moments: str = "dataset"
) -> Dataset:
    """That fraction of the training images becomes Gaussian noise, as `gaussian` draws it.

    Exactly ``round(fraction * N)`` images are replaced; a larger fraction replaces a superset of
    them, with the same noise. The test split stays as it is.

    Args:
      dataset: any data set.
      fraction: in [0, 1].
      seed: an integer >= 0.
      moments: as in `gaussian`.

    Returns:
      The data set with float32 training images; labels and test split are the same objects.

    Raises:
      InputError: if the fraction is outside [0, 1], or for another ``moments``.

    Reference: Arpit et al. 2017, "A closer look at memorization in deep networks" (randX).
    """
    images = dataset.train.images
    chosen = _choose(generator(seed, "noise_inputs"), len(images), fraction)
    replaced = _noise(generator(seed, "noise_inputs", 1), images.shape, *_moments(images, moments))
    for start in range(0, len(images), _CHUNK):
        part = slice(start, start + _CHUNK)
        np.copyto(replaced[part], images[part], where=~chosen[part, None, None, None])
    return _record(
        dataset,
        dataset.train._replace(images=replaced),
        dataset.test,
        operation="noise_inputs",
        fraction=float(fraction),
        moments=moments,
        seed=int(seed),
    )


def _unchanged(dataset: Dataset, *, seed: int) -> Dataset:
    del seed
    return dataset


def _all_random(dataset: Dataset, *, seed: int) -> Dataset:
    return random_labels(dataset, 1.0, seed=seed)


_CONDITIONS: dict[str, Callable[..., Dataset]] = {
    "true": _unchanged,
    "random_labels": _all_random,
    "shuffled_labels": shuffled_labels,
    "shuffled_pixels": shuffled_pixels,
    "random_pixels": random_pixels,
    "gaussian": gaussian,
}

CONDITIONS: tuple[str, ...] = tuple(_CONDITIONS)
"""The conditions of Zhang et al. 2017, in the paper's words, and ``shuffled_labels``."""


def corrupt(dataset: Dataset, condition: str, *, seed: int) -> Dataset:
    """The data set under one of the named `CONDITIONS`.

    Args:
      dataset: any data set.
      condition: one of `CONDITIONS`; ``"true"`` returns the data set itself, ``"random_labels"``
        redraws every label.
      seed: an integer >= 0.

    Returns:
      The randomised data set.

    Raises:
      InputError: for an unknown condition.

    >>> import rote.data
    >>> digits = rote.data.load("digits")
    >>> corrupt(digits, "gaussian", seed=0).train.images.dtype
    dtype('float32')
    """
    if condition not in _CONDITIONS:
        raise unknown_name("condition", condition, CONDITIONS)
    return _CONDITIONS[condition](dataset, seed=seed)


def _check_share(what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"{what} {share!r}: expected a number in [0, 1]")


def _choose(rng: np.random.Generator, count: int, fraction: float) -> np.ndarray:
    """``[count]`` bool, ``round(fraction * count)`` of them true, nested over fractions."""
    _check_share("fraction", fraction)
    chosen = np.zeros(count, bool)
    chosen[rng.permutation(count)[: round(fraction * count)]] = True
    return chosen


def _positions(images: np.ndarray) -> np.ndarray:
    """A view of ``[N, H, W, C]`` images as ``[N, H * W, C]``."""
    count, height, width, channels = images.shape
    return images.reshape(count, height * width, channels)


def _moments(images: np.ndarray, moments: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over all pixels, or ``[C]`` of each."""
    axes = {"dataset": (0, 1, 2, 3), "channel": (0, 1, 2)}
    if moments not in axes:
        raise unknown_name("moments", moments, axes)
    axis = axes[moments]
    count = images.size // (images.shape[-1] if moments == "channel" else 1)
    chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    mean = sum(chunk.sum(axis, dtype=np.float64) for chunk in chunks) / count
    variance = sum(np.square(chunk - mean).sum(axis) for chunk in chunks) / count
    return np.asarray(mean), np.sqrt(variance)


def _noise(
    rng: np.random.Generator, shape: tuple[int, ...], mean: np.ndarray, std: np.ndarray
) -> np.ndarray:
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise *= std.astype(np.float32)
    noise += mean.astype(np.float32)
    return noise


def _relabel(dataset: Dataset, labels: np.ndarray, **how: Any) -> Dataset:
    train = dataset.train._replace(labels=labels.astype(np.int32))
    return _record(dataset, train, dataset.test, **how)


def _reimage(
    dataset: Dataset, change: Callable[[np.ndarray, int], np.ndarray], **how: Any
) -> Dataset:
    train, test = (
        split._replace(images=change(split.images, stream))
        for stream, split in enumerate((dataset.train, dataset.test))
    )
    return _record(dataset, train, test, **how)


def _record(dataset: Dataset, train: Split, test: Split, **how: Any) -> Dataset:
    return dataclasses.replace(
        dataset, train=train, test=test, provenance=(*dataset.provenance, how)
    )
