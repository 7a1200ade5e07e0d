"""The HTTP face, over a real socket."""

from __future__ import annotations

import json
import socket
import struct
from base64 import b64decode, b64encode
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from cutaway.runware.replies import parse
from cutaway.service import connections
from cutaway.service.handling import Patience
from tests.shared.service.hosted import KEY, Hosted, hosted, legacy, new_uuid, removal
from tests.shared.service.rooms import PICTURE, RESULT, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PING = {"taskType": "ping", "ping": True}
JSON = {"Content-Type": "application/json"}
_PATIENCE = 30.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A service that asks for no key."""
    with hosted(tmp_path_factory.mktemp("open"), max_body=1 << 20) as service:
        yield service


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosted(tmp_path_factory.mktemp("keyed"), key=KEY) as service:
        yield service


def error(response: httpx.Response, status: int) -> dict[str, Any]:
    """The one error of an answer that has nothing else."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer["data"] == []
    [found] = answer["errors"]
    return dict(found)


def by_hand(service: Hosted, *pieces: bytes) -> socket.socket:
    """A connection on which these bytes were sent."""
    line = socket.create_connection(("127.0.0.1", service.addresses.port), _PATIENCE)
    for piece in pieces:
        line.sendall(piece)
    return line


def head(length: int, **more: str) -> bytes:
    headers = {"Host": "localhost", **JSON, "Content-Length": str(length), **more}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1 HTTP/1.1\r\n{lines}\r\n".encode()


def everything(line: socket.socket) -> bytes:
    """All that comes until the connection ends, in whatever way."""
    found = b""
    try:
        while piece := line.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found


# Batches and envelopes


def test_a_removal_is_answered_without_any_errors_key(service: Hosted) -> None:
    message = removal(outputType="base64Data")
    response = service.post(message)

    assert response.status_code == 200
    assert response.json().keys() == {"data"}
    [item] = response.json()["data"]
    assert item["taskUUID"] == message["taskUUID"]
    assert b64decode(item["imageBase64Data"]) == RESULT + PICTURE
    assert "status" not in item


def test_several_tasks_are_answered_in_their_order(service: Hosted) -> None:
    sent = [removal(), legacy(), PING, removal()]
    data = service.post(*sent).json()["data"]

    assert [item.get("taskUUID") for item in data] == [one.get("taskUUID") for one in sent]


def test_of_a_batch_that_fails_in_part_both_parts_are_told(service: Hosted) -> None:
    good, bad = removal(), removal(outputQuality=7)
    response = service.post(bad, good)

    assert response.status_code == 200
    [item], [failure] = response.json()["data"], response.json()["errors"]
    assert item["taskUUID"] == good["taskUUID"]
    assert failure["taskUUID"] == bad["taskUUID"]
    assert failure["taskType"] == "removeBackground"


def test_a_batch_that_fails_wholly_has_the_status_of_its_first_failure(service: Hosted) -> None:
    lost = {"taskType": "getResponse", "taskUUID": new_uuid()}
    response = service.post(lost, removal(outputQuality=7))

    assert response.status_code == 404
    assert response.json()["data"] == []
    assert [one["code"] for one in response.json()["errors"]] == [
        "taskNotFound",
        "invalidOutputQuality",
    ]


def test_one_object_instead_of_an_array_is_taken(service: Hosted) -> None:
    response = service.post(content=json.dumps(PING), headers=JSON)

    assert response.json() == {"data": [{"taskType": "ping", "pong": True}]}


def test_any_path_and_any_query_lead_to_the_api(service: Hosted) -> None:
    for path in ("", "v1", "v2/anything", "healthz", "media/x"):
        url = f"{service.addresses.page}{path}?sdk=js&version=1.3.2"
        assert service.post(PING, url=url).status_code == 200


def test_an_answer_is_not_kept_by_anybody_on_its_way(service: Hosted) -> None:
    assert service.post(PING).headers["cache-control"] == "no-store"


