"""Write docs/gimp-dialog.jpg and docs/gimp-result.jpg: the sample in GIMP, being cut out.

    python -m tests.data.make_gimp_pictures

They are of a real GIMP, on a display that no one sees; `python -m tests.gimp_root` brings it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image, ImageChops

from tests.gimp_plugin.console import until
from tests.gimp_plugin.screen import Screen
from tests.gimp_plugin.workplace import installed
from tests.gimp_root import PROJECT, gimp_root

DOCS = PROJECT / "docs"
SIZE = (1024, 720)
QUALITY = 85
DIALOG = "Remove Background"

_LOAD = """
from gi.repository import Gio
made = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
made.get_layers()[0].set_name("Teapot")
made
"""


def show_sample(screen: Screen) -> None:
    """Open the sample, as large as fits into the window."""
    sample = Path(shutil.copy(DOCS / "sample.jpg", screen.home))
    image = screen.run(_LOAD, path=screen.workplace.inside(sample))
    screen.show(image)
    screen.key("ctrl+shift+j")


def take(screen: Screen, name: str) -> None:
    """Write what the display shows once it has come to rest."""
    before, now = screen.home / "before.png", screen.home / "now.png"
    screen.picture(before)

    def is_at_rest() -> bool:
        screen.picture(now)
        pictures = [Image.open(one).convert("RGB") for one in (before, now)]
        shutil.copy(now, before)
        return ImageChops.difference(*pictures).getbbox() is None

    until(is_at_rest)
    small = Image.open(now).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    small.save(DOCS / name, quality=QUALITY, optimize=True)


def main() -> None:
    with installed(gimp_root()) as workplace, Screen(workplace) as screen:
        show_sample(screen)
        screen.menu("Layer", "Transparency", "Remove Background…")
        until(lambda: DIALOG in screen.windows())
        screen.move(DIALOG, 540, 130)
        take(screen, "gimp-dialog.jpg")
        screen.press(DIALOG, "OK")
        until(lambda: not screen.processes())
        screen.look("dismiss()")
        take(screen, "gimp-result.jpg")


if __name__ == "__main__":
    main()
