"""A web server of files on the loopback that can be told to misbehave, over real sockets.

with FileServer() as server:
    server.put("/u2net.onnx", body)
    server.script("/u2net.onnx", Reply(cut_after=1000), Reply())
    ...  # fetch server.url + "/u2net.onnx"
    assert server.requests[1].headers["range"] == "bytes=1000-"
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["FileServer", "Hold", "Reply", "Request"]

_RANGE = re.compile(r"bytes=(\d+)-")


class Hold:
    """Where a reply stops in the middle until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()

    def release(self) -> None:
        """Let the reply go on."""
        self._released.set()

    def wait(self) -> None:
        """Stop here; called by the server."""
        self.reached.set()
        self._released.wait()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """How one request is answered.

    Attributes:
        status: 200 serves the file, as 206 where a range is asked for; any other is sent bare.
        body: Served instead of the file, with a header block that fits it.
        ranges: Whether ranges are honoured.
        etag: Sent and compared with If-Range; the body's own sum by default, none if empty.
        length: Whether Content-Length is sent.
        answers: Whether anything is sent at all before the connection is closed.
        cut_after: Bytes of the body after which the connection is cut.
        hold_after: Bytes of the body after which the reply waits for `hold`.
        hold: What the reply waits for.
        location: Where to redirect to.
        headers: Sent too; they win over the server's own.
    """

    status: int = 200
    body: bytes | None = None
    ranges: bool = True
    etag: str | None = None
    length: bool = True
    answers: bool = True
    cut_after: int | None = None
    hold_after: int = 0
    hold: Hold | None = None
    location: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What was asked for; header names are in lower case."""

    path: str
    headers: dict[str, str]


class FileServer:
    """Serves what was `put`, each request as the next scripted reply says, the last for good.

    Attributes:
        url: Its address, without a slash at the end.
        requests: What was asked for so far.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._files: dict[str, bytes] = {}
        self._replies: dict[str, deque[Reply]] = {}
        self._holds: list[Hold] = []
        handler = type("Handler", (_Handler,), {"files": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for hold in self._holds:
            hold.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def put(self, path: str, body: bytes) -> None:
        """Serve `body` at `path`."""
        self._files[path] = body

    def script(self, path: str, *replies: Reply) -> None:
        """Answer the next requests for `path` so; the last reply stays."""
        self._holds += [reply.hold for reply in replies if reply.hold]
        self._replies[path] = deque(replies)

    def answer(self, request: Request) -> tuple[Reply, bytes | None]:
        """Note a request and say how to answer it; called by the handler."""
        with self._lock:
            self.requests.append(request)
            script = self._replies.get(request.path) or deque([Reply()])
            reply = script.popleft() if len(script) > 1 else script[0]
        body = self._files.get(request.path) if reply.body is None else reply.body
        return reply, body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: FileServer

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply, body = self.files.answer(Request(self.path, headers))
        self.close_connection = True
        if not reply.answers:
            return
        if reply.location is not None:
            self._send(reply, reply.status, b"", {"Location": reply.location})
        elif reply.status != HTTPStatus.OK:
            self._send(reply, reply.status, b"", {})
        elif body is None:
            self._send(reply, HTTPStatus.NOT_FOUND, b"", {})
        else:
            self._serve(reply, body, headers)

    def _serve(self, reply: Reply, body: bytes, asked: dict[str, str]) -> None:
        etag = _etag(body) if reply.etag is None else reply.etag
        sent = {"ETag": etag} if etag else {}
        match = _RANGE.fullmatch(asked.get("range", ""))
        current = {None, etag, reply.headers.get("Last-Modified")}
        if not (match and reply.ranges and asked.get("if-range") in current):
            self._send(reply, HTTPStatus.OK, body, sent)
            return
        begin = int(match[1])
        if begin >= len(body):
            self._send(reply, 416, b"", {"Content-Range": f"bytes */{len(body)}"})
            return
        span = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        self._send(reply, HTTPStatus.PARTIAL_CONTENT, body[begin:], {**sent, "Content-Range": span})

    def _send(self, reply: Reply, status: int, body: bytes, headers: dict[str, str]) -> None:
        length = {"Content-Length": str(len(body))} if reply.length else {}
        self.send_response(status)
        for name, value in {**length, **headers, **reply.headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self._send_body(reply, body)
        except ConnectionError:
            return  # the client hung up

    def _send_body(self, reply: Reply, body: bytes) -> None:
        end = len(body) if reply.cut_after is None else min(reply.cut_after, len(body))
        stop = min(reply.hold_after, end) if reply.hold else end
        self.wfile.write(body[:stop])
        if reply.hold:
            reply.hold.wait()
            self.wfile.write(body[stop:end])

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'
