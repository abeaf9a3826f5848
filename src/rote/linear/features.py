"""Fixed features of images: Gabor wavelets, and random patches as convolution filters."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from rote.core import InputError

BATCH = 64


class Patches(NamedTuple):
    """Filters of a random convolutional layer; see ``random_patches``.

    Attributes:
      filters: ``[size, size, C, F]`` float32, of unit norm, in whitened coordinates.
      mean: ``[size * size * C]`` float32, the mean of normalized patches.
      whitening: ``[size * size * C] * 2`` float32, symmetric.
    """

    filters: np.ndarray
    mean: np.ndarray
    whitening: np.ndarray


def gabor(
    images: np.ndarray,
    *,
    wavelengths: Sequence[float] = (4.0, 6.0, 9.0),
    orientations: int = 8,
    pool: int = 4,
) -> np.ndarray:
    r"""Magnitudes of Gabor wavelets, averaged over windows.

    The wavelet of wavelength ``l`` and orientation ``t`` is, at ``(u, v)`` pixels from its center,

    .. math:: e^{-(u^2 + v^2) / 2 s^2} (e^{2 \pi i (u \cos t + v \sin t) / l} - c), \quad s = l / 2,

    with ``c`` such that it sums to zero, divided by the sum of its envelope; the magnitude of its
    response does not depend on the phase. Zhang et al. do not say which wavelets they take.

    Args:
      images: ``[N, H, W]`` or ``[N, H, W, 1]``, any real dtype; scale ``0 .. 1`` is usual.
      wavelengths: in pixels.
      orientations: how many, evenly spaced over half a turn.
      pool: side of the windows, in pixels; ones that stick out at the border average what is there.

    Returns:
      ``[N, ceil(H / pool) * ceil(W / pool) * len(wavelengths) * orientations]`` float32.

    Raises:
      InputError: if the images are not gray.

    Reference:
      Daugman 1985, Uncertainty relation for resolution in space, spatial frequency, and orientation
      optimized by two-dimensional visual cortical filters; Zhang et al. 2017, section 5.
    """
    gray = np.asarray(images, np.float32)
    gray = gray[..., None] if gray.ndim == 3 else gray
    if gray.ndim != 4 or gray.shape[-1] != 1:
        raise InputError(f"gabor: images of shape {np.shape(images)}; expected gray [N, H, W, 1]")
    banks = [_wavelets(wavelength, orientations) for wavelength in wavelengths]

    def respond(x: jax.Array) -> jax.Array:
        parts = []
        for bank in banks:
            both = _convolve(x, np.concatenate([bank.real, bank.imag], axis=-1), "SAME")
            real, imaginary = jnp.split(both, 2, axis=-1)
            parts.append(_average(jnp.hypot(real, imaginary), pool, pool, "SAME"))
        return jnp.concatenate(parts, axis=-1)

    return _in_batches(respond, gray)


def _wavelets(wavelength: float, orientations: int) -> np.ndarray:
    """``[side, side, 1, orientations]`` complex64, with a side of about three wavelengths."""
    sigma = wavelength / 2
    radius = int(np.ceil(3 * sigma))
    u, v = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(float)
    envelope = np.exp(-(u**2 + v**2) / (2 * sigma**2))
    envelope /= envelope.sum()
    angles = np.pi * np.arange(orientations) / orientations
    phase = u[..., None] * np.cos(angles) + v[..., None] * np.sin(angles)
    wave = np.exp(2j * np.pi * phase / wavelength)
    wave -= np.sum(envelope[..., None] * wave, axis=(0, 1))
    return (envelope[..., None] * wave)[:, :, None].astype(np.complex64)


def random_patches(
    images: np.ndarray, num_filters: int, *, seed: int, size: int = 6, samples: int = 100_000
) -> Patches:
    """Filters that are random patches of the training images, normalized and whitened.

    Each patch is normalized, ``(p - mean(p)) / sqrt(var(p) + 10)`` on the scale 0..255, and
    whitened by ZCA, ``(C + 0.1 I)^(-1/2)`` with the covariance of the sample; filters have unit
    norm.

    Args:
      images: ``[N, H, W, C]`` on the scale 0..255.
      num_filters: ``F``.
      seed: of the choice of patches.
      size: side of a patch, in pixels.
      samples: patches whose mean and covariance are taken; the filters are the first of them.

    Raises:
      InputError: if images are smaller than a patch, or there are fewer samples than filters.

    Reference:
      Coates & Ng 2012, Learning feature representations with k-means, section 3 (normalization,
      whitening; patches as filters); Zhang et al. 2017 do not describe their random features.
    """
    count, height, width, channels = images.shape
    if min(height, width) < size or samples < num_filters:
        raise InputError(
            f"random_patches: {num_filters} filters of side {size} out of {samples} patches of "
            f"{height}x{width} images; expected larger images, or more samples"
        )
    rng = np.random.default_rng(seed)
    which = rng.integers(count, size=samples)
    rows, columns = (rng.integers(side - size + 1, size=samples) for side in (height, width))
    within = np.arange(size)
    patches = images[
        which[:, None, None],
        rows[:, None, None] + within[:, None],
        columns[:, None, None] + within,
    ].reshape(samples, -1)
    patches = _normalized(patches.astype(np.float32))
    mean = patches.mean(0)
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    whitening = (vectors / np.sqrt(np.maximum(values, 0) + 0.1)) @ vectors.T
    chosen = (patches[:num_filters] - mean) @ whitening
    chosen /= np.linalg.norm(chosen, axis=1, keepdims=True) + 1e-8
    filters = chosen.T.reshape(size, size, channels, num_filters)
    return Patches(*(array.astype(np.float32) for array in (filters, mean, whitening)))


FEATURES_PER_FILTER = 8
"""Of ``patch_features``: both signs, four quadrants."""


def patch_features(images: np.ndarray, patches: Patches, *, bias: float = 1.0) -> np.ndarray:
    """A convolutional layer of fixed filters, rectified on both sides, averaged over quadrants.

    With ``q`` the normalized, whitened patch at a position, feature ``f`` is the mean over a
    quadrant of ``max(0, <filter_f, q> - bias)``, feature ``F + f`` that of
    ``max(0, -<filter_f, q> - bias)``.

    Args:
      images: ``[N, H, W, C]`` on the scale 0..255.
      patches: of ``random_patches``, or some of its filters.
      bias: what a response must exceed.

    Returns:
      ``[N, 4 * 2F]`` float32.

    Reference:
      Coates & Ng 2012, section 4 (soft threshold, pooling over quadrants).
    """
    size, _, channels, _ = patches.filters.shape
    area = size * size * channels
    # <f, W (p - m)> with p normalized is a convolution with W f, less a constant, with the patch's
    # mean and deviation divided out: no patch is ever written down.
    filters = patches.whitening @ patches.filters.reshape(area, -1)
    shift = patches.mean @ filters
    kernel = (filters - filters.mean(0)).reshape(patches.filters.shape)
    sums = np.ones((size, size, channels, 1), np.float32) / area

    def respond(x: jax.Array) -> jax.Array:
        mean = _convolve(x, sums, "VALID")
        variance = _convolve(x * x, sums, "VALID") - mean**2
        response = _convolve(x, kernel, "VALID") * lax.rsqrt(jnp.maximum(variance, 0) + 10) - shift
        both = jnp.concatenate([response - bias, -response - bias], axis=-1)
        side = response.shape[1]
        window = -(-side // 2)
        return _average(jnp.maximum(both, 0), window, side - window, "VALID")

    return _in_batches(respond, images)


def _normalized(patches: np.ndarray) -> np.ndarray:
    centered = patches - patches.mean(1, keepdims=True)
    return centered / np.sqrt(centered.var(1, keepdims=True) + 10)


def _convolve(x: jax.Array, kernel: np.ndarray, padding: str) -> jax.Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, jnp.asarray(kernel), (1, 1), padding, dimension_numbers=layout
    )


def _average(x: jax.Array, window: int, stride: int, padding: str) -> jax.Array:
    """Means over the part of each window that lies within the image."""

    def total(array: jax.Array) -> jax.Array:
        shape = (1, window, window, 1)
        return lax.reduce_window(array, 0.0, lax.add, shape, (1, stride, stride, 1), padding)

    return total(x) / total(jnp.ones((1, *x.shape[1:3], 1), x.dtype))


def _in_batches(function: Callable[[jax.Array], jax.Array], images: np.ndarray) -> np.ndarray:
    """``function`` of float32 images, batch after batch, each example's values in a row."""
    compiled = jax.jit(lambda x: function(x.astype(jnp.float32)).reshape(len(x), -1))
    batches = range(0, len(images), BATCH)
    return np.concatenate(
        [np.asarray(compiled(images[start : start + BATCH])) for start in batches]
    )
