"""The fake service does to a plain client what its faults say; all else here stands on it."""

from __future__ import annotations

import base64
import io
import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image, ImageDraw
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from tests.fakes.runware_account import picture_in
from tests.fakes.runware_faults import (
    Answer,
    Close,
    Drop,
    DropMidAnswer,
    FailLater,
    Fault,
    Forget,
    Hold,
    OutOfOrder,
    Processing,
    ReplayOnResume,
    Throttle,
    Twice,
)
from tests.fakes.runware_pictures import untouched
from tests.fakes.runware_service import RunwareService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.connection import Connection


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService(cut=untouched) as running:
        yield running
        running.wait_until(lambda: not running.open_connections)


def task(picture: bytes = b"", **parameters: object) -> dict[str, Any]:
    image = base64.b64encode(picture or disc((9, 9))).decode()
    return {
        "taskType": "removeBackground",
        "taskUUID": str(uuid.uuid4()),
        "model": "runware:112@2",
        "inputs": {"image": image},
        **parameters,
    }


def disc(size: tuple[int, int]) -> bytes:
    """A red disc in the middle of white, as PNG."""
    image = Image.new("RGB", size, "white")
    width, height = size
    box = width * 0.3, height * 0.3, width * 0.7, height * 0.7
    ImageDraw.Draw(image).ellipse(box, fill="red")
    packed = io.BytesIO()
    image.save(packed, "PNG")
    return packed.getvalue()


def post(service: RunwareService, *tasks: dict[str, Any]) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {service.key}"}
    return httpx.post(service.http_url, json=tasks, headers=bearer)


def poll(service: RunwareService, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = post(service, {"taskType": "getResponse", "taskUUID": name}).json()
    return answer


def say(socket: Connection, message: dict[str, Any]) -> None:
    socket.send(json.dumps([message]))


def hear(socket: Connection) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(socket.recv())
    ((found,),) = envelope.values()
    return dict(found)


def authenticate(socket: Connection, service: RunwareService, session: str = "") -> str:
    resumed = {"connectionSessionUUID": session} if session else {}
    say(socket, {"taskType": "authentication", "apiKey": service.key, **resumed})
    return str(hear(socket)["connectionSessionUUID"])


def test_a_cutout_is_made_of_what_was_sent_and_can_be_downloaded() -> None:
    with RunwareService() as service:
        item = post(service, task(disc((3000, 1500)))).json()["data"][0]
        result = Image.open(io.BytesIO(httpx.get(item["imageURL"]).content))
    assert (result.mode, result.size, result.format) == ("RGBA", (2048, 1024), "PNG")
    assert result.getpixel((1024, 512)) == (255, 0, 0, 255)
    assert result.getpixel((10, 10)) == (255, 255, 255, 0)
    assert item["taskType"] == "imageBackgroundRemoval"


def test_the_legacy_dialect_has_its_settings_at_the_top() -> None:
    legacy = {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": str(uuid.uuid4()),
        "inputImage": f"data:image/png;base64,{base64.b64encode(disc((50, 50))).decode()}",
        "outputType": "dataURI",
        "returnOnlyMask": True,
    }
    with RunwareService() as service:
        item = post(service, legacy).json()["data"][0]
        mixed = post(service, {**legacy, "inputs": {}}).json()["errors"][0]
    mask = Image.open(io.BytesIO(picture_in(item["imageDataURI"])))
    assert (mask.mode, mask.getpixel((25, 25)), mask.getpixel((1, 1))) == ("L", 255, 0)
    assert "cost" not in item
    assert (mixed["code"], mixed["parameter"]) == ("unsupportedParameter", "inputs")


def test_a_uuid_is_billed_once_and_then_in_conflict(service: RunwareService) -> None:
    sent = task()
    assert post(service, sent).status_code == 200
    again = post(service, sent)
    assert (again.status_code, again.json()["data"]) == (400, [])
    assert again.json()["errors"][0]["code"] == "conflictTaskUUID"
    assert (list(service.billed), service.submissions(sent["taskUUID"])) == ([sent["taskUUID"]], 2)


def test_an_upload_can_be_named_by_its_uuid_until_it_is_deleted(service: RunwareService) -> None:
    upload = {"taskType": "mediaStorage", "taskUUID": str(uuid.uuid4()), "operation": "upload"}
    media = base64.b64encode(disc((9, 9))).decode()
    name = post(service, {**upload, "media": media}).json()["data"][0]["mediaUUID"]
    item = post(service, task(inputs={"image": name})).json()["data"][0]
    assert item["inputImageUUID"] == name
    post(service, {**upload, "operation": "delete", "media": name})
    error = post(service, task(inputs={"image": name})).json()["errors"][0]
    assert error["code"] == "failedToTransferImage"


def test_a_key_may_be_in_the_body_and_must_be_right(service: RunwareService) -> None:
    inside = {"taskType": "authentication", "apiKey": service.key}
    assert httpx.post(service.http_url, json=[inside, task()]).status_code == 200
    refused = httpx.post(service.http_url, json=[task()])
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, "invalidApiKey")
    assert len(service.billed) == 1


