"""The MCP face of Cutaway: a package of its own, above the core and beside the GIMP face.

from cutaway_mcp import Policy, create_server

create_server(policy=Policy(allow_dirs=(Path("photos"),))).run()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cutaway_mcp.policy import Policy as Policy
    from cutaway_mcp.server import create_server as create_server

__all__ = ["Policy", "create_server"]

_HOMES = {"Policy": "policy", "create_server": "server"}


def _load(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cutaway_mcp.{home}"), name)


if not TYPE_CHECKING:  # a type checker would take any misspelt name for one that is loaded so
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted(__all__)
