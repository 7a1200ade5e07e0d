"""What is done for one task object, whichever way it came."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from cutaway.errors import CutawayError
from cutaway.service import refusals
from cutaway.service.answers import Answer, acknowledgement, amount
from cutaway.service.reading import (
    Authentication,
    Delete,
    Ping,
    Poll,
    Removal,
    Upload,
    messages,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from decimal import Decimal

    from starlette.requests import HTTPConnection

    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.configuration import Configuration
    from cutaway.service.desk import Desk

__all__ = ["Caller", "Handler", "Patience", "content_of", "failed"]

_LOG = logging.getLogger("cutaway.service")
_LONGEST = 100
"""Characters of a task's own names that are told back."""

_LONG = 1 << 20
"""Bytes of JSON from which on it is read in a thread: that takes milliseconds."""

_HOST = re.compile(r"[\w.\-\[\]:]+", re.ASCII)
_PICTURES = ("inputImage", "image", "media")
"""Where a picture is told, unless it is `inputs.image`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a task object, and how.

    Attributes:
        owner: Whose tasks those of the caller's key are.
        base_url: What the URLs of pictures begin with, without a slash at the end.
        dry_run: Whether tasks are only to be checked and priced.
    """

    owner: str
    base_url: str
    dry_run: bool = False

    @classmethod
    def of(cls, connection: HTTPConnection, owner: str, configuration: Configuration) -> Self:
        """The caller on a connection: URLs are such that it can follow them.

        A dry run is asked for by a header, or in the address as the JavaScript SDK does.
        """
        asked = connection.headers.get("x-runware-dry-run"), connection.query_params.get("dryRun")
        dry_run = any(word in {"1", "true"} for word in asked)
        return cls(owner, _base_url(connection, configuration), dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long clients are waited for, in seconds.

    Attributes:
        body: For a request's body however small it is; a large one may take longer.
        authentication: For the first message on a WebSocket, if a key is needed.
        idle: For each other one, unless an answer is still to come.
        farewell: For a client to read that its key was refused.
        session: For a lost client to come back.
    """

    body: float = 30.0
    authentication: float = 15.0
    idle: float = 120.0
    farewell: float = 3.0
    session: float = 120.0


class Handler:
    """Answers task objects, any number at a time.

    Args:
        desk: Does what they ask for.
        check: Finds out whether a removal could be done, without doing it; it is called in a
            thread, and raises what is wrong.
        price: US dollars of a removal.
    """

    def __init__(self, desk: Desk, check: Callable[[RemovalTask], object], price: Decimal) -> None:
        self._desk, self._check, self._price = desk, check, price

    async def answer(self, message: object, caller: Caller) -> Answer:
        """Do what a message asks for, and answer; what goes wrong is an answer, too.

        The message is emptied, lest its picture stays in memory for as long as its task waits.
        """
        try:
            return Answer((await self._begun(message, caller),))
        except CutawayError as error:
            return failed(error, message)

    async def answers(self, messages: list[object], caller: Caller) -> list[Answer]:
        """Answer several messages, each as if it were alone."""
        found = await asyncio.gather(
            *(self.answer(message, caller) for message in messages), return_exceptions=True
        )
        return [
            one if isinstance(one, Answer) else _broken(one, message)
            for one, message in zip(found, messages, strict=True)
        ]

    def _begun(self, message: object, caller: Caller) -> Awaitable[Mapping[str, Any]]:
        """Begin with what a message asks for; what is to be awaited gives the data item."""
        request = read(message)
        _empty(message)
        match request:
            case Removal():
                return self._priced(request) if caller.dry_run else self._removed(request, caller)
            case Poll():
                return self._desk.standing(request.task_uuid, caller.owner)
            case Upload():
                return self._desk.upload(request, base_url=caller.base_url)
            case Delete():
                return self._desk.delete(request)
        return _greeting(request)

    async def _removed(self, removal: Removal, caller: Caller) -> Mapping[str, Any]:
        task = removal.task
        if removal.unknown:
            facts = {"taskUUID": task.task_uuid, "parameters": removal.unknown}
            _LOG.info("parameters that mean nothing here", extra={"facts": facts})
        await self._desk.submit(removal, owner=caller.owner, base_url=caller.base_url)
        if task.delivery_method == "async" or task.webhook_url is not None:
            return acknowledgement(task, removal.dialect)
        result = self._desk.result(task.task_uuid)
        del removal, task  # with the picture
        return await result

    async def _priced(self, removal: Removal) -> Mapping[str, Any]:
        await asyncio.to_thread(self._check, removal.task)
        return {**acknowledgement(removal.task, removal.dialect), "cost": amount(self._price)}


async def content_of(body: bytes | bytearray | str) -> list[object]:
    """The messages in a body or a frame; a long one is read off the event loop.

    Raises:
        Refusal: it is no JSON array of objects.
    """
    return await asyncio.to_thread(messages, body) if len(body) > _LONG else messages(body)


def _base_url(connection: HTTPConnection, configuration: Configuration) -> str:
    if configuration.public_url:
        return configuration.public_url.rstrip("/")
    host, scheme = connection.headers.get("host", ""), connection.scope["scheme"]
    if not _HOST.fullmatch(host):
        name, port = connection.scope.get("server") or (configuration.host, configuration.port)
        host = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    return f"{'https' if scheme in {'https', 'wss'} else 'http'}://{host}"


async def _greeting(request: Ping | Authentication) -> Mapping[str, Any]:
    if isinstance(request, Authentication):
        return {"taskType": "authentication"}
    named = {"taskUUID": request.task_uuid} if request.task_uuid else {}
    return {"taskType": "ping", **named, "pong": True}


def _broken(problem: BaseException, message: object) -> Answer:
    """Answer a message that met an error of ours, which only the log tells.

    Raises:
        BaseException: it was no error, but the end of the service.
    """
    if not isinstance(problem, Exception):
        raise problem
    _LOG.error("a task met an error in the service", exc_info=problem)
    return failed(refusals.broken(), message)


def _empty(message: object) -> None:
    """Leave of a message what `failed` tells of it."""
    if isinstance(message, dict):
        message.update(dict.fromkeys(message.keys() - {"taskUUID", "taskType"}))


def failed(error: CutawayError, message: object) -> Answer:
    """The answer to a message that failed, with its names as far as they are usable."""
    fields = message if isinstance(message, dict) else {}
    task_uuid, task_type = (
        value[:_LONGEST] if isinstance(value, str) else None
        for value in (fields.get("taskUUID"), fields.get("taskType"))
    )
    return Answer.failed(
        error,
        task_uuid=task_uuid,
        task_type=task_type,
        picture=next((name for name in _PICTURES if name in fields), "inputs.image"),
        polled=task_type == "getResponse",
    )
