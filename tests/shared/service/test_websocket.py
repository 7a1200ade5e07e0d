"""The WebSocket face, over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

from cutaway.service.handling import Patience
from cutaway.service.sessions import Sessions
from tests.shared.service.hosted import KEY, Hosted, Talk, hosted, new_uuid, removal
from tests.shared.service.rooms import PICTURE, RESULT, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = Patience(authentication=0.2, idle=0.2, farewell=0.2, session=0.02)
PING = {"taskType": "ping", "ping": True}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosted(tmp_path_factory.mktemp("service"), key=KEY) as service:
        yield service


@pytest.fixture(scope="module")
def open_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A service that asks for no key."""
    with hosted(tmp_path_factory.mktemp("open")) as service:
        yield service


def test_each_task_is_answered_in_a_frame_of_its_own(service: Hosted) -> None:
    good, bad = removal(), removal(outputFormat="TIFF")
    with service.talk() as talk:
        talk.send(good, bad, PING)
        frames = [talk.next() for _ in range(3)]

    by_kind = {next(iter(frame.values()))[0].get("taskUUID"): frame for frame in frames}
    assert by_kind[good["taskUUID"]]["data"][0]["imageURL"]
    assert by_kind[bad["taskUUID"]].keys() == {"errors"}
    assert by_kind[bad["taskUUID"]]["errors"][0]["code"] == "invalidOutputFormat"
    assert by_kind[None] == {"data": [{"taskType": "ping", "pong": True}]}


def test_without_a_key_on_either_side_tasks_need_no_authentication(open_service: Hosted) -> None:
    with open_service.open() as talk:
        item = talk.ask(removal(outputType="base64Data"))

    assert item["imageBase64Data"] == b64encode(RESULT + PICTURE).decode()


def test_a_service_without_a_key_takes_any(open_service: Hosted) -> None:
    with open_service.talk() as talk:
        assert talk.ask(PING)["pong"] is True


@pytest.mark.parametrize("first", [PING, removal(), {"taskType": "authentication"}])
def test_a_socket_that_begins_without_the_key_is_told_so(
    service: Hosted, first: dict[str, object]
) -> None:
    with service.open() as talk:
        talk.send(first)
        frame = talk.next()

    assert frame["errors"][0]["code"] == frame["error"]["code"] == "missingApiKey"


def test_the_key_may_come_with_the_handshake(service: Hosted) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    with service.open(additional_headers=headers) as talk:
        assert talk.ask(PING)["pong"] is True


def test_after_a_refused_key_the_socket_closes_by_itself(tmp_path: Path) -> None:
    with hosted(tmp_path, key=KEY, patience=QUICK) as service, service.open() as talk:
        talk.send({"taskType": "authentication", "apiKey": "wrong"})
        talk.next()
        with pytest.raises(ConnectionClosed) as closed:
            talk.next()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_socket_that_says_nothing_is_closed(tmp_path: Path) -> None:
    with (
        hosted(tmp_path, key=KEY, patience=QUICK) as service,
        service.open() as talk,
        pytest.raises(ConnectionClosedOK),
    ):
        talk.next()


def test_a_socket_is_not_idle_while_a_task_is_worked_on(tmp_path: Path) -> None:
    remover, message = StandIn(), removal()
    remover.gate.clear()
    with (
        hosted(tmp_path, remover=remover, patience=QUICK) as service,
        service.open() as talk,
        service.open() as other,
    ):
        talk.send(message)
        with pytest.raises(ConnectionClosedOK):
            other.next()
        remover.gate.set()
        assert talk.next()["data"][0]["taskUUID"] == message["taskUUID"]


def test_a_result_waits_for_a_client_that_takes_its_session_up_again(service: Hosted) -> None:
    service.remover.gate.clear()
    message = removal()
    with service.talk() as talk:
        session = talk.session
        talk.send(message)
        talk.ask(PING)  # so the task is known to be taken

    service.remover.gate.set()
    with service.talk(session) as talk:
        assert talk.session == session
        assert talk.next()["data"][0]["taskUUID"] == message["taskUUID"]


def test_a_session_is_forgotten_after_its_time(tmp_path: Path) -> None:
    with hosted(tmp_path, key=KEY, patience=QUICK) as service:
        with service.talk() as talk:
            session = talk.session
        with service.open() as other, pytest.raises(ConnectionClosedOK):
            other.next()  # that takes as long
        with service.talk(session) as talk:
            assert talk.session != session


class Timed(asyncio.SelectorEventLoop):
    """An event loop whose time goes by only as it is told."""

    now = 0.0

    def time(self) -> float:
        return self.now


def test_a_session_is_kept_for_its_whole_time_each_time_that_it_is_lost() -> None:
    async def take_up(seconds_later: float, earlier: str | None = None) -> str:
        """Take a session up after so long, and lose it again."""
        loop.now += seconds_later
        for _ in range(2):  # what is due is found in one round and done in the next
            await asyncio.sleep(0)
        session = sessions.open("somebody", earlier)
        await session.attach(send)
        session.detach(send)
        return session.uuid

    async def send(_frame: str) -> bool:
        return True

    sessions, loop = Sessions(120.0), Timed()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        first = runner.run(take_up(0.0))
        found = [runner.run(take_up(later, first)) for later in (100.0, 100.0, 130.0)]

    assert [uuid == first for uuid in found] == [True, True, False]


