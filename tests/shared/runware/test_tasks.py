from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.catalogue import find_remote, remote_models
from cutaway.errors import CostRefused, OptionError
from cutaway.runware import tasks
from cutaway.runware.tasks import (
    Dialect,
    MaskSettings,
    RemovalTask,
    check_cost,
    check_settings,
    decode,
    encode,
    price,
)
from tests.shared.runware.removals import MODEL, SETTINGS, URL, UUID, a_message, a_task

if TYPE_CHECKING:
    from cutaway.catalogue import RemoteModel

REMBG = find_remote("runware:109@1")
COD = find_remote(MODEL)

# The dialects


@pytest.mark.parametrize(
    ("name", "value"),
    [("ttl", 60), ("upload_endpoint", "https://a/b"), ("delivery_method", "async")],
)
def test_what_the_legacy_dialect_has_no_word_for_is_refused_and_the_new_one_named(
    name: str, value: object
):
    with pytest.raises(OptionError, match=rf"{name}.*new dialect"):
        encode(a_task(**{name: value}), Dialect.LEGACY)


def test_only_the_legacy_dialect_does_without_a_model():
    with pytest.raises(OptionError, match="model is missing"):
        encode(a_task(model=None), Dialect.NEW)
    assert "model" not in encode(a_task(model=None), Dialect.LEGACY)


def test_the_legacy_dialect_has_its_settings_beside_the_picture():
    task = a_task(model=REMBG.air, rgba=(1, 2, 3, 0.5), output_quality=90)

    assert encode(task, Dialect.LEGACY) == {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": UUID,
        "inputImage": URL,
        "model": REMBG.air,
        "rgba": [1, 2, 3, 0.5],
        "outputQuality": 90,
    }


# How real clients write it


def test_a_picture_may_stand_at_either_place_and_the_nested_one_wins():
    for message in (a_message(inputImage="other"), a_message(inputs={}, inputImage=URL)):
        for task_type in ("removeBackground", "imageBackgroundRemoval"):
            assert decode(message | {"taskType": task_type})[0].image == URL


def test_settings_may_stand_at_either_place_and_the_nested_ones_win():
    task, _ = decode(
        a_message(
            settings={"alphaMatting": True, "rgba": None},
            alphaMatting=False,
            postProcessMask=True,
            rgba=[0, 0, 0, 1],
        )
    )
    assert task.settings == MaskSettings(
        alpha_matting=True, post_process_mask=True, rgba=(0, 0, 0, 1)
    )


def test_an_output_format_is_read_in_any_letter_case():
    for name in ("png", "Png", "PNG"):
        assert decode(a_message(outputFormat=name))[0].output_format == "PNG"


@pytest.mark.parametrize(
    ("alpha", "meant"), [(0, 0), (0.5, 0.5), (1, 1), (2, 2 / 255), (51, 0.2), (255, 1)]
)
def test_an_alpha_above_one_is_a_byte(alpha: float, meant: float):
    settings = decode(a_message(rgba=[1, 2, 3, alpha]))[0].settings
    assert settings == MaskSettings(rgba=(1, 2, 3, meant))


def test_null_is_a_parameter_that_was_not_sent():
    names = ["model", "outputType", "ttl", "settings", "rgba", "providerSettings", "inputImage"]
    assert decode(a_message(**dict.fromkeys(names)))[0] == a_task(model=None)


def test_what_is_unknown_is_kept_and_sent_on():
    message = a_message(
        model=COD.air,
        routing={"region": "eu"},
        safety=None,
        inputs={"image": URL, "mask": "m"},
        settings={"rgba": [0, 0, 0, 0], "feather": 3},
    )
    task, dialect = decode(message)

    assert task.extra["routing"] == {"region": "eu"}
    assert encode(task, dialect) == message


