"""WebSockets at their worst: quiet, dead, mute, clogged; driven below the client."""

from __future__ import annotations

import asyncio
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast

import pytest
from websockets.server import ServerProtocol

from cutaway.errors import (
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    ServiceError,
    TimedOut,
)
from cutaway.runware.client import Runware
from cutaway.runware.credential import Credential
from cutaway.runware.endpoint import Endpoint
from cutaway.runware.retries import Pace
from cutaway.runware.session import Pulse
from cutaway.runware.tasks import poll
from cutaway.runware.websocket_line import Plan
from cutaway.runware.websocket_transport import WebSocketTransport
from cutaway.runware.wire import Wire
from tests.fakes.runware_faults import (
    Answer,
    Twice,
)
from tests.fakes.runware_websocket import reset
from tests.shared.runware.faces import FAST, picture
from tests.shared.runware.removals import a_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from websockets.http11 import Request

    from cutaway.runware.replies import Reply
    from tests.fakes.runware_service import RunwareService

PICTURE = picture()


@dataclass
class Restless(Pulse):
    """A heart that wants a ping after every frame that came."""

    born: float = 0.0

    def due(self, now: float) -> Literal["ping", "close"] | None:
        del now
        return "ping" if self.heard > max(self.born, self.pinged) else None

    def wait(self, now: float) -> float:
        del now
        return 0.001


@contextmanager
def a_wire(service: RunwareService, plan: Plan) -> Iterator[Wire]:
    """A wire whose lines are made by a plan of the test's own."""
    endpoint, key = Endpoint.parse(service.ws_url), Credential(service.key)
    wire = Wire(lambda: WebSocketTransport(endpoint, key, FAST, plan), FAST)
    try:
        yield wire
    finally:
        wire.close()


def a_task(service: RunwareService) -> dict[str, Any]:
    stored = service.account.keep(PICTURE)
    return a_message(taskUUID=str(uuid.uuid4()), model="runware:112@2", inputs={"image": stored})


def test_a_quiet_line_is_kept_alive_by_pings(service: RunwareService):
    plan = Plan(None, pulse=lambda now: Restless(now, born=now))
    with a_wire(service, plan) as wire:
        assert wire.start(lambda courier: courier.deliver(a_task(service))).result(30).image_url
        service.wait_until(lambda: len(service.received("ping")) > 3)
        assert wire.start(lambda courier: courier.deliver(a_task(service))).result(30).image_url
    assert service.received("ping")[0].message == {"taskType": "ping", "ping": True}
    assert service.connections == 1


def test_a_dead_line_is_left_for_a_new_one(service: RunwareService):
    silences = iter([1000.0])
    plan = Plan(None, pulse=lambda now: Pulse(now - next(silences, 0.0)))
    with a_wire(service, plan) as wire:
        assert wire.start(lambda courier: courier.deliver(a_task(service))).result(30).image_url
    assert service.connections == 2


def test_a_frame_that_is_too_large_is_not_read(service: RunwareService):
    with a_wire(service, Plan(None, largest=300)) as wire:
        task = {**a_task(service), "outputType": ["URL", "dataURI"]}
        with pytest.raises(ServiceError, match="code 1009"):
            wire.start(lambda courier: courier.deliver(task)).result(30)


class Mute:
    """A service that opens WebSockets and then never says another word, not even goodbye."""

    def __init__(self) -> None:
        self.heard = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join()

    def _listen(self) -> None:
        with self._greeted() as connection:
            while connection.recv(4096):
                self.heard.set()

    def _greeted(self) -> socket.socket:
        """The next connection, after its opening handshake."""
        connection, _ = self._listener.accept()
        protocol = ServerProtocol()
        while not (asked := protocol.events_received()):
            protocol.receive_data(connection.recv(4096))
        protocol.send_response(protocol.accept(cast("Request", asked[0])))
        connection.sendall(b"".join(protocol.data_to_send()))
        return connection


class Clogged(Mute):
    """A service that reads nothing either, from any of its connections, until `reset`."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: list[socket.socket] = []

    def reset(self) -> None:
        """Break every connection, and let no more in."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self.connections:
            reset(connection)
            connection.close()

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.reset()
        super().__exit__()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                self.connections.append(self._greeted())
                self.connections[-1].recv(1, socket.MSG_PEEK)  # something is on its way
                self.heard.set()


@pytest.mark.timeout(8)
def test_closing_waits_for_no_one_who_does_not_answer():
    with Mute() as mute, ThreadPoolExecutor(1) as pool:
        client = Runware(url=mute.url, pace=FAST)
        task = pool.submit(client.submit, PICTURE)
        assert mute.heard.wait(30)
        client.close()
        with pytest.raises(Cancelled):
            task.result(30)


Talk: TypeAlias = "Callable[[WebSocketTransport], Awaitable[None]]"


def over_a_transport(url: str, key: str | None, talk: Talk, pace: Pace = FAST) -> None:
    """Talk over one transport, and close it."""

    async def main() -> None:
        credential = Credential(key) if key else None
        transport = WebSocketTransport(Endpoint.parse(url), credential, pace)
        try:
            await talk(transport)
        finally:
            await transport.aclose()

    asyncio.run(main())


async def exchanged(
    transport: WebSocketTransport, message: dict[str, Any], patience: float = 30.0
) -> Reply:
    """The answer to a task's only message."""
    with transport.follow(message["taskUUID"]) as exchange:
        return await exchange(message, patience)


def test_a_result_that_comes_unasked_is_kept_for_the_question(service: RunwareService):
    service.faults.append(Twice())

    async def talk(transport: WebSocketTransport) -> None:
        task = a_task(service)
        with transport.follow(task["taskUUID"]) as exchange:
            first = await exchange(task, 30.0)
            await exchanged(transport, a_task(service))  # its answer comes after the second one
            assert await exchange(poll(task["taskUUID"]), 30.0) == first

    over_a_transport(service.ws_url, service.key, talk)
    assert not service.received("getResponse")


def test_after_a_failure_the_next_connection_waits(service: RunwareService):
    service.handshake_faults.append(Answer(b"", 503))
    pace = Pace(first_retry=1e6, longest_retry=1e6)

    async def talk(transport: WebSocketTransport) -> None:
        for patience in (30.0, 0.1):
            with pytest.raises(ConnectionFailed):
                await exchanged(transport, a_task(service), patience)

    over_a_transport(service.ws_url, service.key, talk, pace)
    assert service.connections == 1


LARGE = {"inputs": {"image": "A" * (32 << 20)}}


def test_a_line_that_is_clogged_is_left_for_a_new_one():
    async def talk(transport: WebSocketTransport) -> None:
        for _ in range(2):
            with pytest.raises(TimedOut):
                await exchanged(transport, a_message(**LARGE), 0.5)

    with Clogged() as clogged:
        over_a_transport(clogged.url, None, talk)
        assert len(clogged.connections) == 2


def test_a_message_that_waited_for_its_turn_when_the_line_broke_was_not_sent():
    async def talk(transport: WebSocketTransport) -> None:
        first = asyncio.create_task(exchanged(transport, a_message(**LARGE)))
        assert await asyncio.to_thread(clogged.heard.wait, 30)
        second = asyncio.create_task(exchanged(transport, a_message(taskUUID="2")))
        await asyncio.sleep(0)
        await asyncio.to_thread(clogged.reset)
        with pytest.raises(ConnectionLost):
            await first
        with pytest.raises(ConnectionFailed) as caught:
            await second
        assert type(caught.value) is ConnectionFailed

    with Clogged() as clogged:
        over_a_transport(clogged.url, None, talk)
