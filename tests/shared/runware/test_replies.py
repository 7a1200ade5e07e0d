from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import ProtocolError
from cutaway.runware.failures import error_for
from cutaway.runware.replies import Complaint, Reply, Result, excerpt, parse

ONE = "d27ab86a-a180-4276-9f35-b9d9dbbbd00e"
TWO = "bcad53d5-424c-4c86-ab99-055e2d05cd9e"
PICTURE = "iVBORw0KGgo" * 1000


def answer(**parts: Any) -> Reply:
    return parse(json.dumps(parts))


def result(**fields: Any) -> Result:
    (one,) = answer(data=[fields]).results
    return one


# Envelopes


def test_results_and_complaints_may_come_together():
    reply = answer(data=[{"taskUUID": ONE}], errors=[{"code": "timeout", "taskUUID": TWO}])

    assert [one.task_uuid for one in reply.results] == [ONE]
    assert [(one.code, one.task_uuid) for one in reply.complaints] == [("timeout", TWO)]


@pytest.mark.parametrize("nothing", [None, [], {}, "", False])
@pytest.mark.parametrize("name", ["errors", "error"])
def test_an_empty_error_is_none(name: str, nothing: object):
    reply = answer(data=[{"taskUUID": ONE}], **{name: nothing})
    assert len(reply.results) == 1
    assert not reply.complaints


def test_data_may_be_one_object_an_array_or_nothing():
    assert answer(data={"imageUUID": ONE}).results == answer(data=[{"imageUUID": ONE}]).results
    assert answer(data=[]) == answer(data=None) == answer(errors=[]) == Reply()


@pytest.mark.parametrize(
    "body",
    [
        {"errors": [{"code": "invalidModel", "message": "No such model", "taskUUID": ONE}]},
        {"errors": {"code": "invalidModel", "message": "No such model", "taskUUID": ONE}},
        {"error": {"code": "invalidModel", "message": "No such model", "taskUUID": ONE}},
        {"error": {"code": "invalidModel", "message": "No such model"}, "taskUUID": ONE},
        {"error": [{"code": "invalidModel", "message": "No such model", "taskUUID": ONE}]},
        {
            "data": [
                {"taskUUID": ONE, "error": {"code": "invalidModel", "message": "No such model"}}
            ]
        },
        {
            "data": [
                {
                    "taskUUID": ONE,
                    "status": "error",
                    "error": {"code": "invalidModel", "message": "No such model"},
                }
            ]
        },
        {
            "data": {
                "taskUUID": ONE,
                "status": "error",
                "code": "invalidModel",
                "message": "No such model",
            }
        },
    ],
)
def test_a_complaint_is_heard_wherever_it_stands(body: dict[str, Any]):
    reply = parse(json.dumps(body))

    assert not reply.results
    (complaint,) = reply.complaints
    assert complaint.code == "invalidModel"
    assert complaint.message == "No such model"
    assert complaint.task_uuid == ONE


def test_a_complaint_told_as_error_and_as_errors_is_one():
    said = {"code": "invalidApiKey", "message": "Invalid API key"}
    assert len(answer(errors=[said], error=said).complaints) == 1
    assert len(answer(errors=[said], error={"code": "timeout"}).complaints) == 2


def test_a_complaint_in_plain_words_is_heard():
    assert answer(error="Unauthorized").complaints[0].message == "Unauthorized"


def test_a_complaint_keeps_all_it_says():
    said = {
        "code": "invalidWidth",
        "message": "Bad width",
        "parameter": ["width", "height"],
        "type": "integer",
        "taskType": "removeBackground",
        "taskUUID": ONE,
        "documentation": "https://runware.ai/docs",
        "allowedValues": [128, "auto", 2.5],
        "status": 400,
        "min": 128,
    }
    assert answer(errors=[said]).complaints == (
        Complaint(
            code="invalidWidth",
            message="Bad width",
            parameter="width, height",
            type="integer",
            task_uuid=ONE,
            task_type="removeBackground",
            documentation="https://runware.ai/docs",
            allowed_values=("128", "auto", "2.5"),
            status=400,
            fields=said,
        ),
    )


def test_a_paid_picture_is_not_lost_to_an_error_beside_it():
    reply = answer(data=[{"taskUUID": ONE, "imageURL": "https://a/b", "error": {"code": "x"}}])
    assert reply.results[0].image_url == "https://a/b"
    assert reply.complaints[0].code == "x"


def test_what_belongs_to_a_task_is_told_by_its_uuid_alone():
    reply = Reply(
        results=(Result({"taskUUID": ONE}), Result({"taskUUID": TWO}), Result({})),
        complaints=(
            Complaint(code="a", task_uuid=ONE.upper()),
            Complaint(code="b", task_uuid=TWO),
            Complaint(code="c"),
        ),
        status=200,
        retry_after=2.0,
        should_retry=True,
    )

    ours = reply.of(ONE)

    assert ours.results == (reply.results[0],)
    assert [one.code for one in ours.complaints] == ["a", "c"]
    assert (ours.status, ours.retry_after, ours.should_retry) == (200, 2.0, True)
    assert reply.of(TWO.upper()).results == (reply.results[1],)


