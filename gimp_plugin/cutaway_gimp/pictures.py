"""A layer as it comes over the wire, gathered straight into the array that is worked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from cutaway_gimp.wire import Misunderstood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway_gimp.wire import Wire

    Want = Literal["matte", "visible", "cutout"]

__all__ = ["WANTS", "Picture", "value_of"]

WANTS: tuple[Want, ...] = ("matte", "visible", "cutout")
_DTYPES = {8: np.uint8, 16: np.uint16}
_CHANNELS = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Picture:
    """A layer that is to come.

    Attributes:
        width: Columns.
        height: Rows.
        depth: Bits in a channel: 8 or 16.
        want: What is to be sent back.
    """

    width: int
    height: int
    depth: int
    want: Want

    @classmethod
    def of(cls, header: dict[str, Any]) -> Picture:
        """Read the frame that announces it.

        Raises:
            Misunderstood: it announces none.
        """
        width, height = value_of(header, "width", int), value_of(header, "height", int)
        depth, want = value_of(header, "depth", int), value_of(header, "want", str)
        if min(width, height) < 1 or depth not in _DTYPES or want not in WANTS:
            raise Misunderstood(f"there is no picture of {width} x {height}, {depth} bits, {want}")
        return cls(width, height, depth, want)

    def gather(self, wire: Wire) -> NDArray[Any]:
        """Take its rows as they come.

        Returns:
            uint8 or uint16, shape (height, width, 4): red, green, blue and straight alpha.

        Raises:
            MemoryError: it is too large.
            Misunderstood: something else came.
            Ended: the rest will not come.
        """
        whole = np.empty((self.height, self.width, _CHANNELS), _DTYPES[self.depth])
        filled = 0
        while filled < self.height:
            header, payload = wire.next()
            top, rows = value_of(header, "top", int), value_of(header, "rows", int)
            block = whole[top : top + rows]
            if header["kind"] != "rows" or top != filled or len(block) != rows or rows < 1:
                raise Misunderstood(f"no rows from {filled} on, but {header['kind']}")
            if len(payload) != block.nbytes:
                raise Misunderstood(f"{rows} rows of {len(payload)} bytes")
            block[...] = np.frombuffer(payload, whole.dtype).reshape(block.shape)
            filled += rows
        return whole


def value_of(header: dict[str, Any], name: str, kind: type[T]) -> T:
    """A value that a frame must have.

    Raises:
        Misunderstood: it has none, or one of another type.
    """
    value = header.get(name)
    if type(value) is not kind:
        raise Misunderstood(f"a frame {header['kind']} tells no {name}")
    return value
