"""What a request asks for, however real clients write it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.runware.tasks import Dialect
from cutaway.service.answers import error_item
from cutaway.service.reading import (
    MOST_TASKS,
    TASK_TYPES,
    Authentication,
    Delete,
    Ping,
    Poll,
    Removal,
    Upload,
    messages,
    read,
)
from cutaway.service.refusals import Refusal

UUID = "0d39b1a5-5f0e-4b4c-9d7e-3f6c1a2b3c4d"
NEW = {
    "taskType": "removeBackground",
    "taskUUID": UUID,
    "model": "runware:112@5",
    "inputs": {"image": "https://example.com/a.jpg"},
}
LEGACY = {"taskType": "imageBackgroundRemoval", "taskUUID": UUID, "inputImage": "aGVsbG8="}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def removal(**fields: Any) -> Removal:
    found = read(fields)
    assert isinstance(found, Removal)
    return found


def refused(message: object) -> dict[str, Any]:
    """What the wire tells of a message that can't be read."""
    with pytest.raises(Refusal) as caught:
        read(message)
    return error_item(caught.value)


def test_both_dialects_are_read_with_png_as_their_default() -> None:
    new, legacy = removal(**NEW), removal(**LEGACY)

    assert (new.dialect, legacy.dialect) == (Dialect.NEW, Dialect.LEGACY)
    assert new.task.output_format == legacy.task.output_format == "PNG"
    assert new.task.image == "https://example.com/a.jpg"
    assert legacy.task.model == "runware:109@1"


def test_javascripts_old_call_without_a_model_is_a_legacy_one_in_new_words() -> None:
    found = removal(**{**LEGACY, "taskType": "removeBackground"})

    assert found.task.model == "runware:109@1"


def test_the_new_dialect_needs_a_model() -> None:
    told = refused({name: value for name, value in NEW.items() if name != "model"})

    assert (told["code"], told["parameter"]) == ("missingModel", "model")


def test_what_is_unknown_is_named_and_let_go_of() -> None:
    found = removal(
        **NEW
        | {"routing": {"a": 1}, "inputs": {"image": "aGVsbG8=", "video": "x"}, "foo": "y" * 99}
    )

    assert sorted(found.unknown) == ["foo", "inputs.video", "routing"]
    assert not found.task.extra


def test_of_many_unknown_parameters_the_first_are_named_and_not_at_length() -> None:
    found = removal(**NEW | {f"{number}" + "x" * 999: 1 for number in range(99)})

    assert len(found.unknown) == 20
    assert max(map(len, found.unknown)) == 200


@pytest.mark.parametrize(
    ("parameter", "value", "code", "more"),
    [
        (
            "outputType",
            "file",
            "invalidOutputType",
            {"type": "string", "allowedValues": ["URL", "base64Data", "dataURI"]},
        ),
        ("outputFormat", "TIFF", "invalidOutputFormat", {"allowedValues": ["JPG", "PNG", "WEBP"]}),
        ("outputQuality", 100, "invalidOutputQuality", {"type": "integer", "min": 20, "max": 99}),
        ("ttl", 59, "invalidTtl", {"type": "integer", "min": 60}),
        ("deliveryMethod", "later", "invalidDeliveryMethod", {"allowedValues": ["sync", "async"]}),
        ("taskUUID", "1", "invalidTaskUUID", {"type": "string"}),
        ("webhookURL", "ftp://a", "invalidWebhookURL", {}),
        ("includeCost", 1, "invalidIncludeCost", {"type": "boolean"}),
        ("rgba", [1, 2], "invalidRgba", {"type": "array"}),
        ("alphaMattingErodeSize", 0, "invalidAlphaMattingErodeSize", {"min": 1, "max": 255}),
        ("model", "x" * 1000, "invalidModel", {}),
    ],
)
def test_a_parameter_that_cant_be_used_is_told_with_what_it_may_be(
    parameter: str, value: object, code: str, more: dict[str, object]
) -> None:
    told = refused({**NEW, parameter: value})

    assert (told["code"], told["parameter"]) == (code, parameter)
    assert told | more == told
    assert len(told["message"]) < 400


def test_an_image_given_as_an_object_is_refused_at_its_place() -> None:
    told = refused({**NEW, "inputs": {"image": {}}})

    assert (told["code"], told["parameter"]) == ("invalidInputsImage", "inputs.image")