def test_a_session_that_nobody_knows_is_a_new_one(service: Hosted) -> None:
    unknown = new_uuid()
    with service.talk(unknown) as talk:
        assert talk.session != unknown


@pytest.mark.parametrize("frame", ["", "{", "7", '[{"a": 1, "a": 2}]'])
def test_a_frame_that_cant_be_read_is_told_and_the_socket_goes_on(
    service: Hosted, frame: str
) -> None:
    with service.talk() as talk:
        talk.socket.send(frame)
        assert talk.next()["errors"][0]["code"] == "invalidJSON"
        assert talk.ask(PING)["pong"] is True


def test_a_binary_frame_is_read_as_text(service: Hosted) -> None:
    with service.talk() as talk:
        talk.socket.send(json.dumps([PING]).encode())
        assert talk.next()["data"][0]["pong"] is True


def test_a_frame_of_tens_of_megabytes_is_taken(service: Hosted) -> None:
    picture = PICTURE + bytes(30 << 20)
    with service.talk() as talk:
        item = talk.ask(removal(inputs={"image": b64encode(picture).decode()}))

    assert item["imageURL"]
    assert service.remover.removed[-1] == picture


@pytest.mark.parametrize("pieces", [1, 1000])
def test_a_long_message_is_not_taken_before_the_key(service: Hosted, pieces: int) -> None:
    message = json.dumps([{"taskType": "ping", "more": "x" * (1 << 20)}])
    size = -(-len(message) // pieces)

    def answer(talk: Talk) -> object:
        talk.socket.send(message[start : start + size] for start in range(0, len(message), size))
        return talk.next()

    with service.open() as talk, pytest.raises(ConnectionClosed):
        answer(talk)


def test_a_client_need_not_wait_before_it_sends_a_picture_after_its_key(service: Hosted) -> None:
    picture = b64encode(PICTURE + bytes(3 << 20)).decode()
    with service.open() as talk:
        talk.send({"taskType": "authentication", "apiKey": KEY})
        talk.send(removal(inputs={"image": picture}))
        assert talk.next()["data"][0]["taskType"] == "authentication"
        assert talk.next()["data"][0]["imageURL"]


def test_a_frame_beyond_the_limit_ends_the_socket(tmp_path: Path) -> None:
    with hosted(tmp_path, max_body=1000) as service, service.open() as talk:
        talk.send({"taskType": "ping", "more": "x" * 1000})
        with pytest.raises(ConnectionClosed) as closed:
            talk.next()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_compression_is_declined(open_service: Hosted) -> None:
    with open_service.open(compression="deflate") as talk:
        assert talk.socket.response is not None
        assert "Sec-WebSocket-Extensions" not in talk.socket.response.headers


def test_a_ping_of_the_websocket_itself_is_answered(open_service: Hosted) -> None:
    with open_service.open() as talk:
        assert talk.socket.ping().wait(10)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403)],
)
def test_a_web_page_of_somebody_else_opens_no_socket_where_no_key_keeps_it_out(
    open_service: Hosted, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused, open_service.open(additional_headers=headers):
        pass

    assert refused.value.response.status_code == status
    assert refused.value.response.body is not None
    assert json.loads(refused.value.response.body)["errors"][0]["code"] == "forbidden"


def test_a_name_that_only_leads_here_opens_no_socket(open_service: Hosted) -> None:
    url = f"ws://evil.example:{open_service.addresses.port}/v1"
    line = socket.create_connection(("127.0.0.1", open_service.addresses.port))
    with pytest.raises(InvalidStatus) as refused, connect(url, sock=line, proxy=None):
        pass

    assert refused.value.response.status_code == 421


def test_the_services_own_page_may_open_a_socket(open_service: Hosted) -> None:
    origin = open_service.addresses.page.rstrip("/")
    with open_service.open(additional_headers={"Origin": origin}) as talk:
        assert talk.ask(PING)["pong"] is True


def test_with_a_key_any_origin_may_ask(service: Hosted) -> None:
    headers = {"Origin": "https://app.example", "Authorization": f"Bearer {KEY}"}
    with service.open(additional_headers=headers) as talk:
        assert talk.ask(PING)["pong"] is True


def test_a_key_that_turns_out_wrong_later_ends_the_talk(service: Hosted) -> None:
    with service.talk() as talk:
        talk.send({"taskType": "authentication", "apiKey": "wrong"})
        assert talk.next()["error"]["code"] == "invalidApiKey"


def test_tasks_beyond_the_queue_are_refused_one_by_one(tmp_path: Path) -> None:
    remover = StandIn()
    remover.gate.clear()
    crowded = hosted(tmp_path, remover=remover, max_queue=1, workers=1)
    with crowded as service, service.open() as talk:
        talk.send(*(removal() for _ in range(8)))
        frame = talk.next()

    assert frame["errors"][0]["code"] == "rateLimitExceeded"
    assert frame["errors"][0]["taskUUID"]
