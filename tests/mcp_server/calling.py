"""A client of the server, in memory or over stdio, and what its answers say."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

from cutaway_mcp import Policy, create_server
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cutaway import Settings

__all__ = ["call", "facts_of", "in_memory", "names", "over_stdio", "refused", "text_of"]


@asynccontextmanager
async def in_memory(
    era: str, *allowed: Path, settings: Settings | None = None, client: Any = None, **choices: Any
) -> AsyncIterator[Client]:
    """A client of a server in this process.

    Args:
        era: How it speaks.
        allowed: The folders that the server may use.
        settings: The server's.
        client: More arguments of the MCP client, such as its callbacks.
        choices: More of the server's policy.
    """
    server = create_server(settings=settings, policy=Policy(allow_dirs=allowed, **choices))
    async with Client(server, mode=era, **(client or {})) as connected:
        yield connected


@asynccontextmanager
async def over_stdio(
    era: str, *arguments: str | Path, cwd: Path, client: Any = None
) -> AsyncIterator[Client]:
    """A client of `cutaway-mcp` as a process of its own."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "cutaway_mcp", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
    )
    async with Client(server, mode=era, **(client or {})) as connected:
        yield connected


async def call(client: Client, tool: str = "remove_background", **arguments: Any) -> CallToolResult:
    """Call a tool."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    return result


def text_of(result: CallToolResult) -> str:
    """The text of an answer."""
    (text,) = [part.text for part in result.content if isinstance(part, TextContent)]
    return text


def facts_of(result: CallToolResult) -> dict[str, Any]:
    """The facts of a success, the same as text and as structured content."""
    assert not result.is_error, text_of(result)
    facts: dict[str, Any] = json.loads(text_of(result))
    assert result.structured_content == facts
    return facts


async def refused(client: Client, tool: str = "remove_background", **arguments: Any) -> str:
    """What a call is told that fails as foreseen."""
    result = await call(client, tool, **arguments)
    assert result.is_error
    assert result.structured_content is None
    text = text_of(result)
    assert len(text.encode()) <= 1000
    assert text.isprintable()
    assert "Traceback" not in text
    assert "unexpectedly" not in text
    return text


def names(folder: Path, pattern: str = "*") -> list[str]:
    """What is in a folder and the folders in it, by the names alone."""
    return sorted(path.name for path in folder.rglob(pattern))
