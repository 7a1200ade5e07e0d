"""From Pillow's many modes to colour and alpha arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from cutaway.errors import UnsupportedFormat
from cutaway.images.arrays import opaque_as_none, sixteen_bits
from cutaway.images.profiles import srgb_transform
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from cutaway.images.pixels import Metadata

__all__ = ["Arrays", "Decoded", "alpha_of_key", "to_arrays"]

# What each mode is read as; those with a key colour or a palette's transparency get alpha on top.
_READ_AS = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "La": "LA",
    "P": "RGB",
    "PA": "RGBA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
    "HSV": "RGB",
    "LAB": "RGB",
    "CMYK": "RGB",
}
_CONVERTED = {"LAB", "CMYK"}
_WHITE_IS_ZERO = (262, 0)


class Arrays(NamedTuple):
    """Colour (height, width, 1 or 3) and alpha (height, width) as in `Pixels`.

    `converted` tells that the colour is sRGB now, so that the file's profile has done its work.
    """

    colour: NDArray[Any]
    alpha: NDArray[Any] | None = None
    converted: bool = False
    warnings: tuple[str, ...] = ()


class Decoded(NamedTuple):
    """A file's or an image's arrays and metadata, and how the arrays are still to be turned.

    `copy_of` is the width and height of what they are a smaller copy of, not turned either.
    """

    arrays: Arrays
    metadata: Metadata
    turn: int
    copy_of: tuple[int, int] | None = None


def to_arrays(image: Image.Image, profile: bytes | None) -> Arrays:
    """Copy a loaded image's numbers out, a stripe at a time.

    Args:
        image: Of any of Pillow's modes; it isn't changed.
        profile: Its ICC profile, by which CMYK is taken to sRGB.

    Raises:
        UnsupportedFormat: its numbers are 32-bit integers, or floats outside 0..1.
    """
    key = image.info.get("transparency")
    if image.mode.startswith("I;16"):
        deep = _deep_grey(image)
        return Arrays(deep, alpha_of_key(deep, key))
    if image.mode == "F":
        return Arrays(_from_floats(image))
    if image.mode not in _READ_AS:
        raise _unsupported(f"its pixels are of Pillow's mode {image.mode}")
    convert, warnings = _conversion(image, profile)
    target = _READ_AS[image.mode]
    if image.mode == "P" and image.has_transparency_data:
        target = "RGBA"
    colour, alpha = _copied(image, target, convert)
    if alpha is None and image.mode != "P":
        alpha = alpha_of_key(colour, key)
    converted = image.mode in _CONVERTED
    return Arrays(colour, opaque_as_none(alpha), converted, warnings)


def alpha_of_key(colour: NDArray[Any], key: object) -> NDArray[Any] | None:
    """The alpha of a picture in which one colour, the key, is transparent; None without a key."""
    numbers = [part for part in (key if isinstance(key, tuple) else (key,)) if type(part) is int]
    if len(numbers) != colour.shape[2]:
        return None
    top_level = np.iinfo(colour.dtype).max
    transparent = np.array([part & top_level for part in numbers], colour.dtype)
    height, width, channels = colour.shape
    alpha = np.empty((height, width), colour.dtype)
    for top, bottom in stripes(height, width * channels * 2):
        differs = (colour[top:bottom] != transparent).any(axis=2)
        np.multiply(differs, top_level, out=alpha[top:bottom], casting="unsafe")
    return opaque_as_none(alpha)


def _conversion(
    image: Image.Image, profile: bytes | None
) -> tuple[Callable[[Image.Image], Image.Image] | None, tuple[str, ...]]:
    """What takes a stripe of the image to the mode it is read as, if it isn't in it already."""
    if image.mode != "CMYK":
        return None, ()
    transform = srgb_transform(profile, "CMYK") if profile else None
    if transform:
        return transform.apply, ()
    lack = "has no ICC profile" if profile is None else "has a broken ICC profile"
    return None, (f"it is CMYK and {lack}, so its colours are a guess",)


def _copied(
    image: Image.Image, target: str, convert: Callable[[Image.Image], Image.Image] | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    width, height = image.size
    grey, transparent = target.startswith("L"), target.endswith("A")
    colour = np.empty((height, width, 1 if grey else 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if transparent else None
    for top, bottom in stripes(height, width * 4):
        stripe = image.crop((0, top, width, bottom))
        stripe = convert(stripe) if convert else stripe.convert(target)
        block = np.asarray(stripe)
        if alpha is None:
            colour[top:bottom] = block.reshape(colour[top:bottom].shape)
            continue
        cv2.extractChannel(block, block.shape[2] - 1, alpha[top:bottom])
        if grey:
            cv2.extractChannel(block, 0, colour[top:bottom])
        else:
            cv2.cvtColor(block, cv2.COLOR_RGBA2RGB, colour[top:bottom])
    return colour, alpha


def _deep_grey(image: Image.Image) -> NDArray[np.uint16]:
    width, height = image.size
    colour = np.empty((height, width, 1), np.uint16)
    for top, bottom in stripes(height, width * 2):
        colour[top:bottom, :, 0] = np.asarray(image.crop((0, top, width, bottom)))
    tag, white_is_zero = _WHITE_IS_ZERO
    if getattr(image, "tag_v2", {}).get(tag) == white_is_zero:  # Pillow heeds it at 8 bits only
        np.invert(colour, out=colour)
    return colour


def _from_floats(image: Image.Image) -> NDArray[np.uint16]:
    try:
        return sixteen_bits(np.asarray(image)[..., np.newaxis])
    except ValueError as error:
        raise _unsupported(str(error)) from error


def _unsupported(why: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        "this kind of picture can't be read",
        why,
        "Convert it to 8 or 16 bits a channel, grey or RGB",
    )
