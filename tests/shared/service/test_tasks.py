"""Every parameter of both dialects acts for real: over HTTP, in a service that really runs."""

from __future__ import annotations

import io
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import PIL.Image
import pytest

from cutaway.progress import Cancellation
from cutaway.runware.tasks import decode
from cutaway.service.configuration import Configuration
from cutaway.service.removing import Remover
from cutaway.settings import Settings
from tests.fakes.file_server import FileServer
from tests.fakes.networks import make_network
from tests.fakes.planting import plant
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.service.receiver import Receiver
from tests.shared.service.running import Service, new_uuid, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PICTURE = as_file(portrait())
FADING = as_file(np.asarray(PIL.Image.fromarray(portrait(160, 120)).reduce(8).resize((160, 120))))
TRUTH = ellipse(320, 240)
DIALECTS = ("removeBackground", "imageBackgroundRemoval")
LIMIT = 30.0

Make: TypeAlias = "Callable[..., dict[str, Any]]"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with u2netp in it, and no other."""
    folder = tmp_path_factory.mktemp("models")
    plant(make_network(folder / "network.onnx"), folder, "u2netp")
    return folder


@pytest.fixture(scope="module")
def service(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    flags = ("--allow-private-network", "--price", "0.0006")
    with served(folder, *flags, models=models, variables={"HOME": str(folder)}) as service:
        yield service


@pytest.fixture(scope="module")
def remover(models: Path) -> Iterator[Remover]:
    """The engine by itself, for what a result is to be."""
    remover = Remover(Configuration(), Settings.load(models_dir=models))
    yield remover
    remover.close()


@pytest.fixture(params=DIALECTS)
def task(request: pytest.FixtureRequest) -> Make:
    """Makes tasks of a dialect, with the settings where its document has them."""
    legacy = request.param == DIALECTS[1]

    def make(
        picture: bytes | str = PICTURE, settings: dict[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        image = b64encode(picture).decode() if isinstance(picture, bytes) else picture
        flat = {"inputImage": image, **(settings or {})}
        nested = {"inputs": {"image": image}, "settings": settings or {}}
        return {
            "taskType": request.param,
            "taskUUID": new_uuid(),
            "model": "u2netp",
            "outputType": "base64Data",
            **(flat if legacy else nested),
            **more,
        }

    return make


def _result(service: Service, message: dict[str, Any]) -> bytes:
    return b64decode(service.item(message)["imageBase64Data"], validate=True)


def _seen(data: bytes) -> NDArray[Any]:
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def _polled(service: Service, task_uuid: str) -> dict[str, Any]:
    """The answer to a poll, asked for until the task isn't in work any more."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        item = service.item({"taskType": "getResponse", "taskUUID": task_uuid})
        assert item["imageUUID"]
        if item["status"] != "processing":
            return item
    raise AssertionError(f"{task_uuid} is not done in {LIMIT} s")


def test_a_bare_task_gives_the_url_of_a_png_on_transparency(service: Service, task: Make):
    message = task()
    del message["outputType"]
    item = service.item(message)
    assert item["taskUUID"] == message["taskUUID"]
    assert item["taskType"] == "imageBackgroundRemoval"
    assert item.keys() == {"taskType", "taskUUID", "imageUUID", "inputImageUUID", "imageURL"}
    answer = service.get(item["imageURL"])
    assert answer.headers["content-type"] == "image/png"
    assert overlap(_seen(answer.content)[..., 3], TRUTH) > 0.98


@pytest.mark.parametrize(
    "settings",
    [
        {"rgba": [255, 0, 0, 1]},
        {"rgba": [255, 0, 0, 0.5]},
        {"returnOnlyMask": True},
        {"postProcessMask": True},
        {"alphaMatting": True},
        {"alphaMatting": True, "alphaMattingForegroundThreshold": 120},
        {"alphaMatting": True, "alphaMattingBackgroundThreshold": 120},
        {"alphaMatting": True, "alphaMattingErodeSize": 3},
    ],
    ids=" ".join,
)
def test_each_setting_changes_the_result_to_what_the_engine_gives_with_it(
    service: Service, remover: Remover, task: Make, settings: dict[str, Any]
):
    message = task(FADING, settings)
    found = _result(service, message)
    expected = remover.remove(decode(message)[0], FADING, Cancellation()).data
    assert found == expected
    *_, last = settings
    without = {name: value for name, value in settings.items() if name != last}
    assert found != _result(service, task(FADING, without))


