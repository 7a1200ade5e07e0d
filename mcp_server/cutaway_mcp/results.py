"""Recent results as resources, for clients that can't reach the server's files.

A result stays where it was written; what is kept here is only where that is. An id can't be
guessed, is forgotten after an hour, and gives nothing any more once its file is another.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import to_thread
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp.server import MCPServer
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    from cutaway_mcp.facts import CutoutFacts
    from cutaway_mcp.folders import Folders
    from cutaway_mcp.state import State

__all__ = ["TEMPLATE", "Results", "offer_results"]

TEMPLATE = "cutaway://results/{id}"
"""The address of a result."""

_PREFIX = TEMPLATE.removesuffix("{id}")
_MOST = 200
_SECONDS = 3600.0
_MOST_BYTES = 32 << 20
_MEDIA_TYPES = {"PNG": "image/png", "WEBP": "image/webp", "JPG": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class _Result:
    """A file that was written, and what it was then."""

    path: Path
    media_type: str
    print: tuple[int, ...]
    until: float


class Results:
    """The results that were written last, at most 200, by their ids.

    Args:
        folders: Where they may be read from.
        clock: Tells the time in seconds.
    """

    def __init__(self, folders: Folders, clock: Callable[[], float] = time.monotonic) -> None:
        self._folders = folders
        self._clock = clock
        self._known: dict[str, _Result] = {}

    def add(self, path: Path, facts: CutoutFacts) -> str:
        """Remember a result just written, by its real path; gives its id.

        It may be gone again already: then its id leads to nothing.
        """
        name = secrets.token_urlsafe(16)
        media_type = _MEDIA_TYPES[facts.format]
        until = self._clock() + _SECONDS
        self._known[name] = _Result(path, media_type, _print_at(path), until)
        self._forget_the_old()
        return name

    def uri(self, name: str) -> str:
        """The address of the result of an id."""
        return f"{_PREFIX}{name}"

    def media_type(self, uri: str) -> str | None:
        """What the resource at an address is, such as `image/png`; None if there is no such."""
        result = self._known.get(uri.removeprefix(_PREFIX))
        return result.media_type if result else None

    async def read(self, name: str) -> bytes:
        """The file of a result.

        Raises:
            ResourceNotFoundError: the id is unknown or too old, or its file was changed, moved or
                deleted.
            ResourceError: the file is too large to be sent.
        """
        self._forget_the_old()
        result = self._known.get(name)
        if result is None:
            raise ResourceNotFoundError(
                "There is no such result (any more): an id is kept for an hour. "
                "The file itself is where output_path said."
            )
        data = await to_thread.run_sync(_unchanged, self._folders, result)
        if data is None:
            self._known.pop(name, None)
            raise ResourceNotFoundError(
                "The result is not what it was: its file was changed, moved or deleted. "
                "See what is at its output_path now with view_image."
            )
        return data

    def _forget_the_old(self) -> None:
        now = self._clock()
        fresh = [(name, one) for name, one in self._known.items() if one.until > now]
        self._known = dict(fresh[-_MOST:])


def _print(status: os.stat_result) -> tuple[int, ...]:
    """What tells a file from another, and from itself once it is changed."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _print_at(path: Path) -> tuple[int, ...]:
    try:
        return _print(path.lstat())
    except OSError:
        return ()


def _unchanged(folders: Folders, result: _Result) -> bytes | None:
    """The bytes of a result's file; None if that is another by now."""
    try:
        with folders.opened(result.path) as file:
            if _print(os.fstat(file.fileno())) != result.print:
                return None
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ToolError):
        return None
    if len(data) > _MOST_BYTES:
        raise ResourceError(
            f"The result is larger than {_MOST_BYTES >> 20} MB. Read the file at its output_path."
        )
    return data


def offer_results(server: MCPServer[State], results: Results) -> None:
    """Have a server give recent results to those who know their ids."""

    @server.resource(
        TEMPLATE,
        name="result",
        title="A recent result",
        description="A picture that was written within the last hour, by the id in its link.",
        mime_type="application/octet-stream",
    )
    async def result(id: str) -> bytes:  # noqa: A002  (the template's own word)
        return await results.read(id)

    async def with_media_types(
        ctx: ServerRequestContext[State], call_next: CallNext
    ) -> HandlerResult:
        """A template has one media type for all it leads to; a result has its own."""
        answer = await call_next(ctx)
        if ctx.method == "resources/read" and isinstance(answer, dict):
            for content in answer.get("contents", ()):
                if media_type := results.media_type(content["uri"]):
                    content["mimeType"] = media_type
        return answer

    server.middleware.append(with_media_types)
