"""What is particular to WebSockets: sessions, routing, life signs, and which closes mean what."""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.server import serve

from cutaway.errors import (
    AuthError,
    ConnectionFailed,
    CutawayError,
    ServiceError,
    TransportError,
)
from cutaway.runware.client import Runware
from cutaway.runware.retries import Pace
from tests.fakes.certificates import loopback_certificate, server_context
from tests.fakes.impostor import impostor
from tests.fakes.runware_faults import (
    Answer,
    Close,
    Drop,
    DropMidAnswer,
    Hold,
    OutOfOrder,
    Refuse,
    ReplayOnResume,
    Twice,
)
from tests.fakes.runware_service import RunwareService
from tests.shared.runware.faces import FAST, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.server import ServerConnection

    from cutaway.runware.replies import Result

PICTURE = picture()


@pytest.fixture
def client(service: RunwareService) -> Iterator[Runware]:
    with Runware(service.key, url=service.ws_url, pace=FAST) as client:
        yield client


def kinds(service: RunwareService) -> list[str]:
    return [received.task_type for received in service.requests]


def submit_all(client: Runware, count: int) -> list[Result | CutawayError]:
    """What comes of that many tasks at once."""

    def outcome(number: int) -> Result | CutawayError:
        try:
            return client.submit(picture(number))
        except CutawayError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(outcome, range(count)))


def test_a_session_begins_with_the_key_and_offers_no_compression(
    client: Runware, service: RunwareService
):
    client.submit(PICTURE)
    first = service.requests[0]
    assert first.message == {"taskType": "authentication", "apiKey": service.key}
    assert "sec-websocket-extensions" not in first.headers
    assert "authorization" not in first.headers
    assert first.headers["user-agent"].startswith("cutaway/")
    assert kinds(service) == ["authentication", "removeBackground"]


def test_without_a_key_tasks_are_sent_at_once():
    with RunwareService(key=None) as service, Runware(url=service.ws_url, pace=FAST) as client:
        client.submit(PICTURE)
        assert kinds(service) == ["removeBackground"]


def test_one_connection_carries_one_task_after_the_other(client: Runware, service: RunwareService):
    for _ in range(3):
        client.submit(PICTURE)
    assert service.connections == 1
    assert kinds(service).count("authentication") == 1


@pytest.mark.parametrize(
    "fault", [Drop(accepted=True), DropMidAnswer(), Close(1012, accepted=True)]
)
def test_a_session_is_taken_up_again_and_the_task_asked_for(
    client: Runware, service: RunwareService, fault: Drop
):
    client.submit(PICTURE)
    service.faults.append(fault)
    result = client.submit(PICTURE)
    (session,) = service.sessions
    assert service.requests[2].message["taskUUID"] == result.task_uuid
    assert service.requests[3].message["connectionSessionUUID"] == session
    assert kinds(service)[4:] == ["getResponse"]


def test_a_result_that_is_replayed_is_taken(client: Runware, service: RunwareService):
    client.submit(PICTURE)
    service.faults.append(ReplayOnResume())
    result = client.submit(PICTURE)
    assert result.image_url
    assert result.status is None  # the answer to a poll would have one
    assert service.submissions(str(result.task_uuid)) == 1


def test_answers_find_their_tasks_in_any_order(client: Runware, service: RunwareService):
    last = Hold()
    service.faults.extend([OutOfOrder(), OutOfOrder(), Twice(), last])
    with ThreadPoolExecutor(4) as pool:
        names = [str(uuid.uuid4()) for _ in range(4)]
        results = [pool.submit(client.submit, PICTURE, task_uuid=name) for name in names]
        assert last.reached.wait(30)
        last.release.set()
        assert [result.result().task_uuid for result in results] == names
    assert kinds(service) == ["authentication", *["removeBackground"] * 4]


def test_tasks_that_were_in_flight_when_the_line_broke_all_finish(service: RunwareService):
    holds = [Hold(accepted=number % 2 == 0) for number in range(6)]
    service.faults.extend(holds)
    pace = replace(FAST, unreadable=1)  # not even once is an answer anyone's
    with (
        Runware(service.key, url=service.ws_url, pace=pace) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        results = [pool.submit(client.submit, picture(number)) for number in range(6)]
        assert all(hold.reached.wait(30) for hold in holds)
        service.reset_connections()
        names = {result.result().task_uuid for result in results}
        for hold in holds:
            hold.release.set()
    assert names == service.billed.keys()
    assert service.connections == 2


@pytest.mark.parametrize("code", [1003, 1008, 1009, 4001])
def test_a_close_that_says_stay_away_ends_the_tasks_on_the_line(
    client: Runware, service: RunwareService, code: int
):
    service.faults.append(Close(code))
    with pytest.raises(ServiceError, match=f"code {code}") as caught:
        client.submit(PICTURE)
    assert caught.value.task_uuid == service.requests[1].task_uuid
    assert service.connections == 1
    assert client.submit(PICTURE).image_url  # a new task may try again


def test_a_refused_key_ends_every_task(service: RunwareService):
    with Runware("wrong", url=service.ws_url, pace=FAST) as client:
        outcomes = submit_all(client, 5)
    assert {type(outcome) for outcome in outcomes} == {AuthError}
    assert len({outcome.task_uuid for outcome in outcomes}) == 5
    assert set(kinds(service)) == {"authentication"}


def test_a_key_that_is_withdrawn_ends_every_task_on_the_line(
    client: Runware, service: RunwareService
):
    hold = Hold()
    service.faults.extend([hold, Refuse(401, "invalidApiKey", named=False)])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.submit, PICTURE)
        assert hold.reached.wait(30)
        second = pool.submit(client.submit, PICTURE)
        for task in (first, second):
            with pytest.raises(AuthError):
                task.result(30)
        hold.release.set()