@pytest.mark.parametrize(
    ("message", "dialect"),
    [
        pytest.param(
            {
                "taskType": "imageBackgroundRemoval",
                "taskUUID": UUID,
                "inputImage": URL,
                "model": "runware:109@1",
                "returnOnlyMask": False,
                "alphaMatting": True,
                "postProcessMask": True,
                "alphaMattingErodeSize": 10,
                "alphaMattingForegroundThreshold": 240,
                "alphaMattingBackgroundThreshold": 10,
                "rgba": [255, 255, 255, 0],
                "outputType": ["URL", "base64Data"],
                "webhookURL": "https://example.com/hook",
                "providerSettings": {"bria": {"contentModeration": False, "preserveAlpha": True}},
                "safety": {"checkContent": True},
            },
            Dialect.LEGACY,
            id="python-0.5",
        ),
        pytest.param(
            {
                "model": "runware:112@5",
                "inputs": {"image": URL},
                "taskType": "removeBackground",
                "taskUUID": UUID,
                "deliveryMethod": "async",
                "foo": "bar",
            },
            Dialect.NEW,
            id="python-1.8-and-js",
        ),
    ],
)
def test_what_official_clients_send_is_read_and_written_back(
    message: dict[str, Any], dialect: Dialect
):
    task, told = decode(message)
    assert told is dialect
    assert encode(task, dialect) == message


def test_the_new_name_with_the_legacy_shape_is_read_too():
    message = {
        "taskType": "removeBackground",
        "taskUUID": UUID,
        "inputImage": URL,
        "outputFormat": "png",
        "rgba": [255, 255, 255, 0],
        "postProcessMask": True,
    }
    task, dialect = decode(message)

    assert dialect is Dialect.NEW
    assert task.model is None
    assert task.settings == MaskSettings(rgba=(255, 255, 255, 0), post_process_mask=True)


# What models take, and cost


@pytest.mark.parametrize("model", remote_models(), ids=lambda model: model.air)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_passes_exactly_where_the_model_takes_it(model: RemoteModel, name: str):
    value = {"rgba": (0, 0, 0, 0.0)}.get(name, 10 if name.endswith(("size", "threshold")) else True)
    task = a_task(model=model.air, **{name: value})

    if model.air == "runware:109@1":
        check_settings(task, model)
    elif model.video:
        with pytest.raises(OptionError, match="works on videos"):
            check_settings(task, model)
    else:
        with pytest.raises(OptionError, match=rf"takes no {name}.*runware:109@1"):
            check_settings(task, model)


def test_provider_settings_pass_exactly_where_the_model_has_that_provider():
    bria = find_remote("bria:2@1")
    check_settings(a_task(provider_settings={"bria": {"preserveAlpha": True}}), bria)
    check_settings(a_task(provider_settings={}), COD)
    cases: list[tuple[dict[str, Any], RemoteModel]] = [
        ({"bria": {}}, COD),
        ({"bria": {}, "other": {}}, bria),
    ]
    for settings, model in cases:
        with pytest.raises(OptionError, match="takes no provider settings"):
            check_settings(a_task(provider_settings=settings), model)


def test_a_model_that_is_not_listed_gets_what_it_is_given():
    task = a_task(rgba=(0, 0, 0, 0), provider_settings={"acme": {}})
    check_settings(task, find_remote("acme:1@1"))


def test_the_price_is_the_models_unless_the_service_is_to_do_the_matting():
    assert price(a_task(), COD) == Decimal("0.0006")
    assert price(a_task(), REMBG) is None
    assert price(a_task(alpha_matting=False), COD) == Decimal("0.0006")
    assert price(a_task(alpha_matting=True), COD) is None


def test_what_is_not_known_here_may_cost_anything():
    assert price(a_task(extra={"numberResults": 50}), COD) is None


def test_a_task_may_cost_as_much_as_allowed_and_no_more():
    check_cost(a_task(), COD, None)
    check_cost(a_task(), REMBG, None)
    check_cost(a_task(), COD, Decimal("0.0006"))
    with pytest.raises(CostRefused, match=r"its price is \$0\.0006, the limit \$0\.0005"):
        check_cost(a_task(), COD, Decimal("0.0005"))


def test_a_task_of_unknown_price_is_refused_under_any_limit():
    for task, model in ((a_task(), REMBG), (a_task(alpha_matting=True), COD)):
        with pytest.raises(CostRefused, match="price isn't known"):
            check_cost(task, model, Decimal(1000))


@pytest.mark.parametrize("limit", [Decimal("NaN"), Decimal(-1), 0.0006, "1"])
def test_a_limit_that_is_no_amount_of_money_is_refused(limit: Any):
    with pytest.raises(OptionError, match=r"^max_cost can't be used"):
        check_cost(a_task(), COD, limit)


# The small tasks


