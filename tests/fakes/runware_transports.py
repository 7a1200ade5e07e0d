"""The fake service's two transports, on one port: requests over HTTP, and WebSockets."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.fakes.runware_faults import PATIENCE, Answer, Fault, Hold, Outcome
from tests.fakes.runware_websocket import ServerSocket

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from tests.fakes.runware_service import RunwareService

    Message = dict[str, Any]

__all__ = ["Download", "Received", "Server", "Session"]

_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_NO_KEY = {
    "code": "invalidApiKey",
    "message": "Invalid API key. Get one at https://my.runware.ai/signup",
    "parameter": "apiKey",
    "type": "string",
    "taskType": "authentication",
}
_NO_TASKS = {"code": "invalidJSON", "message": "The body must be an array of task objects."}


@dataclass(frozen=True, slots=True)
class Received:
    """A task object as it came.

    Attributes:
        transport: `http` or `websocket`.
        message: The object.
        headers: Of its request, or of the one that opened its WebSocket; names in lower case.
        connection: The number of its TCP connection, from 1.
    """

    transport: str
    message: Message
    headers: Mapping[str, str]
    connection: int

    @property
    def task_type(self) -> str:
        """Its `taskType`."""
        return str(self.message.get("taskType"))

    @property
    def task_uuid(self) -> str:
        """Its `taskUUID`, empty if it has none."""
        return str(self.message.get("taskUUID", ""))


@dataclass(frozen=True, slots=True)
class Download:
    """A result that was asked for; header names in lower case."""

    path: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class Session:
    """What a WebSocket's authentication began, and another one may resume.

    Attributes:
        socket: The one that it goes over now.
        resumed: How often it was.
        missed: Envelopes that could not be delivered.
        later: Envelopes that wait for the next one.
    """

    uuid: str
    socket: ServerSocket
    resumed: int = 0
    missed: list[Message] = field(default_factory=list)
    later: list[Message] = field(default_factory=list)

    def deliver(self, envelopes: Sequence[Message]) -> None:
        """Send envelopes over the session's present socket, or keep them for the next one."""
        due, self.later = [*envelopes, *self.later], []
        for envelope in due:
            try:
                self.socket.send(json.dumps(envelope))
            except OSError:
                self.missed.append(envelope)

    def resume(self, successor: ServerSocket) -> list[Message]:
        """Go on over another socket; what was missed is told."""
        self.resumed += 1
        self.socket = successor
        missed, self.missed = self.missed, []
        return missed


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1, at a free port."""

    daemon_threads = False
    request_queue_size = 256

    def __init__(self, owner: RunwareService) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner

    def handle_error(self, request: object, client_address: object) -> None:
        """Have the test told, instead of writing to standard error."""
        del request, client_address
        problem = sys.exception()
        if problem:
            self.owner.failed(problem)


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests over HTTP, until one of them makes it a WebSocket."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = PATIENCE
    server: Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self.owner = self.server.owner
        self.number = self.owner.opened(self.connection)

    def handle(self) -> None:
        # The client, or a fault, may end the connection wherever it is.
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def finish(self) -> None:
        with suppress(ConnectionError):
            super().finish()
        # Closed here and not by the server, which says goodbye first: a reset must be one.
        self.owner.closed(self.connection)
        self.connection.close()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _Request(self, body).answer()

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() != "websocket":
            self._download()
            return
        fault = self.owner.take_handshake()
        self.close_connection = True
        if fault:
            fault.play(Outcome, _HttpChannel(self, []))
        else:
            _Talk(self).go_on()

    def received(self, transport: str, message: Message) -> Received:
        """A task object that came over this connection."""
        return Received(transport, message, self.lower_headers(), self.number)

    def lower_headers(self) -> dict[str, str]:
        """The headers of the present request."""
        return {name.lower(): value for name, value in self.headers.items()}

    def write(self, answer: Answer, share: float = 1.0) -> None:
        """Send an answer; less than all of it ends the connection."""
        if share < 1:
            self.close_connection = True
        self.send_response(answer.status)
        if answer.content_type is not None:
            self.send_header("Content-Type", answer.content_type)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: int(len(answer.body) * share)])

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def _download(self) -> None:
        fault = self.owner.take_download(Download(self.path, self.lower_headers()))
        name, _, suffix = self.path.rpartition("/")[2].partition(".")
        picture = self.owner.account.pictures.get(name)
        if picture is None:
            good = Answer(b"<h1>Not found</h1>", 404, "text/html")
        else:
            good = Answer(picture, content_type=_TYPES.get(suffix))
        (fault or Fault()).play(Outcome, _HttpChannel(self, [], good))


class _HttpChannel:
    """The answer to one HTTP request; a ready one goes in place of any outcome."""

    def __init__(
        self, handler: _Handler, messages: Sequence[Message], ready: Answer | None = None
    ) -> None:
        self.messages: Sequence[Mapping[str, Any]] = messages
        self._handler = handler
        self._ready = ready

    def send(self, outcome: Outcome) -> None:
        self._handler.write(self._ready or _packed(outcome))

    def send_after_next(self, outcome: Outcome) -> None:
        self.send(outcome)

    def send_part(self, outcome: Outcome) -> None:
        self._handler.write(self._ready or _packed(outcome), share=0.5)

    def send_raw(self, answer: Answer) -> None:
        self._handler.write(answer)

    def lose(self, outcome: Outcome) -> None:
        del outcome
        self.drop()

    def drop(self) -> None:
        self._handler.close_connection = True

    def close(self, code: int) -> None:
        del code
        self.drop()


class _Request:
    """One HTTP request with its task objects."""

    def __init__(self, handler: _Handler, body: bytes) -> None:
        self._handler = handler
        self._owner = handler.owner
        self._messages = _messages(body)

    def answer(self) -> None:
        """Do the tasks and answer, as the first fault among them says."""
        taken = [self._handler.received("http", message) for message in self._messages]
        faults = [self._owner.take(received) for received in taken]
        fault = next((fault for fault in faults if fault), None) or Fault()
        tasks = [m for m in self._messages if m.get("taskType") != "authentication"]
        fault.play(lambda: self._done(tasks, fault), _HttpChannel(self._handler, tasks))
        self._owner.noticed()

    def _done(self, tasks: Sequence[Message], fault: Fault) -> Outcome:
        if not self._owner.admits(self._key()):
            return Outcome((), [_NO_KEY], 401)
        if not tasks:
            return Outcome((), [_NO_TASKS], 400)
        outcomes = [self._owner.account.answer(message, fault) for message in tasks]
        data = [item for outcome in outcomes for item in outcome.data]
        errors = [error for outcome in outcomes for error in outcome.errors]
        all_failed = all(outcome.status != 200 for outcome in outcomes)
        return Outcome(data, errors, outcomes[0].status if all_failed else 200)

    def _key(self) -> object:
        kind, _, key = self._handler.headers.get("Authorization", "").partition(" ")
        if kind == "Bearer":
            return key
        first = self._messages[0] if self._messages else {}
        return first.get("apiKey") if first.get("taskType") == "authentication" else None


class _Talk:
    """One WebSocket's messages, from its opening on."""

    def __init__(self, handler: _Handler) -> None:
        self.session: Session | None = None
        self._handler = handler
        self._owner = handler.owner
        head = "".join(f"{name}: {value}\r\n" for name, value in handler.headers.items())
        opening = f"{handler.requestline}\r\n{head}\r\n".encode("latin-1")
        self.socket = ServerSocket(handler.connection, handler.rfile, opening)

    def go_on(self) -> None:
        """Answer messages until the connection ends; what is held doesn't hold up the others."""
        for text in self.socket.messages():
            for message in _messages(text):
                self._react(message)
                self._owner.noticed()

    def deliver(self, envelopes: Sequence[Message]) -> None:
        """Send envelopes, over the session's present socket if there is a session."""
        if self.session:
            self.session.deliver(envelopes)
            return
        with suppress(OSError):
            for envelope in envelopes:
                self.socket.send(json.dumps(envelope))

    def _react(self, message: Message) -> None:
        fault = self._owner.take(self._handler.received("websocket", message)) or Fault()
        play = (lambda: self._done(message, fault), _SocketChannel(self, message))
        if isinstance(fault, Hold):
            self._owner.aside(threading.Thread(target=fault.play, args=play))
        else:
            fault.play(*play)

    def _done(self, message: Message, fault: Fault) -> Outcome:
        if message.get("taskType") == "authentication":
            return self._authenticated(message)
        if self.session is None and not self._owner.admits(None):
            return Outcome((), [_NO_KEY], 401)
        return self._owner.account.answer(message, fault)

    def _authenticated(self, message: Message) -> Outcome:
        """The session's UUID, and after it what an earlier socket of the session missed."""
        if not self._owner.admits(message.get("apiKey")):
            return Outcome((), [_NO_KEY], 401)
        wanted = message.get("connectionSessionUUID")
        self.session, missed = self._owner.session(wanted, self.socket)
        item = {"taskType": "authentication", "connectionSessionUUID": self.session.uuid}
        data = [item for envelope in missed for item in envelope.get("data", ())]
        errors = [error for envelope in missed for error in envelope.get("errors", ())]
        return Outcome([item, *data], errors)


