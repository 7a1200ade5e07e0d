from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import AuthError, ProtocolError, ServerFault
from cutaway.runware.session import (
    Authenticated,
    Broken,
    Event,
    Pong,
    Pulse,
    Refused,
    Routed,
    Session,
    Unrouted,
    is_recoverable,
)

KEY = "k-3f9a"
FIRST = "a770f077-f413-47de-9dac-be0b26a35da6"
SECOND = "b770f077-f413-47de-9dac-be0b26a35da6"
THIRD = "c770f077-f413-47de-9dac-be0b26a35da6"
WELCOME = {"data": [{"taskType": "authentication", "connectionSessionUUID": "s-1"}]}
WRONG_KEY = {
    "errors": [{"code": "invalidApiKey", "message": "Invalid API key.", "parameter": "apiKey"}]
}


def frame(*data: dict[str, Any], errors: list[dict[str, Any]] | None = None) -> str:
    return json.dumps({"data": list(data)} | ({"errors": errors} if errors else {}))


def done(task_uuid: str) -> dict[str, Any]:
    return {"taskType": "removeBackground", "taskUUID": task_uuid, "imageURL": "https://x.y/1.png"}


def accepted(task_uuid: str) -> dict[str, Any]:
    return {"taskType": "removeBackground", "taskUUID": task_uuid}


def opened(*waiting: str, polling: tuple[str, ...] = ()) -> Session:
    """A session in which these tasks wait for an answer."""
    session = Session(KEY)
    reopen(session)
    for uuid in (*waiting, *polling):
        session.follow(uuid)
        session.expect(uuid, polling=uuid in polling)
    return session


def reopen(session: Session) -> None:
    session.opening()
    session.feed(json.dumps(WELCOME))


def told(events: tuple[Event, ...]) -> list[str]:
    """Which tasks got something."""
    return [event.task_uuid for event in events if isinstance(event, Routed)]


def test_a_session_begins_with_the_key():
    session = Session(KEY)
    assert session.opening() == {"taskType": "authentication", "apiKey": KEY}
    assert not session.is_open
    assert session.feed(json.dumps(WELCOME)) == (Authenticated(),)
    assert session.is_open


def test_a_session_is_taken_up_again_on_the_next_connection():
    session = opened()
    session.lost()
    assert not session.is_open
    assert session.opening(away=119) == {
        "taskType": "authentication",
        "apiKey": KEY,
        "connectionSessionUUID": "s-1",
    }


def test_a_session_that_the_service_has_forgotten_by_now_is_not_taken_up():
    session = opened()
    session.lost()
    assert session.opening(away=121) == {"taskType": "authentication", "apiKey": KEY}


def test_a_service_that_demands_no_key_is_spoken_to_at_once():
    session = Session(None)
    assert session.opening() is None
    assert session.is_open


def test_a_wrong_key_is_refused_for_good():
    session = Session(KEY)
    session.opening()
    (refused,) = session.feed(json.dumps(WRONG_KEY))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error(), AuthError)
    assert refused.error() is not refused.error()
    assert not refused.dial_again


def test_a_key_that_is_refused_in_both_ways_at_once_is_refused_once():
    session = Session(KEY)
    session.opening()
    both = WRONG_KEY | {"error": WRONG_KEY["errors"][0]}
    assert len(session.feed(json.dumps(both))) == 1


def test_a_service_too_busy_to_authenticate_is_told_as_that():
    session = Session(KEY)
    session.opening()
    (refused,) = session.feed(frame(errors=[{"code": "serviceUnavailable", "message": "!"}]))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error(), ServerFault)


def test_an_old_session_that_is_refused_is_followed_by_a_new_one():
    session = opened()
    session.lost()
    session.opening()
    (refused,) = session.feed(json.dumps(WRONG_KEY))
    assert isinstance(refused, Refused)
    assert refused.dial_again
    assert session.opening() == {"taskType": "authentication", "apiKey": KEY}
    (refused,) = session.feed(json.dumps(WRONG_KEY))
    assert isinstance(refused, Refused)
    assert not refused.dial_again


def test_a_key_that_is_revoked_during_a_session_is_refused_whatever_waits():
    session = opened(FIRST)
    session.lost()
    reopen(session)
    session.expect(FIRST)
    (refused,) = session.feed(json.dumps(WRONG_KEY))
    assert isinstance(refused, Refused)
    assert not refused.dial_again
    assert not session.is_open


