"""What a removal makes of a layer, built out of sight until it is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gi.repository import Gegl, Gimp

from cutaway_gimp.plug_in import native
from cutaway_gimp.plug_in.translation import _
from cutaway_gimp.plug_in.writing import CoverageWriter, CutoutWriter

if TYPE_CHECKING:
    from cutaway_gimp.plug_in.layers import Picture
    from cutaway_gimp.plug_in.native import Bytes

    _Writer = CoverageWriter | CutoutWriter

__all__ = ["WANTS", "Result", "start_result"]

WANTS = {
    "new-layer": "cutout",
    "layer-mask": "matte",
    "grey-layer": "visible",
    "channel": "visible",
    "selection": "visible",
    "replace": "cutout",
}
"""Name of each output -> what the worker is asked for."""

_ON_THE_CANVAS = ("channel", "selection")


class Result:
    """What one layer's removal gives, not in the image yet.

    `write` the worker's rows as they come, from top to bottom, then `finish` once (also if no rows
    came), then close the picture. Then either `discard` it or give it to `placing.place`.

    Attributes:
        layer: The layer that it is of.
        name: What that was called when its pixels were read.
        output: The output's name.
        made: What is built: a layer, a channel, or a layer mask.
        shift: Where the top left pixel of the seen picture lies in the layer: its filters may reach
            beyond it.
    """

    def __init__(
        self, output: str, picture: Picture, made: Gimp.Layer | Gimp.Channel, writer: _Writer
    ) -> None:
        self.layer = picture.layer
        self.name = picture.name
        self.output = output
        self.made = made
        self.shift = native.shift(picture.source, picture.layer)
        self._picture = picture
        self._writer = writer

    def check(self) -> None:
        """Raise Refused if the image or the layer is gone, or isn't what it was, by now."""
        self._picture.check(in_place=self.output in _ON_THE_CANVAS)

    def write(self, top: int, rows: int, payload: Bytes) -> None:
        """Take a strip from the worker, shaped as the output's entry in WANTS says.

        Raises:
            Refused: the image or the layer is gone, or isn't what it was, by now.
        """
        self.check()
        self._writer.write(top, rows, payload)

    def finish(self) -> None:
        """The worker said "done": what it left out stays as it was. Raises Refused as `write`."""
        self.check()
        self._writer.finish()

    def discard(self) -> None:
        """Free what was built; may be called twice, and after the image is gone."""
        if self.made.is_valid():
            self.made.delete()


def start_result(layer: Gimp.Layer, output: str, picture: Picture) -> Result:
    """Begin the result; the picture stays open until the result is finished.

    Raises:
        Refused: the image or the layer is gone, or isn't what it was, by now.
    """
    picture.check()
    made: Gimp.Layer | Gimp.Channel
    if WANTS[output] == "cutout":
        made = _cutout_layer(layer, picture)
        return Result(output, picture, made, CutoutWriter(picture, made))
    shift = (0, 0)
    if output == "layer-mask":
        made = layer.create_mask(Gimp.AddMaskType.BLACK)
        shift = native.shift(picture.source, layer)
    elif output == "grey-layer":
        made = _grey_layer(layer, picture)
    else:
        made = _channel(picture)
        shift = native.offsets(picture.source)
    return Result(output, picture, made, CoverageWriter(picture, made, shift))


def _cutout_layer(layer: Gimp.Layer, picture: Picture) -> Gimp.Layer:
    """An empty layer that is shown as the original is; it is flat even if that is a group."""
    mode = layer.get_mode()
    if mode == Gimp.LayerMode.PASS_THROUGH:
        mode = Gimp.LayerMode.NORMAL
    name = _("{name} cutout").format(name=picture.name)
    kind = picture.source.type_with_alpha()
    size = (picture.width, picture.height)
    made = Gimp.Layer.new(picture.image, name, *size, kind, layer.get_opacity(), mode)
    made.set_blend_space(layer.get_blend_space())
    made.set_composite_space(layer.get_composite_space())
    made.set_composite_mode(layer.get_composite_mode())
    made.set_color_tag(layer.get_color_tag())
    return made


def _grey_layer(layer: Gimp.Layer, picture: Picture) -> Gimp.Layer:
    name = _("{name} mask").format(name=picture.name)
    size = (picture.width, picture.height)
    kind = Gimp.ImageType.GRAY_IMAGE if layer.is_gray() else Gimp.ImageType.RGB_IMAGE
    return Gimp.Layer.new(picture.image, name, *size, kind, 100, Gimp.LayerMode.NORMAL)


def _channel(picture: Picture) -> Gimp.Channel:
    """A channel of the image's size, which starts black."""
    image = picture.image
    name = _("{name} mask").format(name=picture.name)
    red = Gegl.Color.new("red")
    return Gimp.Channel.new(image, name, image.get_width(), image.get_height(), 50, red)
