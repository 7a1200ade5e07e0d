"""Clients that go on submitting tasks to a service that comes and goes.

Each has one task after another accepted, by HTTP or over a WebSocket, in either dialect, and polls
its earlier ones meanwhile. What gets no answer is sent again under its UUID.
"""

from __future__ import annotations

import json
import random
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.shared.service.running import new_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from websockets.sync.client import ClientConnection

    from tests.shared.service.receiver import Receiver
    from tests.shared.service.running import Service

__all__ = ["Crowd", "Errand"]

_PATIENCE = 60.0
_CLIENTS = 4
_BETWEEN_POLLS = 0.01
_BETWEEN_TRIES = 0.05
_MOST_OPEN = 6
"""Tasks of one client that may be open, so that the queue is never full."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A task as its client knows it.

    Attributes:
        message: What was sent.
        picture: Which of the crowd's pictures it is of.
        target: Where on the receiver its webhook comes; None if it has none.
        troubled: Whether the receiver refuses the webhook once.
    """

    message: Mapping[str, Any]
    picture: int
    target: str | None
    troubled: bool

    @property
    def uuid(self) -> str:
        """The task's UUID."""
        return str(self.message["taskUUID"])


class _Line(Protocol):
    """A way to a service."""

    def ask(self, service: Service, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer to a message; None if it is lost."""

    def close(self) -> None:
        """End."""


class _Requests:
    """Asks by HTTP."""

    def __init__(self) -> None:
        self._client = httpx.Client(trust_env=False, timeout=_PATIENCE)

    def ask(self, service: Service, message: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return dict(self._client.post(service.http, json=[message]).json())
        except httpx.TransportError:
            return None

    def close(self) -> None:
        self._client.close()


class _Socket:
    """Asks over a WebSocket, which is opened anew after each loss."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._socket: ClientConnection | None = None

    def ask(self, service: Service, message: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            if self._socket is None:
                socket = connect(service.websocket, proxy=None, close_timeout=0.1)
                self._socket = self._stack.enter_context(socket)
            self._socket.send(json.dumps([message]))
            return dict(json.loads(self._socket.recv(_PATIENCE)))
        except (OSError, WebSocketException):
            self.close()
            return None

    def close(self) -> None:
        self._socket = None
        with suppress(OSError, WebSocketException):
            self._stack.close()


@dataclass
class Crowd:
    """The clients of a service.

    Args:
        pictures: What they have worked on.
        receiver: Takes their webhooks.
        seed: Decides all that chance does.

    Attributes:
        errands: Every task that was acknowledged.
        in_doubt: How many of them were, without the client's learning of it at first.
    """

    pictures: Sequence[bytes]
    receiver: Receiver
    seed: int
    errands: list[Errand] = field(default_factory=list)
    in_doubt: int = 0
    _service: Service | None = None
    _ended: bool = False
    _abandoned: bool = False
    _news: threading.Condition = field(default_factory=threading.Condition)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_CLIENTS))
    _clients: list[Future[None]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Have the clients begin."""
        self._clients = [self._pool.submit(self._work, number) for number in range(_CLIENTS)]
        return self

    def __exit__(self, *_error: object) -> None:
        with self._news:
            self._ended = self._abandoned = True
            self._news.notify_all()
        self._pool.shutdown()

    def go_home(self) -> None:
        """Have the clients end once nothing of theirs is half done; there must be a service."""
        self._ended = True
        for client in self._clients:
            client.result()

    def meet(self, service: Service) -> None:
        """Tell the clients where the service is now."""
        with self._news:
            self._service = service
            self._news.notify_all()

    def wait(self, tasks: int) -> None:
        """Wait until so many more tasks have been acknowledged."""
        with self._news:
            until = len(self.errands) + tasks
            assert self._news.wait_for(lambda: len(self.errands) >= until, _PATIENCE)

    def _work(self, number: int) -> None:
        """Be one of the clients."""
        chance = random.Random(f"{self.seed} {number}")  # noqa: S311  (can be repeated)
        line: _Line = _Socket() if number == 0 else _Requests()
        open_: list[Errand] = []
        try:
            while not self._ended:
                errand = self._thought_of(chance)
                self._bring(line, errand)
                open_.append(errand)
                self._look_after(line, open_)
        finally:
            line.close()

    def _thought_of(self, chance: random.Random) -> Errand:
        uuid, picture = new_uuid(), chance.randrange(len(self.pictures))
        troubled, hooked, legacy = (chance.random() < share for share in (0.2, 0.4, 0.5))
        image = b64encode(self.pictures[picture]).decode()
        message = {
            "taskType": "imageBackgroundRemoval" if legacy else "removeBackground",
            "taskUUID": uuid,
            "model": "u2netp",
            "outputType": chance.choice(["URL", "base64Data"]),
            "deliveryMethod": "async",
            **({"inputImage": image} if legacy else {"inputs": {"image": image}}),
        }
        target = f"/hook/{uuid}?token=1" if hooked else None
        if target is not None:
            message["webhookURL"] = self.receiver.url(target)
            self.receiver.answers[target] = [503, 200] if troubled else [200]
        return Errand(message, picture, target, hooked and troubled)

    def _bring(self, line: _Line, errand: Errand) -> None:
        """Send a task until it is certain that it is accepted."""
        in_doubt = False
        while (answer := self._asked(line, errand.message)) is None:
            in_doubt = True
        if in_doubt and "errors" in answer:
            assert [error["code"] for error in answer["errors"]] == ["conflictTaskUUID"], answer
        else:
            names = {name: errand.message[name] for name in ("taskType", "taskUUID")}
            assert answer == {"data": [names]}
            in_doubt = False
        with self._news:
            self.errands.append(errand)
            self.in_doubt += in_doubt
            self._news.notify_all()

    def _look_after(self, line: _Line, open_: list[Errand]) -> None:
        """Poll the oldest task, and again and again while there are too many."""
        if self._has_ended(line, open_[0]):
            del open_[0]
        while not self._ended and len(open_) > _MOST_OPEN:
            with self._news:
                self._news.wait(_BETWEEN_POLLS)
            if self._has_ended(line, open_[0]):
                del open_[0]

    def _has_ended(self, line: _Line, errand: Errand) -> bool:
        """Poll a task that was accepted, which must be known, whatever happened to the service."""
        answer = self._asked(line, {"taskType": "getResponse", "taskUUID": errand.uuid})
        if answer is None:
            return False
        [item] = answer["data"]
        return bool(item["status"] == "success")

    def _asked(self, line: _Line, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer of the service that there is now; None, after a while, if it is lost."""
        with self._news:
            self._news.wait_for(lambda: self._service or self._abandoned, _PATIENCE)
            service = self._service
            assert service is not None, "there is no service"
            assert not self._abandoned, "there is no service any more"
        answer = line.ask(service, message)
        if answer is None:
            with self._news:
                self._news.wait_for(lambda: self._service is not service, _BETWEEN_TRIES)
        return answer
