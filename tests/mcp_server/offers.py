"""What the server offers, as its clients see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp import Client

from cutaway_mcp import Policy, create_server

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["offered", "parameters"]


async def offered(era: str = "2026-07-28", **policy: Any) -> list[dict[str, Any]]:
    """The tools of tools/list, as they go over the wire.

    Args:
        era: How the client speaks.
        policy: The server's; this folder is allowed unless it says otherwise.
    """
    server = create_server(policy=Policy(**{"allow_dirs": (Path(__file__).parent,), **policy}))
    async with Client(server, mode=era) as client:
        tools = (await client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def parameters(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every parameter of a schema and its own schema, those of an object within it too."""
    for name, part in schema.get("properties", {}).items():
        yield f"{above}{name}", part
        yield from parameters(part, f"{above}{name}.")
