"""An image file of the user's, cut to the square that a net takes."""

import os

import numpy as np

from rote.core import InputError

LONGEST = 100


def load_image(path: str | os.PathLike[str], *, resize: int = 256, crop: int = 224) -> np.ndarray:
    """Reads an image file and cuts it as torchvision does for its ImageNet nets.

    The shorter side is brought to ``resize`` pixels, the longer one in proportion (rounded down),
    bilinearly and antialiased: each new pixel is a weighted mean over all that it covers. Of that
    the central square is cut. Gray and palette images become RGB, transparency is dropped; a photo
    is turned upright as its EXIF data say, which torchvision leaves to its user.

    Args:
      path: any format that Pillow reads, with 8 bits per channel; of 16 bits in color Pillow keeps
        the upper 8.
      resize: length of the shorter side, in pixels: 256, or 232 for torchvision's second weights
        of ResNet-50 (IMAGENET1K_V2).
      crop: height and width of the square, in pixels, at most ``resize``.

    Returns:
      ``[crop, crop, 3]`` uint8, RGB.

    Raises:
      InputError: if the file is no image or damaged, is gray with more than 8 bits, is 100 times as
        long as wide, or the crop is larger than the image then is.

    Reference:
      torchvision.transforms: ``resize``, ``center_crop``, on Pillow's images.
    """
    from PIL import Image, ImageOps

    if not 1 <= crop <= resize:
        raise InputError(f"crop: {crop}, resize: {resize}; expected a crop from 1 to resize")
    file = os.fspath(path)
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
    except FileNotFoundError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} is no image that Pillow can read: {error}") from error
    if upright.mode.startswith(("I", "F")):  # which Pillow would clip, not scale
        raise InputError(f"{file} has more than 8 bits per channel; save it with 8")
    short = min(upright.size)
    if max(upright.size) > LONGEST * short:  # scaled, it would fill the memory
        raise InputError(
            f"{file} is {upright.size[0]} x {upright.size[1]} pixels; expected one side at most "
            f"{LONGEST} times the other: cut it"
        )
    width, height = (resize * side // short for side in upright.size)
    resized = upright.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    left, top = (round((side - crop) / 2) for side in (width, height))  # halves to the even number
    return np.asarray(resized)[top : top + crop, left : left + crop]
