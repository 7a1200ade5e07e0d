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
    from cutaway.client import ModelFacts as ModelFacts
    from cutaway.client import Removal as Removal
    from cutaway.client import Source as Source
    from cutaway.client import Submitted as Submitted
    from cutaway.client import read_image as read_image
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
    from cutaway.runware.client import AsyncRunware as AsyncRunware
    from cutaway.runware.client import Runware as Runware
    from cutaway.runware.replies import Result as RemoteResult
    from cutaway.settings import Limits as Limits
    from cutaway.settings import Settings as Settings

__all__ = [
    "AsyncClient",
    "AsyncRunware",
    "Box",
    "Cancellation",
    "Client",
    "Colour",
    "CutawayError",
    "Cutout",
    "ImageFormat",
    "Limits",
    "ModelFacts",
    "Output",
    "RemoteResult",
    "Removal",
    "RemovalOptions",
    "Runware",
    "Settings",
    "Source",
    "Step",
    "Submitted",
    "__version__",
    "errors",
    "read_image",
    "remove_background",
]

_HOMES = {
    "AsyncClient": "client",
    "AsyncRunware": "runware.client",
    "Box": "cutout",
    "Cancellation": "progress",
    "Client": "client",
    "Colour": "options",
    "Cutout": "cutout",
    "CutawayError": "errors",
    "ImageFormat": "options",
    "Limits": "settings",
    "ModelFacts": "client",
    "Output": "options",
    "RemoteResult": "runware.replies:Result",
    "Removal": "client",
    "RemovalOptions": "options",
    "Runware": "runware.client",
    "Settings": "settings",
    "Source": "client",
    "Step": "progress",
    "Submitted": "client",
    "read_image": "client",
    "remove_background": "client",
}


def _load(name: str) -> object:
    if name == "errors":
        return import_module("cutaway.errors")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, own_name = home.partition(":")
    return getattr(import_module(f"cutaway.{module}"), own_name or name)


if not TYPE_CHECKING:  # a type checker would take any misspelt name for one that is loaded so
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted(__all__)