@pytest.mark.parametrize(
    "settings", [{"returnOnlyMask": True}, {"postProcessMask": True, "rgba": [0, 0, 0, 1]}]
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_settings_act_at_either_place_in_either_dialect(
    service: Service, dialect: str, settings: dict[str, Any]
):
    named = {"taskType": dialect, "model": "u2netp", "outputType": "base64Data"}
    image = {"inputImage": b64encode(PICTURE).decode()}
    placed: tuple[dict[str, Any], ...] = (settings, {"settings": settings})
    flat, nested = (
        _result(service, {**named, **image, "taskUUID": new_uuid(), **one}) for one in placed
    )
    assert flat == nested


def test_a_mask_is_grey_and_white_where_the_subject_is(service: Service, task: Make):
    seen = _seen(_result(service, task(settings={"returnOnlyMask": True})))
    assert seen.shape == TRUTH.shape
    assert overlap(seen, TRUTH) > 0.98


@pytest.mark.parametrize(
    ("asked", "mime"),
    [("PNG", "image/png"), ("webp", "image/webp"), ("Jpg", "image/jpeg")],
)
def test_the_output_format_is_the_one_asked_for_in_any_letter_case(
    service: Service, task: Make, asked: str, mime: str
):
    item = service.item(task(outputFormat=asked, outputType=["URL", "base64Data", "dataURI"]))
    data = b64decode(item["imageBase64Data"], validate=True)
    assert PIL.Image.open(io.BytesIO(data)).get_format_mimetype() == mime
    assert item["imageDataURI"] == f"data:{mime};base64,{item['imageBase64Data']}"
    answer = service.get(item["imageURL"])
    assert (answer.content, answer.headers["content-type"]) == (data, mime)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("URL", {"imageURL"}),
        ("base64Data", {"imageBase64Data"}),
        ("dataURI", {"imageDataURI"}),
        (["URL", "base64Data"], {"imageURL", "imageBase64Data"}),
    ],
)
def test_the_result_comes_in_each_output_type_asked_for_and_in_no_other(
    service: Service, task: Make, asked: str | list[str], expected: set[str]
):
    item = service.item(task(outputType=asked))
    known = {"imageURL", "imageBase64Data", "imageDataURI"}
    assert item.keys() & known == expected


@pytest.mark.parametrize("name", ["WEBP", "JPG"])
def test_a_lower_output_quality_gives_fewer_bytes(service: Service, task: Make, name: str):
    low, usual, high = (
        len(_result(service, task(outputFormat=name, **more)))
        for more in ({"outputQuality": 20}, {}, {"outputQuality": 99})
    )
    assert low < usual < high


def test_the_cost_is_told_where_it_is_asked_for(service: Service, task: Make):
    assert service.item(task(includeCost=True))["cost"] == 0.0006
    assert "cost" not in service.item(task(includeCost=False))


def test_a_picture_comes_as_base64_as_a_data_uri_or_by_a_url(service: Service, task: Make):
    expected = _result(service, task())
    text = b64encode(PICTURE).decode()
    assert _result(service, task(f"data:image/png;base64,{text}")) == expected
    with FileServer() as server:
        server.put("/photo.png?token=1", PICTURE)
        assert _result(service, task(f"{server.url}/photo.png?token=1")) == expected


def test_a_picture_that_was_uploaded_or_worked_on_before_is_named_by_its_uuid(
    service: Service, task: Make
):
    text = b64encode(PICTURE).decode()
    image = {"taskType": "imageUpload", "taskUUID": new_uuid(), "image": text}
    media = {"taskType": "mediaStorage", "taskUUID": new_uuid(), "media": text}
    first = service.item(task())
    uuids = (
        service.item(image)["imageUUID"],
        service.item({**media, "operation": "upload"})["mediaUUID"],
        first["inputImageUUID"],
    )
    for uuid in uuids:
        item = service.item(task(uuid))
        assert item["imageBase64Data"] == first["imageBase64Data"]
        assert item["inputImageUUID"] == uuid
    again = service.item(task(first["imageUUID"]))
    assert again["inputImageUUID"] == first["imageUUID"], "a result can be worked on, too"


