"""What rote trains on in a workload."""

import os

import jax
import numpy as np
import optax

import rote
from rote.core import Dataset, Split
from scripts.benchmark.workloads import NUM_CLASSES, Device, Workload

TRANSFORM = rote.transforms.unit_scale()
MOMENTUM = 0.9


def use_devices(workload: Workload, device: Device) -> None:
    """On a CPU one device per core where there are runs to spread; before JAX is first used."""
    if device == "cpu" and workload.num_runs > 1:
        jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))


def make_optimizer(workload: Workload) -> optax.GradientTransformation:
    """SGD with momentum."""
    return rote.optim.momentum(workload.learning_rate, MOMENTUM)


def make_dataset(workload: Workload) -> Dataset:
    """The digits, or images of ten classes in noise, half of them with a random label.

    So the loss falls at once and stays well above 0: contenders that differ would show it.
    """
    image_shape = workload.image_shape
    if image_shape is None:
        digits = rote.load("digits")
        return rote.random_labels(digits, 1.0, seed=0) if workload.until_fitted else digits
    rng = np.random.default_rng(0)
    centers = rng.integers(0, 128, (NUM_CLASSES, *image_shape), np.uint8)

    def split(size: int) -> Split:
        classes = rng.integers(0, NUM_CLASSES, size)
        noise = rng.integers(0, 128, (size, *image_shape), np.uint8)
        random = rng.integers(0, NUM_CLASSES, size)
        labels = np.where(rng.random(size) < 0.5, classes, random).astype(np.int32)
        return Split(centers[classes] + noise, labels, labels)

    return Dataset("synthetic", split(workload.num_train), split(workload.num_test), NUM_CLASSES)
