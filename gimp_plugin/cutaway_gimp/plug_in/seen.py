"""A layer as it is seen: with what its filters do to it.

GIMP keeps a layer's filters apart from its pixels, and merges them only in place. That is done to a
copy, in an image of its own: there it leaves no step to undo that the person would find.
"""

from __future__ import annotations

from gi.repository import Gimp

__all__ = ["has_filters", "merged_copy"]


def has_filters(layer: Gimp.Layer) -> bool:
    """Whether the layer's buffer lacks something of what is seen."""
    return any(each.get_visible() for each in layer.get_filters())


def merged_copy(layer: Gimp.Layer) -> Gimp.Layer | None:
    """A plain layer with the pixels of a layer or a group, its filters merged.

    Filters may make it larger than the layer was. Delete its image when it is of no more use. None
    if GIMP can't merge.
    """
    scratch = _image_like(layer.get_image())
    copy = Gimp.Layer.new_from_drawable(layer, scratch)
    scratch.insert_layer(copy, None, 0)
    merged = _merged_group(copy) if isinstance(copy, Gimp.GroupLayer) else _merged_layer(copy)
    if merged is None:
        scratch.delete()
    return merged


def _image_like(image: Gimp.Image) -> Gimp.Image:
    """An empty image whose pixels are stored as those of another are."""
    made = Gimp.Image.new_with_precision(
        image.get_width(), image.get_height(), image.get_base_type(), image.get_precision()
    )
    made.undo_disable()
    profile = image.get_color_profile()
    if profile is not None:
        made.set_color_profile(profile)
    return made


def _merged_layer(layer: Gimp.Layer) -> Gimp.Layer | None:
    return layer if layer.merge_filters() else None


def _merged_group(group: Gimp.GroupLayer) -> Gimp.Layer | None:
    """The group as a layer: how it is put onto others is no part of it."""
    if group.get_mask() is not None:
        group.remove_mask(Gimp.MaskApplyMode.DISCARD)
    group.set_lock_visibility(False)
    group.set_visible(True)
    group.set_opacity(100)
    group.set_mode(Gimp.LayerMode.NORMAL)
    return group.merge()
