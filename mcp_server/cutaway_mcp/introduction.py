"""How the server introduces itself to a client."""

from __future__ import annotations

from base64 import b64encode
from itertools import accumulate
from typing import TYPE_CHECKING

from mcp_types import Icon

from cutaway_mcp.failures import harmless

if TYPE_CHECKING:
    from cutaway_mcp.folders import Folders
    from cutaway_mcp.policy import Policy

__all__ = ["ICON", "instructions"]

_MOST_BYTES = 1200
"""For the folders' names; all else takes less than 700."""

_DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h4v8h4V4H0" '
    'fill="#ccc"/><path d="M1 8a3 4 0 0 1 6 0M4 4a1 1 0 0 1 0-3 1 1 0 0 1 0 3" fill="#d53"/></svg>'
)
"""It goes with every answer of the newer era, so it is small."""

ICON = Icon(
    src=f"data:image/svg+xml;base64,{b64encode(_DRAWING.encode()).decode()}",
    mime_type="image/svg+xml",
    sizes=["any"],
)
"""A subject before the checkerboard that stands for transparency."""


def instructions(policy: Policy, folders: Folders) -> str:
    """What an agent should know before it chooses a tool; less than 2,000 bytes."""
    parts = [_places(policy, folders), _ways(policy)]
    if not policy.read_only:
        parts.append(
            "Way of working: remove_background, then judge its facts and view_image the result; "
            "if hair or fur looks cut, try options.alpha_matting, or another model of list_models."
        )
    return " ".join(parts)


def _places(policy: Policy, folders: Folders) -> str:
    if not folders.allowed:
        return (
            "No folder is allowed yet: the server's operator must start it with --allow-dir FOLDER."
        )
    names = [f"'{harmless(str(path))}'" for path in folders.allowed]
    sizes = accumulate(len(name.encode()) + len(", ") for name in names)
    shown = [name for name, size in zip(names, sizes, strict=True) if size <= _MOST_BYTES]
    if len(shown) < len(names):
        shown.append("and others")
    verb = "Reads" if policy.read_only else "Reads and writes"
    return f"{verb} files in these folders only, by absolute paths: {', '.join(shown)}."


def _ways(policy: Policy) -> str:
    if policy.read_only:
        return "Nothing is written: pictures can be viewed, and models listed."
    usual, *others = policy.backends
    also = f" A call may name the backend {' or '.join(others)} instead." if others else ""
    address = "" if policy.network else " URLs are not fetched."
    return f"Backgrounds are removed by the backend {usual}.{also}{address}"
