from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import errors
from cutaway.errors import OptionError, ServiceDetails, ServiceError
from cutaway.runware.retries import (
    Hints,
    Pace,
    may_retry,
    poll_delay,
    read_hints,
    retry_after,
    retry_delay,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DRAWS = st.floats(0, 1, exclude_max=True)
ATTEMPTS = st.integers(0, 10**6)
SECONDS = st.floats(0.001, 1e6)
PACES = st.builds(
    Pace,
    first_retry=SECONDS,
    longest_retry=SECONDS,
    longest_hint=SECONDS,
    first_poll=SECONDS,
    longest_poll=SECONDS,
    poll_growth=st.floats(1, 1e6),
)


def with_status(status: int, kind: type[ServiceError] = ServiceError) -> ServiceError:
    return kind("it failed", details=ServiceDetails(status=status))


@given(PACES, ATTEMPTS, DRAWS)
def test_a_retry_waits_at_most_the_cap_and_never_less_than_nothing(
    pace: Pace, attempt: int, draw: float
):
    assert 0 <= retry_delay(pace, attempt, draw=lambda: draw) <= pace.longest_retry


@given(PACES, ATTEMPTS, DRAWS)
def test_a_later_retry_with_the_same_luck_waits_no_shorter(pace: Pace, attempt: int, draw: float):
    earlier = retry_delay(pace, attempt, draw=lambda: draw)
    assert earlier <= retry_delay(pace, attempt + 1, draw=lambda: draw)


def test_the_longest_possible_retries_double_up_to_the_cap():
    waits = [retry_delay(Pace(), attempt, draw=lambda: 1.0) for attempt in range(7)]
    assert waits == [0.5, 1, 2, 4, 8, 8, 8]


def test_the_jitter_is_full():
    assert retry_delay(Pace(), 3, draw=lambda: 0.0) == 0
    assert retry_delay(Pace(), 3, draw=lambda: 0.25) == 1


@given(PACES, ATTEMPTS, st.floats(0, 1e9, exclude_min=True))
def test_what_the_service_asks_for_is_granted_up_to_its_own_cap(
    pace: Pace, attempt: int, asked: float
):
    wait = retry_delay(pace, attempt, retry_after=asked, draw=lambda: 1.0)
    assert wait == min(asked, pace.longest_hint)


def test_a_service_that_asks_for_no_pause_is_not_hammered():
    assert retry_delay(Pace(), 2, retry_after=0.0, draw=lambda: 1.0) == 2


@given(PACES, ATTEMPTS)
def test_polls_grow_apart_up_to_the_cap(pace: Pace, attempt: int):
    earlier, later = poll_delay(pace, attempt), poll_delay(pace, attempt + 1)
    assert 0 < earlier <= later <= pace.longest_poll


def test_polls_begin_at_a_second_and_grow_by_half():
    waits = [poll_delay(Pace(), attempt) for attempt in range(8)]
    assert waits == [1, 1.5, 2.25, 3.375, 5.0625, 7.59375, 10, 10]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("86400", 86400),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
        ("Friday, 20-Nov-26 12:00:30 GMT", 30),
        ("Fri Nov 20 12:00:30 2026", 30),
        ("Fri, 20 Nov 2026 14:00:30 +0200", 30),
        ("Fri, 20 Nov 2026 12:00:00 GMT", 0),
    ],
)
def test_seconds_and_every_form_of_http_date_are_understood(value: str, seconds: float):
    assert retry_after(value, NOON) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-1",
        "+1",
        "1e3",
        "0x10",
        "NaN",
        "inf",
        "1_000",
        "٣",  # a digit, but not HTTP's
        "9" * 5000,
        "Fri, 20 Nov 2026 11:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 20 Nov 99999 12:00:00 GMT",
        "Fri, 99 Nov 2026 12:00:00 GMT",
        "Fri, 20 Nov 2026 12:00:00 +99999999999",
        "Fri, 20 Nov 99999999999999999999 12:00:00 GMT",
    ],
)
def test_what_is_past_or_unreadable_asks_for_nothing(value: str):
    assert retry_after(value, NOON) is None


