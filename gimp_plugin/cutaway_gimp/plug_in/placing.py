"""Put finished results into the image: one step to undo, however many layers."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from gi.repository import Gegl, Gimp

from cutaway_gimp.plug_in import masks, native
from cutaway_gimp.plug_in.layers import Refused, refuse_locked
from cutaway_gimp.plug_in.translation import _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutaway_gimp.plug_in.outputs import Result

    Colour = tuple[int, int, int, float]

__all__ = ["place"]


def place(
    image: Gimp.Image, results: Sequence[Result], fill: Colour | None = None
) -> list[Gimp.Item]:
    """Place all results in one undo group; what was made, in the order of the results.

    `fill` (red, green, blue 0..255 in sRGB, alpha 0..1) adds a layer of that colour below each
    cutout. For layer masks the layers that got one are told; a selection makes nothing that could
    be told. The results are spent, whatever happens.

    Raises:
        Refused: the image or a layer is gone, or isn't what it was, by now, and nothing was done
            with it; the other layers' results were placed.
    """
    ready, refusals = _prepared(results)
    made: list[Gimp.Item] = []
    if ready:
        selected = image.get_selected_layers()
        image.undo_group_start()
        try:
            for result in ready:
                made += _placed(image, result, fill, is_first=result is ready[0])
        finally:
            image.undo_group_end()
        _select(image, [item for item in made if isinstance(item, Gimp.Layer)] or selected)
    if refusals:
        raise refusals[0]
    return made


def _select(image: Gimp.Image, layers: list[Gimp.Layer]) -> None:
    """Select layers, and so no channel."""
    if layers:  # GIMP can't select none
        image.set_selected_layers(layers)


def _prepared(results: Sequence[Result]) -> tuple[list[Result], list[Refused]]:
    """The results that can be placed, with the layers' own masks in them; why others can't be."""
    ready: list[Result] = []
    refusals: list[Refused] = []
    for result in results:
        refusal = _refusal(result)
        if refusal is None:
            ready.append(result)
        else:
            result.discard()
            refusals.append(refusal)
    return ready, refusals


def _refusal(result: Result) -> Refused | None:
    try:
        result.check()
        refuse_locked(result.layer, result.output)
        _bring_own_mask(result)
    except Refused as refusal:
        return refusal
    return None


def _bring_own_mask(result: Result) -> None:
    layer, made = result.layer, result.made
    mask = layer.get_mask()
    if mask is None:
        return
    if isinstance(made, Gimp.LayerMask):
        masks.multiply(made, mask)
    elif isinstance(made, Gimp.Layer) and made.has_alpha():
        masks.add_copy(mask, made, result.shift)
        made.set_apply_mask(layer.get_apply_mask())


def _placed(
    image: Gimp.Image, result: Result, fill: Colour | None, *, is_first: bool
) -> list[Gimp.Item]:
    """What placing one result made."""
    made = result.made
    if isinstance(made, Gimp.LayerMask):
        _swap_mask(result.layer, made)
        return [result.layer]
    if isinstance(made, Gimp.Layer):
        _place_layer(image, result, made, fill)
        return [made]
    image.insert_channel(made, None, 0)
    if result.output == "channel":
        return [made]
    image.select_item(Gimp.ChannelOps.REPLACE if is_first else Gimp.ChannelOps.ADD, made)
    image.remove_channel(made)
    return []


def _place_layer(image: Gimp.Image, result: Result, made: Gimp.Layer, fill: Colour | None) -> None:
    layer = result.layer
    left, top = native.offsets(layer)  # now: it may have been moved meanwhile
    made.set_offsets(left + result.shift[0], top + result.shift[1])
    _insert_above(image, made, layer)
    if result.output == "grey-layer":
        return
    if fill is not None:
        _insert_above(image, _fill_layer(image, result, fill), layer)
    if result.output == "replace":
        _take_place(image, made, layer)
    else:
        layer.set_visible(False)  # which GIMP leaves undone where that is locked


def _insert_above(image: Gimp.Image, made: Gimp.Layer, layer: Gimp.Layer) -> None:
    image.insert_layer(made, layer.get_parent(), image.get_item_position(layer))


def _take_place(image: Gimp.Image, made: Gimp.Layer, layer: Gimp.Layer) -> None:
    name, visible = layer.get_name(), layer.get_visible()
    image.remove_layer(layer)
    made.set_name(name)  # not before: no two layers have the same
    made.set_visible(visible)


def _swap_mask(layer: Gimp.Layer, made: Gimp.LayerMask) -> None:
    """Give the layer its new mask; where it had one, the artist goes on editing what was edited."""
    if layer.get_mask() is None:
        layer.add_mask(made)
        return
    edited, shown = layer.get_edit_mask(), layer.get_show_mask()
    layer.remove_mask(Gimp.MaskApplyMode.DISCARD)
    layer.add_mask(made)
    layer.set_edit_mask(edited)
    layer.set_show_mask(shown)


def _fill_layer(image: Gimp.Image, result: Result, fill: Colour) -> Gimp.Layer:
    """A layer of one colour, as large as the cutout."""
    width, height = result.made.get_width(), result.made.get_height()
    name = _("{name} fill").format(name=result.name)
    kind = result.layer.type_with_alpha()
    made = Gimp.Layer.new(image, name, width, height, kind, 100, Gimp.LayerMode.NORMAL)
    made.set_offsets(*native.offsets(result.made))
    colour = struct.pack("=4H", *(value * 257 for value in fill[:3]), round(fill[3] * 65535))
    name = native.format_name(made)
    one = Gegl.Rectangle.new(0, 0, 1, 1)
    pixel = bytes(native.converted(colour, one, "R'G'B'A u16", name))
    for top, rows in native.strips(0, height, width * len(pixel)):
        rect = Gegl.Rectangle.new(0, top, width, rows)
        native.write(made, rect, name, pixel * (width * rows))
    return made
