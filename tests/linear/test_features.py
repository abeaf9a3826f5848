"""Fixed features: what Gabor wavelets answer to, and random patches against plain NumPy."""

import numpy as np
import pytest

from rote.core import InputError
from rote.linear import gabor, patch_features, random_patches


def grating(wavelength, angle, phase=0.0, size=32):
    u, v = np.mgrid[:size, :size]
    wave = 2 * np.pi * (u * np.cos(angle) + v * np.sin(angle)) / wavelength
    return 0.5 + 0.5 * np.cos(wave + phase)


def test_wavelets_answer_to_their_own_wavelength_and_orientation():
    for index, angle in enumerate(np.pi * np.arange(4) / 4):
        for scale, wavelength in enumerate((4.0, 8.0)):
            image = grating(wavelength, angle)[None]
            answer = gabor(image, wavelengths=(4.0, 8.0), orientations=4, pool=8)
            middle = answer.reshape(4, 4, 2, 4)[1:3, 1:3].mean((0, 1))  # away from the border
            assert np.unravel_index(middle.argmax(), (2, 4)) == (scale, index)


def test_magnitudes_do_not_see_phase_or_brightness():
    """Two windows and more from the border, which the wavelets feel."""

    def inner(image):
        answer = gabor(image[None], wavelengths=(6.0,), orientations=4, pool=8)
        return answer.reshape(6, 6, 4)[2:4, 2:4]

    one, other = (inner(grating(6.0, 0.3, phase, size=48)) for phase in (0.0, 1.5))
    np.testing.assert_allclose(one, other, rtol=0.05)
    assert one.max() > 0.1
    assert np.abs(inner(np.full((48, 48), 0.7))).max() < 1e-6  # wavelets sum to zero


def test_gabor_shapes_and_windows_at_the_border():
    images = np.random.default_rng(0).random((3, 10, 7, 1))
    assert gabor(images, wavelengths=(4.0,), orientations=2, pool=4).shape == (3, 3 * 2 * 2)
    with pytest.raises(InputError, match=r"shape \(3, 10, 7, 3\); expected gray"):
        gabor(np.zeros((3, 10, 7, 3)))


def test_patch_features_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 9, 9, 3)).astype(np.uint8)
    patches = random_patches(images, 4, seed=0, size=3, samples=300)
    got = patch_features(images, patches, bias=0.5).reshape(5, 2, 2, 8)

    filters = patches.filters.reshape(27, 4)
    np.testing.assert_allclose(np.linalg.norm(filters, axis=0), 1, rtol=1e-5)
    responses = np.zeros((5, 7, 7, 4))
    for n, i, j in np.ndindex(5, 7, 7):
        patch = images[n, i : i + 3, j : j + 3].astype(float).ravel()
        patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10)
        responses[n, i, j] = (patch - patches.mean) @ patches.whitening @ filters
    both = np.maximum(np.concatenate([responses - 0.5, -responses - 0.5], axis=-1), 0)
    halves = (slice(0, 4), slice(3, 7))  # windows of four overlap on seven positions
    for a, b in np.ndindex(2, 2):
        expected = both[:, halves[a], halves[b]].mean((1, 2))
        np.testing.assert_allclose(got[:, a, b], expected, atol=2e-4)


def test_whitening_takes_correlation_away():
    """The covariance of whitened patches has eigenvalues v / (v + 0.1), v those of the plain."""
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(size=(20, 16, 16, 1)), axis=1), axis=2)
    images = ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)
    whitening = random_patches(images, 4, seed=0, size=3, samples=2000).whitening.astype(float)
    shrunk = np.linalg.eigvalsh(whitening) ** -2  # v + 0.1
    np.testing.assert_allclose(whitening, whitening.T, atol=1e-5)
    assert shrunk.min() == pytest.approx(0.1, rel=1e-3)  # a patch less its mean has no mean
    assert np.sum(shrunk - 0.1) == pytest.approx(9, rel=0.3)  # normalized: variance near one


def test_filters_follow_from_the_seed():
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 9, 1)).astype(np.uint8)
    one, same, other = (random_patches(images, 4, seed=seed, samples=50) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.filters, same.filters)
    assert not np.array_equal(one.filters, other.filters)
    with pytest.raises(InputError, match="4 filters of side 12 out of 50 patches of 9x9"):
        random_patches(images, 4, seed=0, size=12, samples=50)
