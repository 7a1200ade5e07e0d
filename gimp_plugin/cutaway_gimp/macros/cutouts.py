"""The cutouts of a folder's photos, each a PNG with transparency and the photo's own name.

    gimp-console -i --quit --batch-interpreter=python-fu-eval -b \
        'exec(open("cutouts.py").read()); cut_out_all("photos", "cutouts")'

A result that is there already is kept. A photo that fails is told of, and the others go on; then
GIMP exits with 64.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gi.repository import Gimp, Gio

ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


def cut_out_all(photos: str, cutouts: str) -> None:
    """Cut out every photo of a folder into another one, which is made if it isn't there."""
    folder = Path(cutouts)
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for photo in sorted(Path(photos).iterdir()):
        result = folder / f"{photo.stem}.png"
        if photo.suffix.lower() in ENDINGS and not result.exists():
            try:
                cut_out(photo, result)
            except RuntimeError as error:
                failed += 1
                sys.stderr.write(f"{photo}: {error}\n")
    if failed:
        raise RuntimeError(f"{failed} not cut out")


def cut_out(photo: Path, result: Path) -> None:
    """Cut out one photo, at its full size."""
    image = call("gimp-file-load", file=Gio.File.new_for_path(str(photo)))
    try:
        call("plug-in-cutaway-remove-background", image=image, drawables=image.get_layers())
        call("file-png-export", image=image, file=Gio.File.new_for_path(str(result)))
    finally:
        image.delete()


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
