"""Linear models that fit every label: what they reach, and what their norm does not say.

Claim: linear models with more features than examples interpolate, random labels too, and still
generalise on true ones. Gradient descent picks the solution of least norm among all that fit. But a
smaller norm does not mean a smaller test error: on MNIST the wavelet features have the larger norm
and half the error.

Source: Zhang et al. 2017, section 5 and appendix, Table 3. With K the Gram matrix, K alpha = Y is
solved for one-hot targets Y; the class is that of the largest output.

Expected (test error): MNIST, Gaussian kernel on pixels 1.2 %, with Gabor wavelets 0.6 %; CIFAR-10,
Gaussian kernel on pixels 46 %, random convolutional features 17 %, with l2 15 %. Norm of the
solution about 220 on MNIST's pixels, 390 with wavelets.

Command: python experiments/zhang2017/linear_models.py --preset smoke
  smoke          digits (in the package), all features, true and random labels; ten seconds
  cpu            MNIST, 20,000 images, pixels and wavelets; five minutes on two cores
  cpu_mnist      MNIST, all 60,000 images in float32, pixels; 15 GiB, eight minutes
  cpu_cifar10    CIFAR-10, 20,000 images, pixels and 4,000 random filters; an hour
  paper          MNIST, all images, pixels and wavelets, float64; 29 GiB
  paper_cifar10  CIFAR-10, all images, pixels and 32,000 filters, float64; 28 GiB, hours
"paper" and "paper_cifar10" have not been run.

Deviations: the paper fixes the kernel exp(-0.02 |x - x'|^2) on MNIST's pixels divided by 255, and
nothing else. Everywhere else gamma is 2.1 over the mean squared distance of training examples,
which is what 0.02 is on MNIST's pixels; nothing is tuned on test data. Which wavelets: three
wavelengths (4, 6, 9 pixels), eight orientations, magnitudes averaged over 4x4 windows, under a
Gaussian kernel. Which random features: patches of the training images as 6x6 filters, whitened,
rectified on both sides, averaged over quadrants (Coates & Ng 2012), under the linear kernel:
8 features per filter; fewer features than examples do not interpolate, and are refused
without an l2 term. "l2" is relative to the mean of the Gram matrix's diagonal; the paper's is not
known; 0.001 is taken, untuned. See rote/linear.

A run that is killed goes on with the first line that it has not solved.
"""

import dataclasses
import functools
import math
import sys
import time
from collections.abc import Iterator
from typing import Literal, NamedTuple

import jax
import numpy as np

from rote import cli, data, linear, tables, viz
from rote.core import Dataset, InputError, unknown_name
from rote.studies import zhang2017
from rote.studies.config import check_list, check_positive, check_seeds
from rote.tables import Column

