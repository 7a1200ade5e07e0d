"""What a person should know about the GIMP and the Python that are here, in plain sentences."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cutaway_gimp.installing import may_vanish
from cutaway_gimp.profiles import (
    FLATPAK_LINE,
    flatpak_may_start_programs,
    has_flatpak,
    has_snap,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway_gimp.asking import Answer
    from cutaway_gimp.profiles import Places

__all__ = ["about_gimp", "about_python", "about_worker"]

_SNAP = (
    "GIMP is a Snap here. The plug-in doesn't work in that one: a Snap can't start Cutaway. "
    "Install GIMP in another way, such as your system's package or Flatpak."
)
_FLATPAK = (
    "GIMP is a Flatpak here, and may not start Cutaway yet. To allow that Flatpak to start any "
    f"program on this computer, run: {FLATPAK_LINE}"
)

_NO_MODEL = (
    "No model is installed: plain backgrounds are removed well, others poorly. "
    "Get a small model with: cutaway models pull u2netp"
)


def about_gimp(where: Places[Path]) -> list[str]:
    """Tell what keeps a sandboxed GIMP from starting Cutaway."""
    told = [_SNAP] if has_snap(where) else []
    if has_flatpak(where) and not flatpak_may_start_programs(where):
        told.append(_FLATPAK)
    return told


def about_python(python: Path) -> list[str]:
    """Tell whether a Python that GIMP is to start may be gone one day."""
    if not may_vanish(python, os.environ):
        return []
    told = (
        f"{python} lies in a cache that may be emptied, and the plug-in would be without it. "
        "Install Cutaway to stay (uv tool install cutaway), then run: cutaway gimp install"
    )
    return [told]


def about_worker(answer: Answer) -> list[str]:
    """Tell what a worker lacks for the backend that its settings name."""
    if answer.backend == "local":
        return [] if answer.models else [_NO_MODEL]
    if answer.backend == "runware" and not answer.key_found:
        return ["Removals run at Runware, and there is no key for it. Keep one with: cutaway login"]
    return []
