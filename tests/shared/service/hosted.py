"""A service in this process, whose removals a test times and scripts, on a real socket."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
from websockets.sync.client import connect

from cutaway.runware.credential import Credential
from cutaway.service.app import Application
from cutaway.service.configuration import Configuration
from cutaway.service.handling import Patience
from cutaway.service.hosting import Addresses, Host, listening
from tests.shared.service.rooms import PICTURE_BASE64, Rooms, StandIn, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp
    from websockets.sync.client import ClientConnection

__all__ = ["KEY", "Hosted", "Talk", "hosted", "legacy", "new_uuid", "removal"]

KEY = "the-key-of-the-tests"
_PATIENCE = 30.0


@dataclass
class Hosted:
    """A service that runs in another thread.

    Attributes:
        remover: Does its removals as it is told.
        key: What callers need, if anything.
        addresses: Where it is.
        rooms: What is behind its wire.
        host: What its wire stands on.
    """

    remover: StandIn
    key: str | None = None
    addresses: Addresses = field(init=False)
    rooms: Rooms = field(init=False)
    host: Host = field(init=False)

    def post(self, *messages: object, **more: Any) -> httpx.Response:
        """Send messages with the key; `headers` and `content` in `more` replace what is usual."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        with httpx.Client(trust_env=False, timeout=_PATIENCE) as client:
            request = {"json": list(messages), "headers": headers, **more}
            if "content" in request:
                del request["json"]
            return client.post(request.pop("url", self.addresses.http), **request)

    def get(self, url: str, **more: Any) -> httpx.Response:
        """Fetch."""
        with httpx.Client(trust_env=False, timeout=_PATIENCE) as client:
            return client.get(url, **more)

    @contextmanager
    def open(self, query: str = "", **more: Any) -> Iterator[Talk]:
        """Open a WebSocket, without authentication."""
        url = self.addresses.websocket + query
        with connect(url, max_size=None, proxy=None, **more) as socket:
            yield Talk(socket)

    @contextmanager
    def talk(self, session: str | None = None) -> Iterator[Talk]:
        """Open a WebSocket and authenticate."""
        with self.open() as talk:
            resumed = {"connectionSessionUUID": session} if session else {}
            talk.send({"taskType": "authentication", "apiKey": self.key or "k", **resumed})
            talk.session = talk.next()["data"][0]["connectionSessionUUID"]
            yield talk


@dataclass
class Talk:
    """A client's side of a WebSocket."""

    socket: ClientConnection
    session: str = ""

    def send(self, *messages: object) -> None:
        """Send one frame."""
        self.socket.send(json.dumps(list(messages)))

    def next(self) -> dict[str, Any]:
        """The next frame."""
        return dict(json.loads(self.socket.recv(timeout=_PATIENCE)))

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send one message, and give the data item that answers it."""
        self.send(message)
        frame = self.next()
        assert frame.keys() == {"data"}, frame
        [item] = frame["data"]
        return dict(item)


@contextmanager
def hosted(
    folder: Path,
    *,
    remover: StandIn | None = None,
    patience: Patience = Patience(),  # noqa: B008  (it can't change)
    key: str | None = None,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    **settings: Any,
) -> Iterator[Hosted]:
    """Serve on a free port of 127.0.0.1 until the block ends.

    Args:
        folder: For its data.
        remover: Does its removals.
        patience: How long a WebSocket is waited for.
        key: What callers need.
        around: Wraps its application.
        settings: More of its configuration.
    """
    credential = Credential(key) if key else None
    configuration = Configuration(folder=folder, port=0, key=credential, **settings)
    service = Hosted(remover or StandIn(), key)
    run = _Run(configuration, patience, service, around)
    run.thread.start()
    try:
        assert run.begun.wait(_PATIENCE)
        if run.failures:
            raise run.failures[0]
        yield service
    finally:
        service.remover.gate.set()
        run.end()
    assert not run.failures, run.failures


class _Run:
    """A service on an event loop in a thread."""

    def __init__(
        self,
        configuration: Configuration,
        patience: Patience,
        service: Hosted,
        around: Callable[[ASGIApp], ASGIApp],
    ) -> None:
        self._configuration, self._patience, self._service = configuration, patience, service
        self._around = around
        self.begun, self.failures = threading.Event(), list[BaseException]()
        self.thread = threading.Thread(target=self._target)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def end(self) -> None:
        """Stop it, and wait until it has."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self.thread.join(_PATIENCE)

    def _target(self) -> None:
        try:
            self._loop.run_until_complete(self._run())
        except BaseException as error:  # noqa: BLE001  (told by the thread that tests run in)
            self.failures.append(error)
        finally:
            self._loop.close()
            self.begun.set()

    async def _run(self) -> None:
        configuration, service = self._configuration, self._service
        async with opened(configuration, service.remover, patience=0.0) as service.rooms:
            app = self._around(self._application().asgi)
            service.host = host = Host(configuration, app, listening(configuration), self._announce)
            running = asyncio.create_task(host.run_here())
            await self._stop.wait()
            host.should_exit = True
            await running

    def _announce(self, addresses: Addresses) -> None:
        self._service.addresses = addresses
        self.begun.set()

    def _application(self) -> Application:
        rooms = self._service.rooms
        return Application(
            self._configuration,
            rooms.desk,
            rooms.media,
            rooms.watch,
            check=rooms.remover.check,
            models=tuple,
            patience=self._patience,
        )


def removal(**more: object) -> dict[str, object]:
    """A `removeBackground` as the new clients write it."""
    return {
        "taskType": "removeBackground",
        "taskUUID": new_uuid(),
        "model": "runware:112@5",
        "inputs": {"image": PICTURE_BASE64},
        **more,
    }


def legacy(**more: object) -> dict[str, object]:
    """An `imageBackgroundRemoval` as the old clients write it."""
    return {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": new_uuid(),
        "inputImage": PICTURE_BASE64,
        **more,
    }


def new_uuid() -> str:
    """A task's name that none has had."""
    return str(uuid4())
