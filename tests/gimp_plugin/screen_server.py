"""What runs inside GIMP for the tests with a window: what is on the screen, and how it is used.

It sees what a screen reader does, through AT-SPI: names, texts and states, never pixels. GIMP
answers it slowly while a bar moves, so what is needed then is found before.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi as _Atspi  # type: ignore[attr-defined]  # noqa: E402  (its version comes first)

if TYPE_CHECKING:
    from collections.abc import Iterator

Atspi: Any = _Atspi
_BUTTONS = {"button", "push button"}
_MESSAGES = {"alert", "dialog"}
_WITHOUT_A_BAR = {"menu bar", "combo box", "table", "tree table", "layered pane"}
_status_bars: list[Any] = []


def windows() -> list[str]:
    """The titles of all windows and dialogs."""
    return [str(window.get_name()) for window in _windows()]


def has_focus(title: str) -> bool:
    """Whether what is typed goes to something in a window."""
    return any(one.get_state_set().contains(Atspi.StateType.FOCUSED) for one in _all_in(title))


def texts(title: str) -> list[str]:
    """The names and texts of all that is shown in a window; none if there is no such window."""
    found = []
    for one in _all_in(title):
        text = one.get_text_iface() and Atspi.Text.get_text(one, 0, -1)
        found += [part for part in (one.get_name(), text) if part]
    return found


def press(title: str, name: str) -> bool:
    """Press a button of a window, if it is there by now."""
    return _act(one for one in _all_in(title) if _is_button(one) and one.get_name() == name)


def menu(*path: str) -> bool:
    """Choose an item of the image window's menus; whether there is one that can be chosen."""
    (bar,) = [
        one for window in _windows() for one in _within(window) if one.get_role_name() == "menu bar"
    ]
    for name in path:
        below = [one for one in _children(bar) if one.get_name() == name]
        if not below:
            return False
        bar = below[0]
    return bool(bar.get_state_set().contains(Atspi.StateType.SENSITIVE) and bar.do_action(0))


def choose(title: str, label: str, entry: str) -> None:
    """Choose an entry of the combo box with a label."""
    box = _labelled(title, label)
    (below,) = _children(box)
    entries = [one.get_name() for one in _children(below)]
    Atspi.Selection.select_child(box, entries.index(entry))


def chosen(title: str, label: str) -> str:
    """The name of what the combo box with a label shows."""
    return str(_labelled(title, label).get_name())


def dismiss() -> None:
    """Close GIMP's own messages."""
    for window in _windows():
        if window.get_role_name() in _MESSAGES:
            _act(one for one in _within(window) if _is_button(one))


def find_status_bar() -> bool:
    """Remember the bar below the image, if it is there by now: it is found while GIMP rests."""
    _status_bars[:] = [
        one.get_parent()
        for window in _windows()
        for one in _all_within(window)
        if one.get_role_name() == "progress bar"
    ]
    return len(_status_bars) == 1


def progress() -> dict[str, Any]:
    """Whether GIMP shows its bar and its button to cancel, and how far the bar is, 0 to 1."""
    (bar,) = [one for one in _status_children() if one.get_role_name() == "progress bar"]
    (button,) = [one for one in _status_children() if _is_button(one)]
    is_shown = _is_shown(bar) and _is_shown(button)
    return {"is_shown": is_shown, "share": bar.get_current_value()}


def cancel() -> bool:
    """Press GIMP's button to cancel what the bar tells of."""
    return _act(one for one in _status_children() if _is_button(one))


def tool(*command: str) -> str:
    """What a program of the display prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


def _windows() -> Iterator[Any]:
    Atspi.init()
    desktop = Atspi.get_desktop(0)
    desktop.clear_cache()
    for application in _children(desktop):
        yield from (window for window in _children(application) if _is_shown(window))


def _all_in(title: str) -> Iterator[Any]:
    for window in _windows():
        if window.get_name() == title:
            yield from _within(window)


def _within(of: Any) -> Iterator[Any]:
    """It and all below it that is shown."""
    yield of
    for child in _children(of):
        if _is_shown(child):
            yield from _within(child)


def _all_within(of: Any) -> Iterator[Any]:
    """It and all below it, shown or not, where a bar may be."""
    yield of
    if of.get_role_name() not in _WITHOUT_A_BAR:
        for child in _children(of):
            yield from _all_within(child)


def _children(of: Any) -> list[Any]:
    found = [of.get_child_at_index(index) for index in range(of.get_child_count())]
    return [child for child in found if child is not None]


def _is_shown(one: Any) -> bool:
    states = one.get_state_set()
    return bool(
        states.contains(Atspi.StateType.SHOWING) and states.contains(Atspi.StateType.VISIBLE)
    )


def _is_button(one: Any) -> bool:
    return one.get_role_name() in _BUTTONS


def _labelled(title: str, label: str) -> Any:
    """What a label is for."""
    for one in _all_in(title):
        for relation in one.get_relation_set():
            if relation.get_relation_type() == Atspi.RelationType.LABELLED_BY and (
                relation.get_target(0).get_name() == label
            ):
                return one
    raise LookupError(label)


def _status_children() -> list[Any]:
    (bar,) = _status_bars
    bar.clear_cache()
    return _children(bar)


def _act(found: Iterator[Any]) -> bool:
    return any(one.do_action(0) for one in found)