def test_an_asynchronous_task_is_acknowledged_and_its_result_can_be_polled(
    service: Service, task: Make
):
    message = task(deliveryMethod="async")
    names = {name: message[name] for name in ("taskType", "taskUUID")}
    assert service.item(message) == names
    item = _polled(service, message["taskUUID"])
    assert item["status"] == "success"
    assert b64decode(item["imageBase64Data"]) == _result(service, task())


def test_a_webhook_gets_the_result_with_its_own_token(service: Service, task: Make):
    with Receiver() as receiver:
        message = task(webhookURL=receiver.url("/hook?token=secret"))
        names = {name: message[name] for name in ("taskType", "taskUUID")}
        assert service.item(message) == names
        receiver.wait(1)
        [taken] = receiver.received
    assert (taken.method, taken.target) == ("POST", "/hook?token=secret")
    assert taken.headers["Content-Type"] == "application/json"
    assert message["taskUUID"].encode() in taken.body
    assert _polled(service, message["taskUUID"])["imageBase64Data"].encode() in taken.body


@pytest.mark.parametrize(
    ("name", "mime"), [("PNG", "image/png"), ("WEBP", "image/webp"), ("JPG", "image/jpeg")]
)
def test_an_upload_endpoint_gets_the_results_bytes(
    service: Service, task: Make, name: str, mime: str
):
    with Receiver() as receiver:
        target = receiver.url("/bucket/result?signature=a")
        found = _result(service, task(uploadEndpoint=target, outputFormat=name))
        receiver.wait(1)
        [taken] = receiver.received
    assert (taken.method, taken.target) == ("PUT", "/bucket/result?signature=a")
    assert (taken.body, taken.headers["Content-Type"]) == (found, mime)


def test_a_lifetime_belongs_to_a_url_and_is_a_minute_at_least(service: Service, task: Make):
    item = service.item(task(outputType="URL", ttl=60))
    assert service.get(item["imageURL"]).status_code == 200
    for more, parameter in (
        ({"outputType": "URL", "ttl": 59}, "ttl"),
        ({"outputType": "base64Data", "ttl": 60}, "ttl"),
    ):
        answer = service.post(task(**more))
        assert answer.status_code == 400
        [error] = answer.json()["errors"]
        assert error["parameter"] == parameter


@pytest.mark.parametrize("name", ["runware:112@2", "birefnet-v1-base-cod", "birefnet-cod"])
def test_a_model_whose_weights_are_not_here_is_refused_with_the_command_that_gets_them(
    service: Service, task: Make, name: str
):
    message = task(model=name)
    answer = service.post(message)
    assert answer.status_code == 404
    [error] = answer.json()["errors"]
    assert (error["code"], error["parameter"]) == ("modelNotFound", "model")
    assert (error["taskType"], error["taskUUID"]) == (message["taskType"], message["taskUUID"])
    assert "cutaway models pull birefnet-cod" in error["message"]


@pytest.mark.parametrize("name", ["bria:2@1", "runware:112@9", "ideogram:remove-background@0"])
def test_a_model_that_cant_run_here_is_refused_with_those_that_can(
    service: Service, task: Make, name: str
):
    answer = service.post(task(model=name))
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["code"], error["parameter"]) == ("invalidModel", "model")
    assert "runware:112@2" in error["allowedValues"]


def test_a_legacy_task_without_a_model_takes_rembgs(service: Service):
    image = b64encode(PICTURE).decode()
    message = {"taskType": DIALECTS[1], "taskUUID": new_uuid(), "inputImage": image}
    [error] = service.post(message).json()["errors"]
    assert "cutaway models pull u2net" in error["message"]


def test_with_allow_fallback_another_model_takes_an_absent_ones_place_and_the_log_says_so(
    models: Path, tmp_path: Path
):
    named = {
        "taskType": DIALECTS[1],
        "inputImage": b64encode(PICTURE).decode(),
        "outputType": "base64Data",
    }
    log = tmp_path / "log"
    with served(tmp_path, "--allow-fallback", models=models, log=log) as service:
        asked, there = (
            _result(service, {**named, "taskUUID": new_uuid(), "model": model})
            for model in ("runware:109@1", "u2netp")
        )
        assert asked == there
    assert "u2netp ran in the place of runware:109@1" in log.read_text(encoding="utf-8")