FEATURES = ("pixels", "gabor", "random_conv")
PAPER_GAMMA = 0.02  # MNIST's pixels divided by 255
RELATIVE_GAMMA = 2.1  # over the mean squared distance; what 0.02 is on MNIST's pixels
FILTERS_AT_ONCE = 500


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the linear models."""

    dataset: str = "digits"
    """Data set: digits (in the package), mnist, fashion_mnist, cifar10, any TFDS set."""
    num_train: int | None = None
    """Train on a class-balanced subset of this many examples; None: on all."""
    features: tuple[str, ...] = FEATURES
    """What the model is linear in: pixels and gabor (under a Gaussian kernel), random_conv."""
    conditions: tuple[str, ...] = ("true", "random_labels")
    """Labels: true, random_labels."""
    l2: tuple[float, ...] = (0.0,)
    """Coefficients of the l2 term, in units of the Gram matrix's mean diagonal."""
    gamma: float | None = None
    """Of the Gaussian kernel; None: the paper's for MNIST's pixels, else relative to distances."""
    num_filters: int = 32_000
    """Filters of random_conv."""
    dtype: Literal["float32", "float64"] = "float64"
    """Of the Gram matrix and its factor."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of random filters and random labels; what has neither is solved once."""
    sgd_examples: int = 20
    """Examples of the picture of gradient descent; 0: none."""
    sgd_epochs: int = 1000
    """Its epochs."""

    def __post_init__(self) -> None:
        """Checks the values."""
        check_seeds(self.seeds)
        for name in ("features", "conditions", "l2"):
            check_list(name, getattr(self, name))
        for kind in self.features:
            if kind not in FEATURES:
                raise unknown_name("features", kind, FEATURES)
        for condition in self.conditions:
            if condition not in ("true", "random_labels"):
                raise unknown_name("condition", condition, ("true", "random_labels"))
        for l2 in self.l2:
            if not 0 <= l2 < math.inf:
                raise InputError(f"l2: {l2}; expected 0 or positive numbers")
        if self.gamma is not None:
            check_positive("gamma", self.gamma)
        for name, least in (("num_filters", 1), ("sgd_examples", 0), ("sgd_epochs", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name}: {getattr(self, name)}; expected at least {least}")


PRESETS = {
    "smoke": Config(l2=(0.0, 0.001), num_filters=400),
    "cpu": Config(dataset="mnist", num_train=20_000, features=("pixels", "gabor"), l2=(0.0, 0.001)),
    "cpu_mnist": Config(
        dataset="mnist", features=("pixels",), conditions=("true",), dtype="float32"
    ),
    "cpu_cifar10": Config(
        dataset="cifar10",
        num_train=20_000,
        features=("pixels", "random_conv"),
        conditions=("true",),
        l2=(0.0, 0.001),
        num_filters=4_000,
        dtype="float32",
    ),
    "paper": Config(
        dataset="mnist", features=("pixels", "gabor"), conditions=("true",), l2=(0.0, 0.001)
    ),
    "paper_cifar10": Config(
        dataset="cifar10",
        features=("pixels", "random_conv"),
        conditions=("true",),
        l2=(0.0, 0.001),
    ),
}


class Gram(NamedTuple):
    """A Gram matrix of training examples, and how to predict with it.

    Attributes:
      matrix: ``[n, n]``; see ``rote.linear.solve``.
      predict: from ``alpha [n, k]`` to the outputs for the test examples ``[m, k]``.
      num_features: how many features the model is linear in; ``None``: infinitely many.
    """

    matrix: np.ndarray
    predict: functools.partial[np.ndarray]
    num_features: int | None


def run(config: Config, out: cli.Job) -> None:
    """Solves every line of the table; leaves it and two figures."""
    dataset = data.load(config.dataset, num_train=config.num_train)
    check_features(config, dataset)
    table = solved(config, dataset, out)
    summary = tables.summarize(
        table,
        ["features", "labels", "l2"],
        {
            "train accuracy": Column("train_accuracy", digits=2, unit="%"),
            "test error": Column("test_error", digits=2, unit="%"),
            "norm": Column("norm"),
            "seconds": Column("seconds", digits=0),
        },
    )
    about = data.describe(dataset)
    title = f"{about['num_train']:,} images of {dataset.name}"
    out.save_figure("norm_and_error", viz.norm_and_error(table, title=title))
    text = tables.format_table(summary)
    if config.sgd_examples:
        paths = descent(config, dataset)
        which = f"{config.sgd_examples} images of {dataset.name}"
        out.save_figure("sgd", viz.distances(paths, title=which))
        last = {start: values[-1] for start, values in paths.items()}
        text += "\n\nSGD, distance to the minimum-norm solution relative to its norm: " + ", ".join(
            f"{value:.2g} from {start}" for start, value in last.items()
        )
    out.finish(text, table=table, summary=summary, data=about)


def check_features(config: Config, dataset: Dataset) -> None:
    """Checks, before anything is computed, that every line has its features and a solution.

    Raises:
      InputError: if Gabor wavelets are asked for of color images, or random features are fewer than
        the examples without l2.
    """
    if "gabor" in config.features and dataset.image_shape[-1] != 1:
        raise InputError(
            f"features: gabor, of images with {dataset.image_shape[-1]} channels; it is for gray "
            "ones: leave it out"
        )
    num_train = len(dataset.train.labels)
    num_features = linear.FEATURES_PER_FILTER * config.num_filters
    if "random_conv" in config.features and 0 in config.l2 and num_features < num_train:
        raise InputError(
            f"num_filters: {config.num_filters:,} are {num_features:,} features, fewer than the "
            f"{num_train:,} images, which they cannot fit without l2; give at least "
            f"{-(-num_train // linear.FEATURES_PER_FILTER):,}, a smaller --num-train, or --l2 "
            "above 0"
        )


def solved(config: Config, dataset: Dataset, out: cli.Job) -> list[zhang2017.Row]:
    """All lines of the table; those that an earlier call of the same run has solved are kept."""
    kept = out.kept()
    lines = [line for kind in config.features for line in lines_of(config, kind)]
    for kind in config.features:
        for feature_seed in config.seeds if kind == "random_conv" else (None,):
            missing = [
                line
                for line in lines_of(config, kind)
                if line.name not in kept and feature_seed in (None, line.seed)
            ]
            if not missing:
                continue
            for row in solve_lines(config, dataset, kind, feature_seed, missing):
                out.keep(row["line"], row)
                kept[row["line"]] = row
                print(
                    f"[{sum(line.name in kept for line in lines)}/{len(lines)}] {row['line']}: "
                    f"train {100 * row['train_accuracy']:.2f} %, "
                    f"test error {100 * row['test_error']:.2f} %, {row['seconds']:.0f} s",
                    file=sys.stderr,
                )
    return [kept[line.name] for line in lines]


class Line(NamedTuple):
    """What one solution is for."""

    kind: str
    condition: str
    l2: float
    seed: int

    @property
    def name(self) -> str:
        """Names the line in files and messages."""
        return f"{self.kind} {self.condition} l2={self.l2:g} seed={self.seed}"


def lines_of(config: Config, kind: str) -> list[Line]:
    """The lines of a kind of features; with nothing random in it, a line is solved once."""
    return [
        Line(kind, condition, l2, seed)
        for condition in config.conditions
        for l2 in config.l2
        for seed in config.seeds
        if seed == config.seeds[0] or kind == "random_conv" or condition != "true"
    ]


def solve_lines(
    config: Config, dataset: Dataset, kind: str, feature_seed: int | None, lines: list[Line]
) -> Iterator[zhang2017.Row]:
    """Solves lines that share a Gram matrix: one factorization for each l2, all labels at once."""
    begin = time.perf_counter()
    gram = make_gram(config, dataset, kind, feature_seed)
    scale = float(np.mean(gram.matrix.diagonal()))
    k, test_labels = dataset.num_classes, dataset.test.labels
    for l2 in dict.fromkeys(line.l2 for line in lines):
        together = [line for line in lines if line.l2 == l2]
        labels = [
            data.corrupt(dataset, line.condition, seed=line.seed).train.labels for line in together
        ]
        targets = np.hstack([np.eye(k)[each] for each in labels])
        solution = linear.solve(gram.matrix, targets, l2 * scale)
        outputs = gram.predict(solution.alpha)
        seconds = time.perf_counter() - begin
        for i, (line, each) in enumerate(zip(together, labels, strict=True)):
            own = slice(i * k, (i + 1) * k)
            part = solution.columns(own)
            test_accuracy = float(np.mean(outputs[:, own].argmax(1) == test_labels))
            yield {
                "line": line.name,
                "dataset": dataset.name,
                "features": kind,
                "labels": line.condition.removesuffix("_labels"),
                "l2": l2,
                "seed": line.seed,
                "dtype": config.dtype,
                "num_train": len(each),
                "num_features": gram.num_features,
                "train_accuracy": float(np.mean(part.fitted.argmax(1) == each)),
                "test_accuracy": test_accuracy,
                "test_error": 1 - test_accuracy,
                "norm": part.norm,
                "residual": part.residual,
                "seconds": seconds,
            }
        begin = time.perf_counter()


def make_gram(config: Config, dataset: Dataset, kind: str, feature_seed: int | None) -> Gram:
    """The Gram matrix of a kind of features."""
    train, test = dataset.train.images, dataset.test.images
    if feature_seed is not None:
        return random_gram(config, train, test, feature_seed)
    if kind == "gabor":
        x, z = (linear.gabor(images / np.float32(255)) for images in (train, test))
        x, z = x.astype(config.dtype), z.astype(config.dtype)
    else:
        x, z = (
            images.reshape(len(images), -1).astype(config.dtype) / 255 for images in (train, test)
        )
    gamma = config.gamma
    if gamma is None and (dataset.name, kind) == ("mnist", "pixels"):
        gamma = PAPER_GAMMA
    elif gamma is None:
        gamma = RELATIVE_GAMMA / linear.mean_squared_distance(x)
    predict = functools.partial(linear.gaussian_predict, z, x, gamma=gamma)
    return Gram(linear.gaussian_gram(x, gamma), predict, None)


def random_gram(config: Config, train: np.ndarray, test: np.ndarray, seed: int) -> Gram:
    """The linear kernel of random convolutional features, some filters at a time."""
    patches = linear.random_patches(train, config.num_filters, seed=seed)
    matrix = linear.empty_gram(len(train), config.dtype)
    across = np.zeros((len(train), len(test)), config.dtype)
    num_features = 0
    for start in range(0, config.num_filters, FILTERS_AT_ONCE):
        some = patches.filters[..., start : start + FILTERS_AT_ONCE]
        part = patches._replace(filters=some)
        x, z = (linear.patch_features(images, part) for images in (train, test))
        x, z = x.astype(config.dtype), z.astype(config.dtype)
        linear.add_products(matrix, x)
        linear.add_products(across, x, z)
        num_features += x.shape[1]
    return Gram(matrix, functools.partial(np.matmul, across.T), num_features)


def descent(config: Config, dataset: Dataset) -> dict[str, np.ndarray]:
    """By start, how far SGD on whitened pixels is from the minimum-norm solution, by epoch.

    Distances are relative to that solution's norm. A start that is not in the span of the examples
    ends as far from it as it is from the span.
    """
    seed = config.seeds[0]
    count = min(config.sgd_examples, len(dataset.train.labels))
    x = dataset.train.images[:count].reshape(count, -1) / 255.0
    x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    y = np.eye(dataset.num_classes)[dataset.train.labels[:count]]
    target = np.linalg.pinv(x) @ y
    elsewhere = np.random.default_rng(seed).normal(size=target.shape)
    elsewhere *= np.linalg.norm(target) / np.linalg.norm(elsewhere)
    rate = 1 / float(np.max(np.sum(x * x, axis=1)))
    paths = {}
    for name, start in (("zero", np.zeros_like(target)), ("elsewhere", elsewhere)):
        path = linear.sgd_path(
            x, y, start, learning_rate=rate, epochs=config.sgd_epochs, key=jax.random.key(seed)
        )
        away = np.linalg.norm(np.asarray(path, np.float64) - target, axis=(1, 2))
        paths[name] = away / np.linalg.norm(target)
    return paths


if __name__ == "__main__":
    cli.main(run, PRESETS)
