"""Image files, cut as torchvision cuts them."""

import numpy as np
import pytest
from PIL import Image

from rote.core import InputError
from rote.data import load_image


def pixels(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def antialiased(image, size):
    """Bilinear reduction by its definition: a triangle over all pixels that a new one covers."""

    def weights(old, new):
        scale = old / new
        centers = (np.arange(new)[:, None] + 0.5) * scale
        away = np.abs(np.arange(old) + 0.5 - centers) / max(scale, 1)
        triangle = np.maximum(1 - away, 0)
        return triangle / triangle.sum(axis=1, keepdims=True)

    rows, columns = weights(image.shape[0], size[0]), weights(image.shape[1], size[1])
    return np.einsum("ih,hwc,jw->ijc", rows, image.astype(float), columns)


@pytest.mark.parametrize(("height", "width"), [(41, 64), (64, 41), (9, 9), (12, 30)])
def test_it_is_a_weighted_mean_of_what_is_covered(tmp_path, height, width):
    image = pixels(height, width)
    Image.fromarray(image).save(tmp_path / "a.png")
    found = load_image(tmp_path / "a.png", resize=16, crop=12)
    short = min(height, width)
    new = (16 * height // short, 16 * width // short)
    top, left = (round((side - 12) / 2) for side in new)
    expected = antialiased(image, new)[top : top + 12, left : left + 12]
    assert found.dtype == np.uint8 and found.shape == (12, 12, 3)
    assert np.abs(found - expected).max() <= 1  # Pillow rounds after each axis


@pytest.mark.parametrize(("width", "left"), [(256, 16), (427, 102), (425, 100), (426, 101)])
def test_the_square_is_where_torchvision_has_it(tmp_path, width, left):
    """Nothing is resized; a half goes to the even number."""
    image = pixels(256, width)
    Image.fromarray(image).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), image[16:240, left : left + 224])


def test_every_kind_of_image_becomes_rgb(tmp_path):
    gray = Image.fromarray(pixels(8, 8, 1)[..., 0])
    color = Image.fromarray(pixels(8, 8))
    clear = color.copy()
    clear.putalpha(7)
    for image, expected in [
        (gray, gray.convert("RGB")),
        (clear, color),
        (color.quantize(9), color.quantize(9).convert("RGB")),
    ]:
        image.save(tmp_path / "a.png")
        found = load_image(tmp_path / "a.png", resize=8, crop=8)
        np.testing.assert_array_equal(found, np.asarray(expected))


def test_a_photo_is_turned_upright(tmp_path):
    image = pixels(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by a quarter, clockwise
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    found = load_image(tmp_path / "a.png", resize=8, crop=8)
    np.testing.assert_array_equal(found, np.rot90(image, -1))


def test_what_is_no_image_is_refused(tmp_path):
    file = tmp_path / "a.png"
    with pytest.raises(InputError, match=r"cannot read .*a\.png: No such file"):
        load_image(file)
    with pytest.raises(InputError, match="no image that Pillow can read"):
        load_image(tmp_path)
    file.write_bytes(b"hello")
    with pytest.raises(InputError, match="no image that Pillow can read"):
        load_image(file)
    Image.fromarray(pixels(64, 64)).save(file)
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(InputError, match="no image that Pillow can read"):
        load_image(file)
    Image.fromarray(pixels(8, 8, 1)[..., 0].astype(np.uint16) * 256).save(file)
    with pytest.raises(InputError, match="more than 8 bits per channel"):
        load_image(file)
    with pytest.raises(InputError, match="crop: 224, resize: 100; expected"):
        load_image(file, resize=100)
    Image.fromarray(pixels(201, 2)).save(file)
    with pytest.raises(InputError, match="2 x 201 pixels; expected one side at most 100 times"):
        load_image(file)
