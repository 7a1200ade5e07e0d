"""A picture as those see it who know no more than 8 bits a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.images.pixels import to_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.images.stripes import Rows

__all__ = ["Shallow"]


@dataclass(frozen=True, slots=True)
class Shallow:
    """The rows of a picture, at 8 bits.

    Attributes:
        picture: Of 8 bits or 16.
        keep_hidden: Whether the colour stays where rounding leaves nothing of its alpha. Otherwise
            it is 0 there.
    """

    picture: Rows
    keep_hidden: bool = False

    @property
    def height(self) -> int:
        """Rows."""
        return self.picture.height

    @property
    def width(self) -> int:
        """Columns."""
        return self.picture.width

    @property
    def channels(self) -> int:
        """The picture's own."""
        return self.picture.channels

    @property
    def depth(self) -> int:
        """Bits in a channel."""
        return 8

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows `top` up to `bottom`: uint8, shape (rows, width, channels)."""
        rows = self.picture.rows(top, bottom)
        shallow = to_depth(rows, 8)
        if shallow is not rows and self.channels in {2, 4} and not self.keep_hidden:
            shallow[shallow[..., -1] == 0] = 0
        return shallow
