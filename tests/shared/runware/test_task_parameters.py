from __future__ import annotations

from typing import Any

import pytest

from cutaway.errors import OptionError
from cutaway.runware.tasks import (
    Dialect,
    MaskSettings,
    RemovalTask,
    WireParameters,
    decode,
    encode,
)
from tests.shared.runware.removals import URL, UUID, a_message, a_task

Refused = tuple[str, str, list[Any]]
"""A parameter's name in Python, on the wire, and what it can't hold."""

WHOLE_NUMBERS = [
    ("output_quality", "outputQuality", 20, 99),
    ("ttl", "ttl", 60, None),
    ("alpha_matting_foreground_threshold", "alphaMattingForegroundThreshold", 1, 255),
    ("alpha_matting_background_threshold", "alphaMattingBackgroundThreshold", 1, 255),
    ("alpha_matting_erode_size", "alphaMattingErodeSize", 1, 255),
]
REFUSED: list[Refused] = [
    ("model", "model", ["", 109]),
    ("output_type", "outputType", ["url", "JSON", 1, [], ["URL", "url"], ["URL", 1]]),
    ("output_format", "outputFormat", ["TIFF", "GIF", 1, ["PNG"]]),
    ("output_quality", "outputQuality", [19, 100, 50.0, "50", True]),
    ("webhook_url", "webhookURL", ["", "example.com", "ftp://a/b", "https://", "https://a b", 1]),
    ("delivery_method", "deliveryMethod", ["later", True]),
    ("upload_endpoint", "uploadEndpoint", ["s3://bucket/key", "/x", ["https://a/b"]]),
    ("ttl", "ttl", [59, -60, 60.0, "60", True]),
    ("include_cost", "includeCost", [1, 0, "true", []]),
    ("provider_settings", "providerSettings", ["bria", ["bria"], {"bria": float("nan")}, {1: 2}]),
]
REFUSED_SETTINGS: list[Refused] = [
    (
        "rgba",
        "rgba",
        [
            [255, 255, 255],
            [255, 255, 255, 0, 0],
            [256, 0, 0, 0],
            [-1, 0, 0, 0],
            [0.5, 0, 0, 0],
            [True, 0, 0, 0],
            [0, 0, 0, True],
            [0, 0, 0, "1"],
            [0, 0, 0, -0.1],
            [0, 0, 0, 256],
            [0, 0, 0, float("nan")],
            "#ffffff",
        ],
    ),
    ("post_process_mask", "postProcessMask", [1, "yes"]),
    ("return_only_mask", "returnOnlyMask", [0, "no"]),
    ("alpha_matting", "alphaMatting", ["true", 1.0]),
    ("alpha_matting_erode_size", "alphaMattingErodeSize", [0, 256, 10.0, "10", True]),
]


def each(table: list[Refused]) -> list[tuple[str, str, Any]]:
    return [(name, wire, value) for name, wire, values in table for value in values]


@pytest.mark.parametrize(("name", "wire", "low", "high"), WHOLE_NUMBERS)
def test_whole_numbers_are_taken_to_their_limits_and_no_farther(
    name: str, wire: str, low: int, high: int | None
):
    for allowed in (low, high or 10**9):
        message = encode(a_task(**{name: allowed}), Dialect.NEW)
        assert (message | message.get("settings", {}))[wire] == allowed
        assert decode(message)[0] == a_task(**{name: allowed})
    for beyond in (low - 1, *([high + 1] if high else [])):
        with pytest.raises(OptionError, match=rf"^{name} can't be used"):
            a_task(**{name: beyond})
        with pytest.raises(OptionError, match=rf"^{wire} can't be used"):
            decode(a_message(**{wire: beyond}))


@pytest.mark.parametrize(("name", "wire", "value"), each(REFUSED))
def test_what_a_parameter_cannot_hold_is_refused_by_the_name_it_was_given_by(
    name: str, wire: str, value: object
):
    with pytest.raises(OptionError, match=rf"^{name} can't be used: .+ Change it"):
        a_task(**{name: value})
    with pytest.raises(OptionError, match=rf"^{wire} can't be used: .+ Change it"):
        decode(a_message(**{wire: value}))


@pytest.mark.parametrize(("name", "wire", "value"), each(REFUSED_SETTINGS))
def test_what_a_setting_cannot_hold_is_refused_wherever_it_stands(
    name: str, wire: str, value: object
):
    with pytest.raises(OptionError, match=rf"^{name} can't be used: .+ Change it"):
        MaskSettings(**{name: value})  # type: ignore[arg-type]
    for message in (a_message(**{wire: value}), a_message(settings={wire: value})):
        with pytest.raises(OptionError, match=rf"^{wire} can't be used: .+ Change it"):
            decode(message)


