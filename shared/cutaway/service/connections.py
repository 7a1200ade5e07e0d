"""Connections that end when the other side leaves them hanging, which uvicorn's own don't."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable

    import h11
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

__all__ = ["LOOK_EVERY", "HttpConnection", "WebSocketConnection"]

LOOK_EVERY = 10.0
"""Seconds between two looks at a connection."""

_MOST_STILL = 2
"""Looks in a row that may find nothing moved: 20 to 30 s."""

_MOST_BEFORE_TRUST = 1 << 19
"""Bytes that a WebSocket takes before its client has told the key: twice what one read brings."""


class HttpConnection(H11Protocol):
    """An HTTP connection whose client may neither dawdle over a request's head nor over an answer.

    How fast a request's body has to come is a matter of whoever reads it.
    """

    _watchdog: _Watchdog

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._watchdog = _Watchdog(transport, self._owed)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._watchdog.stop()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Leave the connection to a `WebSocketConnection`."""
        self._watchdog.stop()
        super().handle_websocket_upgrade(event)

    def _owed(self) -> object:
        """What the client has yet to send, unless uvicorn itself waits for a new request."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None:
            return self
        between = cycle.response_complete and self.timeout_keep_alive_task is None
        return cycle if between else None


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket whose client must take what it is sent, and may send little until it is trusted.

    The application calls its scope's `state["trust"]` once it trusts the client.
    """

    _watchdog: _Watchdog
    _trusted = False
    _taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "trust": self._trust}
        self._watchdog = _Watchdog(cast("asyncio.Transport", transport), lambda: None)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they are too many of a client who isn't trusted yet."""
        self._taken += len(data)
        if self._trusted or self._taken <= _MOST_BEFORE_TRUST:
            super().data_received(data)
        elif not self.close_sent:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "the key comes first")
            self.handle_parser_exception()

    def _trust(self) -> None:
        self._trusted = True

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._watchdog.stop()
        super().connection_lost(exc)


class _Watchdog:
    """Ends a connection on which this side waits for the other in vain.

    Args:
        transport: The connection.
        owed: What the client has yet to send: the same object for as long as it owes that.
    """

    def __init__(self, transport: asyncio.Transport, owed: Callable[[], object]) -> None:
        self._transport, self._owed = transport, owed
        self._owed_before, self._unsent_before, self._still = owed(), 0, 0
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        owed, unsent = self._owed(), self._transport.get_write_buffer_size()
        untaken = unsent >= self._unsent_before > 0
        unsaid = owed is not None and owed is self._owed_before
        self._still = self._still + 1 if untaken or unsaid else 0
        self._owed_before, self._unsent_before = owed, unsent
        if self._still > _MOST_STILL - 1:
            self._transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)