def test_a_lifetime_without_a_url_is_a_contradiction() -> None:
    told = refused({**NEW, "ttl": 60, "outputType": "dataURI"})

    assert told["parameter"] == "ttl"


def test_every_kind_of_task_is_read() -> None:
    named = {"taskUUID": UUID}
    stored = {**named, "taskType": "mediaStorage", "media": UUID}

    assert read({**named, "taskType": "getResponse"}) == Poll(UUID)
    assert read({**named, "taskType": "imageUpload", "image": "a"}) == Upload(
        UUID, "a", "imageUpload"
    )
    assert read({**stored, "operation": "upload"}) == Upload(UUID, UUID, "mediaStorage")
    assert read({**stored, "operation": "delete"}) == Delete(UUID, UUID)
    assert read({"taskType": "ping", "ping": True}) == Ping()
    assert read({"taskType": "ping", **named}) == Ping(UUID)
    assert read(
        {"taskType": "authentication", "apiKey": "k", "connectionSessionUUID": UUID}
    ) == Authentication("k", UUID)


@pytest.mark.parametrize("task_type", ["imageInference", None, 7, [], "x" * 10_000])
def test_another_kind_of_task_is_answered_with_those_that_there_are(task_type: object) -> None:
    told = refused({"taskType": task_type, "taskUUID": UUID})

    assert told["code"] == "unsupportedTaskType"
    assert told["allowedValues"] == list(TASK_TYPES)


def test_storing_needs_an_operation_that_there_is() -> None:
    message = {"taskType": "mediaStorage", "taskUUID": UUID, "media": "a"}

    assert refused(message)["code"] == "missingOperation"
    assert refused({**message, "operation": "move"})["allowedValues"] == ["upload", "delete"]


def test_a_key_is_in_no_repr() -> None:
    assert "secret" not in repr(read({"taskType": "authentication", "apiKey": "secret"}))


def test_one_object_stands_for_an_array_of_one() -> None:
    assert messages(json.dumps(LEGACY)) == messages(json.dumps([LEGACY])) == [LEGACY]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "no JSON"),
        ("[", "no JSON"),
        (b"\xff\xfe[", "no JSON"),
        ("[]", "no JSON array"),
        ("7", "no JSON array"),
        ("null", "no JSON array"),
        ('[{"a": NaN}]', "a number that JSON hasn't"),
        ('[{"a": Infinity}]', "a number that JSON hasn't"),
        (f"[{'9' * 5000}]", "no JSON"),
        ('[{"a": 1, "a": 2}]', "a name twice"),
        ('[{"a": {"b": 1, "b": 1}}]', "a name twice"),
        ("[" * 50_000, "nested too deeply"),
        ('{"a":' * 50_000, "nested too deeply"),
        ("[" + "0," * 100_000 + "0]", "more than 65536 values"),
        (b"[" + b"{}," * 100_000 + b"{}]", "more than 65536 values"),
        (b"[" + b"[[]]," * 50_000 + b"0]", "more than 65536 values"),
    ],
)
def test_a_body_that_cant_be_read_is_refused_with_the_reason(body: str | bytes, told: str) -> None:
    with pytest.raises(Refusal, match=told) as caught:
        messages(body)

    assert caught.value.fault.status == 400


def test_a_request_holds_a_hundred_tasks_and_no_more() -> None:
    assert len(messages(json.dumps([{}] * MOST_TASKS))) == MOST_TASKS
    with pytest.raises(Refusal, match="more than 100 tasks"):
        messages(json.dumps([{}] * (MOST_TASKS + 1)))


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_messages_or_refused(body: bytes) -> None:
    try:
        found = messages(body)
    except Refusal:
        return
    assert found


@given(
    st.sampled_from([None, *TASK_TYPES]),
    st.dictionaries(
        st.sampled_from([*NEW, *LEGACY, "settings", "outputType", "media", "operation", "apiKey"]),
        JSON,
    ),
)
def test_any_message_is_read_or_refused_in_words_that_json_can_hold(
    task_type: str | None, fields: dict[str, Any]
) -> None:
    message = {**fields, **({"taskType": task_type} if task_type else {})}
    try:
        read(message)
    except Refusal as refusal:
        told = json.loads(json.dumps(error_item(refusal)))
    else:
        return
    assert told["code"].isalnum()
    assert told["message"].isprintable()