class _SocketChannel:
    """The answer to one message of a WebSocket: a frame for each result and each error."""

    def __init__(self, talk: _Talk, message: Message) -> None:
        self.messages: Sequence[Mapping[str, Any]] = [message]
        self._talk = talk

    def send(self, outcome: Outcome) -> None:
        self._talk.deliver(_envelopes(outcome))

    def send_after_next(self, outcome: Outcome) -> None:
        if self._talk.session:
            self._talk.session.later.extend(_envelopes(outcome))

    def send_part(self, outcome: Outcome) -> None:
        self._talk.socket.send_part(json.dumps(_envelopes(outcome)[0]))

    def send_raw(self, answer: Answer) -> None:
        self._talk.socket.send(answer.body.decode(errors="replace"))

    def lose(self, outcome: Outcome) -> None:
        if self._talk.session:
            self._talk.session.missed.extend(_envelopes(outcome))
        self.drop()

    def drop(self) -> None:
        self._talk.socket.reset()

    def close(self, code: int) -> None:
        self._talk.socket.close(code)


def _messages(body: bytes | str) -> list[Message]:
    """The task objects of a body; none if it isn't an array of objects."""
    try:
        given = json.loads(body)
    except ValueError:
        return []
    good = isinstance(given, list) and all(isinstance(message, dict) for message in given)
    return given if good else []


def _packed(outcome: Outcome) -> Answer:
    """An outcome as HTTP has it: all in one body, `errors` only if there are any."""
    errors = {"errors": outcome.errors} if outcome.errors else {}
    body = json.dumps({"data": outcome.data, **errors}).encode()
    return Answer(body, outcome.status, headers=outcome.headers)


def _envelopes(outcome: Outcome) -> list[Message]:
    """An outcome as a WebSocket has it."""
    frames = [{"data": [item]} for item in outcome.data]
    return frames + [{"errors": [error]} for error in outcome.errors] or [{"data": []}]
