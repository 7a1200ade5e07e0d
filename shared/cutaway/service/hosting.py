"""Where a service listens, and the HTTP server that it stands on."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn

from cutaway.errors import ConfigError
from cutaway.service.access import check_binding
from cutaway.service.connections import HttpConnection, WebSocketConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp

    from cutaway.service.configuration import Configuration

__all__ = ["FAREWELL", "Addresses", "Host", "listening"]

FAREWELL = 5.0
"""Seconds for the last answers to be sent."""

_KEPT_ALIVE = 75
"""Seconds that an HTTP connection may be idle: longer than clients keep theirs."""

_MOST_CONNECTIONS = 1000
_BACKLOG = 512
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (told apart, not bound to)
_API = "/v1"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a service is.

    Attributes:
        http: Where its API is.
        websocket: Where its API is, for WebSockets.
        page: Where its page for people is.
        port: The port of all of them.
        elsewhere: Where its API is for other machines; None if they can't reach it.
    """

    http: str
    websocket: str
    page: str
    port: int
    elsewhere: str | None = None


class Host(uvicorn.Server):
    """uvicorn as a service needs it: told when it has started, and deaf to signals.

    Args:
        configuration: The greatest body.
        app: What answers.
        sockets: Where it listens; it closes them.
        announce: Called once, when requests are taken.
    """

    def __init__(
        self,
        configuration: Configuration,
        app: ASGIApp,
        sockets: list[socket.socket],
        announce: Callable[[Addresses], None],
    ) -> None:
        config = uvicorn.Config(
            app,
            http=HttpConnection,
            ws=WebSocketConnection,
            ws_max_size=configuration.max_body,
            ws_ping_interval=None,  # no pong gets through while a client sends a large frame
            ws_per_message_deflate=False,  # pictures don't get smaller, and it takes its time
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_KEPT_ALIVE,
            timeout_graceful_shutdown=int(FAREWELL),
        )
        super().__init__(config)
        self._sockets, self._announce = sockets, announce
        self._addresses = _addresses(configuration, sockets)

    async def run_here(self) -> None:
        """Serve until `should_exit` is set."""
        await self.serve(self._sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell so."""
        await super().startup(sockets)
        self._announce(self._addresses)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs this."""
        yield


def listening(configuration: Configuration) -> list[socket.socket]:
    """The sockets for every address of the host, all with one port.

    Raises:
        ConfigError: the host has none here, the port is taken, or only a key would do.
    """
    host, port = configuration.host, configuration.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        places = {str(where[0]): (family, where) for family, _, _, _, where in found}
        for address in places:
            check_binding(configuration, address)
        return _bound(list(places.values()), port)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"the service can't listen at {host}, port {port}",
            (error.strerror if isinstance(error, OSError) else None) or str(error),
            "Choose another with --host or --port; port 0 takes any that is free",
        ) from error


def _bound(places: Sequence[tuple[socket.AddressFamily, Any]], port: int) -> list[socket.socket]:
    """Sockets for these addresses, or for those of them that this machine has now.

    Raises:
        OSError: there is none, or the port is taken at one of them.
    """
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for number, (family, where) in enumerate(places, 1):
            try:
                # Named, or asyncio leaves Nagle's algorithm on: 40 ms for a small answer.
                protocol = socket.IPPROTO_TCP
                one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, protocol))
                if os.name == "posix":  # elsewhere it would let two services have one port
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind((where[0], port, *where[2:]))
            except OSError as error:
                missing = error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
                if not missing or (number == len(places) and not sockets):
                    raise
                continue
            sockets.append(one)
            port = one.getsockname()[1]
        stack.pop_all()
        return sockets


def _addresses(configuration: Configuration, sockets: Sequence[socket.socket]) -> Addresses:
    port = int(sockets[0].getsockname()[1])
    here = _WILDCARDS.get(configuration.host, configuration.host)
    place = f"[{here}]:{port}" if ":" in here else f"{here}:{port}"
    elsewhere = configuration.public_url
    if elsewhere is None and configuration.host in _WILDCARDS:
        elsewhere = f"http://{socket.gethostname()}:{port}"
    return Addresses(
        http=f"http://{place}{_API}",
        websocket=f"ws://{place}{_API}",
        page=f"http://{place}/",
        port=port,
        elsewhere=None if elsewhere is None else elsewhere.rstrip("/") + _API,
    )
