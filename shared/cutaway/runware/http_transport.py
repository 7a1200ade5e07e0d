"""Tasks over HTTP, each message a POST of its own. Import it only when needed: httpx is heavy."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from cutaway.errors import ConnectionLost, ProtocolError, TimedOut
from cutaway.runware.replies import concealed, parse
from cutaway.runware.retries import read_hints
from cutaway.runware.transport import CONNECT_SECONDS, LARGEST_ANSWER, USER_AGENT, body_of
from cutaway.runware.trust import (
    is_certificate_trouble,
    tls_context,
    unprepared,
    unreached,
    untrusted,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from cutaway.errors import CutawayError
    from cutaway.runware.credential import Credential
    from cutaway.runware.endpoint import Endpoint
    from cutaway.runware.replies import Reply
    from cutaway.runware.transport import Exchange

__all__ = ["HttpTransport"]

_MOST_LINES = 100
_KEPT_SECONDS = 30.0
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_KEPT_SECONDS)
_TELLTALES = ("hpack.hpack", "hpack.table")
"""Loggers of a library below HTTP/2 that tell every header, the key among them, at DEBUG."""


class HttpTransport:
    """HTTP/2 where the service offers it, else HTTP/1.1, with connections kept for the next task.

    Each connection carries one exchange at a time, over HTTP/2 too: httpcore stalls there when
    several large bodies are on their way (pydantic/httpx2, issue 1133), and giving up one exchange
    harms no other. Redirects are answers like any other: following one would take the key along.

    Args:
        endpoint: The service.
        credential: Its key, if it has one.
        largest: Bytes that an answer may have, unpacked.
    """

    def __init__(
        self, endpoint: Endpoint, credential: Credential | None, *, largest: int = LARGEST_ANSWER
    ) -> None:
        self._endpoint = endpoint
        self._credential = credential
        self._largest = largest
        self._tls = tls_context()
        self._room = asyncio.Semaphore(_MOST_LINES)
        self._idle: list[_Line] = []
        self._silence = _Silence()

    @contextmanager
    def follow(self, task_uuid: str) -> Iterator[Exchange]:
        """Give the way for a task's messages; over HTTP it is the same for all."""
        del task_uuid
        yield self.exchange

    async def exchange(self, message: Mapping[str, Any], timeout: float) -> Reply:  # noqa: ASYNC109  (it is a task's own patience, not the caller's)
        """Post one message and wait `timeout` seconds for its answer; see `Exchange`."""
        body = body_of(message)
        course = _Course()
        try:
            async with asyncio.timeout(timeout), self._borrowed() as client:
                answer, response = await self._post(client, body, course)
        except (TimeoutError, httpx.TimeoutException) as error:
            why = str(error) or "no answer came in time"
            raise self._interrupted(course, TimedOut, why) from error
        except httpx.DecodingError as error:
            raise _unreadable("what the service packed can't be unpacked") from error
        except _line_errors() as error:
            if is_certificate_trouble(error):
                raise untrusted(self._endpoint, error) from error
            why = str(error) or type(error).__name__
            raise self._interrupted(course, ConnectionLost, why) from error
        content_type = response.headers.get("content-type")
        key = self._credential.reveal() if self._credential else None
        said = concealed(answer, key)
        reply = parse(said, status=response.status_code, content_type=content_type)
        hints = read_hints(response.headers, datetime.now(UTC))
        return replace(reply, retry_after=hints.retry_after, should_retry=hints.should_retry)

    async def aclose(self) -> None:
        """Close every connection."""
        while self._idle:
            await self._idle.pop().client.aclose()
        self._silence.end()

    async def _post(
        self, client: httpx.AsyncClient, body: bytes, course: _Course
    ) -> tuple[bytes, httpx.Response]:
        request = client.build_request(
            "POST", self._endpoint.url, content=body, extensions={"trace": course.trace}
        )
        response = await client.send(request, stream=True)
        try:
            return await _read(response, self._largest), response
        finally:
            await response.aclose()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[httpx.AsyncClient]:
        """Lend a line that no one else uses; one that was given up is not lent again."""
        async with self._room:
            line = self._idle.pop() if self._idle else _Line(self._opened())
            try:
                yield line.client
            except BaseException:
                await line.client.aclose()
                raise
            line.idle_since = time.monotonic()
            self._idle.append(line)
            if self._idle[0].idle_since < line.idle_since - _KEPT_SECONDS:
                await self._idle.pop(0).client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if self._credential is not None:
            headers["Authorization"] = f"Bearer {self._credential.reveal()}"
            self._silence.begin()
        try:
            return httpx.AsyncClient(
                headers=headers,
                http2=self._endpoint.is_secure,
                verify=self._tls,
                limits=_ONE,
                timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),  # `exchange` has its own
                trust_env=not self._endpoint.is_loopback,  # no proxy stands before this machine
            )
        except (httpx.InvalidURL, ImportError, ValueError) as error:
            raise unprepared(error) from error

    def _interrupted(self, course: _Course, kind: type[CutawayError], why: str) -> CutawayError:
        if not course.sent:
            return unreached(self._endpoint, why)
        origin = self._endpoint.origin
        return kind(f"the connection to {origin} was interrupted", why, "Try again later")


@dataclass(slots=True)
class _Line:
    """One connection, and since when (by the monotonic clock) no one uses it."""

    client: httpx.AsyncClient
    idle_since: float = 0.0


class _Course:
    """How far an exchange got.

    Attributes:
        sent: Whether any of the body may have got out; without it, a task can't have begun.
    """

    def __init__(self) -> None:
        self.sent = False

    async def trace(self, event: str, _info: object) -> None:
        """Take note of an event of the connection (httpx's `trace` extension)."""
        if event.endswith(".send_request_body.started"):
            self.sent = True


class _Silence:
    """Keeps the loggers that would tell the key from doing so, between `begin` and `end`."""

    def begin(self) -> None:
        for name in _TELLTALES:
            logging.getLogger(name).addFilter(self._keep)

    def end(self) -> None:
        for name in _TELLTALES:
            logging.getLogger(name).removeFilter(self._keep)

    def _keep(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG


def _line_errors() -> tuple[type[Exception], ...]:
    """What breaks an exchange: httpx's errors, and those of HTTP/2 that it lets through."""
    from h2.exceptions import H2Error

    return httpx.HTTPError, H2Error


async def _read(response: httpx.Response, largest: int) -> bytes:
    answer = bytearray()
    async for piece in response.aiter_bytes():
        answer += piece
        if len(answer) > largest:
            raise _unreadable(f"it has more than {largest:,} bytes")
    return bytes(answer)


def _unreadable(why: str) -> ProtocolError:
    return ProtocolError("the service's answer can't be read", why, "Try again later")
