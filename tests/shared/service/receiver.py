"""A receiver on loopback, of webhooks and uploads, that answers as a test tells it.

with Receiver() as receiver:
    receiver.answers["/hook"] = [503, 200]    # the last one for ever; 200 for any other target
    ...
    receiver.wait(2)
    assert receiver.received[1].body == b"..."
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from email.message import Message

__all__ = ["SILENCE", "Receiver", "Taken"]

SILENCE = 0
"""In the place of a status: no answer at all until the receiver ends."""

_PATIENCE = 30.0


@dataclass(frozen=True)
class Taken:
    """A request as it came."""

    method: str
    target: str
    headers: Message
    body: bytes


class Receiver:
    """A server on 127.0.0.1, at a free port, while the `with` block runs.

    Attributes:
        answers: The statuses to answer with, by the request's target.
        location: Where an answer of 3xx leads.
        received: What came, in order.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[int]] = {}
        self.location = "/elsewhere"
        self.received: list[Taken] = []
        self._news = threading.Condition()
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, target: str = "/hook", host: str = "127.0.0.1") -> str:
        """The URL of a target."""
        return f"http://{host}:{self._server.server_port}{target}"

    def wait(self, count: int) -> None:
        """Wait until that many requests have come."""
        with self._news:
            came = self._news.wait_for(lambda: len(self.received) >= count, _PATIENCE)
        assert came, f"{len(self.received)} requests came, not {count}"

    def take(self, taken: Taken) -> int:
        """Note a request and tell the status to answer with."""
        with self._news:
            self.received.append(taken)
            self._news.notify_all()
            left = self.answers.get(taken.target, [200])
            status = left.pop(0) if len(left) > 1 else left[0]
        if status == SILENCE:
            self._ended.wait(_PATIENCE)
        return status

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                status = receiver.take(Taken(self.command, self.path, self.headers, body))
                if status == SILENCE:
                    return
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_GET = do_POST  # noqa: N815  (the server's names)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        return Handler