PIECES = st.sampled_from(
    ["Fri", "Friday", ",", " ", "20", "Nov", "2026", "-", ":", "12:00:30", "GMT", "+0200", "99999"]
)


@given(st.text() | st.lists(PIECES).map("".join) | st.lists(PIECES).map(" ".join))
def test_reading_a_header_never_fails_and_never_gives_less_than_nothing(value: str):
    seconds = retry_after(value, NOON)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(0, 10**8))
def test_a_date_asks_for_the_time_until_then(seconds: int):
    date = format_datetime(NOON + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(date, NOON) == seconds


@given(st.floats(0, 1e12, allow_subnormal=False))
def test_plain_seconds_are_read_as_they_are(seconds: float):
    assert retry_after(f"{seconds:.6f}", NOON) == float(f"{seconds:.6f}")


@pytest.mark.parametrize(
    ("headers", "hints"),
    [
        ({}, Hints(None, None)),
        ({"retry-after": "3"}, Hints(3, None)),
        ({"retry-after": "3", "retry-after-ms": "1250"}, Hints(1.25, None)),
        ({"retry-after": "3", "retry-after-ms": "soon"}, Hints(3, None)),
        ({"x-should-retry": "true"}, Hints(None, should_retry=True)),
        ({"x-should-retry": "False"}, Hints(None, should_retry=False)),
        ({"x-should-retry": "perhaps"}, Hints(None, None)),
    ],
)
def test_the_finer_header_goes_before_the_common_one(headers: dict[str, str], hints: Hints):
    assert read_hints(headers, NOON) == hints


@pytest.mark.parametrize(
    "error",
    [
        errors.ConnectionFailed("no line"),
        errors.ConnectionLost("it broke"),
        errors.TimedOut("nothing came"),
        errors.ProtocolError("cut off"),
        errors.RateLimited("too much"),
        errors.ServerFault("it fell over"),
        with_status(408),
        with_status(429),
        with_status(500),
        with_status(503),
    ],
    ids=repr,
)
def test_what_passes_is_tried_again_unless_the_service_says_no(error: errors.CutawayError):
    assert may_retry(error)
    assert may_retry(error, should_retry=True)
    assert not may_retry(error, should_retry=False)


@pytest.mark.parametrize("status", [None, 401, 503])
@pytest.mark.parametrize(
    "kind",
    [
        errors.AuthError,
        errors.QuotaError,
        errors.InvalidRequest,
        errors.NotFound,
        errors.ContentRefused,
    ],
)
def test_what_the_caller_must_change_is_never_tried_again(
    kind: type[ServiceError], status: int | None
):
    error = kind("no", details=ServiceDetails(status=status))
    assert not may_retry(error)
    assert not may_retry(error, should_retry=True)


@pytest.mark.parametrize(
    "error", [errors.OptionError("no"), errors.Cancelled("stop"), errors.DownloadRefused("no")]
)
def test_what_is_no_business_of_the_service_is_never_tried_again(error: errors.CutawayError):
    assert not may_retry(error, should_retry=True)


@pytest.mark.parametrize("status", [None, 200, 400, 409, 418])
def test_an_error_without_a_class_is_tried_again_only_if_the_service_says_so(status: int | None):
    error = ServiceError("hm", details=ServiceDetails(status=status))
    assert not may_retry(error)
    assert may_retry(error, should_retry=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("first_poll", float("nan")),
        ("poll_growth", 0.5),
        ("sends", 0),
        ("unreadable", 0),
    ],
)
def test_a_pace_that_leads_nowhere_is_refused(name: str, value: float):
    with pytest.raises(OptionError, match=name):
        Pace(**{name: value})  # type: ignore[arg-type]
