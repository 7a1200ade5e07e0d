"""Decoding by OpenCV: what Pillow would cut to 8 bits, or would need far more memory for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.images.arrays import opaque_as_none
from cutaway.images.modes import Arrays
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode_colour", "decode_jpeg"]

_RGBA = 4
# Those for colour would add blue, green and red to another order that was asked for.
_REDUCTIONS = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def decode_colour(data: bytes, size: tuple[int, int], bits: int) -> Arrays:
    """Decode a file of RGB or RGBA pixels, as they stand in it.

    Args:
        data: The file, whose header has been checked.
        size: The width and height it must come to.
        bits: The bits of a channel it must have, 8 or 16.

    Raises:
        ValueError: it is damaged, or isn't what its header said to Pillow.
    """
    decoded = _decoded(data, cv2.IMREAD_UNCHANGED, size)
    if decoded.dtype.itemsize * 8 != bits:
        raise ValueError("its header is contradictory")
    if decoded.ndim != 3 or decoded.shape[2] not in {3, _RGBA}:  # noqa: PLR2004
        raise ValueError("its channels are not what its header says")
    if decoded.shape[2] == _RGBA:
        colour = cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGB)
        return Arrays(colour, opaque_as_none(cv2.extractChannel(decoded, 3)))
    _swap_red_and_blue(decoded)
    return Arrays(decoded)


def decode_jpeg(data: bytes, size: tuple[int, int], *, grey: bool, reduction: int = 1) -> Arrays:
    """Decode a JPEG file of grey or colour pixels, as they stand in it.

    By the same library as Pillow's, to the same numbers; but Pillow then copies them twice.

    Args:
        data: The file, whose header has been checked.
        size: The width and height it must come to.
        grey: Whether it has one channel.
        reduction: 1, or 2, 4 or 8 to decode it at that part of its size, rounded up. JPEG's blocks
            can be had smaller for less work.

    Raises:
        ValueError: it is damaged, or isn't what its header said to Pillow.
    """
    mode = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB
    width, height = (-(-side // reduction) for side in size)
    flags = mode | _REDUCTIONS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = _decoded(data, flags, (width, height))
    return Arrays(decoded.reshape(height, width, 1 if grey else 3))


def _decoded(data: bytes, flags: int, size: tuple[int, int]) -> NDArray[Any]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if decoded is None:
        raise ValueError("its pixel data are damaged or end early")
    if decoded.shape[1::-1] != size:
        raise ValueError("its header is contradictory")
    return decoded


def _swap_red_and_blue(colour: NDArray[Any]) -> None:
    height, width = colour.shape[:2]
    for top, bottom in stripes(height, width * 3):
        colour[top:bottom] = cv2.cvtColor(colour[top:bottom], cv2.COLOR_BGR2RGB)