@pytest.mark.parametrize(
    ("fault", "status", "billed"),
    [
        (Throttle("7"), 429, 0),
        (Answer(b"<html>", 502, "text/html"), 502, 0),
        (Answer(b"[", accepted=True), 200, 1),
        (Forget(), 200, 0),
        (Twice(), 200, 1),
    ],
)
def test_a_fault_decides_what_is_told_and_what_is_billed(
    service: RunwareService, fault: Fault, status: int, billed: int
) -> None:
    service.faults.append(fault)
    assert post(service, task()).status_code == status
    assert len(service.billed) == billed


@pytest.mark.parametrize(
    ("fault", "billed"), [(Drop(), 0), (Drop(accepted=True), 1), (DropMidAnswer(), 1)]
)
def test_a_lost_answer_leaves_open_whether_the_task_was_accepted(
    service: RunwareService, fault: Fault, billed: int
) -> None:
    service.faults.append(fault)
    sent = task()
    with pytest.raises(httpx.RemoteProtocolError):
        post(service, sent)
    assert len(poll(service, sent["taskUUID"])["data"]) == len(service.billed) == billed


def test_a_task_is_in_the_works_for_as_many_polls_as_it_is_told(service: RunwareService) -> None:
    service.faults.append(Processing(2))
    sent = task(deliveryMethod="async")
    told = [post(service, sent).json(), *(poll(service, sent["taskUUID"]) for _ in range(3))]
    states = [envelope["data"][0].get("status") for envelope in told]
    assert states == [None, "processing", "processing", "success"]


def test_a_task_that_fails_later_is_not_billed(service: RunwareService) -> None:
    service.faults.extend([FailLater(), None, FailLater(inside=True)])
    first, second = task(), task()
    post(service, first)
    assert poll(service, first["taskUUID"])["errors"][0]["code"] == "inferenceError"
    post(service, second)
    assert poll(service, second["taskUUID"])["data"][0]["error"]["code"] == "inferenceError"
    assert not service.billed


@pytest.mark.parametrize("fault", [Drop(accepted=True), DropMidAnswer(), Close(1012)])
def test_a_socket_is_reset_or_closed_as_the_fault_says(
    service: RunwareService, fault: Fault
) -> None:
    service.faults.append(fault)
    with connect(service.ws_url, compression=None) as socket:
        authenticate(socket, service)
        say(socket, task())
        with pytest.raises(ConnectionClosedError) as closed:
            socket.recv()
    code = closed.value.rcvd and closed.value.rcvd.code
    assert code == (1012 if isinstance(fault, Close) else None)


def test_a_resumed_session_gets_what_it_missed(service: RunwareService) -> None:
    service.faults.append(ReplayOnResume())
    sent = task()
    with connect(service.ws_url) as socket:
        session = authenticate(socket, service)
        say(socket, sent)
        with pytest.raises(ConnectionClosedError):
            socket.recv()
    with connect(service.ws_url) as socket:
        assert authenticate(socket, service, session) == session
        assert hear(socket)["taskUUID"] == sent["taskUUID"]
    assert service.sessions[session].resumed == 1


def test_answers_on_a_socket_may_overtake_each_other(service: RunwareService) -> None:
    hold = Hold()
    service.faults.extend([OutOfOrder(), None, hold])
    sent = [task() for _ in range(4)]
    with connect(service.ws_url) as socket:
        authenticate(socket, service)
        for message in sent:
            say(socket, message)
        heard = [hear(socket) for _ in range(3)]
        hold.release.set()
        heard.append(hear(socket))
    names = [message["taskUUID"] for message in sent]
    assert [item["taskUUID"] for item in heard] == [names[1], names[0], names[3], names[2]]


def test_a_ping_is_answered_and_a_wrong_key_told(service: RunwareService) -> None:
    with connect(service.ws_url) as socket:
        say(socket, {"taskType": "authentication", "apiKey": "wrong"})
        assert hear(socket)["code"] == "invalidApiKey"
        authenticate(socket, service)
        say(socket, {"taskType": "ping", "ping": True})
        assert hear(socket) == {"taskType": "ping", "pong": True}
    assert service.requests[0].headers["sec-websocket-version"] == "13"


def test_a_handshake_and_a_download_can_go_wrong_too(service: RunwareService) -> None:
    service.handshake_faults.append(Answer(b"busy", 503, "text/plain"))
    service.download_faults.append(DropMidAnswer())
    with pytest.raises(Exception, match="HTTP 503"), connect(service.ws_url):
        pass
    url = post(service, task()).json()["data"][0]["imageURL"]
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url)
    assert httpx.get(url).headers["content-type"] == "image/png"
    assert httpx.get(url.replace("results/", "results/no")).status_code == 404
    assert len(service.downloads) == 3