def test_the_small_tasks_are_those_of_the_wire():
    assert tasks.poll(UUID) == {"taskType": "getResponse", "taskUUID": UUID}
    assert tasks.upload(UUID, "data:,") == {
        "taskType": "mediaStorage",
        "taskUUID": UUID,
        "operation": "upload",
        "media": "data:,",
    }
    assert tasks.legacy_upload(UUID, "data:,") == {
        "taskType": "imageUpload",
        "taskUUID": UUID,
        "image": "data:,",
    }
    assert tasks.ping() == {"taskType": "ping", "ping": True}
    opening = {"taskType": "authentication", "apiKey": "k"}
    assert tasks.authentication("k") == opening
    assert tasks.authentication("k", UUID) == opening | {"connectionSessionUUID": UUID}


# Any task, any message

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
OTHERS = st.dictionaries(st.text().map("x".__add__), JSON, max_size=2)
BYTES = st.integers(0, 255)
ADDRESSES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1).map(
    "https://{}/x?y=z".format
)
OUTPUT_TYPES = st.sampled_from(["URL", "base64Data", "dataURI"])


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


MASK_SETTINGS = st.builds(
    MaskSettings,
    rgba=maybe(st.tuples(BYTES, BYTES, BYTES, st.floats(0, 1) | st.integers(0, 1))),
    **{
        name: maybe(st.booleans())
        for name in SETTINGS
        if name in {"post_process_mask", "return_only_mask", "alpha_matting"}
    },
    **{
        name: maybe(st.integers(1, 255))
        for name in SETTINGS
        if name.endswith(("size", "threshold"))
    },
)


@st.composite
def any_task(draw: st.DrawFn, dialect: Dialect) -> RemovalTask:
    """Any valid task that the dialect has words for."""
    parameters = {
        "model": draw(st.text(min_size=1).filter(str.strip)),
        "output_type": draw(maybe(OUTPUT_TYPES | st.lists(OUTPUT_TYPES, min_size=1))),
        "output_format": draw(maybe(st.sampled_from(["JPG", "PNG", "WEBP"]))),
        "output_quality": draw(maybe(st.integers(20, 99))),
        "webhook_url": draw(maybe(ADDRESSES)),
        "include_cost": draw(maybe(st.booleans())),
        "settings": draw(maybe(MASK_SETTINGS)),
        "provider_settings": draw(maybe(OTHERS)),
        "extra": draw(OTHERS)
        | {name: rest for name in ("inputs", "settings") if (rest := draw(OTHERS))},
    }
    if dialect is Dialect.NEW:
        parameters["delivery_method"] = draw(maybe(st.sampled_from(["sync", "async"])))
        parameters["upload_endpoint"] = draw(maybe(ADDRESSES))
        if "URL" in (parameters["output_type"] or "URL"):
            parameters["ttl"] = draw(maybe(st.integers(min_value=60)))
    uuid, image = str(draw(st.uuids())), draw(st.text(min_size=1).filter(str.strip))
    return RemovalTask(task_uuid=uuid, image=image, **parameters)


@pytest.mark.parametrize("dialect", Dialect)
@given(data=st.data())
def test_every_task_survives_the_wire_in_either_dialect(dialect: Dialect, data: st.DataObject):
    task = data.draw(any_task(dialect))

    assert decode(json.loads(json.dumps(encode(task, dialect)))) == (task, dialect)


EVERY_NAME = [
    "taskType",
    "taskUUID",
    "model",
    "inputs",
    "inputImage",
    "outputType",
    "outputFormat",
    "outputQuality",
    "webhookURL",
    "deliveryMethod",
    "uploadEndpoint",
    "ttl",
    "includeCost",
    "settings",
    "providerSettings",
    "rgba",
    "postProcessMask",
    "returnOnlyMask",
    "alphaMatting",
    "alphaMattingForegroundThreshold",
    "alphaMattingBackgroundThreshold",
    "alphaMattingErodeSize",
]


@given(st.dictionaries(st.sampled_from(EVERY_NAME), JSON, max_size=4))
def test_any_message_is_a_task_or_refused(fields: dict[str, Any]):
    try:
        task, dialect = decode(a_message(model=MODEL) | fields)
    except OptionError:
        return
    task = replace(task, model=task.model or MODEL)
    assert decode(encode(task, dialect)) == (task, dialect)
