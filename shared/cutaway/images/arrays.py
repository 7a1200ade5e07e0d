"""Pictures from numpy arrays, taken as they are where they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cutaway.errors import InputError
from cutaway.images.limits import check_pixels
from cutaway.images.pixels import Pixels
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.settings import Limits

__all__ = ["from_array", "opaque_as_none", "sixteen_bits"]

_WIDEST_FLOAT = 8


def from_array(array: NDArray[Any], limits: Limits) -> Pixels:
    """Take an array as a picture, without a copy where its numbers can be used as they are.

    Args:
        array: Shape (height, width) or (height, width, 1) for grey, (height, width, 2) for grey
            and alpha, (height, width, 3) for RGB, (height, width, 4) for RGBA; uint8, uint16, bool
            (false is 0, true 255) or floats of 16, 32 or 64 bits in 0..1, which become uint16.
            Alpha is straight. It is never written to.
        limits: How many pixels it may have.

    Raises:
        InputError: its shape, its type or its numbers are not a picture's.
        TooLarge: it has more pixels than allowed.
    """
    given = np.asarray(array)
    if given.ndim == 2:  # noqa: PLR2004  (height, width)
        given = given[..., np.newaxis]
    if given.ndim != 3 or given.shape[2] not in {1, 2, 3, 4} or given.size == 0:  # noqa: PLR2004
        raise _refused(array, "its shape is not a picture's")
    check_pixels(given.shape[1], given.shape[0], limits)
    channels = given.shape[2]
    colours = 1 if channels in {1, 2} else 3
    try:
        colour = _unsigned(given[..., :colours])
        alpha = _unsigned(given[..., colours]) if channels > colours else None
    except ValueError as error:
        raise _refused(array, str(error)) from error
    borrowed = bool(np.may_share_memory(colour, given))
    return Pixels(colour, opaque_as_none(alpha), borrowed=borrowed)


def opaque_as_none(alpha: NDArray[Any] | None) -> NDArray[Any] | None:
    """An alpha (uint8 or uint16), or None where it hides nothing."""
    if alpha is None or int(alpha.min()) == np.iinfo(alpha.dtype).max:
        return None
    return alpha


def sixteen_bits(values: NDArray[np.floating[Any]]) -> NDArray[np.uint16]:
    """Scale floats 0..1, of any shape, to uint16 over the full range, rounding.

    Raises:
        ValueError: one is outside 0..1, or not a number.
    """
    scaled = np.empty(values.shape, np.uint16)
    for top, bottom in stripes(values.shape[0], values[:1].size * 8):
        block = values[top:bottom].astype(np.float64)
        if not ((block >= 0) & (block <= 1)).all():
            raise ValueError("it holds numbers outside 0..1")
        scaled[top:bottom] = np.rint(block * 65535)
    return scaled


def _unsigned(values: NDArray[Any]) -> NDArray[Any]:
    """The values as contiguous uint8 or uint16: their own memory where they are so already."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if kind == "u" and size <= 2:  # noqa: PLR2004
        return np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    if kind == "b":
        return np.ascontiguousarray(values).view(np.uint8) * np.uint8(255)
    if kind == "f" and size <= _WIDEST_FLOAT:
        return sixteen_bits(values)
    raise ValueError("its numbers are of another type")


def _refused(array: NDArray[Any], why: str) -> InputError:
    return InputError(
        f"an array of shape {array.shape} and type {array.dtype} can't be used as a picture",
        why,
        "Give (height, width) or (height, width, channels) with 1 to 4 channels, as uint8, "
        "uint16, bool, or floats from 0 to 1",
    )
