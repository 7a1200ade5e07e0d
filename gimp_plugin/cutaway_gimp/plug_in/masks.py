"""Layer masks that aren't in an image yet: copied, or multiplied with another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gi.repository import Gegl, Gimp

from cutaway_gimp.plug_in import native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cutaway_gimp.plug_in.native import Bytes


def add_copy(mask: Gimp.LayerMask, made: Gimp.Layer, shift: tuple[int, int]) -> None:
    """Give a layer that isn't in an image yet the same mask, applied or not as the other is.

    `shift` is where the layer's top left pixel lies in the mask. Outside of it nothing is seen, as
    GIMP shows a layer that its filters have made larger than its mask.
    """
    copy = made.create_mask(Gimp.AddMaskType.BLACK)
    name = native.format_name(mask)
    for rect in _strips(copy):
        there = Gegl.Rectangle.new(rect.x + shift[0], rect.y + shift[1], rect.width, rect.height)
        native.write(copy, rect, name, native.read(mask, there, name))
    made.add_mask(copy)
    made.set_edit_mask(False)


def multiply(made: Gimp.LayerMask, mask: Gimp.LayerMask) -> None:
    """Multiply a mask that isn't in an image yet with another of the same size.

    Both are coverage, in linear values. GEGL computes in floats: what is finer stays so.
    """
    name = native.format_name(made)
    for rect in _strips(made):
        factors = [native.read(each, rect, name) for each in (made, mask)]
        native.write(made, rect, name, _product(factors, rect, name))


def _product(factors: list[Bytes], rect: Gegl.Rectangle, name: str) -> bytes:
    product = native.buffer_of(rect, name)
    graph = Gegl.Node()
    times = graph.create_child("gegl:multiply")
    for pixels, pad in zip(factors, ("input", "aux")):
        factor = native.buffer_of(rect, name)
        factor.set(rect, name, bytes(pixels))
        source = graph.create_child("gegl:buffer-source")
        source.set_property("buffer", factor)
        source.connect_to("output", times, pad)
    sink = graph.create_child("gegl:write-buffer")
    sink.set_property("buffer", product)
    times.link(sink)
    sink.process()
    return product.get(rect, 1.0, name, Gegl.AbyssPolicy.NONE)


def _strips(mask: Gimp.LayerMask) -> Iterator[Gegl.Rectangle]:
    width = mask.get_width()
    for top, rows in native.strips(0, mask.get_height(), width * 8):
        yield Gegl.Rectangle.new(0, top, width, rows)
