"""What each client that exists needs of a service, told as that client does it.

What they send was captured from the clients themselves. Two of them run here for real: PyPI
`runware` and `runware-sdk`, in environments of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from cutaway.runware.client import Runware
from tests.pictures import as_file, portrait
from tests.shared.service import sdks
from tests.shared.service.hosted import KEY, Hosted, Talk, hosted, new_uuid
from tests.shared.service.rooms import PICTURE, PICTURE_BASE64, RESULT
from tests.shared.service.running import Service, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA_URI = f"data:image/png;base64,{PICTURE_BASE64}"
PING = {"taskType": "ping", "ping": True}
SETTINGS = {
    "returnOnlyMask": False,
    "alphaMatting": True,
    "postProcessMask": True,
    "alphaMattingErodeSize": 10,
    "alphaMattingForegroundThreshold": 240,
    "alphaMattingBackgroundThreshold": 10,
    "rgba": [255, 255, 255, 0],
}
UNREACHABLE = "http://127.0.0.1:1/a.jpg"
"""A picture that nobody can fetch."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosted(tmp_path_factory.mktemp("service"), key=KEY) as service:
        yield service


@pytest.fixture(params=["http", "websocket"])
def way(request: pytest.FixtureRequest, service: Hosted) -> str:
    """The service's address for either transport."""
    return service.addresses.http if request.param == "http" else service.addresses.websocket


def polled(talk: Talk, task_uuid: str) -> list[dict[str, Any]]:
    """Every answer to polls for a task, up to the one that isn't `processing`."""
    items: list[dict[str, Any]] = []
    while not items or items[-1]["status"] == "processing":
        items.append(talk.ask({"taskType": "getResponse", "taskUUID": task_uuid}))
    return items


def fetched(service: Hosted, item: dict[str, Any]) -> bytes:
    return service.get(item["imageURL"]).content


# PyPI runware 0.5.24: WebSocket only; old code of many users


def test_py_runware_0_5_24_itself_removes_a_background(service: Hosted) -> None:
    told = sdks.ask(sdks.OLD, "old", service.addresses.websocket, KEY, inputImage=DATA_URI)

    assert fetched(service, told["results"][0]) == RESULT + PICTURE