def test_a_pong_is_told():
    assert opened().feed(frame({"taskType": "ping", "pong": True})) == (Pong(),)


def test_answers_find_their_tasks_in_any_order():
    session = opened(FIRST, SECOND)
    assert told(session.feed(frame(done(SECOND)))) == [SECOND]
    assert told(session.feed(frame(accepted(FIRST)))) == [FIRST]


def test_answers_find_their_tasks_whatever_the_service_calls_them():
    session = opened(FIRST)
    assert told(session.feed(frame({**done(FIRST), "taskType": "authentication"}))) == [FIRST]


def test_a_uuid_in_other_letters_is_the_same_and_told_as_it_was_given():
    session = opened(FIRST.upper())
    assert told(session.feed(frame(done(FIRST)))) == [FIRST.upper()]


def test_a_frame_with_one_tasks_result_and_anothers_error_is_taken_apart():
    session = opened(FIRST, SECOND)
    complaint = {"code": "invalidModel", "taskUUID": SECOND}
    first, second = session.feed(frame(done(FIRST), errors=[complaint]))
    assert isinstance(first, Routed)
    assert isinstance(second, Routed)
    assert (first.task_uuid, len(first.reply.results), first.reply.complaints) == (FIRST, 1, ())
    assert (second.task_uuid, second.reply.results) == (SECOND, ())
    assert [one.code for one in second.reply.complaints] == ["invalidModel"]


def test_bytes_are_read_like_text():
    assert told(opened(FIRST).feed(frame(done(FIRST)).encode())) == [FIRST]


def test_what_is_for_no_task_of_ours_is_dropped():
    session = opened(FIRST)
    assert session.feed(frame(done(THIRD), errors=[{"code": "x", "taskUUID": THIRD}])) == ()
    session.forget(FIRST)
    assert session.feed(frame(done(FIRST))) == ()


def test_an_answer_that_comes_twice_counts_once():
    session = opened(FIRST)
    assert told(session.feed(frame(accepted(FIRST)))) == [FIRST]
    assert session.feed(frame(accepted(FIRST))) == ()


@pytest.mark.parametrize("code", ["rateLimitExceeded", "taskNotFound"])
def test_a_complaint_that_no_one_waits_for_any_more_is_dropped(code: str):
    session = opened(FIRST)
    session.settle(FIRST)
    assert session.feed(frame(errors=[{"code": code, "taskUUID": FIRST}])) == ()


def test_a_result_finds_its_task_even_between_two_of_its_messages():
    session = opened(FIRST)
    session.settle(FIRST)
    assert told(session.feed(frame(done(FIRST)))) == [FIRST]


def test_a_result_that_is_replayed_after_a_reconnect_finds_its_task():
    session = opened(FIRST, SECOND)
    session.settle(SECOND)
    assert session.lost() == (FIRST,)
    reopen(session)
    assert told(session.feed(frame(done(FIRST)))) == [FIRST]
    assert told(session.feed(frame(done(SECOND)))) == [SECOND]


NAMELESS = frame(errors=[{"code": "invalidParameter", "message": "Which one?"}])


def test_a_complaint_without_a_name_is_for_the_only_task_that_waits():
    session = opened(FIRST, SECOND)
    session.settle(SECOND)
    (event,) = session.feed(NAMELESS)
    assert isinstance(event, Routed)
    assert event.task_uuid == FIRST
    assert event.reply.complaints[0].code == "invalidParameter"


def test_a_complaint_without_a_name_leaves_all_that_wait_in_doubt():
    session = opened(FIRST, SECOND, THIRD)
    session.settle(THIRD)
    (event,) = session.feed(NAMELESS)
    assert isinstance(event, Unrouted)
    assert event.task_uuids == (FIRST, SECOND)
    error = event.error()
    assert isinstance(error, ProtocolError)
    assert "Which one?" in str(error.__cause__)
    assert error is not event.error()


def test_a_complaint_without_a_name_while_no_one_waits_is_dropped():
    assert opened().feed(NAMELESS) == ()


def test_a_complaint_without_a_name_is_not_for_a_task_that_was_let_go_or_lost_its_line():
    session = opened(FIRST)
    session.forget(FIRST)
    assert session.feed(NAMELESS) == ()
    session = opened(FIRST)
    session.lost()
    reopen(session)
    assert session.feed(NAMELESS) == ()


