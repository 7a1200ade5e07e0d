"""The service itself in the place of the scriptable fake, for the tests of the core's client.

with Counterpart(folder) as service:
    ...  # talk to service.http_url or service.ws_url with service.key
    assert service.submissions(task_uuid) == 1

It is asked as `tests.fakes.runware_service.RunwareService` is. Of what that can do wrong it has
but `Hold`: a removal that takes its time.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from tests.fakes.runware_faults import PATIENCE, Hold
from tests.fakes.runware_transports import Download, Received
from tests.shared.service.hosted import KEY, Hosted, hosted
from tests.shared.service.rooms import StandIn, had

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cutaway.progress import Cancellation
    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.media import MediaStore
    from cutaway.service.removing import Outcome, Remover

__all__ = ["Counterpart"]

_PRICE = Decimal("0.0006")
_REMOVALS = {"removeBackground", "imageBackgroundRemoval"}
_WORKERS = 16
_LOOK_EVERY = 0.01


class Counterpart:
    """A service on 127.0.0.1 at a free port, while the `with` block runs.

    Args:
        folder: For its data.
        remover: Does its removals; without one they are done at once, and wrong.
        key: The key that it demands; with None it demands none.

    Attributes:
        account: What it keeps.
        requests: Every task object that came, in order.
        downloads: Every result that was asked for, in order.
        billed: What each task costs whose removal was begun, by its UUID.
        faults: What the next removals wait for.
        fault_for: Asked by every removal for which the queue has nothing.
    """

    def __init__(
        self, folder: Path, remover: Remover | None = None, *, key: str | None = KEY
    ) -> None:
        self.key = key or ""
        self.requests: list[Received] = []
        self.downloads: list[Download] = []
        self.billed: dict[str, Decimal] = {}
        self.faults: deque[Hold | None] = deque()
        self.fault_for: Callable[[object], Hold | None] = lambda _: None
        self._folder, self._demanded, self._remover = folder, key, remover
        self._peers: list[tuple[str, int]] = []
        self._at_work = 0
        self._holds: list[Hold] = []
        self._news = threading.Condition()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._hosted: Hosted = self._stack.enter_context(
            hosted(
                self._folder,
                remover=_Billing(self, self._remover),
                key=self._demanded,
                around=lambda app: _Recorder(self, app),
                workers=_WORKERS,
                price=_PRICE,
                allow_private_network=True,
            )
        )
        self.account = _Account(self._hosted.rooms.media)
        return self

    def __exit__(self, *_error: object) -> None:
        self._release()
        self._stack.close()

    def begin_again(self) -> None:
        """Forget, once all is done, what has come so far; what was stored stays."""
        self._release()
        desk = self._hosted.rooms.desk
        self.wait_until(lambda: not self.open_connections and not desk.depth + self._at_work)
        self.fault_for = lambda _: None
        for noted in (self.requests, self.downloads, self.billed, self.faults, self._peers):
            noted.clear()

    @property
    def origin(self) -> str:
        """Its URL without a path."""
        return self._hosted.addresses.page.rstrip("/")

    @property
    def http_url(self) -> str:
        """Where it takes tasks over HTTP."""
        return self._hosted.addresses.http

    @property
    def ws_url(self) -> str:
        """Where it takes tasks over WebSocket."""
        return self._hosted.addresses.websocket

    def url(self, transport: str) -> str:
        """Where it takes tasks over `http` or `websocket`."""
        return self.http_url if transport == "http" else self.ws_url

    @property
    def connections(self) -> int:
        """How many connections something came over."""
        return len(self._peers)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._hosted.host.server_state.connections)

    def submissions(self, task_uuid: str) -> int:
        """How often a removal with that UUID came, accepted or not."""
        return sum(
            received.task_uuid == task_uuid and received.task_type in _REMOVALS
            for received in self.requests
        )

    def received(self, task_type: str) -> list[Received]:
        """The task objects of one type that came, in order."""
        return [received for received in self.requests if received.task_type == task_type]

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        with self._news:
            for _ in range(int(PATIENCE / _LOOK_EVERY)):
                if self._news.wait_for(holds, _LOOK_EVERY):
                    return
        raise AssertionError("the service waited in vain")

    def take(self, scope: Scope, text: str | bytes) -> None:
        """Note what came."""
        transport = "http" if scope["type"] == "http" else "websocket"
        headers = _headers(scope)
        with self._news:
            if scope["client"] not in self._peers:
                self._peers.append(scope["client"])
            number = self._peers.index(scope["client"]) + 1
            for message in json.loads(text):
                self.requests.append(Received(transport, message, headers, number))

    def take_download(self, scope: Scope) -> None:
        """Note a result that is asked for."""
        self.downloads.append(Download(scope["path"], _headers(scope)))

    @contextmanager
    def billed_for(self, task: RemovalTask) -> Iterator[Hold | None]:
        """Note a removal, and tell what it is to wait for."""
        with self._news:
            self._at_work += 1
            assert task.task_uuid not in self.billed, "no task is done twice"
            self.billed[task.task_uuid] = _PRICE
            hold = self.faults.popleft() if self.faults else self.fault_for(task)
        if hold is not None:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            with self._news:
                self._at_work -= 1

    def _release(self) -> None:
        for hold in self._holds:
            hold.release.set()
        self._holds.clear()


class _Account:
    """What a service keeps.

    Attributes:
        knows_unknown: It always has an error for a poll that asks for a task that never was.
    """

    knows_unknown = True

    def __init__(self, media: MediaStore) -> None:
        self.pictures = _Pictures(media)


class _Pictures:
    """Its pictures, by UUID in letters of either case."""

    def __init__(self, media: MediaStore) -> None:
        self._media = media

    def __contains__(self, uuid: str) -> bool:
        return bool(self._media.find(uuid))

    def __getitem__(self, uuid: str) -> bytes:
        return had(self._media, uuid)

    def __setitem__(self, uuid: str, picture: bytes) -> None:
        assert self[uuid] == picture, "it is there already"

    def pop(self, uuid: str) -> None:
        """Delete one."""
        self._media.delete(uuid)


class _Billing(StandIn):
    """Does removals, each of which may have something to wait for."""

    def __init__(self, owner: Counterpart, remover: Remover | None) -> None:
        super().__init__()
        self._owner, self._remover = owner, remover

    def check(self, task: RemovalTask) -> str:
        return super().check(task) if self._remover is None else self._remover.check(task)

    def remove(self, task: RemovalTask, picture: bytes, cancellation: Cancellation) -> Outcome:
        remove = super().remove if self._remover is None else self._remover.remove
        with self._owner.billed_for(task) as hold:
            if hold is not None:
                with cancellation.interrupting(hold.release.set):
                    hold.reached.set()
                    assert hold.release.wait(PATIENCE)
            return remove(task, picture, cancellation)


class _Recorder:
    """Tells an owner all that an application gets."""

    def __init__(self, owner: Counterpart, app: ASGIApp) -> None:
        self._owner, self._app = owner, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            receive = self._overheard(scope, receive)
        elif scope["method"] == "POST":
            receive = await self._read(scope, receive)
        else:
            self._owner.take_download(scope)
        await self._app(scope, receive, send)

    def _overheard(self, scope: Scope, receive: Receive) -> Receive:
        async def overheard() -> Message:
            event = await receive()
            if event["type"] == "websocket.receive":
                self._owner.take(scope, event.get("text") or event["bytes"])
            return event

        return overheard

    async def _read(self, scope: Scope, receive: Receive) -> Receive:
        """Read a request before the application does, which may refuse it unread."""
        events = [await receive()]
        while events[-1].get("more_body"):
            events.append(await receive())
        self._owner.take(scope, b"".join(event.get("body", b"") for event in events))

        async def again() -> Message:
            return events.pop(0) if events else await receive()

        return again


def _headers(scope: Scope) -> dict[str, Any]:
    return {name.decode("ascii"): value.decode("latin-1") for name, value in scope["headers"]}
