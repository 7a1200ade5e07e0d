"""A picture taken a few rows at a time, so that the whole is never in memory twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Rows", "stripes"]

_STRIPE_BYTES = 1 << 20


class Rows(Protocol):
    """A picture that tells its rows on demand, such as one that is composed while it is written."""

    @property
    def height(self) -> int:
        """Rows, at least 1."""
        ...

    @property
    def width(self) -> int:
        """Columns, at least 1."""
        ...

    @property
    def channels(self) -> int:
        """1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGBA."""
        ...

    @property
    def depth(self) -> int:
        """Bits in a channel: 8 or 16."""
        ...

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        """The rows from `top` up to `bottom`: uint8 or uint16, (bottom - top, width, channels).

        They are asked for in order, from one thread. The array is only read, and must keep its
        numbers afterwards: it is worked on while the next rows are asked for.
        """
        ...


def stripes(height: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Split `height` rows into stripes (top, bottom) of about 1 MiB, and of one row at least."""
    rows = max(1, _STRIPE_BYTES // max(1, row_bytes))
    for top in range(0, height, rows):
        yield top, min(top + rows, height)