# What can't be understood


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param("", "empty", id="nothing"),
        pytest.param(b" \n", "empty", id="white-space"),
        pytest.param("<!doctype html><title>Hi</title>", "web page", id="html"),
        pytest.param('{"data": [{"taskUUID": "d27', "cut off", id="truncated"),
        pytest.param('{"data": []} {"data": []}', "no JSON", id="two"),
        pytest.param(b'{"data": ["\xff"]}', "no JSON", id="no-utf-8"),
        pytest.param("[" * 200_000, "nested too deeply", id="deep-arrays"),
        pytest.param('{"data":' * 200_000, "nested too deeply", id="deep-objects"),
        pytest.param('{"data": [], "n": ' + "9" * 5000 + "}", "no JSON", id="huge-number"),
        pytest.param("[]", "no object", id="array"),
        pytest.param('[{"data": []}]', "no object", id="envelope-in-array"),
        pytest.param("null", "no object", id="null"),
        pytest.param('"data"', "no object", id="text"),
        pytest.param("{}", "neither data nor errors", id="empty-object"),
        pytest.param('{"taskUUID": "1"}', "neither data nor errors", id="no-envelope"),
        pytest.param('{"data": "picture"}', "data are no objects", id="data-text"),
        pytest.param('{"data": [null]}', "data are no objects", id="data-null"),
        pytest.param('{"data": [[{}]]}', "data are no objects", id="data-nested"),
    ],
)
def test_what_is_no_answer_is_refused_with_the_reason(body: str | bytes, why: str):
    with pytest.raises(ProtocolError, match=why) as refusal:
        parse(body, status=200, content_type="text/html; charset=utf-8")
    assert "(status 200, text/html; charset=utf-8)" in refusal.value.why
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "", "image/png", None])
def test_json_is_understood_whatever_it_is_said_to_be(content_type: str | None):
    reply = parse(b'{"data": [{"taskUUID": "1"}]}', status=200, content_type=content_type)
    assert reply.results[0].task_uuid == "1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_bytes_are_read_in_every_encoding_of_json(encoding: str):
    assert parse('{"data": {"taskUUID": "é"}}'.encode(encoding)).results[0].task_uuid == "é"


def test_an_excerpt_of_a_bad_answer_can_be_shown_anywhere():
    with pytest.raises(ProtocolError) as refusal:
        parse("\x1b[31mred\r\n\u202egnp\ud800" + PICTURE)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 500


def test_numbers_that_json_does_not_have_cost_no_result():
    reply = parse('{"data": [{"taskUUID": "1", "cost": NaN, "imageURL": "https://a/b"}]}')
    assert reply.results[0].fields["cost"] is None
    assert reply.results[0].has_output


# HTTP errors


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 599])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b"upstream\ntimed out", "upstream timed out"),
        (b"<html><head><TITLE>502 Bad Gateway</TITLE>", "502 Bad Gateway"),
        (b'{"data": []}', '{"data": []}'),
        (b'{"errors": []}', '{"errors": []}'),
        (b'{"message": "Slow down"}', "Slow down"),
        (b"[]", "[]"),
    ],
)
def test_a_failed_request_is_a_complaint_whatever_its_body(status: int, body: bytes, words: str):
    (complaint,) = parse(body, status=status).complaints
    assert complaint.message == words


def test_the_services_own_complaint_counts_for_more_than_the_status():
    reply = parse(b'{"errors": [{"code": "conflictTaskUUID"}]}', status=400)
    assert [one.code for one in reply.complaints] == ["conflictTaskUUID"]
    assert reply.status == 400


# Results


@pytest.mark.parametrize(
    "fields",
    [
        {"imageURL": "https://im.runware.ai/a.png"},
        {"mediaURL": "https://im.runware.ai/a.png"},
        {"imageBase64Data": PICTURE},
        {"imageDataURI": "data:image/png;base64,iVBORw0KGgo"},
        {"imageUUID": ONE, "status": "success"},
    ],
)
def test_a_picture_or_success_is_an_output(fields: dict[str, str]):
    assert result(**fields).has_output


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"taskUUID": ONE, "taskType": "removeBackground"},
        {"imageUUID": ONE},
        {"imageUUID": ONE, "status": "processing", "progress": 50},
        {"imageURL": None, "imageUUID": ONE},
        {"imageURL": ""},
        {"inputImageURL": "https://a/b", "webhookURL": "https://a/b", "documentationURL": "c"},
    ],
)
def test_an_acknowledgement_is_no_output(fields: dict[str, object]):
    assert not result(**fields).has_output


