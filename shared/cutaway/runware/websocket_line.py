"""One WebSocket connection to the service, open or broken."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
)
from websockets.frames import CloseCode
from websockets.protocol import State

from cutaway.runware.failures import error_for_status
from cutaway.runware.retries import is_passing
from cutaway.runware.session import Pulse
from cutaway.runware.tasks import ping
from cutaway.runware.transport import CONNECT_SECONDS, LARGEST_ANSWER, USER_AGENT, body_of
from cutaway.runware.trust import (
    is_certificate_trouble,
    unprepared,
    unreached,
    untrusted,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

    from cutaway.errors import CutawayError
    from cutaway.runware.endpoint import Endpoint

__all__ = ["Line", "Plan"]

_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How lines are made.

    Attributes:
        tls: What is trusted; None for a service without TLS.
        pulse: Makes the life signs of a line from the time when it is made.
        largest: Bytes that a frame of the service may have.
    """

    tls: SSLContext | None
    pulse: Callable[[float], Pulse] = Pulse
    largest: int = LARGEST_ANSWER


class Line:
    """A connection, with what reads it and what keeps it alive.

    Attributes:
        sending: Held by whoever sends; the next frame is only made when the last has left.
        code: The code it was closed with, by the service or for a frame that was too large.
        reason: What the service said at the close.
    """

    def __init__(self, connection: ClientConnection, pulse: Pulse) -> None:
        self.sending = asyncio.Lock()
        self._has_ended = False
        self.code: int = CloseCode.ABNORMAL_CLOSURE
        self.reason = ""
        self._connection = connection
        self._pulse = pulse
        self._tell_end: Callable[[], None] = _no_one
        self._reader: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def dial(cls, endpoint: Endpoint, plan: Plan) -> Line:
        """Connect; nothing is sent yet.

        Raises:
            ConnectionFailed: the service can't be reached, or has no time.
            ServiceError: it refuses the connection.
            TransportError: its certificate can't be trusted.
            ConfigError: the environment's proxy or certificates can't be used.
        """
        try:
            connection = await _connect(endpoint, plan)
            return cls(connection, plan.pulse(asyncio.get_running_loop().time()))
        except (InvalidURI, InvalidProxy, ImportError) as error:
            raise unprepared(error) from error
        except InvalidStatus as error:
            raise _refusal(endpoint, error) from error
        except (InvalidHandshake, OSError, EOFError) as error:  # a TimeoutError is an OSError
            if is_certificate_trouble(error):
                raise untrusted(endpoint, error) from error
            raise unreached(endpoint, str(error) or type(error).__name__) from error

    @property
    def is_open(self) -> bool:
        """Whether it can be used; once closed it stays so.

        A line that breaks is closed at once, before its reader knows, and before whoever waits to
        send may take it for open.
        """
        return not self._has_ended and self._connection.state is State.OPEN

    def start(self, take: Callable[[str | bytes], None], end: Callable[[], None]) -> None:
        """Begin to read: `take` gets each frame, `end` is called once, when the line is closed."""
        loop = asyncio.get_running_loop()
        self._tell_end = end
        self._keeper = loop.create_task(self._keep())
        self._reader = loop.create_task(self._read(take))

    async def send(self, body: bytes) -> None:
        """Send a text frame and wait until it has left; on a broken line nothing happens."""
        with suppress(ConnectionClosed):
            await self._connection.send(body, text=True)

    def break_off(self) -> None:
        """End it at once."""
        self._connection.transport.abort()
        self._end()

    async def aclose(self) -> None:
        """Take leave, within a second."""
        await self._connection.close()
        tasks = [task for task in (self._reader, self._keeper) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._keeper is not None:
            self._keeper.cancel()
        self._tell_end()

    async def _read(self, take: Callable[[str | bytes], None]) -> None:
        try:
            while not self._has_ended:
                frame = await self._connection.recv()
                self._pulse.heard = asyncio.get_running_loop().time()
                take(frame)
        except ConnectionClosed as closed:
            self._note(closed)
        finally:
            self._end()

    def _note(self, closed: ConnectionClosed) -> None:
        if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
            self.code = closed.sent.code
        elif closed.rcvd is not None:
            self.code, self.reason = closed.rcvd.code, closed.rcvd.reason

    async def _keep(self) -> None:
        """Ping when nothing was heard for a while, and end a line that is dead."""
        now = asyncio.get_running_loop().time
        while not self._has_ended:
            await asyncio.sleep(self._pulse.wait(now()))
            if self.sending.locked():
                self._pulse.heard = now()  # no one answers before a long message has got through
            elif self._pulse.due(now()) == "ping":
                self._pulse.pinged = now()
                async with self.sending:
                    await self.send(body_of(ping()))
            elif self._pulse.due(now()) == "close":
                self.break_off()
                return


def _no_one() -> None:
    """Stand for who would be told, before anyone is."""


class _Direct(connect):
    """Follows no redirect: the key would be told to wherever it leads."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """A logger that shows no frames, since the first has the key in it."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  (logging's own name)
        return level > logging.DEBUG and super().isEnabledFor(level)


async def _connect(endpoint: Endpoint, plan: Plan) -> ClientConnection:
    return await _Direct(
        endpoint.url,
        compression=None,  # pictures don't shrink, but to try takes longer than all the rest
        user_agent_header=USER_AGENT,
        proxy=None if endpoint.is_loopback else True,  # no proxy stands before this machine
        open_timeout=CONNECT_SECONDS,
        close_timeout=_CLOSE_SECONDS,
        ping_interval=None,  # `_keep` has pings that the service itself understands
        max_size=plan.largest,
        logger=_Discreet(logging.getLogger("websockets.client")),
        ssl=plan.tls,
    )


def _refusal(endpoint: Endpoint, error: InvalidStatus) -> CutawayError:
    status = error.response.status_code
    if is_passing(status):
        return unreached(endpoint, f"it answered with status {status}")
    return error_for_status(status, (error.response.body or b"").decode("utf-8", "replace"))
