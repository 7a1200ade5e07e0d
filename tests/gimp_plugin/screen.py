"""A GIMP with a window, on a display that no one sees, driven from here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.gimp_plugin.console import PLUG_IN, SERVER, Console, until

if TYPE_CHECKING:
    from tests.gimp_plugin.workplace import Workplace

WIDTH, HEIGHT = 1280, 900
_INNER_HEIGHT = 875
_TITLE = "[0-9]x[0-9]+ .*GIMP$"

_ON_A_DISPLAY = f"""
    set -e
    mkfifo "$HOME/display"
    Xvfb -displayfd 3 -screen 0 {WIDTH}x{HEIGHT}x24 -nolisten tcp 3>"$HOME/display" &
    read number <"$HOME/display"
    export DISPLAY=":$number"
    openbox &
    exec dbus-run-session -- gimp --no-splash --new-instance
"""
_SETTINGS = """
(show-welcome-dialog no)
(check-updates no)
"""
_PREPARED = "from screen_server import *\n"
# GIMP shows the text of its bar to no one but people, so what it is told is noted on the way.
_NOTING = """
import json
import gi
gi.require_version("Gimp", "3.0")
from gi.repository import Gimp

def noting(name, call):
    def noted(*arguments):
        with open({notes!r}, "a", encoding="utf-8") as notes:
            notes.write(json.dumps([name, *arguments]) + "\\n")
        return call(*arguments)
    return noted

for name in ("progress_init", "progress_set_text", "progress_update", "progress_end"):
    setattr(Gimp, name, noting(name, getattr(Gimp, name)))
"""


class Screen(Console):
    """GIMP with a window. All else is as with the one without: see `Console`."""

    command = ("sh", "-c", _ON_A_DISPLAY)

    def __init__(self, workplace: Workplace, language: str = "C.UTF-8") -> None:
        super().__init__(workplace, language)
        self.notes = self.home / "progress.jsonl"
        self._note_progress()
        until(self.windows)

    def show(self, image: int) -> None:
        """Show an image in GIMP's window, as large as the display."""
        until(lambda: self.run("show(number)", number=image))
        until(lambda: self.look("find_status_bar()"))
        self._window = self.move(_TITLE, 0, 0)
        self._tool("xdotool", "windowsize", self._window, str(WIDTH), str(_INNER_HEIGHT))

    def move(self, title: str, x: int, y: int) -> str:
        """Move the window whose title has a pattern; its number."""
        search = ["xdotool", "search", "--sync", "--onlyvisible", "--name", title]
        window = self._tool(*search).partition("\n")[0]
        self._tool("xdotool", "windowmove", window, str(x), str(y))
        return window

    def look(self, code: str, **names: object) -> Any:
        """Run code with the functions of `screen_server` at hand."""
        return self.aside(_PREPARED + code, **names)

    def windows(self) -> list[str]:
        """The titles of all windows and dialogs."""
        return list(self.look("windows()"))

    def texts(self, title: str) -> list[str]:
        """All that is written in a window."""
        return list(self.look("texts(title)", title=title))

    def menu(self, *path: str) -> None:
        """Choose an item of the menus."""
        assert self.look("menu(*path)", path=path), path

    def press(self, title: str, name: str) -> None:
        """Press a button in a window, once it is there."""
        until(lambda: self.look("press(title, name)", title=title, name=name))

    def choose(self, title: str, label: str, entry: str) -> None:
        """Choose an entry of the combo box with a label."""
        self.look("choose(title, label, entry)", title=title, label=label, entry=entry)

    def chosen(self, title: str, label: str) -> str:
        """The entry that the combo box with a label shows."""
        return str(self.look("chosen(title, label)", title=title, label=label))

    def key(self, *keys: str) -> None:
        """Press keys, each in xdotool's words, in the window with the image."""
        self._tool("xdotool", "windowactivate", "--sync", self._window)
        self._tool("xdotool", "key", *keys)

    def type(self, title: str, text: str) -> None:
        """Type a text into a window, once that has the focus."""
        until(lambda: self.look("has_focus(title)", title=title))
        self._tool("xdotool", "type", text)

    def enter(self) -> None:
        """Press the return key where the focus is."""
        self._tool("xdotool", "key", "Return")

    def picture(self, file: Path) -> None:
        """Write what the display shows as a picture; the pointer is out of the way."""
        self._tool("xdotool", "mousemove", str(WIDTH), str(HEIGHT))
        shot = self.home / f"picture{file.suffix}"
        self._tool("import", "-window", "root", self.workplace.inside(shot))
        shutil.move(shot, file)

    def progress(self) -> dict[str, Any]:
        """Whether GIMP shows its bar, `is_shown`, and how far it is, `share` from 0 to 1."""
        return dict(self.look("progress()"))

    def progress_told(self) -> list[list[Any]]:
        """What our plug-in has told GIMP for its bar: functions of Gimp's, and their arguments."""
        if not self.notes.exists():
            return []
        return [json.loads(line) for line in self.notes.read_text(encoding="utf-8").splitlines()]

    def cancel(self) -> None:
        """Press GIMP's button beside its bar."""
        assert self.look("cancel()")

    def clear(self) -> None:
        """Close all images and GIMP's messages; see `Console.clear`."""
        self.run("hide()")
        self.look("dismiss()")
        super().clear()
        self.notes.unlink(missing_ok=True)

    def complaints(self) -> list[str]:
        """What our plug-in does wrong; GIMP does some of it itself on such a display."""
        return [line for line in super().complaints() if PLUG_IN in line]

    def _prepare_profile(self) -> None:
        super()._prepare_profile()
        server = Path(__file__).parent / "screen_server.py"
        shutil.copy(server, self.profile / "plug-ins" / SERVER)
        with (self.profile / "gimprc").open("a", encoding="utf-8") as settings:
            settings.write(_SETTINGS)

    def _tool(self, *command: str) -> str:
        """What a program of the display prints."""
        return str(self.look("tool(*command)", command=command)).strip()

    def _note_progress(self) -> None:
        """Have our plug-in note what it tells; GIMP has read by now what it is."""
        entry = self.plug_in / f"{PLUG_IN}.py"
        first, _, rest = entry.read_text(encoding="utf-8").partition("\n")
        noting = _NOTING.format(notes=self.workplace.inside(self.notes))
        entry.write_text(f"{first}\n{noting}\n{rest}", encoding="utf-8")