def test_py_runware_0_5_24_itself_uploads_a_file_and_sets_all_there_is(
    service: Hosted, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(PICTURE)
    asked = {"model": "runware:109@1", "settings": SETTINGS, "includeCost": True}
    told = sdks.ask(
        sdks.OLD, "old", service.addresses.websocket, KEY, inputImage=str(file), **asked
    )

    [result] = told["results"]
    assert fetched(service, result) == RESULT + PICTURE
    assert result["inputImageUUID"]
    assert result["cost"] == 0


def test_py_runware_0_5_24_itself_reads_a_polled_result_as_an_image(service: Hosted) -> None:
    task_uuid = new_uuid()
    url = service.addresses.websocket
    sdks.ask(sdks.OLD, "old", url, KEY, inputImage=DATA_URI, taskUUID=task_uuid)
    told = sdks.ask(sdks.OLD, "old-polled", url, KEY, taskUUID=task_uuid)

    [result] = told["results"]
    assert result["kind"] == "IImage"
    assert fetched(service, result) == RESULT + PICTURE


def test_py_runware_0_5_24_itself_learns_that_its_key_is_wrong(service: Hosted) -> None:
    told = sdks.ask(sdks.OLD, "old", service.addresses.websocket, "wrong", inputImage=DATA_URI)

    assert "the API key is invalid" in told["error"]


def test_py_runware_0_5_24_itself_learns_why_a_task_failed(service: Hosted) -> None:
    told = sdks.ask(sdks.OLD, "old", service.addresses.websocket, KEY, inputImage=UNREACHABLE)

    assert "failedToTransferImage" in told["error"]


def test_py_runware_needs_a_pong_without_a_uuid_and_goes_on_with_that(service: Hosted) -> None:
    with service.talk() as talk:
        assert talk.ask(PING) == {"taskType": "ping", "pong": True}


def test_py_runware_raises_without_an_image_url_of_its_upload(service: Hosted) -> None:
    message = {"taskType": "imageUpload", "taskUUID": new_uuid(), "image": DATA_URI}
    with service.talk() as talk:
        item = talk.ask(message)

    assert item.keys() == {"taskType", "taskUUID", "imageUUID", "imageURL"}
    assert item["taskUUID"] == message["taskUUID"]


def test_py_runware_sends_its_settings_flat_and_its_output_types_as_a_list(
    service: Hosted,
) -> None:
    message = {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": new_uuid(),
        "inputImage": DATA_URI,
        "model": "runware:109@1",
        **SETTINGS,
        "outputType": ["URL", "base64Data"],
        "providerSettings": {"bria": {"contentModeration": False, "preserveAlpha": True}},
    }
    with service.talk() as talk:
        item = talk.ask(message)

    assert fetched(service, item) == b64decode(item["imageBase64Data"]) == RESULT + PICTURE


def test_py_runware_sends_a_dropped_task_again_and_polls_once_it_conflicts(
    service: Hosted,
) -> None:
    message = {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": new_uuid(),
        "inputImage": DATA_URI,
    }
    service.remover.gate.clear()
    with service.talk() as talk:
        talk.send(message)
        talk.ask(PING)
    with service.talk() as talk:
        talk.send(message)
        [conflict] = talk.next()["errors"]
        first = talk.ask({"taskType": "getResponse", "taskUUID": message["taskUUID"]})
        service.remover.gate.set()
        items = [first, *polled(talk, message["taskUUID"])]

    assert (conflict["code"], conflict["taskUUID"]) == ("conflictTaskUUID", message["taskUUID"])
    assert first["status"] == "processing"
    assert len({item["imageUUID"] for item in items}) == 1
    assert {item["taskType"] for item in items} == {"imageBackgroundRemoval"}


# npm @runware/sdk-js 1.3.2: WebSocket only


@pytest.fixture
def js_old(service: Hosted) -> Iterator[Talk]:
    with service.open("?sdk=js&version=1.3.2") as talk:
        talk.send({"apiKey": KEY, "taskType": "authentication"})
        [item] = talk.next()["data"]
        assert item.keys() == {"taskType", "connectionSessionUUID"}
        yield talk


def test_sdk_js_1_3_2_sends_either_shape_as_remove_background(js_old: Talk) -> None:
    named = {"taskType": "removeBackground"}
    new = {"model": "runware:112@5", "inputs": {"image": DATA_URI}, "taskUUID": new_uuid()}
    old = {
        "inputImage": DATA_URI,
        "outputType": "URL",
        "outputFormat": "png",
        **SETTINGS,
        "foo": "bar",
        "taskUUID": new_uuid(),
    }

    for message in (new, old):
        item = js_old.ask({**message, **named})
        assert item["taskUUID"] == message["taskUUID"]
        assert item["imageURL"].endswith(".png")


def test_sdk_js_1_3_2_polls_and_hangs_unless_a_failure_comes_as_errors(js_old: Talk) -> None:
    task_uuid = new_uuid()
    message = {
        "taskType": "removeBackground",
        "taskUUID": task_uuid,
        "model": "runware:112@5",
        "inputs": {"image": UNREACHABLE},
        "deliveryMethod": "async",
    }
    js_old.ask(message)
    frame: dict[str, Any] = {"data": [{"status": "processing"}]}
    while "data" in frame:
        assert frame["data"][0]["status"] == "processing"
        js_old.send({"taskType": "getResponse", "taskUUID": task_uuid})
        frame = js_old.next()

    assert frame.keys() == {"errors"}
    [error] = frame["errors"]
    assert (error["taskUUID"], error["status"]) == (task_uuid, "error")


def test_sdk_js_1_3_2_asks_for_a_dry_run_in_its_url(service: Hosted) -> None:
    before = len(service.remover.removed)
    with service.open("?sdk=js&version=1.3.2&dryRun=1") as talk:
        talk.send({"apiKey": KEY, "taskType": "authentication"})
        talk.next()
        item = talk.ask(
            {
                "taskType": "removeBackground",
                "taskUUID": new_uuid(),
                "model": "runware:112@5",
                "inputs": {"image": DATA_URI},
            }
        )

    assert item["cost"] == 0
    assert len(service.remover.removed) == before


# PyPI runware-sdk 1.8.0: REST and WebSocket, async unless told otherwise


def test_py_runware_sdk_1_8_0_itself_removes_a_background_by_polling(
    service: Hosted, way: str
) -> None:
    asked = {"model": "runware:112@5", "inputs": {"image": DATA_URI}}
    told = sdks.ask(sdks.NEW, "new", way, KEY, **asked)

    assert fetched(service, told["results"][0]) == RESULT + PICTURE


def test_py_runware_sdk_1_8_0_itself_gets_a_data_uri_at_once_by_a_slug(way: str) -> None:
    told = sdks.ask(
        sdks.NEW,
        "new",
        way,
        KEY,
        model="birefnet-general",
        inputs={"image": DATA_URI},
        deliveryMethod="sync",
        outputType="dataURI",
    )

    [result] = told["results"]
    assert b64decode(result["imageDataURI"].partition(",")[2]) == RESULT + PICTURE


def test_py_runware_sdk_1_8_0_itself_learns_that_its_key_is_wrong(way: str) -> None:
    asked = {"model": "runware:112@5", "inputs": {"image": DATA_URI}}
    told = sdks.ask(sdks.NEW, "new", way, "wrong", **asked)

    assert "the API key is invalid" in told["error"]


def test_py_runware_sdk_1_8_0_itself_learns_why_a_task_failed_that_it_polls_for(way: str) -> None:
    told = sdks.ask(sdks.NEW, "new", way, KEY, model="runware:112@5", inputs={"image": UNREACHABLE})

    assert "was not fetched" in told["error"]


def test_py_runware_sdk_1_8_0_over_rest_takes_any_errors_key_for_a_failure(
    service: Hosted,
) -> None:
    message = {
        "model": "runware:112@5",
        "inputs": {"image": DATA_URI},
        "taskType": "removeBackground",
        "taskUUID": new_uuid(),
        "deliveryMethod": "async",
    }
    headers = {"Authorization": f"Bearer {KEY}", "User-Agent": "runware-python/1.8.0"}
    acknowledged = service.post(message, headers=headers).json()
    poll = {"taskType": "getResponse", "taskUUID": message["taskUUID"]}
    stands = service.post(poll, headers=headers).json()

    named = {"taskType": "removeBackground", "taskUUID": message["taskUUID"]}
    assert acknowledged == {"data": [named]}
    assert stands.keys() == {"data"}
    assert stands["data"][0]["imageUUID"]


def test_py_runware_sdk_1_8_0_takes_a_conflict_after_coming_back_for_an_acknowledgement(
    service: Hosted,
) -> None:
    message = {
        "model": "runware:112@5",
        "inputs": {"image": DATA_URI},
        "taskType": "removeBackground",
        "taskUUID": new_uuid(),
        "deliveryMethod": "async",
    }
    with service.talk() as talk:
        talk.ask(message)
        session = talk.session
    with service.talk(session) as talk:
        assert talk.session == session
        talk.send(message)
        [conflict] = talk.next()["errors"]
        assert (conflict["code"], conflict["taskUUID"]) == ("conflictTaskUUID", message["taskUUID"])
        assert polled(talk, str(message["taskUUID"]))[-1]["imageURL"]


# @runware/sdk 1.6.8 (TypeScript)


def test_ts_runware_sdk_1_6_8_reads_a_refused_key_only_as_error(service: Hosted) -> None:
    with service.open() as talk:
        talk.send({"taskType": "authentication", "apiKey": "wrong"})
        frame = talk.next()

    assert frame["error"]["code"] == "invalidApiKey"
    assert frame["errors"] == [frame["error"]]
    assert frame["error"]["parameter"] == "apiKey"
    assert frame["error"]["taskType"] == "authentication"


def test_ts_runware_sdk_1_6_8_takes_any_errors_key_in_a_frame_for_a_failure(
    service: Hosted,
) -> None:
    message = {
        "model": "runware:112@5",
        "inputs": {"image": PICTURE_BASE64},
        "taskType": "removeBackground",
        "taskUUID": new_uuid(),
        "deliveryMethod": "async",
    }
    with service.talk() as talk:
        talk.send(message)
        frames = [talk.next()]
        while not any(item.get("imageURL") for item in frames[-1]["data"]):
            talk.send({"taskType": "getResponse", "taskUUID": message["taskUUID"]})
            frames.append(talk.next())

    assert all(frame.keys() == {"data"} for frame in frames)


# ComfyUI-Runware, the old MCP server, and adapters of others


def test_comfyui_sends_the_legacy_task_with_nested_settings_and_more(
    service: Hosted, way: str
) -> None:
    message = {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": new_uuid(),
        "inputImage": DATA_URI,
        "model": "runware:109@1",
        "outputFormat": "WEBP",
        "outputQuality": 95,
        "outputType": "URL",
        "settings": SETTINGS,
        "safety": {"checkContent": False},
        "acceleratorOptions": {"teaCache": True},
        "providerSettings": {"runware": {}},
    }
    if way == service.addresses.http:
        answer = service.post(message).json()
    else:
        headers = {"X-SDK-Name": "comfyui", "Authorization": f"Bearer {KEY}"}
        with service.open(additional_headers=headers) as talk:
            talk.send(message)
            answer = talk.next()

    assert answer.keys() == {"data"}  # an empty list of errors is an IndexError there
    assert answer["data"][0]["imageURL"]


def test_the_old_mcp_server_sends_the_legacy_task_with_nested_settings_alone(
    service: Hosted,
) -> None:
    message = {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": new_uuid(),
        "inputImage": PICTURE_BASE64,
        "model": "runware:109@1",
        "outputFormat": "PNG",
        "outputQuality": 95,
        "includeCost": True,
        "settings": {"rgba": [255, 255, 255, 255], "returnOnlyMask": True},
    }
    [item] = service.post(message).json()["data"]

    assert item["cost"] == 0


def test_media_storage_gives_a_uuid_that_removals_take_until_it_is_deleted(
    service: Hosted,
) -> None:
    store = {"taskType": "mediaStorage", "taskUUID": new_uuid(), "operation": "upload"}
    [stored] = service.post({**store, "media": PICTURE_BASE64}).json()["data"]
    removal = {
        "taskType": "removeBackground",
        "model": "runware:112@5",
        "inputs": {"image": stored["mediaUUID"]},
    }
    [item] = service.post({**removal, "taskUUID": new_uuid()}).json()["data"]
    delete = {**store, "operation": "delete", "media": stored["mediaUUID"]}
    [deleted] = service.post({**delete, "taskUUID": new_uuid()}).json()["data"]
    gone = service.post({**removal, "taskUUID": new_uuid()})

    assert service.get(stored["mediaURL"]).status_code == 404
    assert item["inputImageUUID"] == deleted["mediaUUID"] == stored["mediaUUID"]
    assert gone.status_code == 404
    assert gone.json()["errors"][0]["code"] == "mediaNotFound"


# Cutaway's own clients


def test_the_cores_own_client_gets_results_and_errors(way: str) -> None:
    with Runware(KEY, url=way) as client:
        result = client.submit(DATA_URI, model="runware:112@5", output_type="base64Data")
        later = client.submit(DATA_URI, model="runware:112@5", delivery_method="async")

    assert b64decode(result.image_base64 or "") == RESULT + PICTURE
    assert later.image_url


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The command itself, without a key, with the classical engine."""
    with served(tmp_path_factory.mktemp("real"), "--allow-fallback") as service:
        yield service


@pytest.mark.parametrize(
    "flags",
    [[], ["--transport", "websocket"], ["--delivery", "async"], ["--dialect", "legacy"]],
    ids=" ".join,
)
def test_cutaway_remove_works_with_it_out_of_the_box(
    real: Service, tmp_path: Path, flags: list[str]
) -> None:
    picture = tmp_path / "a.jpg"
    picture.write_bytes(as_file(portrait(96, 64, seed=3), "JPEG"))
    backend = ["--backend", real.page.rstrip("/")]
    done = subprocess.run(
        [sys.executable, "-m", "cutaway", "remove", *backend, "--json", *flags, picture],
        env={**os.environ, "PYTHONWARNDEFAULTENCODING": ""},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "done"
    with Image.open(tmp_path / "a-cutout.png") as cutout:
        assert cutout.size == (96, 64)
        assert cutout.getchannel("A").getextrema() == (0, 255)
