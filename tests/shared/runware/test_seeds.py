"""The samples of the two pages that define the API, as the wire has them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cutaway.errors import ProtocolError
from cutaway.runware.replies import parse
from cutaway.runware.tasks import Dialect, decode, encode

HERON = {
    "taskType": "removeBackground",
    "taskUUID": "d27ab86a-a180-4276-9f35-b9d9dbbbd00e",
    "model": "runware:112@2",
    "inputs": {
        "image": "https://assets.runware.ai/assets/inputs/c43efb44-a76e-4781-8781-542726b2ad84.jpg"
    },
}
HERON_RESULT = {
    "taskType": "imageBackgroundRemoval",
    "taskUUID": "d27ab86a-a180-4276-9f35-b9d9dbbbd00e",
    "imageUUID": "d62161cb-1e31-4159-94cb-8e7cc1323459",
    "imageURL": "https://im.runware.ai/image/os/a10d08/ws/3/ii/"
    "d62161cb-1e31-4159-94cb-8e7cc1323459.png",
    "cost": 0.0006,
    "inputImageUUID": "3e5a2b2c-88b5-463d-93c8-85bb5e098c40",
}
MOTH = {
    "taskType": "removeBackground",
    "taskUUID": "bcad53d5-424c-4c86-ab99-055e2d05cd9e",
    "model": "runware:112@2",
    "inputs": {
        "image": "https://assets.runware.ai/assets/inputs/7b6e3f72-334c-45f3-b6e9-47d1ac08d90d.jpg"
    },
}
MOTH_RESULT = {
    "taskType": "imageBackgroundRemoval",
    "taskUUID": "bcad53d5-424c-4c86-ab99-055e2d05cd9e",
    "imageUUID": "a3969ffa-ec7f-495f-b559-348da42aa36b",
    "imageURL": "https://im.runware.ai/image/os/a18d05/ws/4/ii/"
    "a3969ffa-ec7f-495f-b559-348da42aa36b.png",
    "cost": 0.0006,
    "inputImageUUID": "40536e5e-a731-40eb-90fc-0440be0b73f8",
}
LEGACY = {
    "taskType": "imageBackgroundRemoval",
    "taskUUID": "19abad0d-6ec5-40a6-b7af-203775fa5b7f",
    "inputImage": "fd613011-3872-4f37-b4aa-0d343c051a27",
    "outputType": "URL",
    "outputFormat": "JPG",
    "rgba": [255, 255, 255, 0],
    "postProcessMask": True,
    "returnOnlyMask": False,
    "alphaMatting": True,
    "alphaMattingForegroundThreshold": 240,
    "alphaMattingBackgroundThreshold": 10,
    "alphaMattingErodeSize": 10,
}
LEGACY_RESULT = {
    "taskType": "imageBackgroundRemoval",
    "taskUUID": "19abad0d-6ec5-40a6-b7af-203775fa5b7f",
    "imageUUID": "aa418b0f-4b83-4c3d-96c5-30abf4699a4d",
    "inputImageUUID": "fd613011-3872-4f37-b4aa-0d343c051a27",
    "imageURL": "https://im.runware.ai/image/ii/aa418b0f-4b83-4c3d-96c5-30abf4699a4d.jpg",
    "cost": 0.0006,
}
"""Mended: the page lacks a comma before `cost`, has one too many after it, and says `0006`."""

LEGACY_ANSWER_AS_PRINTED = """{
  "data": [
    {
      "taskType": "imageBackgroundRemoval",
      "taskUUID": "19abad0d-6ec5-40a6-b7af-203775fa5b7f",
      "imageUUID": "aa418b0f-4b83-4c3d-96c5-30abf4699a4d",
      "inputImageUUID": "fd613011-3872-4f37-b4aa-0d343c051a27",
      "imageURL": "https://im.runware.ai/image/ii/aa418b0f-4b83-4c3d-96c5-30abf4699a4d.jpg"
      "cost": 0006,
    }
  ]
}"""

EVERY_NEW_PARAMETER = HERON | {
    "model": "runware:109@1",
    "outputType": "dataURI",
    "outputFormat": "WEBP",
    "outputQuality": 95,
    "webhookURL": "https://example.com/hook?token=1",
    "deliveryMethod": "async",
    "uploadEndpoint": "https://bucket.example.com/cutout.webp?X-Signature=abc",
    "includeCost": True,
    "settings": {
        "rgba": [1, 2, 3, 0.5],
        "postProcessMask": False,
        "returnOnlyMask": True,
        "alphaMatting": False,
        "alphaMattingForegroundThreshold": 255,
        "alphaMattingBackgroundThreshold": 1,
        "alphaMattingErodeSize": 3,
    },
    "providerSettings": {"bria": {"preserveAlpha": True}},
}
EVERY_LEGACY_PARAMETER = LEGACY | {"outputType": "base64Data", "includeCost": False}


def json_text(message: dict[str, Any]) -> str:
    """The text of a JSON object, by which 0, 0.0 and false differ."""
    return json.dumps(message, sort_keys=True)


@pytest.mark.parametrize(
    ("sample", "dialect"),
    [
        pytest.param(HERON, Dialect.NEW, id="heron"),
        pytest.param(MOTH, Dialect.NEW, id="moth"),
        pytest.param(LEGACY, Dialect.LEGACY, id="legacy"),
        pytest.param(EVERY_NEW_PARAMETER, Dialect.NEW, id="every-new-parameter"),
        pytest.param(HERON | {"outputType": "URL", "ttl": 60}, Dialect.NEW, id="lifetime"),
        pytest.param(EVERY_LEGACY_PARAMETER, Dialect.LEGACY, id="every-legacy-parameter"),
    ],
)
def test_a_request_is_read_and_written_back_as_it_was(sample: dict[str, Any], dialect: Dialect):
    task, told = decode(sample)

    assert told is dialect
    assert not task.extra
    assert json_text(encode(task, dialect)) == json_text(sample)


def test_the_legacy_sample_can_be_said_in_the_new_dialect():
    task, _ = decode(LEGACY | {"model": "runware:109@1"})

    message = encode(task, Dialect.NEW)

    settings = {name: value for name, value in LEGACY.items() if name in message["settings"]}
    assert message == {
        "taskType": "removeBackground",
        "taskUUID": LEGACY["taskUUID"],
        "model": "runware:109@1",
        "inputs": {"image": LEGACY["inputImage"]},
        "outputType": "URL",
        "outputFormat": "JPG",
        "settings": settings,
    }
    assert len(settings) == 7


@pytest.mark.parametrize(
    ("request_", "sample"),
    [
        pytest.param(HERON, HERON_RESULT, id="heron"),
        pytest.param(MOTH, MOTH_RESULT, id="moth"),
        pytest.param(LEGACY, LEGACY_RESULT, id="legacy"),
    ],
)
def test_a_result_is_found_by_its_task_and_keeps_every_field(
    request_: dict[str, Any], sample: dict[str, Any]
):
    answer = {"data": [{"taskUUID": "another"}, sample]}

    (result,) = parse(json.dumps(answer)).of(request_["taskUUID"]).results

    assert json_text(dict(result.fields)) == json_text(sample)
    assert result.has_output
    assert result.task_uuid == sample["taskUUID"]
    assert result.task_type == sample["taskType"]
    assert result.image_uuid == sample["imageUUID"]
    assert result.image_url == sample["imageURL"]
    assert result.input_image_uuid == sample["inputImageUUID"]
    assert result.cost == Decimal("0.0006")


def test_the_legacy_answer_as_it_is_printed_is_no_json_and_refused():
    with pytest.raises(ProtocolError, match="no JSON"):
        parse(LEGACY_ANSWER_AS_PRINTED)