@pytest.mark.parametrize("uuid", ["", "1", UUID[:-1], f"{UUID}0", UUID.replace("-", ""), 7, None])
def test_a_task_needs_a_uuid(uuid: Any):
    with pytest.raises(OptionError, match="task_uuid"):
        a_task(task_uuid=uuid)
    with pytest.raises(OptionError, match="taskUUID"):
        decode(a_message(taskUUID=uuid))


@pytest.mark.parametrize("image", ["", "  ", None, b"abc", ["a"], "\ud800"])
def test_a_task_needs_a_picture_that_is_a_text(image: Any):
    with pytest.raises(OptionError, match=r"^image "):
        a_task(image=image)
    with pytest.raises(OptionError, match=r"^inputs\.image "):
        decode(a_message(inputs={"image": image}))
    legacy = {"taskType": "imageBackgroundRemoval", "taskUUID": UUID, "inputImage": image}
    with pytest.raises(OptionError, match=r"^inputImage "):
        decode(legacy)


def test_a_picture_that_is_missing_is_missed_where_the_dialect_has_it():
    with pytest.raises(OptionError, match=r"^inputs\.image is missing"):
        decode({"taskType": "removeBackground", "taskUUID": UUID})
    with pytest.raises(OptionError, match=r"^inputImage is missing"):
        decode({"taskType": "imageBackgroundRemoval", "taskUUID": UUID})


@pytest.mark.parametrize("task_type", [None, "imageInference", "", ["removeBackground"], 1])
def test_another_task_is_no_removal(task_type: object):
    with pytest.raises(OptionError, match=r"^taskType .*removeBackground"):
        decode(a_message(taskType=task_type))


@pytest.mark.parametrize("name", ["inputs", "settings"])
def test_what_should_be_an_object_is_refused_if_it_is_none(name: str):
    for value in ("text", [URL], 1):
        with pytest.raises(OptionError, match=f"^{name} can't be used"):
            decode(a_message(**{name: value}))


def test_only_a_result_that_comes_as_a_url_has_a_lifetime():
    for kind in (None, "URL", ("dataURI", "URL")):
        assert a_task(ttl=60, output_type=kind).ttl == 60
    for kind in ("base64Data", "dataURI", ("base64Data", "dataURI")):
        with pytest.raises(OptionError, match=r"^ttl .*output_type"):
            a_task(ttl=60, output_type=kind)
        with pytest.raises(OptionError, match=r"^ttl .*outputType"):
            decode(a_message(ttl=60, outputType=kind))


def test_settings_must_be_settings_and_empty_ones_are_none():
    with pytest.raises(OptionError, match=r"^settings can't be used"):
        a_task(settings={"rgba": [0, 0, 0, 0]})
    assert a_task(settings=MaskSettings()) == a_task()
    assert "settings" not in encode(a_task(settings=MaskSettings()), Dialect.NEW)


def test_a_result_may_be_asked_for_in_several_forms():
    task = a_task(output_type=["URL", "base64Data"])

    assert task.output_types == ("URL", "base64Data")
    assert encode(task, Dialect.NEW)["outputType"] == ["URL", "base64Data"]
    assert a_task().output_types == ("URL",)
    assert a_task(output_type="dataURI").output_types == ("dataURI",)


@pytest.mark.parametrize(
    "extra",
    [
        {"ttl": 60},
        {"taskUUID": UUID},
        {"rgba": [0, 0, 0, 0]},
        {"inputs": {"image": URL}},
        {"settings": {"alphaMatting": True}},
    ],
)
def test_what_has_a_parameter_of_its_own_cannot_hide_in_extra(extra: dict[str, Any]):
    with pytest.raises(OptionError, match=r"^extra can't hold"):
        a_task(extra=extra)


@pytest.mark.parametrize(
    "extra", [{"a": float("inf")}, {"a": b"bytes"}, {"a": "\ud800"}, {"inputs": 1}, {"inputs": {}}]
)
def test_extra_holds_only_what_can_be_sent(extra: dict[str, Any]):
    with pytest.raises(OptionError, match=r"^extra"):
        a_task(extra=extra)


def test_neither_a_picture_nor_a_token_is_ever_shown():
    secret = "c2VjcmV0" * 40
    addresses = {
        "webhook_url": f"https://example.com/?token={secret}",
        "upload_endpoint": f"https://example.com/?signature={secret}",
    }
    assert secret not in repr(a_task(image=secret, extra={"inputs": {"mask": secret}}, **addresses))
    for name in addresses:
        with pytest.raises(OptionError) as refusal:
            a_task(**{name: f"ftp://example.com/{secret}"})
        assert secret not in f"{refusal.value!r}"
    for name in ("model", "output_format", "settings"):
        for value in (secret, [secret]):
            with pytest.raises(OptionError) as refusal:
                a_task(**{name: value, "include_cost": "never"})
            assert secret not in f"{refusal.value!r}"


def test_the_typed_parameters_are_those_of_a_task():
    ours = {"task_uuid", "image", "model"}
    assert ours | set(WireParameters.__annotations__) == set(RemovalTask.__dataclass_fields__)
