"""The worker's strips, written into what is built of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gi.repository import Gegl, Gimp

from cutaway_gimp.plug_in import native

if TYPE_CHECKING:
    from cutaway_gimp.plug_in.layers import Picture
    from cutaway_gimp.plug_in.native import Bytes

__all__ = ["CoverageWriter", "CutoutWriter"]


class CutoutWriter:
    """Writes a layer's own pixels under their new alpha, byte for byte where nothing changes.

    Args:
        picture: What the worker was sent; it is open.
        made: A layer of its size that has alpha, and isn't in an image.
    """

    def __init__(self, picture: Picture, made: Gimp.Layer) -> None:
        self._picture = picture
        self._made = made
        self._native = native.format_name(made)
        self._layout = native.layout(self._native)
        self._next = 0

    def write(self, top: int, rows: int, payload: Bytes) -> None:
        """R'G'B'A, then a byte a pixel each for where alpha and where colours changed."""
        self._copy_until(top)
        count = rows * self._picture.width
        view = memoryview(payload)
        planes = bytes(view[-2 * count :])
        colours = bytes(view[: -2 * count])
        rect = self._rect(top, rows)
        pixels = native.merged(
            native.read(self._picture.source, rect, self._native),
            native.converted(colours, rect, self._picture.format_name, self._native),
            planes[:count],
            planes[count:],
            self._layout,
        )
        native.write(self._made, rect, self._native, pixels)
        self._next = top + rows

    def finish(self) -> None:
        """All that comes was written."""
        self._copy_until(self._picture.height)

    def _copy_until(self, end: int) -> None:
        """Fill the rows that the worker left out, as nothing changes there."""
        row_bytes = self._picture.width * self._layout.pixel_bytes
        for top, rows in native.strips(self._next, end, row_bytes):
            rect = self._rect(top, rows)
            pixels = native.read(self._picture.source, rect, self._native)
            native.write(self._made, rect, self._native, pixels)
        self._next = max(self._next, end)

    def _rect(self, top: int, rows: int) -> Gegl.Rectangle:
        return Gegl.Rectangle.new(0, top, self._picture.width, rows)


class CoverageWriter:
    """Writes how much of each pixel is subject into a mask, a channel or a grey layer.

    Args:
        picture: What the worker was sent.
        made: What to write into; it isn't in an image.
        shift: Where the picture's top left pixel lies in it; what lies outside is left out.
    """

    def __init__(
        self, picture: Picture, made: Gimp.Layer | Gimp.Channel, shift: tuple[int, int]
    ) -> None:
        self._made = made
        self._value_bytes = picture.depth // 8
        self._row_bytes = picture.width * self._value_bytes
        self._is_colour = isinstance(made, Gimp.Layer) and not made.is_gray()
        self._format = f"{_model(made)} u{picture.depth}"
        self._left, self._top = shift
        self._first = max(0, -self._left)
        self._last = min(picture.width, made.get_width() - self._left)

    def write(self, top: int, rows: int, payload: Bytes) -> None:
        """One value a pixel."""
        first = max(0, -self._top - top)
        last = min(rows, self._made.get_height() - self._top - top)
        width = self._last - self._first
        if first >= last or width <= 0:
            return
        values = self._inside(payload, first, last)
        if self._is_colour:
            values = _tripled(values, self._value_bytes)
        rect = Gegl.Rectangle.new(
            self._left + self._first, self._top + top + first, width, last - first
        )
        native.write(self._made, rect, self._format, values)

    def finish(self) -> None:
        """All that comes was written, and that was all of it."""

    def _inside(self, payload: Bytes, first: int, last: int) -> Bytes:
        """The values of those rows that have a place in what is made."""
        left, right = self._first * self._value_bytes, self._last * self._value_bytes
        starts = range(first * self._row_bytes, last * self._row_bytes, self._row_bytes)
        if right - left == self._row_bytes:
            return payload[starts.start : starts.stop]
        return b"".join([payload[start + left : start + right] for start in starts])


def _model(made: Gimp.Layer | Gimp.Channel) -> str:
    """The colour model whose stored values are to be the coverage.

    A mask is linear, and what a layer shows isn't. A channel is what GIMP stores it as, which isn't
    linear in the usual image of 8 bits: there GIMP takes its stored values for the selection's.
    """
    if isinstance(made, Gimp.Channel):
        return native.format_name(made).split()[0]
    return "Y'" if made.is_gray() else "R'G'B'"


def _tripled(values: Bytes, value_bytes: int) -> bytearray:
    """Grey as red, green and blue, which GIMP would take 0.3 seconds and 350 MB to begin with."""
    out = bytearray(3 * len(values))
    for channel in range(3):
        for offset in range(value_bytes):
            start = channel * value_bytes + offset
            out[start :: 3 * value_bytes] = values[offset::value_bytes]
    return out
