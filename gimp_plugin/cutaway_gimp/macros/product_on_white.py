"""A product shot on pure white, with the shadow that it casts kept.

    gimp-console -i --quit --batch-interpreter=python-fu-eval -b \
        'exec(open("product_on_white.py").read()); put_on_white("shoe.jpg", "shoe-white.png")'

For a product before a plain, bright background. A result that is there already is not replaced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gi.repository import Gimp, Gio

BRIGHTEST = 0.98  # of the background's own brightness: so much above it and its noise are white


def put_on_white(photo: str, result: str) -> None:
    """Cut the product out, and lay it over its own shadow on white."""
    if Path(result).exists():
        raise RuntimeError(f"{result} is there already")
    image = call("gimp-file-load", file=Gio.File.new_for_path(photo))
    try:
        call("plug-in-cutaway-remove-background", image=image, drawables=image.get_layers())
        cutout, original = image.get_layers()
        shadow = shadow_of(image, original, cutout)
        white = original.copy()
        white.fill(Gimp.FillType.WHITE)
        white.set_visible(True)
        image.insert_layer(white, None, image.get_item_position(shadow) + 1)
        image.flatten()
        call("file-png-export", image=image, file=Gio.File.new_for_path(result))
    finally:
        image.delete()


def shadow_of(image: Gimp.Image, original: Gimp.Layer, cutout: Gimp.Layer) -> Gimp.Layer:
    """A layer below the cutout that darkens as the original's background does, and no more."""
    shadow = original.copy()
    image.insert_layer(shadow, None, image.get_item_position(cutout) + 1)
    shadow.set_visible(True)
    shadow.set_mode(Gimp.LayerMode.MULTIPLY)
    shadow.desaturate(Gimp.DesaturateMode.LUMINANCE)
    image.select_item(Gimp.ChannelOps.REPLACE, cutout)
    Gimp.Selection.invert(image)
    _, _, _, median, *_ = shadow.histogram(Gimp.HistogramChannel.VALUE, 0, 1)
    Gimp.Selection.none(image)
    # The histogram tells values as they are stored; levels work on light, as shadows do.
    white = ((BRIGHTEST * median / 255 + 0.055) / 1.055) ** 2.4
    clamp, gamma = True, 1
    shadow.levels(Gimp.HistogramChannel.VALUE, 0, white, clamp, gamma, 0, 1, clamp)
    return shadow


def call(procedure: str, **arguments: object) -> Any:  # noqa: ANN401  (whatever it gives)
    """Call a procedure by the names of its arguments; give its first value, if it has one."""
    found = Gimp.get_pdb().lookup_procedure(procedure)
    config = found.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    for name, value in arguments.items():
        if isinstance(value, list):
            config.set_core_object_array(name, value)
        else:
            config.set_property(name, value)
    values = found.run(config)
    if values.index(0) != Gimp.PDBStatusType.SUCCESS:
        raise RuntimeError(str(values.index(1)).strip())
    return values.index(1) if values.length() > 1 else None
