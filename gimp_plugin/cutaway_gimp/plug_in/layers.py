"""What is asked of a layer before any pixel moves, and its pixels as they are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gi.repository import Gegl, Gimp

from cutaway_gimp.plug_in import native
from cutaway_gimp.plug_in.seen import has_filters, merged_copy
from cutaway_gimp.plug_in.translation import _

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cutaway_gimp.plug_in.native import Bytes

_EIGHT_BITS = (
    Gimp.Precision.U8_LINEAR,
    Gimp.Precision.U8_NON_LINEAR,
    Gimp.Precision.U8_PERCEPTUAL,
)
_CHANGES_CONTENT = ("layer-mask", "replace")


class Refused(Exception):
    """What was asked can't be done here; the text is for the person, translated."""


def chosen_layers(
    image: Gimp.Image, drawables: Sequence[Gimp.Drawable], output: str
) -> list[Gimp.Layer]:
    """The layers to work on, each once, in the order given; a layer mask stands for its layer.

    Raises:
        Refused: what is chosen can't have this output; nothing was changed.
    """
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise Refused(
            _(
                "An indexed image has no room for soft edges. "
                "Convert it with Image > Mode > RGB first."
            )
        )
    if image.get_floating_sel() is not None:
        raise Refused(
            _(
                "There is a floating selection. "
                "Anchor it or make it a layer (Layer menu), then try again."
            )
        )
    layers: list[Gimp.Layer] = []
    for drawable in drawables:
        layer = _layer_of(drawable)
        if layer not in layers:
            layers.append(layer)
    if not layers:
        raise Refused(_("No layer is selected. Select the layer whose background is to go."))
    for layer in layers:
        refuse_locked(layer, output)
    if output == "replace":
        _refuse_twice(layers)
    return layers


def _layer_of(drawable: Gimp.Drawable) -> Gimp.Layer:
    """The layer itself, or the one that a mask belongs to."""
    layer = Gimp.Layer.from_mask(drawable) if isinstance(drawable, Gimp.LayerMask) else drawable
    if not isinstance(layer, Gimp.Layer):
        raise Refused(
            _("“{name}” is a channel, not a layer. Select a layer.").format(
                name=drawable.get_name()
            )
        )
    return layer


def refuse_locked(layer: Gimp.Layer, output: str) -> None:
    """Raise Refused if the output would change what is locked.

    GIMP itself keeps no plug-in from removing a locked layer, or from giving it a mask.
    """
    if output not in _CHANGES_CONTENT:
        return
    concerned = [layer, *_parents(layer)]
    if output == "replace":
        concerned += _within(layer)
    for item in concerned:
        if item.get_lock_content():
            raise Refused(
                _(
                    "The pixels of “{locked}” are locked, so “{name}” can't be changed. "
                    "Unlock them, or choose another output, such as a new layer."
                ).format(locked=item.get_name(), name=layer.get_name())
            )


def _refuse_twice(layers: Sequence[Gimp.Layer]) -> None:
    """Raise Refused if a layer and its group are both to be replaced."""
    for group in layers:
        for item in _within(group):
            if item in layers:
                raise Refused(
                    _(
                        "“{name}” is in “{group}”, which is to be replaced too. "
                        "Select only one of them."
                    ).format(name=item.get_name(), group=group.get_name())
                )


def _parents(item: Gimp.Item) -> Iterator[Gimp.Item]:
    parent = item.get_parent()
    while parent is not None:
        yield parent
        parent = parent.get_parent()


def _within(item: Gimp.Item) -> Iterator[Gimp.Item]:
    if item.is_group():
        for child in item.get_children():
            yield child
            yield from _within(child)


class Picture:
    """A layer's pixels as they are seen: filters merged, a group rendered.

    The layer's own mask, opacity and mode are not in them.

    Attributes:
        layer: The layer.
        image: Its image.
        name: What it is called.
        width: In pixels.
        height: In pixels.
        depth: 8 for an image of 8 bits a channel, else 16.
        format_name: What `rows` come as, which GIMP can convert from.
        source: What has the pixels: the layer itself, or a copy until the picture is closed.

    Raises:
        Refused: the layer is no longer there.
    """

    def __init__(self, layer: Gimp.Layer) -> None:
        if not layer.is_valid():
            raise Refused(_("A layer was deleted before its turn came. Nothing was done with it."))
        self.layer = layer
        self.image = layer.get_image()
        self.name = layer.get_name()
        self.depth = 8 if self.image.get_precision() in _EIGHT_BITS else 16
        self.format_name = f"R'G'B'A u{self.depth}"
        self._state, self._place = self._now(), self._where()
        self.source = self._as_seen()
        self.width = self.source.get_width()
        self.height = self.source.get_height()

    def rows(self) -> Iterator[tuple[int, int, Bytes]]:
        """Top, number of rows, and R'G'B'A of `depth` bits (sRGB, straight alpha), from the top.

        Raises:
            Refused: the image or the layer is gone or has another size by now.
        """
        for top, rows in native.strips(0, self.height, self.width * self.depth // 2):
            self.check()
            rect = Gegl.Rectangle.new(0, top, self.width, rows)
            yield top, rows, native.read(self.source, rect, self.format_name)

    def check(self, *, in_place: bool = False) -> None:
        """Raise Refused if the image or the layer is gone, or isn't what it was, by now.

        With `in_place` the layer must also be where it was on its canvas.

        GIMP stays usable while a removal runs, and it ends a plug-in that touches the pixels of a
        layer which is no longer there. Works on a closed picture too.
        """
        if not self.image.is_valid():
            raise Refused(_("The image was closed meanwhile. Nothing was done."))
        if not self.layer.is_valid():
            raise Refused(
                _("“{name}” was deleted meanwhile. Nothing was done with it.").format(
                    name=self.name
                )
            )
        if self._now() != self._state:
            raise Refused(
                _(
                    "“{name}” got another size or precision meanwhile. "
                    "Nothing was done with it; try again."
                ).format(name=self.name)
            )
        if in_place and self._where() != self._place:
            raise Refused(
                _(
                    "“{name}” was moved, or the canvas resized, meanwhile. "
                    "Nothing was done with it; try again."
                ).format(name=self.name)
            )

    def close(self) -> None:
        """Delete the scratch copy, if there is one; may be called twice."""
        if self.source is not self.layer and self.source.is_valid():
            self.source.get_image().delete()

    def _as_seen(self) -> Gimp.Layer:
        if not has_filters(self.layer):
            return self.layer
        copy = merged_copy(self.layer)
        if copy is None:
            raise Refused(
                _(
                    "GIMP can't merge the filters of “{name}”. "
                    "Merge or remove them, then try again."
                ).format(name=self.name)
            )
        return copy

    def _where(self) -> tuple[int, int, tuple[int, int]]:
        image = self.image
        return image.get_width(), image.get_height(), native.offsets(self.layer)

    def _now(self) -> tuple[Gimp.Image, int, int, str]:
        layer = self.layer
        form = native.format_name(layer)
        return layer.get_image(), layer.get_width(), layer.get_height(), form
