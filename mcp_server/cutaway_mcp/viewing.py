"""The tool `view_image`: a picture small enough to look at, with its transparency visible."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from mcp.server.mcpserver import Resolve
from mcp_types import (
    CallToolResult,
    ImageContent,
    ListRootsResult,
    TextContent,
    ToolAnnotations,
)
from pydantic import BaseModel, ConfigDict, Field

from cutaway_mcp.asking import ask_roots, folders_within
from cutaway_mcp.failures import quoted
from cutaway_mcp.preview import ALPHA, CHECKERBOARD, Rectangle, preview
from cutaway_mcp.state import Ctx, state_of
from cutaway_mcp.strict import strict_tool

if TYPE_CHECKING:
    from mcp.server.mcpserver.tools import Tool

    from cutaway import Limits
    from cutaway_mcp.folders import Folders
    from cutaway_mcp.policy import Policy
    from cutaway_mcp.preview import Preview

__all__ = ["Region", "tools", "view_image"]


class Region(BaseModel):
    """A part of a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: Annotated[int, Field(ge=0, description="From the left edge.")]
    top: Annotated[int, Field(ge=0, description="From the top edge.")]
    width: Annotated[int, Field(gt=0, description="Of the part.")]
    height: Annotated[int, Field(gt=0, description="Of the part.")]


async def view_image(
    ctx: Ctx,
    path: Annotated[
        str,
        Field(description="Absolute path of a picture in an allowed folder."),
    ],
    roots: Annotated[ListRootsResult, Resolve(ask_roots)],
    region: Annotated[
        Region | None,
        Field(description="The part to show, in pixels of the upright picture; default: all."),
    ] = None,
    on: Annotated[
        str,
        Field(
            description="What shows through: checkerboard or a colour such as #00ff00; or alpha "
            "to see the mask itself, white = kept."
        ),
    ] = CHECKERBOARD,
) -> CallToolResult:
    """Show a picture, or a part of it."""
    state = state_of(ctx)
    part = Rectangle(**region.model_dump()) if region else None
    look = partial(
        _look, path, part, on, folders=folders_within(ctx, roots), limits=state.settings.limits
    )
    size, seen = await to_thread.run_sync(look, abandon_on_cancel=True)
    text = _text(path, size, seen, on)
    if not state.policy.image_responses:
        left_out = "The picture itself is left out: the server runs with --image-responses omit."
        return CallToolResult(content=[TextContent(type="text", text=f"{text} {left_out}")])
    image = ImageContent(
        type="image", data=base64.b64encode(seen.data).decode(), mime_type="image/webp"
    )
    return CallToolResult(content=[TextContent(type="text", text=text), image])


def _look(
    text: str, region: Rectangle | None, on: str, *, folders: Folders, limits: Limits
) -> tuple[tuple[int, int], Preview]:
    """The picture's own size, and what there is to see of it."""
    from cutaway import read_image

    with folders.opened(folders.readable(text)) as file:
        image = read_image(file, limits)
    return image.size, preview(image, region, on)


def _text(path: str, size: tuple[int, int], seen: Preview, on: str) -> str:
    part = seen.region
    where = f"left {part.left}, top {part.top}, {part.width} x {part.height}"
    whole = (part.width, part.height) == size
    if on == ALPHA:
        how = "the alpha itself, white = kept"
    else:
        how = f"on {on}" if seen.transparent else "nothing of it is transparent"
    return (
        f"{quoted(path)} has {size[0]} x {size[1]} pixels. "
        f"Shown: {'all of it' if whole else where}, "
        f"at {seen.size[0]} x {seen.size[1]}; {how}."
    )


def tools(policy: Policy) -> list[Tool]:  # noqa: ARG001  (every room's is called alike)
    """The tool of this room."""
    return [
        strict_tool(
            view_image,
            title="View an image",
            description=(
                "Shows a picture file at up to 768 pixels, "
                "to judge a cutout by eye: transparency is seen as a checkerboard or a colour. "
                "Use it on results, and on inputs to compare; zoom with a region into hair, edges "
                "and holes. Changes nothing."
            ),
            annotations=ToolAnnotations(
                read_only_hint=True,
                destructive_hint=False,
                idempotent_hint=True,
                open_world_hint=False,
            ),
            structured_output=False,
        )
    ]
