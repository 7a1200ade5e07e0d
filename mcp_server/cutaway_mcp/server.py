"""The server itself: every room's tools, resources and prompt under one policy."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer

import cutaway
from cutaway_mcp import batch, listing, removing, viewing
from cutaway_mcp.backends import Clients
from cutaway_mcp.failures import quoted, refusal
from cutaway_mcp.folders import Folders, usual_folders
from cutaway_mcp.introduction import ICON, instructions
from cutaway_mcp.policy import Policy
from cutaway_mcp.prompting import offer_prompt
from cutaway_mcp.results import Results, offer_results
from cutaway_mcp.state import State
from cutaway_mcp.warming import warming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver.tools import Tool
    from mcp_types import CallToolResult, InputRequiredResult

__all__ = ["create_server"]


class _Server(MCPServer[State]):
    """A server that knows which tool was meant."""

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        context: Context[State, Any] | None = None,
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool.

        Raises:
            ToolError: there is none of that name, or it failed; its text is for the agent.
        """
        known = [tool.name for tool in await self.list_tools()]
        if name in known:
            return await super().call_tool(name, arguments, context)
        near = get_close_matches(name, known, n=1)
        raise refusal(
            f"there is no tool {quoted(name)}",
            f"the server has {', '.join(known)}",
            f"The nearest is {near[0]}" if near else "Use one of these",
        )


def create_server(
    client: cutaway.AsyncClient | None = None,
    settings: cutaway.Settings | None = None,
    policy: Policy | None = None,
) -> MCPServer[State]:
    """Make a server; `server.run()` serves it over stdio.

    Args:
        client: One to use for the backend of its settings; it stays open when the server ends.
        settings: What this machine's user has set; read from environment and config file if not
            given. The backend is the policy's all the same.
        policy: What the operator allows; only the working folder and this machine if not given.

    Raises:
        ConfigError: a setting can't be used.
    """
    policy = policy or Policy()
    state = _state(client, settings or cutaway.Settings.load(), policy)

    @asynccontextmanager
    async def lifespan(_: MCPServer[State]) -> AsyncIterator[State]:
        try:
            async with warming(state.clients) if policy.warm else nullcontext():
                yield state
        finally:
            await state.clients.aclose()

    server = _Server(
        "cutaway",
        title="Cutaway",
        description="Removes the background of pictures: on this machine, at full size.",
        instructions=instructions(policy, state.folders),
        icons=[ICON],
        version=cutaway.__version__,
        tools=_tools(policy),
        lifespan=lifespan,
        log_level="WARNING",
    )
    if not policy.read_only:
        offer_results(server, state.results)
        offer_prompt(server, state)
    return server


def _tools(policy: Policy) -> list[Tool]:
    rooms = [viewing, listing] if policy.read_only else [removing, batch, viewing, listing]
    return [tool for room in rooms for tool in room.tools(policy)]


def _state(client: cutaway.AsyncClient | None, settings: cutaway.Settings, policy: Policy) -> State:
    folders = Folders(_allowed(policy), policy.output_dir)
    clients = Clients(settings, policy, client)
    clients.check()
    return State(
        settings=settings,
        policy=policy,
        folders=folders,
        clients=clients,
        results=Results(folders),
    )


def _allowed(policy: Policy) -> tuple[Path, ...]:
    """The folders that may be used but for that of results, which is made if it is missing."""
    for path in policy.allow_dirs:
        if not path.is_dir():
            raise cutaway.errors.ConfigError(
                f"the folder {path} can't be allowed", "it isn't there", "Correct --allow-dir"
            )
    named = policy.allow_dirs or usual_folders()
    if policy.output_dir is None or policy.read_only:
        return named
    try:
        policy.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cutaway.errors.ConfigError(
            f"the folder {policy.output_dir} was not made",
            error.strerror or str(error),
            "Choose another --output-dir",
        ) from error
    return named
