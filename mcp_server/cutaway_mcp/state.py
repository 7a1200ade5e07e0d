"""What the server's rooms share while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from mcp.server.mcpserver import Context

from cutaway_mcp.policy import LOCAL

if TYPE_CHECKING:
    from cutaway import Settings
    from cutaway_mcp.backends import Clients
    from cutaway_mcp.folders import Folders
    from cutaway_mcp.policy import Policy
    from cutaway_mcp.results import Results

__all__ = ["Ctx", "State", "state_of"]

_AT_ONCE_HERE = 2
"""Pictures worked on at once: one network uses all cores, so more would only cost memory."""

_AT_ONCE_ELSEWHERE = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """What the server's rooms share; the lifespan's context of every request.

    Attributes:
        settings: What this machine's user has set.
        policy: What the operator allows.
        folders: Where files may be read and written, before a client's roots narrow it.
        clients: What removes backgrounds.
        results: Recent results, by their ids.
        consents: Who agreed to what: (session, backend).
        here: Bounds how many pictures are worked on at once on this machine.
        elsewhere: The same for remote backends.
    """

    settings: Settings
    policy: Policy
    folders: Folders
    clients: Clients
    results: Results
    consents: set[tuple[str, str]] = field(default_factory=set)
    here: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_AT_ONCE_HERE), repr=False
    )
    elsewhere: anyio.CapacityLimiter = field(
        default_factory=lambda: anyio.CapacityLimiter(_AT_ONCE_ELSEWHERE), repr=False
    )

    def turns(self, backend: str | None) -> anyio.CapacityLimiter:
        """What a picture waits for before a backend works on it; None is the server's usual one."""
        return self.here if self.clients.named(backend) == LOCAL else self.elsewhere


Ctx: TypeAlias = Context[State, Any]
"""The context of a request; a tool takes it as a parameter that no client sees."""


def state_of(ctx: Ctx) -> State:
    """The state behind a request."""
    return ctx.request_context.lifespan_context
