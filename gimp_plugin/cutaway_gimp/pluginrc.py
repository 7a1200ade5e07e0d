"""GIMP's own note of its plug-ins: `pluginrc` in a profile, written when GIMP starts."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway_gimp.profiles import Profile

__all__ = ["Registration", "queried_at", "registration"]

_SECOND = 10**9


class Registration(StrEnum):
    """Whether GIMP knows a plug-in's procedure."""

    YES = "yes"
    NOT_YET = "not yet"  # it has not been started since the plug-in came
    REFUSED = "no"


def registration(profile: Profile, entry: Path) -> Registration:
    """Tell whether GIMP knows the plug-in that a file is.

    Args:
        profile: Where GIMP keeps its note.
        entry: The file that GIMP starts.

    Raises:
        OSError: one of the two can't be read.
    """
    pluginrc = profile.folder / "pluginrc"
    if not pluginrc.exists():
        return Registration.NOT_YET
    changed = entry.stat().st_mtime_ns
    queried = queried_at(pluginrc.read_text(encoding="utf-8", errors="replace"), entry.name)
    if queried == changed // _SECOND:
        return Registration.YES
    refused = queried is None and pluginrc.stat().st_mtime_ns > changed
    return Registration.REFUSED if refused else Registration.NOT_YET


def queried_at(text: str, entry: str) -> int | None:
    """Tell when the file was last changed that GIMP has asked for its procedures.

    GIMP notes a plug-in by its path and that time, and asks it again once the time is another.
    One that gave no procedure is not noted at all [tried on 3.0.4].

    Args:
        text: What is in `pluginrc`.
        entry: The file's name; its folder has the same one, but for the ending.

    Returns:
        Seconds since 1970; None if GIMP knows no procedure of it.
    """
    folder = re.escape(entry.removesuffix(".py"))
    noted = re.search(
        rf'^\(plug-in-def "[^"\n]*{folder}[/\\]+{re.escape(entry)}" ([0-9]+)\n +\(proc-def ',
        text,
        re.MULTILINE,
    )
    return int(noted[1]) if noted else None
