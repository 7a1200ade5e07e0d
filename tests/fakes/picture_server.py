"""A picture server on loopback that does what a test tells it: real sockets, no network.

    with PictureServer() as server:
        server.answers["/cat.png"] = body(CAT)
        server.answers["/moved"] = redirect("/cat.png")
        fetch(server.url("/cat.png"), ...)
        assert server.requests[0].headers["User-Agent"]

An answer is a function of the request's handler; those below cover good servers and bad ones.
"""

from __future__ import annotations

import gzip
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from email.message import Message

    Answer = Callable[["_Handler"], None]

__all__ = [
    "PictureServer",
    "Received",
    "announcing",
    "body",
    "endless",
    "gzipped_zeros",
    "redirect",
    "silent",
    "stalling",
    "status",
]

_PATIENCE = 30.0
"""Seconds after which a waiting answer gives up, so that a failing test can't hang."""


@dataclass(frozen=True)
class Received:
    """A request as it came: its target, its headers, the client's port (one per connection)."""

    target: str
    headers: Message
    port: int


class PictureServer:
    """A server on 127.0.0.1, at a free port, while the `with` block runs.

    Attributes:
        answers: What to do for each request target; 404 for any other.
        requests: What came, in order.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Received] = []
        self._scheme = "https" if tls else "http"
        self._server = _Server(self)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def url(self, path: str, host: str = "127.0.0.1", user: str = "") -> str:
        """The URL of `path`, by any name of the host, with `user:password` if given."""
        return f"{self._scheme}://{user and f'{user}@'}{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def body(data: bytes, kind: str | None = "image/png", encoding: str | None = None) -> Answer:
    """Send `data` whole, with its length."""

    def answer(handler: _Handler) -> None:
        handler.head(200, kind, Content_Length=str(len(data)), Content_Encoding=encoding)
        handler.wfile.write(data)

    return answer


def status(code: int, **headers: str) -> Answer:
    """Send a status and nothing else."""
    return lambda handler: handler.head(code, None, Content_Length="0", **headers)


def redirect(location: str, code: int = 302) -> Answer:
    """Send the client elsewhere."""
    return status(code, Location=location)


def announcing(length: int, data: bytes) -> Answer:
    """Announce `length` bytes, send `data`, and close."""

    def answer(handler: _Handler) -> None:
        handler.head(200, "image/png", Content_Length=str(length), Connection="close")
        handler.wfile.write(data)

    return answer


def endless(handler: _Handler) -> None:
    """Send zeros without a length until the client hangs up."""
    handler.head(200, "image/png", Connection="close")
    while True:
        handler.wfile.write(bytes(1 << 16))


def gzipped_zeros(size: int) -> Answer:
    """Send `size` zeros, packed to about a thousandth."""
    return body(gzip.compress(bytes(size)), encoding="gzip")


def stalling(sent: bytes, reached: threading.Event, release: threading.Event) -> Answer:
    """Set `reached`, send headers and `sent`, wait for `release`, and end the body."""

    def answer(handler: _Handler) -> None:
        reached.set()
        handler.head(200, "image/png", Connection="close")
        handler.wfile.write(sent)
        release.wait(_PATIENCE)

    return answer


def silent(reached: threading.Event, release: threading.Event) -> Answer:
    """Take the request, set `reached`, wait for `release`, and close without a word."""

    def answer(handler: _Handler) -> None:
        reached.set()
        release.wait(_PATIENCE)
        handler.close_connection = True

    return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, owner: PictureServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server: _Server

    def do_GET(self) -> None:
        port: int = self.client_address[1]
        self.server.owner.requests.append(Received(self.path, self.headers, port))
        answer = self.server.owner.answers.get(self.path, status(404))
        with suppress(ConnectionError):
            answer(self)
            return
        self.close_connection = True

    def head(self, code: int, kind: str | None, **headers: str | None) -> None:
        """Send the status line and headers; one that is None is left out."""
        self.send_response(code)
        for name, value in {"Content-Type": kind, **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""
