"""The HTTP face: a POST of task objects to any path, and the pictures under `/media/`."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from http import HTTPStatus
from pathlib import PurePath
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from cutaway.errors import CutawayError
from cutaway.service import refusals
from cutaway.service.answers import Answer, envelope, joined, written
from cutaway.service.handling import Caller, content_of
from cutaway.service.reading import Authentication, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from cutaway.service.access import Access
    from cutaway.service.configuration import Configuration
    from cutaway.service.handling import Handler, Patience
    from cutaway.service.media import MediaStore

__all__ = ["Pictures", "Tasks", "answer_error"]

_PACE = 16 * 1024
"""Bytes a second that a large body must come with."""

_BODIES_AT_ONCE = {True: 4, False: 1}
"""How many bodies of the greatest size may be in the memory at a time: of callers whose key is
known before, and of all others."""

_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}
_PICTURE_HEADERS = {
    "Cache-Control": "private, max-age=60",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


class Tasks:
    """Answers POST requests.

    Args:
        configuration: Limits, and the public URL.
        access: Who may ask.
        handler: Does what is asked.
        patience: How long a body is waited for.
    """

    def __init__(
        self, configuration: Configuration, access: Access, handler: Handler, patience: Patience
    ) -> None:
        self._configuration, self._access, self._handler = configuration, access, handler
        self._patience = patience.body
        self._room = {
            known: count * configuration.max_body for known, count in _BODIES_AT_ONCE.items()
        }

    async def post(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            CutawayError: none of its tasks was looked at.
        """
        self._access.check_caller(request.headers)
        _check_type(request.headers)
        key = self._access.bearer(request.headers)
        if key is not None:
            self._access.owner(key)
        known = key is not None or not self._access.wants_key
        found, given = _parted(await self._content(request, known=known))
        owner = self._access.owner(given if key is None else key)
        caller = Caller.of(request, owner, self._configuration)
        return _response(joined(await self._handler.answers(found, caller)))

    async def _content(self, request: Request, *, known: bool) -> list[object]:
        """The messages in a request's body, which is let go of before they are answered."""
        most, body = self._configuration.max_body, bytearray()
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            raise refusals.body_too_large(most)
        try:
            async for piece in self._pieces(request):
                body += piece
                self._room[known] -= len(piece)
                if len(body) > most:
                    raise refusals.body_too_large(most)
                if self._room[known] < 0:
                    raise refusals.queue_full()
            return await content_of(body)
        finally:
            self._room[known] += len(body)

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        """The pieces of a body, however it is sent.

        Raises:
            Refusal: it comes too slowly, or not to its end.
        """
        until = asyncio.get_running_loop().time() + self._patience
        pieces = request.stream()
        try:
            async with aclosing(pieces):
                while True:
                    async with asyncio.timeout_at(until):
                        piece = await anext(pieces, None)
                    if piece is None:
                        return
                    until += len(piece) / _PACE
                    yield piece
        except TimeoutError as error:
            raise refusals.too_slow() from error
        except ClientDisconnect as error:
            raise refusals.not_json("it was cut off") from error


class Pictures:
    """Gives stored pictures to whoever knows their names, and lists none."""

    def __init__(self, media: MediaStore) -> None:
        self._media = media

    async def get(self, request: Request) -> Response:
        """Answer GET or HEAD."""
        name = request.path_params["name"]
        path = await asyncio.to_thread(self._media.path, name)
        try:
            found = await asyncio.to_thread(path.stat) if path else None
        except OSError:
            found = None
        if path is None or found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        kind = _TYPES.get(PurePath(name).suffix.lower())
        return FileResponse(
            path,
            stat_result=found,
            media_type=kind or "application/octet-stream",
            filename=name,
            content_disposition_type="inline" if kind else "attachment",
            headers=_PICTURE_HEADERS,
        )


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer a request that failed as a whole, in the envelope of the API."""
    del request
    if isinstance(error, CutawayError):
        return _response(Answer.failed(error))
    if isinstance(error, HTTPException):
        status, allowed = HTTPStatus(error.status_code), dict(error.headers or {})
        code = "notFound" if status is HTTPStatus.NOT_FOUND else "invalidRequest"
        item = {"code": code, "message": f"{status.phrase}. Tasks are sent with POST."}
        return _response(Answer((), (item,), status), allowed)
    return _response(Answer.failed(refusals.broken()))


def _parted(found: list[object]) -> tuple[list[object], str | None]:
    """The messages without their authentication, unless they are nothing else; and its key."""
    for message in found:
        if isinstance(message, dict) and message.get("taskType") == "authentication":
            request = read(message)
            rest = [one for one in found if one is not message]
            return rest or [message], request.key if isinstance(request, Authentication) else None
    return found, None


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refusals.wrong_content_type()


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    told = dict(headers or {})
    if answer.retry_after is not None:
        told["Retry-After"] = str(math.ceil(answer.retry_after))
    if answer.status == HTTPStatus.UNAUTHORIZED:
        told["WWW-Authenticate"] = "Bearer"
    told |= {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    content = written(envelope(answer.data, answer.errors))
    return Response(content, answer.status, told, "application/json")
