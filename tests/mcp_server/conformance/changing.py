"""What the conformance suite asks for about logs, changes, subscriptions and completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.types import (
    EmptyResult,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
)
from mcp_types import UnsubscribeRequestParams

if TYPE_CHECKING:
    from mcp.server import MCPServer

Ctx = Context[Any, Any]

_DIALECT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def add_changes(server: MCPServer[Any]) -> None:
    """Add them all; what an MCPServer has no place for is given to the server below it."""
    for tool in (
        test_tool_with_logging,
        test_logging_tool,
        test_reconnection,
        test_trigger_tool_change,
        test_trigger_prompt_change,
        json_schema_2020_12_tool,
    ):
        server.add_tool(tool, description=tool.__doc__, structured_output=False)
    dialect = server._tool_manager.get_tool("json_schema_2020_12_tool")  # noqa: SLF001  (no other way to a schema of one's own)
    assert dialect
    dialect.parameters = _DIALECT
    for method, params in (
        ("logging/setLevel", SetLevelRequestParams),
        ("resources/subscribe", SubscribeRequestParams),
        ("resources/unsubscribe", UnsubscribeRequestParams),
    ):
        server._lowlevel_server.add_request_handler(method, params, _accept)  # noqa: SLF001  (likewise)


async def _accept(_ctx: object, _params: RequestParams) -> EmptyResult:
    return EmptyResult()


async def test_tool_with_logging(ctx: Ctx) -> str:
    """Log three things."""
    for text in ("started", "at work", "done"):
        await ctx.info(f"Tool execution {text}")
    return "All of it is logged."


async def test_logging_tool(ctx: Ctx) -> str:
    """Log one thing, for those who asked for logs."""
    await ctx.info("Something happened")
    return "It may be logged."


async def test_reconnection(ctx: Ctx) -> str:
    """Let the client call again for the answer, where that is possible."""
    await ctx.close_sse_stream()
    return "It is here."


async def test_trigger_tool_change(ctx: Ctx) -> str:
    """Say that the tools have changed."""
    await ctx.notify_tools_changed()
    return "It is said."


async def test_trigger_prompt_change(ctx: Ctx) -> str:
    """Say that the prompts have changed."""
    await ctx.notify_prompts_changed()
    return "It is said."


def json_schema_2020_12_tool() -> str:
    """Have a schema with all that JSON Schema 2020-12 can say."""
    return "It is the schema that counts."
