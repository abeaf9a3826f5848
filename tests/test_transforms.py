"""Transforms against NumPy, one image at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rote import transforms
from rote.core import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 8, 3)).astype(np.uint8)
DTYPES = pytest.mark.parametrize("dtype", [np.uint8, np.float32])

ALL = {
    "unit_scale": transforms.unit_scale(),
    "standardize": transforms.standardize([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
    "imagenet_standardize": transforms.imagenet_standardize(),
    "per_image_whitening": transforms.per_image_whitening(),
    "center_crop": transforms.center_crop(5),
    "random_crop": transforms.random_crop(5, padding=2),
    "random_flip": transforms.random_flip(),
    "chain": transforms.chain(
        transforms.random_crop(6),
        transforms.random_flip(),
        transforms.per_image_whitening(),
    ),
    "empty chain": transforms.chain(),
}


@DTYPES
def test_unit_scale(dtype) -> None:
    actual = transforms.unit_scale()(jnp.asarray(IMAGES, dtype), train=False)
    np.testing.assert_allclose(actual, IMAGES / 255.0, rtol=1e-6)


@DTYPES
def test_standardize(dtype) -> None:
    mean, std = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]
    actual = transforms.standardize(mean, std)(jnp.asarray(IMAGES, dtype), train=True)
    np.testing.assert_allclose(actual, (IMAGES - np.array(mean)) / std, rtol=1e-5)


@DTYPES
def test_imagenet_standardize(dtype) -> None:
    black_and_white = jnp.array([0, 255], dtype).reshape(1, 1, 2, 1).repeat(3, -1)
    actual = transforms.imagenet_standardize()(black_and_white, train=False)[0, 0]
    expected = [[-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]]
    expected += [[0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    with pytest.raises(InputError, match=r"3 means .* with 1 channels"):
        transforms.imagenet_standardize()(black_and_white[..., :1], train=False)


@DTYPES
def test_per_image_whitening(dtype) -> None:
    images = IMAGES.copy()
    images[1] = 7  # constant
    images[2] = 0
    images[2, 0, 0, 0] = 1  # standard deviation 0.068, barely above the bound
    images[3] = 255
    actual = transforms.per_image_whitening()(jnp.asarray(images, dtype), train=False)
    n = images[0].size
    for image, whitened in zip(images.astype(np.float64), actual, strict=True):
        expected = (image - image.mean()) / max(image.std(), 1 / np.sqrt(n))
        np.testing.assert_allclose(whitened, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(actual[1], 0)


def test_per_image_whitening_bounds_the_deviation_from_below() -> None:
    faint = np.zeros((1, 4, 4, 1), np.float32)
    faint[0, 0, 0, 0] = 0.5  # standard deviation 0.121 < 1 / sqrt(16)
    actual = transforms.per_image_whitening()(jnp.asarray(faint), train=False)
    np.testing.assert_allclose(actual, (faint - 0.5 / 16) / 0.25, rtol=1e-6)


@DTYPES
def test_center_crop(dtype) -> None:
    crop = transforms.center_crop(5)
    images = jnp.asarray(IMAGES, dtype)
    for train in (True, False):
        np.testing.assert_array_equal(crop(images, train=train), IMAGES[:, 2:7, 1:6])


def windows(image: np.ndarray, size: int) -> list[np.ndarray]:
    height, width, _ = image.shape
    return [
        image[i : i + size, j : j + size]
        for i in range(height - size + 1)
        for j in range(width - size + 1)
    ]


@DTYPES
@pytest.mark.parametrize(("size", "padding"), [(7, 0), (8, 2)])
def test_random_crop_draws_every_window_equally_often(dtype, size: int, padding: int) -> None:
    copies = jnp.asarray(np.broadcast_to(IMAGES[:1], (6000, 9, 8, 3)), dtype)
    crops = transforms.random_crop(size, padding)(copies, train=True, key=jax.random.key(0))
    padded = np.pad(IMAGES[0], ((padding, padding), (padding, padding), (0, 0)))
    possible = {window.astype(np.float32).tobytes(): 0 for window in windows(padded, size)}
    for crop in np.asarray(crops):
        possible[crop.tobytes()] += 1  # KeyError: not a window of the padded image
    counts = np.array(list(possible.values()))
    expected = 6000 / len(counts)
    # Pearson's statistic has mean k - 1 and variance 2 (k - 1).
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < len(counts) - 1 + 5 * np.sqrt(2 * (len(counts) - 1))


@DTYPES
def test_random_crop_evaluates_the_centre_of_the_unpadded_image(dtype) -> None:
    actual = transforms.random_crop(5, padding=3)(jnp.asarray(IMAGES, dtype), train=False)
    np.testing.assert_array_equal(actual, IMAGES[:, 2:7, 1:6])


@DTYPES
def test_random_flip(dtype) -> None:
    copies = jnp.asarray(np.broadcast_to(IMAGES[:1], (2000, 9, 8, 3)), dtype)
    flipped = np.asarray(transforms.random_flip()(copies, train=True, key=jax.random.key(1)))
    same = (flipped == IMAGES[0]).all((1, 2, 3))
    mirrored = (flipped == IMAGES[0, :, ::-1]).all((1, 2, 3))
    np.testing.assert_array_equal(same, ~mirrored)
    assert abs(same.mean() - 0.5) < 5 * 0.5 / np.sqrt(2000)


def test_random_flip_leaves_evaluation_alone() -> None:
    np.testing.assert_array_equal(transforms.random_flip()(IMAGES, train=False), IMAGES)


def test_chain_is_composition_in_order() -> None:
    chained = transforms.chain(transforms.center_crop(5), transforms.per_image_whitening())
    inner = transforms.center_crop(5)(IMAGES, train=False)
    np.testing.assert_array_equal(
        chained(IMAGES, train=False), transforms.per_image_whitening()(inner, train=False)
    )


def test_chain_gives_each_position_a_key_of_its_own() -> None:
    flips = transforms.chain(transforms.random_flip(), transforms.random_flip())
    copies = np.broadcast_to(IMAGES[:1], (400, 9, 8, 3))
    twice = np.asarray(flips(copies, train=True, key=jax.random.key(0)))
    same = (twice == IMAGES[0]).all((1, 2, 3))
    assert 0.3 < same.mean() < 0.7  # with one key for both, every image would come back


@DTYPES
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("train", [True, False])
def test_every_transform(name: str, train: bool, dtype) -> None:
    transform, images = ALL[name], jnp.asarray(IMAGES, dtype)

    def apply(images, seed):
        return transform(images, train=train, key=jax.random.key(seed))

    eager = apply(images, 3)
    assert eager.dtype == jnp.float32
    assert eager.shape[0] == len(images)
    np.testing.assert_array_equal(apply(images, 3), eager)
    np.testing.assert_allclose(jax.jit(apply)(images, 3), eager, rtol=1e-5, atol=1e-5)

    runs = jax.vmap(apply, in_axes=(None, 0))(images, jnp.array([3, 4]))
    np.testing.assert_allclose(runs[0], eager, rtol=1e-5, atol=1e-5)
    random = name in ("random_crop", "random_flip", "chain")
    assert (jnp.abs(runs[0] - runs[1]).max() > 1e-3) == (train and random)


@pytest.mark.parametrize("name", ALL)
def test_evaluation_needs_no_key_and_float64_is_kept_where_it_is_on(name: str) -> None:
    with jax.enable_x64(True):
        transformed = ALL[name](IMAGES, train=False)
    assert transformed.dtype == jnp.float64
    with jax.numpy_dtype_promotion("strict"):
        images = jnp.asarray(IMAGES)
        np.testing.assert_allclose(
            ALL[name](images, train=False), transformed, rtol=1e-4, atol=1e-5
        )
        ALL[name](images, train=True, key=jax.random.key(0))


@pytest.mark.parametrize("name", ["random_crop", "random_flip", "chain"])
def test_training_without_a_key_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match=r"pass key=jax\.random\.key\(seed\)"):
        ALL[name](IMAGES, train=True)


@pytest.mark.parametrize("build", [transforms.center_crop, transforms.random_crop])
@pytest.mark.parametrize("size", [0, 9])
def test_a_crop_that_does_not_fit_is_an_error(build, size: int) -> None:
    with pytest.raises(InputError, match=rf"size {size} for images of 9x8 pixels; expected 1\.\.8"):
        build(size)(IMAGES, train=True, key=jax.random.key(0))


def test_standardize_refuses_what_it_cannot_divide() -> None:
    with pytest.raises(InputError, match="not positive"):
        transforms.standardize([0.0, 0.0], [1.0, 0.0])
    with pytest.raises(InputError, match="1 means and 1 stds for images with 3 channels"):
        transforms.standardize([0.5], [0.5])(IMAGES, train=False)