def test_a_complaint_without_a_name_does_not_keep_a_result_back():
    session = opened(FIRST, SECOND)
    routed, unrouted = session.feed(
        frame(done(FIRST), errors=[{"code": "invalidParameter", "message": "Which one?"}])
    )
    assert isinstance(routed, Routed)
    assert routed.reply.complaints == ()
    assert isinstance(unrouted, Routed)
    assert unrouted.task_uuid == SECOND


def test_an_empty_answer_is_that_to_the_only_poll():
    session = opened(FIRST, polling=(SECOND,))
    (event,) = session.feed(frame())
    assert isinstance(event, Routed)
    assert event.task_uuid == SECOND
    assert event.reply.results == ()


def test_an_empty_answer_to_the_only_message_is_its_answer():
    assert told(opened(FIRST).feed(frame())) == [FIRST]


def test_an_empty_answer_leaves_several_polls_in_doubt_and_no_one_else():
    session = opened(FIRST, polling=(SECOND, THIRD))
    (event,) = session.feed(frame())
    assert isinstance(event, Unrouted)
    assert event.task_uuids == (SECOND, THIRD)
    assert event.error().__cause__ is None


def test_an_empty_answer_while_several_tasks_are_being_sent_is_dropped():
    assert opened(FIRST, SECOND).feed(frame()) == ()


@pytest.mark.parametrize(
    "garbage",
    ["", "<html>", '{"data": [', "[]", "null", '{"hello": 1}', '{"data": 1}', b"\xff\xfe\x00"],
    ids=repr,
)
def test_a_frame_that_makes_no_sense_breaks_the_connection(garbage: str | bytes):
    (event,) = opened(FIRST).feed(garbage)
    assert isinstance(event, Broken)
    error = event.error()
    assert type(error) is ProtocolError
    assert str(error) == str(event.cause)
    assert error is not event.cause
    assert error.__cause__ is event.cause


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([FIRST]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "errors", "error", "taskUUID", "code", "pong", "imageURL"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
ENVELOPES = st.fixed_dictionaries({"data": JSON}, optional={"errors": JSON, "error": JSON})


@given(
    given_frame=st.text() | st.binary() | JSON.map(json.dumps) | ENVELOPES.map(json.dumps),
    is_open=st.booleans(),
)
def test_no_frame_is_more_than_the_session_can_take(given_frame: str | bytes, *, is_open: bool):
    session = opened(FIRST, SECOND) if is_open else Session(KEY)
    for event in session.feed(given_frame):
        assert isinstance(event, Event)
        assert not isinstance(event, Routed) or event.task_uuid in {FIRST, SECOND}


def test_the_key_is_in_no_representation():
    session = opened(FIRST)
    assert repr(session) == "<Session open, 1 of 1 tasks waiting>"
    seen = [repr(event) for event in session.feed(json.dumps(WRONG_KEY))]
    assert KEY not in repr(session) + "".join(seen)


def test_a_ping_is_due_after_half_a_minute_of_silence_and_again_and_then_the_line_is_dead():
    pulse = Pulse(heard=1000.0)
    done_at = []
    now = 1000.0
    while pulse.due(now) != "close":
        if pulse.due(now) == "ping":
            done_at.append(now)
            pulse.pinged = now
        now += pulse.wait(now)
    assert done_at == [1030, 1060, 1090]
    assert now == 1100


def test_nothing_is_due_while_frames_come():
    pulse = Pulse(heard=0.0)
    for now in range(0, 300, 29):
        assert pulse.due(now) is None
        assert 0 < pulse.wait(now) <= 30
        pulse.heard = now


def test_a_frame_puts_the_next_ping_off():
    pulse = Pulse(heard=0.0, pinged=30.0)
    pulse.heard = 45.0
    assert pulse.wait(45.0) == 30
    assert pulse.due(74.0) is None
    assert pulse.due(75.0) == "ping"


@pytest.mark.parametrize("code", [None, 1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014])
def test_a_connection_that_broke_or_ended_is_made_again(code: int | None):
    assert is_recoverable(code)


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010, 1015, 3000, 4001, 4999])
def test_a_connection_that_the_service_objected_to_is_not_made_again(code: int):
    assert not is_recoverable(code)