def test_a_session_that_is_refused_is_begun_anew(client: Runware, service: RunwareService):
    client.submit(PICTURE)
    refusals = iter([Refuse(400, "invalidConnectionSessionUUID", named=False)])
    service.fault_for = lambda received: (
        next(refusals, None) if "connectionSessionUUID" in received.message else None
    )
    service.faults.append(Drop())
    assert client.submit(PICTURE).image_url
    openings = [received.message for received in service.received("authentication")]
    assert ["connectionSessionUUID" in opening for opening in openings] == [False, True, False]


def test_a_service_that_is_busy_at_the_door_is_tried_again(
    client: Runware, service: RunwareService
):
    service.handshake_faults.extend([Answer(b"", 503), Answer(b"", 429), Drop()])
    assert client.submit(PICTURE).image_url
    assert service.connections == 4


def test_a_service_that_never_opens_is_given_up(service: RunwareService):
    service.handshake_faults.extend([Answer(b"", 503)] * 3)
    pace = Pace(sends=3, first_retry=0.001)
    with (
        Runware(service.key, url=service.ws_url, pace=pace) as client,
        pytest.raises(ConnectionFailed, match="status 503"),
    ):
        client.submit(PICTURE)


@pytest.mark.parametrize(("status", "error"), [(401, AuthError), (404, ServiceError)])
def test_a_refusal_at_the_door_is_told_at_once(
    client: Runware, service: RunwareService, status: int, error: type[CutawayError]
):
    service.handshake_faults.append(Answer(b"<h1>No</h1>", status, "text/html"))
    with pytest.raises(error):
        client.submit(PICTURE)
    assert service.connections == 1


def test_no_redirect_is_followed(client: Runware, service: RunwareService):
    with RunwareService(key=None) as elsewhere:
        service.handshake_faults.append(Answer(b"", 302, headers={"Location": elsewhere.ws_url}))
        with pytest.raises(ServiceError):
            client.submit(PICTURE)
        assert elsewhere.connections == 0


def test_a_frame_that_is_no_answer_ends_the_line_and_the_task_is_asked_for(
    client: Runware, service: RunwareService
):
    service.faults.append(Answer(b"<html>", accepted=True))
    result = client.submit(PICTURE)
    assert result.image_url
    assert service.submissions(str(result.task_uuid)) == 1
    assert service.connections == 2


def test_an_answer_that_names_no_task_has_each_ask_for_itself(
    client: Runware, service: RunwareService
):
    hold = Hold()
    service.faults.extend([hold, Refuse(500, "internalServerError", named=False, accepted=True)])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.submit, picture(1))
        assert hold.reached.wait(30)
        second = pool.submit(client.submit, picture(2))
        assert first.result(30).has_output
        assert second.result(30).has_output
        hold.release.set()
    assert kinds(service).count("removeBackground") == 2
    assert service.connections == 1


def test_a_large_picture_goes_through(client: Runware, service: RunwareService):
    large = PICTURE + bytes(9 << 20)
    client.submit(large)
    assert len(service.requests[1].message["inputs"]["image"]) > 12 << 20


@contextmanager
def over_tls(certificate: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a service behind TLS, and what comes there."""
    came: list[dict[str, Any]] = []

    def talk(connection: ServerConnection) -> None:
        for text in connection:
            came.extend(json.loads(text))
            item = {**came[-1], "connectionSessionUUID": "s"} if len(came) == 1 else came[-1]
            connection.send(json.dumps({"data": [{**item, "imageURL": "https://a.b/c.png"}]}))

    with serve(talk, "127.0.0.1", 0, ssl=server_context(certificate), max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"wss://127.0.0.1:{server.socket.getsockname()[1]}/v1", came
        finally:
            server.shutdown()
            thread.join()


def test_over_tls_a_service_is_trusted_if_its_certificate_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    certificate = loopback_certificate(tmp_path)
    with over_tls(certificate) as (url, came):
        with (
            Runware("key", url=url, pace=FAST) as client,
            pytest.raises(TransportError, match=r"(?i)certificate"),
        ):
            client.submit(PICTURE)
        assert not came
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with Runware("key", url=url, pace=FAST) as client:
            assert client.submit(PICTURE).image_url
        assert came[0]["apiKey"] == "key"


def test_an_impostors_certificate_is_refused(tmp_path: Path):
    with (
        impostor(tmp_path) as url,
        Runware("key", url=url, transport="websocket", pace=FAST) as client,
        pytest.raises(TransportError, match=r"(?i)certificate"),
    ):
        client.submit(PICTURE)


def test_no_proxy_stands_before_this_machine(client: Runware, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert client.submit(PICTURE).image_url


def test_the_environments_proxy_is_used_for_other_machines(
    service: RunwareService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("https_proxy", service.origin)  # which knows no CONNECT
    monkeypatch.setenv("http_proxy", service.origin)
    with (
        Runware(
            "k", url="ws://service.invalid/v1", pace=Pace(sends=1), allow_private_network=True
        ) as client,
        pytest.raises(ConnectionFailed, match=r"(?i)proxy"),
    ):
        client.submit(PICTURE)
    assert service.connections == 1
