"""A decoded picture: its own numbers at its own depth, and what goes along with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Metadata", "Pixels", "to_depth"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says besides its pixels; None where it says nothing.

    Attributes:
        icc_profile: The ICC profile that gives the numbers their colour.
        exif: The EXIF block, without the `Exif` marker, its orientation reset to upright.
        xmp: The XMP packet.
        dpi: Resolution in dots per inch, horizontal and vertical.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Pixels:
    """A picture, upright, colour and alpha apart.

    Attributes:
        colour: uint8 or uint16, shape (height, width, 3) for RGB or (height, width, 1) for grey,
            C-contiguous. Not premultiplied.
        alpha: The picture's own transparency, same dtype, shape (height, width); None if opaque.
        metadata: What the file says besides.
        warnings: What a user should know about how it was read, such as dropped frames.
        borrowed: Whether `colour` is the caller's own memory, which must not be written to.
        copy_of: Width and height of the picture, if this is a smaller copy to look at.
    """

    colour: NDArray[Any]
    alpha: NDArray[Any] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    warnings: tuple[str, ...] = ()
    borrowed: bool = False
    copy_of: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that the result is to have."""
        return self.copy_of or (self.width, self.height)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.colour.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.colour.shape[1])

    @property
    def depth(self) -> int:
        """Bits in a channel: 8 or 16."""
        return int(self.colour.dtype.itemsize) * 8

    def guide(self) -> NDArray[np.uint8]:
        """The picture as 8-bit RGB, shape (height, width, 3): what engines look at.

        It is made once. The picture's own memory where it is 8-bit RGB already, so never write
        to it.
        """
        return self._guide

    @cached_property
    def _guide(self) -> NDArray[np.uint8]:
        colour = to_depth(self.colour, 8)
        if colour.shape[2] == 1:
            return cv2.cvtColor(colour, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
        return colour


def to_depth(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Scale uint8 or uint16 numbers to `bits` (8 or 16) over the full range, rounding.

    The same array comes back where nothing needs to change.
    """
    if values.dtype.itemsize * 8 == bits:
        return values
    if bits == 16:  # noqa: PLR2004
        return values.astype(np.uint16) * np.uint16(257)
    scaled = np.empty(values.shape, np.uint8)
    for top, bottom in stripes(values.shape[0], values[:1].size * 4):
        block = values[top:bottom].astype(np.uint32)  # of the whole it would be twice the picture
        scaled[top:bottom] = (block * 255 + 32767) // 65535
    return scaled
