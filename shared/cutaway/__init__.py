"""Cutaway removes the background of a picture, on this machine or through the Runware API.

    import cutaway

    result = cutaway.remove_background("photo.jpg")
    result.save("photo-cutout.png")

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cutaway._version import __version__

if TYPE_CHECKING:
    from cutaway import errors as errors
    from cutaway.client import AsyncClient as AsyncClient
    from cutaway.client import Client as Client
    from cutaway.client import Source as Source
    from cutaway.client import remove_background as remove_background
    from cutaway.cutout import Box as Box
    from cutaway.cutout import Cutout as Cutout
    from cutaway.errors import CutawayError as CutawayError
    from cutaway.options import Colour as Colour
    from cutaway.options import ImageFormat as ImageFormat
    from cutaway.options import Output as Output
    from cutaway.options import RemovalOptions as RemovalOptions
    from cutaway.progress import Cancellation as Cancellation
    from cutaway.progress import Step as Step
    from cutaway.settings import Limits as Limits
    from cutaway.settings import Settings as Settings

__all__ = [
    "AsyncClient",
    "Box",
    "Cancellation",
    "Client",
    "Colour",
    "CutawayError",
    "Cutout",
    "ImageFormat",
    "Limits",
    "Output",
    "RemovalOptions",
    "Settings",
    "Source",
    "Step",
    "__version__",
    "errors",
    "remove_background",
]

_HOMES = {
    "AsyncClient": "client",
    "Box": "cutout",
    "Cancellation": "progress",
    "Client": "client",
    "Colour": "options",
    "Cutout": "cutout",
    "CutawayError": "errors",
    "ImageFormat": "options",
    "Limits": "settings",
    "Output": "options",
    "RemovalOptions": "options",
    "Settings": "settings",
    "Source": "client",
    "Step": "progress",
    "remove_background": "client",
}


def _load(name: str) -> object:
    if name == "errors":
        return import_module("cutaway.errors")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cutaway.{home}"), name)


if not TYPE_CHECKING:  # a type checker would take any misspelt name for one that is loaded so
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted(__all__)