def test_a_picture_is_found_under_each_of_its_names():
    assert result(mediaUUID=ONE).image_uuid == ONE
    assert result(mediaURL="https://a/b").image_url == "https://a/b"
    for name in ("imageBase64Data", "mediaBase64Data"):
        assert result(**{name: PICTURE}).image_base64 == PICTURE
    for name in ("imageDataURI", "mediaDataURI"):
        assert result(**{name: "data:,x"}).image_data_uri == "data:,x"


def test_a_picture_in_the_place_of_its_url_is_taken_for_what_it_is():
    base64 = result(imageURL=PICTURE)
    assert (base64.image_url, base64.image_base64, base64.image_data_uri) == (None, PICTURE, None)
    uri = result(imageURL=f"data:image/png;base64,{PICTURE}")
    assert (uri.image_url, uri.image_base64) == (None, None)
    assert uri.image_data_uri == f"data:image/png;base64,{PICTURE}"
    address = f"https://im.runware.ai/{PICTURE}.png"
    url = result(imageURL=address)
    assert (url.image_url, url.image_base64, url.image_data_uri) == (address, None, None)


@given(st.decimals(0, 10**6, allow_nan=False, places=9).filter(lambda one: one < 10**6))
def test_a_cost_is_the_very_number_of_the_answer(cost: Decimal):
    body = f'{{"data": [{{"cost": {cost:f}}}]}}'
    assert parse(body).results[0].cost == cost


@pytest.mark.parametrize("cost", ["null", "true", '"free"', "{}", "[1]", "1e999", "NaN"])
def test_what_is_no_amount_is_no_cost(cost: str):
    assert parse(f'{{"data": [{{"cost": {cost}}}]}}').results[0].cost is None


def test_whole_dollars_are_a_cost():
    assert result(cost=2).cost == Decimal(2)


def test_fields_of_the_wrong_type_are_as_good_as_missing():
    one = result(taskUUID=7, imageURL=["a"], imageUUID=None, status={}, taskType=1)
    assert one.fields["taskUUID"] == 7
    assert one.task_uuid is one.image_url is one.image_uuid is one.status is one.task_type is None


def test_no_repr_shows_a_picture():
    pictures = {"imageBase64Data": PICTURE, "nested": [{"also": PICTURE}], PICTURE: PICTURE}
    many = {f"field{number}": PICTURE for number in range(1000)}
    shown = [
        repr(answer(data=[pictures, many], errors=[{"message": PICTURE, "other": PICTURE}])),
        repr(Result({"imageURL": "https://a/b", "cost": 0.0006, **pictures})),
    ]
    assert all(len(one) < 5000 and PICTURE[:200] not in one for one in shown)
    assert "imageURL='https://a/b', cost=0.0006" in shown[1]
    assert "imageBase64Data=<11000 characters>" in shown[1]


# Whatever comes


def parsed(body: bytes | str, **said: Any) -> Reply | ProtocolError:
    try:
        return parse(body, **said)
    except ProtocolError as refusal:
        return refusal


@given(st.binary() | st.text(), st.none() | st.integers(100, 599), st.none() | st.text())
def test_any_bytes_are_an_answer_or_refused(
    body: bytes | str, status: int | None, content_type: str | None
):
    outcome = parsed(body, status=status, content_type=content_type)
    if isinstance(outcome, ProtocolError):
        assert str(outcome).isprintable()
    else:
        assert outcome.complaints


KEYS = st.sampled_from(
    [
        "data",
        "errors",
        "error",
        "code",
        "message",
        "parameter",
        "allowedValues",
        "status",
        "taskUUID",
        "taskType",
        "cost",
        "imageURL",
        "imageUUID",
        "imageBase64Data",
        "documentation",
        "type",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, JSON) | JSON)
def test_any_json_is_an_answer_or_refused(body: object):
    outcome = parsed(json.dumps(body))
    if isinstance(outcome, ProtocolError):
        assert str(outcome).isprintable()
        return
    assert len(repr(outcome.of(ONE))) < 20_000
    for one in outcome.results:
        told = one.cost, one.image_url, one.image_base64, one.image_data_uri, one.image_uuid
        assert one.has_output or told[1:4] == (None, None, None)
    for complaint in outcome.complaints:
        error = error_for(complaint)
        assert str(error).isprintable()
        assert len(str(error)) < 2000


@given(st.text(st.characters()), st.integers(10, 300))
def test_an_excerpt_is_one_printable_line_and_never_too_long(text: str, limit: int):
    short = excerpt(text, limit)
    assert short.isprintable()
    assert len(short) <= limit
    assert excerpt(short, limit) == short


def test_an_excerpt_tells_that_there_is_more():
    assert excerpt("one two", 7) == "one two"
    assert excerpt("one two three", 9) == "one two…"
    assert excerpt(b"one" + b" " * 1000 + b"two", 9) == "one…"
