"""A small data set of noise, and the nets trained on it."""

import numpy as np
import pytest

from rote.core import Dataset, Split


def noise_split(rng: np.random.Generator, num_examples: int) -> Split:
    images = rng.integers(0, 256, (num_examples, 6, 6, 1)).astype(np.uint8)
    labels = rng.integers(0, 4, num_examples).astype(np.int32)
    clean = np.where(rng.random(num_examples) < 0.5, labels, rng.integers(0, 4, num_examples))
    return Split(images, labels, clean.astype(np.int32))


@pytest.fixture(scope="session")
def noise() -> Dataset:
    """300 + 70 images of noise, 4 classes, about three labels in eight changed."""
    rng = np.random.default_rng(0)
    train, test = noise_split(rng, 300), noise_split(rng, 70)
    return Dataset("noise", train, test._replace(clean_labels=test.labels), 4)
