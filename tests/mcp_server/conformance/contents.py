"""Tools, resources and prompts with the content that the conformance suite asks for by name."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from PIL import Image
from pydantic import Field

if TYPE_CHECKING:
    from mcp.server import MCPServer

Ctx = Context[Any, Any]


def add_contents(server: MCPServer[Any]) -> None:
    """Add them all."""
    for tool in (
        test_simple_text,
        test_image_content,
        test_audio_content,
        test_embedded_resource,
        test_multiple_content_types,
        test_error_handling,
        test_tool_with_progress,
        test_x_mcp_header,
    ):
        server.add_tool(tool, description=tool.__doc__, structured_output=False)
    _add_resources(server)
    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):
        server.prompt(description=prompt.__doc__)(prompt)


def _add_resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "This text never changes."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """A picture."""
        return red_dot()

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched_resource() -> str:
        """A text to subscribe to."""
        return "This text is watched."

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template_data(id: str) -> str:  # noqa: A002  (the suite's own name for it)
        """What its address says."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def red_dot() -> bytes:
    """A PNG file of one red pixel."""
    file = io.BytesIO()
    Image.new("RGB", (1, 1), "red").save(file, "PNG")
    return file.getvalue()


def _image() -> ImageContent:
    return ImageContent(data=base64.b64encode(red_dot()).decode(), mime_type="image/png")


def _silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(bytes(80))
    return file.getvalue()


def test_simple_text() -> list[TextContent]:
    """Answer with a text."""
    return [TextContent(text="This is a simple text.")]


def test_image_content() -> list[ImageContent]:
    """Answer with a picture."""
    return [_image()]


def test_audio_content() -> list[AudioContent]:
    """Answer with a sound."""
    return [AudioContent(data=base64.b64encode(_silence()).decode(), mime_type="audio/wav")]


def test_embedded_resource() -> list[EmbeddedResource]:
    """Answer with a resource."""
    text = TextResourceContents(
        uri="test://embedded-resource", mime_type="text/plain", text="This is embedded."
    )
    return [EmbeddedResource(resource=text)]


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Answer with a text, a picture and a resource."""
    blob = BlobResourceContents(
        uri="test://mixed-content-resource",
        mime_type="application/json",
        blob=base64.b64encode(b'{"test": "data"}').decode(),
    )
    return [TextContent(text="Three kinds:"), _image(), EmbeddedResource(resource=blob)]


def test_error_handling() -> str:
    """Fail."""
    raise ToolError("This tool fails on purpose")


async def test_tool_with_progress(ctx: Ctx) -> str:
    """Tell how far it is."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"{done} of 100")
    return "All of it is told."


def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> str:
    """Take an argument that the request's headers name, too."""
    return region


def test_simple_prompt() -> str:
    """Ask for nothing in particular."""
    return "This is a simple prompt."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Repeat the arguments."""
    return f"Prompt with arguments: arg1={arg1!r}, arg2={arg2!r}"


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  (the suite's own name for it)
    """Embed a resource."""
    text = TextResourceContents(uri=resourceUri, mime_type="text/plain", text="It is embedded.")
    return [UserMessage(EmbeddedResource(resource=text)), UserMessage("Look at it.")]


def test_prompt_with_image() -> list[UserMessage]:
    """Show a picture."""
    return [UserMessage(_image()), UserMessage("Look at it.")]
