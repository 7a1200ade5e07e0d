"""What Runware offers: its background-removal models, their prices, and where it gives keys.

From Runware's model pages and the schemas its own clients bundle (October 2026). A price is told
only where Runware publishes one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from cutaway.errors import UnknownModel

__all__ = [
    "DEFAULT_REMOTE",
    "KEYS_PAGE",
    "KEY_VARIABLE",
    "RemoteModel",
    "find_remote",
    "remote_models",
    "twin_of",
]

DEFAULT_REMOTE = "runware:112@2"
"""The model that a remote removal takes where none is named."""

KEYS_PAGE = "https://my.runware.ai/signup"
"""Where Runware gives keys."""

KEY_VARIABLE = "RUNWARE_API_KEY"
"""The environment's name for a key."""

_AIR = re.compile(r"[a-z0-9][\w.-]*:[\w.-]+@[\w.-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """A model that Runware runs.

    Attributes:
        air: Runware's id, such as `runware:112@2`.
        slug: Runware's readable name; empty for a model that isn't listed here.
        title: Its name for people.
        twin: The local model with the same weights, by name, if there is one.
        price: US dollars a picture; None where Runware publishes none.
        settings: The mask settings that it takes on the wire, by their wire names.
        provider: The key of `providerSettings` that it takes, if any.
        video: Whether it works on videos instead of pictures.
        listed: Whether it is one of those listed here; of any other nothing is known.
    """

    air: str
    slug: str = ""
    title: str
    twin: str | None = None
    price: Decimal | None = None
    settings: frozenset[str] = frozenset()
    provider: str | None = None
    video: bool = False
    listed: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called: its AIR, its slug and its local twin's name."""
        return tuple(name for name in (self.air, self.slug, self.twin) if name)


def remote_models() -> tuple[RemoteModel, ...]:
    """Every listed model that works on pictures or videos, in the order of their AIRs."""
    return _MODELS


def find_remote(name: str) -> RemoteModel:
    """The model of that AIR, slug or local name, in any letter case.

    An AIR that isn't listed may belong to a newer model: it is taken as it is.

    Raises:
        UnknownModel: Runware has no such model; the nearest is told.
    """
    wanted = name.strip()
    model = _BY_NAME.get(wanted.lower())
    if model is not None:
        return model
    if _AIR.fullmatch(wanted):
        return RemoteModel(air=wanted, title=wanted, listed=False)
    raise _unknown(wanted)


def twin_of(local_name: str) -> RemoteModel | None:
    """The remote model with the weights of a local one."""
    return next((model for model in _MODELS if model.twin == local_name), None)


_REMBG_SETTINGS = frozenset(
    {
        "rgba",
        "postProcessMask",
        "returnOnlyMask",
        "alphaMatting",
        "alphaMattingForegroundThreshold",
        "alphaMattingBackgroundThreshold",
        "alphaMattingErodeSize",
    }
)

_MODELS = (
    RemoteModel(
        air="runware:109@1",
        slug="rembg-v1-4",
        title="RemBG v1.4",
        twin="u2net",
        settings=_REMBG_SETTINGS,
    ),
    RemoteModel(
        air="runware:110@1",
        slug="bria-rmbg-v2-0-open",
        title="Bria RMBG v2.0",
        twin="bria-rmbg",
    ),
    RemoteModel(air="runware:112@1", slug="birefnet-v1-base", title="BiRefNet v1 Base"),
    RemoteModel(
        air="runware:112@2",
        slug="birefnet-v1-base-cod",
        title="BiRefNet v1 Base - COD",
        twin="birefnet-cod",
        price=Decimal("0.0006"),
    ),
    RemoteModel(
        air="runware:112@3", slug="birefnet-dis", title="BiRefNet Dis", twin="birefnet-dis"
    ),
    RemoteModel(
        air="runware:112@5",
        slug="birefnet-general",
        title="BiRefNet General",
        twin="birefnet-general",
    ),
    RemoteModel(
        air="runware:112@6",
        slug="birefnet-general-resolution-512x512-fp16",
        title="BiRefNet General 512x512 FP16",
    ),
    RemoteModel(
        air="runware:112@7",
        slug="birefnet-hrsod-dhu",
        title="BiRefNet HRSOD DHU",
        twin="birefnet-hrsod",
    ),
    RemoteModel(
        air="runware:112@8",
        slug="birefnet-massive-tr-dis5k-tr-tes",
        title="BiRefNet Massive TR DIS5K TR TES",
        twin="birefnet-massive",
    ),
    RemoteModel(
        air="runware:112@9",
        slug="birefnet-matting",
        title="BiRefNet Matting",
        price=Decimal("0.0006"),
    ),
    RemoteModel(
        air="runware:112@10",
        slug="birefnet-portrait",
        title="BiRefNet Portrait",
        twin="birefnet-portrait",
    ),
    RemoteModel(
        air="bria:2@1", slug="bria-rmbg-v2-0", title="Bria RMBG v2.0 (by Bria)", provider="bria"
    ),
    RemoteModel(
        air="bria:51@1",
        slug="bria-video-background-removal",
        title="Bria Video Background Removal",
        settings=frozenset({"rgba"}),
        video=True,
    ),
    RemoteModel(
        air="ideogram:remove-background@0",
        slug="ideogram-remove-background",
        title="Ideogram Remove Background",
    ),
)

_BY_NAME = {name.lower(): model for model in _MODELS for name in model.names}


def _unknown(name: str) -> UnknownModel:
    from difflib import get_close_matches

    match = get_close_matches(name.lower(), _BY_NAME, n=1, cutoff=0.6)
    advice = f"The nearest is {match[0]}" if match else f"Choose one that it has: {DEFAULT_REMOTE}"
    return UnknownModel(f"Runware runs no model {name}", next_step=advice)
