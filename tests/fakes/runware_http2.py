"""A service on loopback that takes tasks over HTTP/2 and TLS, and answers each with a result."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded

from tests.fakes.certificates import server_context

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from h2.events import Event

__all__ = ["Arrived", "Http2Service"]

_PATIENCE = 30.0
"""Seconds after which a task waits no longer for others, so that a failing test can't hang."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A task as it came, and its request's headers by their names in lower case."""

    message: dict[str, Any]
    headers: dict[str, str]


class Http2Service:
    """Answers while the `with` block runs, once `at_once` connections wait for an answer.

    Attributes:
        url: Its address.
        requests: What came so far.
        protocols: What each connection agreed on with TLS: `h2`, or nothing.
    """

    def __init__(self, certificate: Path, *, at_once: int = 1) -> None:
        self.requests: list[Arrived] = []
        self.protocols: list[str | None] = []
        self._gathering = threading.Barrier(at_once)
        self._context = server_context(certificate)
        self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[ssl.SSLSocket] = []
        self._threads = [threading.Thread(target=self._listen)]
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._gathering.abort()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                thread = threading.Thread(target=self._talk, args=(plain,))
                self._threads.append(thread)
                thread.start()

    def _talk(self, plain: socket.socket) -> None:
        with plain, suppress(OSError), self._context.wrap_socket(plain, server_side=True) as line:
            self._connections.append(line)
            self.protocols.append(line.selected_alpn_protocol())
            _Talk(self, line).go_on()

    def wait_until_left(self) -> None:
        """Wait until every connection has ended."""
        for thread in self._threads[1:]:
            thread.join(_PATIENCE)
            assert not thread.is_alive(), "a connection is still open"

    def arrived(self, arrived: Arrived) -> None:
        """Take note of a task, and wait for the others."""
        self.requests.append(arrived)
        with suppress(threading.BrokenBarrierError):
            self._gathering.wait(_PATIENCE)


class _Talk:
    """One connection."""

    def __init__(self, service: Http2Service, line: ssl.SSLSocket) -> None:
        self._service = service
        self._line = line
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._headers: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytearray] = {}

    def go_on(self) -> None:
        self._http.initiate_connection()
        self._line.sendall(self._http.data_to_send())
        while data := self._line.recv(1 << 16):
            for event in self._http.receive_data(data):
                self._react(event)
            self._line.sendall(self._http.data_to_send())

    def _react(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream), headers=headers):
                self._headers[stream] = {str(name): str(value) for name, value in headers or []}
                self._bodies[stream] = bytearray()
            case DataReceived(stream_id=int(stream), data=bytes(data)):
                self._bodies[stream] += data
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
            case StreamEnded(stream_id=int(stream)):
                self._take(stream)
            case ConnectionTerminated():
                self._line.shutdown(socket.SHUT_RDWR)

    def _take(self, stream: int) -> None:
        (message,) = json.loads(self._bodies.pop(stream))
        self._service.arrived(Arrived(message, self._headers.pop(stream)))
        item = {"taskUUID": message["taskUUID"], "imageURL": "https://example.com/a.png"}
        body = json.dumps({"data": [item]}).encode()
        self._http.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
        self._http.send_data(stream, body, end_stream=True)
