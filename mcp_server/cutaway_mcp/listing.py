"""The tool `list_models`: what can be chosen, where it runs, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from cutaway_mcp.facts import Facts
from cutaway_mcp.state import Ctx, state_of
from cutaway_mcp.strict import strict_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.mcpserver.tools import Tool

    from cutaway import ModelFacts
    from cutaway_mcp.policy import Policy

__all__ = ["ModelsFacts", "list_models", "tools"]

_TO_PULL = "A model that is not installed: have the user run `cutaway models pull NAME` first."
_NOT_ALLOWED = (
    "Runware's models are left out: the server's operator has not allowed to upload pictures "
    "(--allow-backend runware)."
)


class OfferedModel(BaseModel):
    """A model that a call can name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    good_for: Annotated[str, Field(description="Or its title.")]
    installed: Annotated[bool | None, Field(description="Absent if only Runware runs it.")] = None
    remote: Annotated[str | None, Field(description="Its id at Runware, if offered.")] = None
    price: Annotated[
        float | None, Field(description="US dollars a picture there; absent if unknown.")
    ] = None
    licence: Annotated[str | None, Field(description="Of the local weights.")] = None
    megabytes: Annotated[int | None, Field(description="To download.")] = None


class ModelsFacts(Facts):
    """What `list_models` tells."""

    backend: Annotated[str, Field(description="The one used if none is named.")]
    backends: Annotated[list[str], Field(description="What may be named.")]
    auto: Annotated[str | None, Field(description="What auto takes; absent if it fails.")] = None
    models: list[OfferedModel]
    notes: list[str]


async def list_models(ctx: Ctx) -> Annotated[CallToolResult, ModelsFacts]:
    """Tell every model that a call can name."""
    state = state_of(ctx)
    client = await to_thread.run_sync(state.clients.get)
    models = await client.models()
    facts = _facts(models, state.policy)
    return CallToolResult(
        content=[TextContent(type="text", text=facts.as_text())],
        structured_content=facts.as_data(),
    )


def _facts(models: Sequence[ModelFacts], policy: Policy) -> ModelsFacts:
    offered = [model for model in models if model.local or policy.remote]
    lacking = any(model.local and not model.installed for model in offered)
    notes = [_TO_PULL] if lacking else []
    return ModelsFacts(
        backend=policy.backends[0],
        backends=list(policy.backends),
        auto=next((model.name for model in models if model.is_auto), None),
        models=[_offered(model, remote=policy.remote) for model in offered],
        notes=notes if policy.remote else [*notes, _NOT_ALLOWED],
    )


def _offered(model: ModelFacts, *, remote: bool) -> OfferedModel:
    size = model.size if model.local and not model.installed else None
    return OfferedModel(
        name=model.name,
        good_for=model.good_for or model.title,
        installed=model.installed if model.local else None,
        remote=model.air if remote else None,
        price=float(model.price) if remote and model.price is not None else None,
        licence=model.licence,
        megabytes=round(size / 1e6) if size else None,
    )


def tools(policy: Policy) -> list[Tool]:  # noqa: ARG001  (every room's is called alike)
    """The tool of this room."""
    return [
        strict_tool(
            list_models,
            title="List background-removal models",
            description=(
                "Lists the models that remove_background can use: what each is good for, whether "
                "it is installed on this machine, its licence, and whether Runware runs it and at "
                "what price. Use it to choose a model, or when one is missing; ordinary pictures "
                "need none chosen. Asks no network."
            ),
            annotations=ToolAnnotations(
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=False,
            ),
        )
    ]