def test_the_cores_own_client_reads_an_error_as_it_was_meant(service: Hosted) -> None:
    response = service.post(removal(outputFormat="TIFF"))
    [complaint] = parse(response.content, status=response.status_code).complaints

    assert complaint.parameter == "outputFormat"
    assert complaint.allowed_values == ("JPG", "PNG", "WEBP")


def test_a_taken_uuid_is_a_conflict(service: Hosted) -> None:
    message = removal()
    service.post(message)

    told = error(service.post(message), 400)

    assert (told["code"], told["taskUUID"]) == ("conflictTaskUUID", message["taskUUID"])


def test_the_picture_that_cant_be_had_is_told_by_its_parameter(service: Hosted) -> None:
    private = "http://127.0.0.1:1/a.jpg"
    told = error(service.post(legacy(inputImage=private)), 400)

    assert (told["code"], told["parameter"]) == ("failedToTransferImage", "inputImage")


def test_a_defect_in_the_service_is_told_without_its_words(
    service: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    service.remover.failure = RuntimeError("a secret")
    try:
        response = service.post(removal())
    finally:
        service.remover.failure = None

    assert error(response, 500)
    assert "secret" not in response.text
    assert "secret" in caplog.text


# What is not read as a request


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_any_web_page_could_send_is_refused(service: Hosted, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    told = error(service.post(content=json.dumps([PING]), headers=headers), 415)

    assert told["allowedValues"] == ["application/json"]


def test_json_may_come_with_its_charset(service: Hosted) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}

    assert service.post(content=json.dumps([PING]), headers=headers).status_code == 200


def test_a_name_that_only_leads_here_is_refused(service: Hosted) -> None:
    told = error(service.post(PING, headers={"Host": "evil.example"}), 421)

    assert "--public-url" in told["message"]


def test_a_web_page_of_somebody_else_is_refused_and_given_no_leave(service: Hosted) -> None:
    response = service.post(PING, headers={"Origin": "https://evil.example"})

    assert error(response, 403)["code"] == "forbidden"
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[1]x", b'[{"a":1,"a":2}]', b"\xff"])
def test_a_body_that_is_no_tasks_is_told_so(service: Hosted, body: bytes) -> None:
    assert error(service.post(content=body, headers=JSON), 400)["code"] == "invalidJSON"


def test_a_task_that_is_no_object_spoils_only_itself(service: Hosted) -> None:
    response = service.post(7, PING)

    assert response.status_code == 200
    assert response.json()["errors"][0]["code"] == "invalidJSON"


def test_more_than_a_hundred_tasks_are_refused(service: Hosted) -> None:
    assert error(service.post(*[PING] * 101), 400)["max"] == 100


def test_a_body_that_is_announced_as_too_long_is_refused(service: Hosted) -> None:
    told = error(service.post(content=b" " * ((1 << 20) + 1), headers=JSON), 413)

    assert told["max"] == 1 << 20


def test_a_body_that_turns_out_too_long_is_refused(service: Hosted) -> None:
    pieces = (b" " * (1 << 18) for _ in range(5))

    assert error(service.post(content=pieces, headers=JSON), 413)


def test_a_body_that_comes_too_slowly_is_given_up(tmp_path: Path) -> None:
    begun = head(1000, Connection="close"), b"["
    with hosted(tmp_path, patience=Patience(body=0.1)) as slow, by_hand(slow, *begun) as line:
        answer = everything(line)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"came too slowly" in answer


def test_bodies_that_are_on_their_way_keep_no_other_out(service: Hosted) -> None:
    chunked = b"POST /v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    begun = chunked + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n"
    with ExitStack() as lines:
        for _ in range(20):
            lines.enter_context(by_hand(service, begun))
            lines.enter_context(by_hand(service, head(1 << 20), b"["))

        assert service.post(PING).status_code == 200


def test_bodies_without_a_key_leave_room_for_those_with_it(tmp_path: Path) -> None:
    picture = b64encode(PICTURE + bytes(60_000)).decode()
    held = b'[{"more": "' + b"x" * 60_000
    with hosted(tmp_path, key=KEY, max_body=100_000) as small, ExitStack() as lines:
        for _ in range(6):
            lines.enter_context(by_hand(small, head(100_000), held))
        message = removal(inputs={"image": picture})
        response = small.post({"taskType": "authentication", "apiKey": KEY}, message, headers={})
        good = small.post(message)

    assert error(response, 429)["code"] == "rateLimitExceeded"
    assert good.status_code == 200


def test_a_get_where_tasks_are_sent_tells_how(service: Hosted) -> None:
    response = service.get(service.addresses.http)

    assert "POST" in error(response, 405)["message"]
    assert response.headers["allow"] == "POST"


# Connections that hang


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    """A service that looks at its connections all the time."""
    monkeypatch.setattr(connections, "LOOK_EVERY", 0.05)
    with hosted(tmp_path) as service:
        yield service


@pytest.mark.parametrize("begun", [b"", b"POST /v1 HTTP/1.1\r\nHost: local"])
def test_a_request_that_doesnt_get_past_its_head_is_cut_off(
    impatient: Hosted, begun: bytes
) -> None:
    with by_hand(impatient, begun) as line:
        assert everything(line) == b""


def test_an_answer_that_nobody_takes_is_cut_off(impatient: Hosted) -> None:
    picture = b64encode(PICTURE + bytes(8 << 20)).decode()
    body = json.dumps([removal(inputs={"image": picture}, outputType="base64Data")]).encode()
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(_PATIENCE)
    with line:
        line.connect(("127.0.0.1", impatient.addresses.port))
        line.sendall(head(len(body)) + body)
        while impatient.host.server_state.connections:
            assert impatient.post(PING).status_code == 200
        got = everything(line)

    assert len(got) < len(picture)


def test_a_connection_that_is_reset_hurts_nobody_else(service: Hosted) -> None:
    with by_hand(service, head(1000), b"[") as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert service.post(PING).status_code == 200


# Keys


def test_a_request_without_the_key_is_told_which_it_lacks(keyed: Hosted) -> None:
    response = keyed.post(removal(), headers={})

    assert error(response, 401)["code"] == "missingApiKey"
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_wrong_key_is_refused_before_the_body_is_read(keyed: Hosted) -> None:
    line = by_hand(keyed, head(1 << 20, Authorization="Bearer wrong", Connection="close"))
    with line:
        assert line.recv(64).startswith(b"HTTP/1.1 401 ")


def test_the_key_may_be_the_first_task_of_the_array(keyed: Hosted) -> None:
    good = {"taskType": "authentication", "apiKey": KEY}
    message = removal()

    [item] = keyed.post(good, message, headers={}).json()["data"]
    told = error(keyed.post({**good, "apiKey": "wrong"}, removal(), headers={}), 401)

    assert item["taskUUID"] == message["taskUUID"]
    assert told["code"] == "invalidApiKey"


def test_a_header_that_is_wrong_isnt_made_good_by_the_array(keyed: Hosted) -> None:
    good = {"taskType": "authentication", "apiKey": KEY}

    assert error(keyed.post(good, PING, headers={"Authorization": "Bearer wrong"}), 401)


def test_authentication_alone_is_answered(keyed: Hosted) -> None:
    response = keyed.post({"taskType": "authentication", "apiKey": KEY}, headers={})

    assert response.json() == {"data": [{"taskType": "authentication"}]}


def test_the_numbers_need_the_key_and_the_page_doesnt(keyed: Hosted) -> None:
    page = keyed.addresses.page
    assert error(keyed.get(f"{page}metrics"), 401)["code"] == "missingApiKey"
    with_key = {"Authorization": f"Bearer {KEY}"}
    assert keyed.get(f"{page}metrics", headers=with_key).status_code == 200
    for open_to_all in ("", "docs", "openapi.json", "healthz", "readyz"):
        assert keyed.get(f"{page}{open_to_all}").status_code == 200


def test_with_a_key_any_name_of_the_machine_will_do(keyed: Hosted) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Host": "box.example:8585"}
    [item] = keyed.post(removal(), headers=headers).json()["data"]

    assert item["imageURL"].startswith("http://box.example:8585/media/")


# Too much


def test_a_full_queue_is_told_with_when_to_come_back(tmp_path: Path) -> None:
    remover = StandIn()
    remover.gate.clear()
    with hosted(tmp_path, remover=remover, max_queue=1, workers=1) as crowded:
        for _ in range(8):
            response = crowded.post(removal(deliveryMethod="async"))

    assert error(response, 429)["code"] == "rateLimitExceeded"
    assert int(response.headers["retry-after"]) >= 1


def test_a_sync_task_that_takes_too_long_goes_on_and_can_be_polled(tmp_path: Path) -> None:
    remover, message = StandIn(), removal()
    remover.gate.clear()
    poll = {"taskType": "getResponse", "taskUUID": message["taskUUID"]}
    with hosted(tmp_path, remover=remover, sync_patience=0.05) as slow:
        told = error(slow.post(message), 408)
        [before] = slow.post(poll).json()["data"]
        remover.gate.set()
        after = before
        while after["status"] == "processing":
            [after] = slow.post(poll).json()["data"]

    assert told["code"] == "timeout"
    assert before["imageUUID"] == after["imageUUID"]
    assert after["status"] == "success"
    assert after["imageURL"]


# Dry runs


def test_a_dry_run_tells_the_price_and_does_nothing(tmp_path: Path) -> None:
    headers = {"X-Runware-Dry-Run": "1"}
    with hosted(tmp_path, price=Decimal("0.0006")) as service:
        message = removal()
        [item] = service.post(message, headers=headers).json()["data"]
        told = error(service.post(removal(model="nobody:1@1"), headers=headers), 400)
        assert not service.remover.removed

    assert item["taskUUID"] == message["taskUUID"]
    assert item["cost"] == 0.0006
    assert told["code"] == "invalidModel"


# Pictures


@pytest.fixture(scope="module")
def picture_url(service: Hosted) -> str:
    [item] = service.post(removal()).json()["data"]
    return str(item["imageURL"])


def test_a_picture_is_given_as_what_it_is_and_nothing_else(
    service: Hosted, picture_url: str
) -> None:
    response = service.get(picture_url)

    assert response.content == RESULT + PICTURE
    headers = response.headers
    assert headers["content-type"] == "image/png"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith("inline; filename=")
    assert headers["cache-control"].startswith("private")
    assert "sandbox" in headers["content-security-policy"]


def test_the_head_of_a_picture_is_that_of_the_picture(service: Hosted, picture_url: str) -> None:
    response = service.get(picture_url)
    with by_hand(service, f"HEAD {urlsplit(picture_url).path} HTTP/1.0\r\n\r\n".encode()) as line:
        only_head = everything(line).decode().lower()

    assert f"content-length: {len(response.content)}" in only_head
    assert only_head.endswith("\r\n\r\n")


@pytest.mark.parametrize(
    "path",
    [
        "media",
        "media/",
        "media/..%2frecords.sqlite",
        "media/%2e%2e/records.sqlite",
        "media/{uuid}",
        "media/{uuid}.png",
        "media/{name}x",
        "media/.{name}.part",
        "media/{name}%00",
    ],
)
def test_nothing_but_a_pictures_whole_name_leads_anywhere(
    service: Hosted, picture_url: str, path: str
) -> None:
    name = picture_url.rpartition("/")[2]
    named = path.format(name=name, uuid=name[:36])
    with by_hand(
        service, f"GET /{named} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    ) as line:
        status = everything(line).split(b" ", 2)[1]

    assert status in {b"404", b"405"}


def test_a_public_url_is_what_pictures_urls_begin_with(tmp_path: Path) -> None:
    with hosted(tmp_path, public_url="https://cut.example/api/") as service:
        [item] = service.post(removal()).json()["data"]

    assert item["imageURL"].startswith("https://cut.example/api/media/")
