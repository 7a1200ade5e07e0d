"""What a transport is: the way of one message to the service, and of its answer back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import uuid4

from cutaway._version import __version__

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cutaway.runware.replies import Reply

__all__ = ["CONNECT_SECONDS", "LARGEST_ANSWER", "USER_AGENT", "Exchange", "Transport", "body_of"]

Exchange: TypeAlias = Callable[[Mapping[str, Any], float], Awaitable["Reply"]]
"""Sends a message of a task and waits some seconds for its answer.

It raises `ConnectionFailed` if certainly nothing of the message got out, `ConnectionLost` if the
connection broke after that, `TimedOut` if no answer came in time, `ProtocolError` for an answer
that can't be read, and a `ServiceError` for one that has no envelope.
"""

USER_AGENT = f"cutaway/{__version__}"
CONNECT_SECONDS = 10.0
LARGEST_ANSWER = 200 << 20
"""Bytes: a picture of 100 megapixels as a PNG in base64, and then some."""

_LONG = 2048
_PLAIN = bytes(sorted({*range(0x20, 0x7F)} - {*b'"\\'}))
"""What stands for itself in a JSON string."""


class Transport(Protocol):
    """A way to the service; all of it runs on one asyncio loop."""

    def follow(self, task_uuid: str) -> AbstractContextManager[Exchange]:
        """Give the way for the messages of one task, for as long as the task lives.

        What the service sends for it meanwhile isn't lost, even between two messages.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection, in a second or two at most."""


def body_of(message: Mapping[str, Any]) -> bytes:
    """Write the JSON array of one task.

    A picture in base64 is megabytes that need no escaping; `json` would look at each character,
    which costs more than all the rest of an exchange. So it is put in afterwards.
    """
    spliced: list[tuple[bytes, bytes]] = []
    short = _shortened(message, spliced)
    body = json.dumps([short], ensure_ascii=False, separators=(",", ":")).encode()
    for mark, plain in spliced:
        body = body.replace(mark, plain, 1)
    return body


def _shortened(value: Any, spliced: list[tuple[bytes, bytes]]) -> Any:  # noqa: ANN401  (any value of JSON)
    """Put a mark in the place of each long text that stands for itself, and note both."""
    if isinstance(value, Mapping):
        return {name: _shortened(inner, spliced) for name, inner in value.items()}
    if isinstance(value, str) and len(value) > _LONG and (plain := _plain(value)):
        spliced.append((uuid4().hex.encode(), plain))
        return spliced[-1][0].decode()
    return value


def _plain(text: str) -> bytes | None:
    """Give the bytes of a text in which JSON escapes nothing."""
    if not text.isascii():
        return None
    plain = text.encode("ascii")
    return None if plain.translate(None, _PLAIN) else plain
