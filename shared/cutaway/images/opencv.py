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

__all__ = ["decode_colour"]

_RGBA = 4


def decode_colour(data: bytes, size: tuple[int, int], bits: int) -> Arrays:
    """Decode a file of RGB or RGBA pixels, as they stand in it.

    Args:
        data: The file, whose header has been checked.
        size: The width and height it must come to.
        bits: The bits of a channel it must have, 8 or 16.

    Raises:
        ValueError: it is damaged, or isn't what its header said to Pillow.
    """
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("its pixel data are damaged or end early")
    width, height = size
    if decoded.shape[:2] != (height, width) or decoded.dtype.itemsize * 8 != bits:
        raise ValueError("its header is contradictory")
    if decoded.ndim != 3 or decoded.shape[2] not in {3, _RGBA}:  # noqa: PLR2004
        raise ValueError("its channels are not what its header says")
    if decoded.shape[2] == _RGBA:
        colour = cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGB)
        return Arrays(colour, opaque_as_none(cv2.extractChannel(decoded, 3)))
    _swap_red_and_blue(decoded)
    return Arrays(decoded)


def _swap_red_and_blue(colour: NDArray[Any]) -> None:
    height, width = colour.shape[:2]
    for top, bottom in stripes(height, width * 3):
        colour[top:bottom] = cv2.cvtColor(colour[top:bottom], cv2.COLOR_BGR2RGB)
