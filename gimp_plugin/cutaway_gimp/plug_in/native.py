"""Pixels as GIMP stores them, so that what isn't changed stays the same to the bit."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from gi.repository import Babl, Gegl

from cutaway_gimp.plug_in.frames import strip_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gi.repository import Gimp

    Bytes = bytes | bytearray | memoryview

__all__ = [
    "Layout",
    "buffer_of",
    "converted",
    "format_name",
    "layout",
    "merged",
    "offsets",
    "read",
    "shift",
    "strips",
    "write",
]

_FULL = {
    "u8": b"\xff",
    "u16": b"\xff\xff",
    "u32": b"\xff\xff\xff\xff",
    "half": struct.pack("=e", 1),
    "float": struct.pack("=f", 1),
    "double": struct.pack("=d", 1),
}
"""How each type stores full alpha."""


class Layout(NamedTuple):
    """How a pixel with alpha lies in memory: the alpha is its last part."""

    pixel_bytes: int
    full_alpha: bytes

    @property
    def colour_bytes(self) -> int:
        """How many bytes come before the alpha."""
        return self.pixel_bytes - len(self.full_alpha)


def format_name(drawable: Gimp.Drawable) -> str:
    """The drawable's own format, colour space included.

    Read and written by this name, a buffer's bytes pass as they are: nothing is converted.
    """
    return Babl.get_name(drawable.get_format())


def layout(name: str) -> Layout:
    """The layout of the format of that name, which has alpha."""
    of_type = name.split()[1].partition("-")[0]
    return Layout(Babl.format_get_bytes_per_pixel(Babl.format(name)), _FULL[of_type])


def offsets(drawable: Gimp.Drawable) -> tuple[int, int]:
    """Where the drawable's top left pixel lies on the canvas."""
    _, left, top = drawable.get_offsets()
    return left, top


def shift(drawable: Gimp.Drawable, other: Gimp.Drawable) -> tuple[int, int]:
    """Where the drawable's top left pixel lies in the other."""
    left, top = offsets(drawable)
    other_left, other_top = offsets(other)
    return left - other_left, top - other_top


def strips(start: int, end: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Top and number of rows of strips that can be read and written at once."""
    step = strip_rows(row_bytes)
    for top in range(start, end, step):
        yield top, min(step, end - top)


def read(drawable: Gimp.Drawable, rect: Gegl.Rectangle, name: str) -> Bytes:
    """The drawable's pixels in the format of that name.

    Where only alpha has to be added that is done here. GIMP would do it too, but for its deeper
    formats not to the bit, and a conversion that it hasn't done before takes it 0.3 seconds and
    350 MB to find. Each call takes a buffer of its own: one that is kept would keep its tiles.
    """
    own = format_name(drawable)
    buffer = drawable.get_buffer()
    if own == name.replace("A ", " ", 1) != name:
        opaque = buffer.get(rect, 1.0, own, Gegl.AbyssPolicy.NONE)
        return _with_alpha(opaque, layout(name))
    return buffer.get(rect, 1.0, name, Gegl.AbyssPolicy.NONE)


def write(drawable: Gimp.Drawable, rect: Gegl.Rectangle, name: str, pixels: Bytes) -> None:
    """Put pixels of the format of that name into a drawable that isn't in an image yet.

    The rectangle must lie within the drawable, and nobody else may delete it: for both, GIMP ends
    the plug-in.
    """
    buffer = drawable.get_buffer()
    buffer.set(rect, name, bytes(pixels))
    buffer.flush()


def converted(pixels: Bytes, rect: Gegl.Rectangle, name: str, to_name: str) -> Bytes:
    """A rectangle's pixels of one format in another, as GIMP converts them."""
    if name == to_name:
        return pixels
    buffer = buffer_of(rect, to_name)
    buffer.set(rect, name, bytes(pixels))
    return buffer.get(rect, 1.0, to_name, Gegl.AbyssPolicy.NONE)


def buffer_of(rect: Gegl.Rectangle, name: str) -> Gegl.Buffer:
    """A buffer of GEGL's own, in this process."""
    Gegl.init(None)
    return Gegl.Buffer.new(name, rect.x, rect.y, rect.width, rect.height)


def merged(
    original: Bytes, changed: Bytes, alpha_changes: bytes, colour_changes: bytes, shape: Layout
) -> bytearray:
    """The original's pixels with the changed ones' alpha and colours where they do change.

    Both are in the same format; the two planes have one byte a pixel, 255 where the alpha, or all
    of the colour, is to be taken from `changed`, and 0 elsewhere.
    """
    out = bytearray(original)
    for plane, offsets in (
        (colour_changes, range(shape.colour_bytes)),
        (alpha_changes, range(shape.colour_bytes, shape.pixel_bytes)),
    ):
        if plane.count(0) < len(plane):
            _choose(out, changed, plane, offsets, shape.pixel_bytes)
    return out


def _choose(out: bytearray, changed: Bytes, plane: bytes, offsets: range, step: int) -> None:
    """Take those bytes of each pixel from `changed` where the plane is 255.

    Python's whole numbers are the only array arithmetic there is in GIMP's own Python: on one as
    long as a plane, "and" and "exclusive or" run at memory speed.
    """
    where = int.from_bytes(plane, "little")
    everywhere = plane.count(255) == len(plane)
    for offset in offsets:
        new = changed[offset::step]
        if not everywhere:
            old = int.from_bytes(out[offset::step], "little")
            chosen = old ^ ((old ^ int.from_bytes(new, "little")) & where)
            new = chosen.to_bytes(len(plane), "little")
        out[offset::step] = new


def _with_alpha(pixels: bytes, shape: Layout) -> bytearray:
    count = len(pixels) // shape.colour_bytes
    out = bytearray((bytes(shape.colour_bytes) + shape.full_alpha) * count)
    for offset in range(shape.colour_bytes):
        out[offset :: shape.pixel_bytes] = pixels[offset :: shape.colour_bytes]
    return out
