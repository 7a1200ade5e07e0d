"""What the server asks of a client before a tool runs: its roots, and its user's consent.

Both are resolvers of the SDK, so that they work in both eras: as a request of the server's own up
to 2025-11-25, and as an input that the result requires from 2026-07-28 on. A client is asked only
for what it declares. A resolver may run again in every round of one call, and so changes nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, ListRoots
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import ListRootsRequest, ListRootsResult
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, Field, ValidationError

from cutaway_mcp.failures import quoted, refusal
from cutaway_mcp.policy import LOCAL
from cutaway_mcp.state import Ctx, state_of

if TYPE_CHECKING:
    from cutaway_mcp.folders import Folders

__all__ = ["Consent", "ask_consent", "ask_roots", "check_consent", "folders_within"]

_NO_REQUESTS_SINCE = "2026-07-28"
_PATIENCE = 2.0
"""Seconds that a client has to list its roots."""

_logger = logging.getLogger("cutaway_mcp")


class Consent(BaseModel):
    """What a user answers before the first picture leaves the machine."""

    allow: Annotated[bool, Field(title="Upload", description="Allow it until the session ends.")]


async def ask_roots(ctx: Ctx) -> ListRootsResult | ListRoots:
    """Ask the client for its roots; none if it has none to tell, or fails to.

    They only narrow what the operator allows, so a client that can't tell them is still served.
    """
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.roots is None or not _can_ask(ctx):
        return ListRootsResult(roots=[])
    if _answers_in_results(ctx):
        return ListRoots()
    try:
        listed: ListRootsResult = await ctx.session.send_request(
            ListRootsRequest(),
            ListRootsResult,
            request_read_timeout_seconds=_PATIENCE,
            metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
        )
    except (MCPError, ValidationError) as error:
        _logger.warning("the client's roots are not heeded, as it failed to list them: %s", error)
        return ListRootsResult(roots=[])
    return listed


def folders_within(ctx: Ctx, roots: ListRootsResult) -> Folders:
    """The allowed folders, as far as they lie in the client's roots."""
    return state_of(ctx).folders.narrowed(str(root.uri) for root in roots.roots)


def ask_consent(ctx: Ctx, backend: str | None) -> Consent | Elicit[Consent]:
    """Ask the user before the first upload of a session to a backend, if the client can.

    Where it can't, the operator's having allowed the backend is the consent.

    Raises:
        ToolError: the operator has not allowed the backend.
    """
    state = state_of(ctx)
    name = state.clients.named(backend)
    if name == LOCAL or _key(ctx, name) in state.consents or not _can_elicit(ctx):
        return Consent(allow=True)
    limit = "" if state.policy.max_cost is None else f", at most {state.policy.max_cost} US dollars"
    return Elicit(
        f"May pictures be uploaded to {quoted(name)} to remove their backgrounds? "
        f"Each leaves this machine, and may cost money{limit}.",
        Consent,
    )


def check_consent(ctx: Ctx, backend: str | None, answer: ElicitationResult[Consent]) -> None:
    """Go on if the user agreed, and remember it for the session.

    Raises:
        ToolError: the user didn't agree.
    """
    name = state_of(ctx).clients.named(backend)
    if isinstance(answer, AcceptedElicitation) and answer.data.allow:
        if _can_elicit(ctx):  # else no one was asked, and the next client's user must be
            state_of(ctx).consents.add(_key(ctx, name))
        return
    raise refusal(
        "the picture was not uploaded",
        f"the user was asked, and did not agree to send it to {quoted(name)}",
        f"Use the backend {LOCAL}, which sends nothing anywhere",
    )


def _can_elicit(ctx: Ctx) -> bool:
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or not _can_ask(ctx):
        return False
    # A bare capability is from before there were modes, and means forms.
    return elicitation.form is not None or elicitation.url is None


def _can_ask(ctx: Ctx) -> bool:
    """Whether a question can reach the client at all: not if an old one is served stateless."""
    return _answers_in_results(ctx) or ctx.session.can_send_request


def _answers_in_results(ctx: Ctx) -> bool:
    """Whether a question is a result of the call, and not a request of the server's own."""
    version = ctx.protocol_version
    return version is not None and is_version_at_least(version, _NO_REQUESTS_SINCE)


def _key(ctx: Ctx, backend: str) -> tuple[str, str]:
    """A session and a backend; without sessions, all clients of this process are one."""
    return (ctx.headers or {}).get("mcp-session-id", ""), backend
