"""How patient the client is: when it tries again, and how long it waits before.

Nothing here sleeps, asks a clock or throws dice: the time and the draw are given, so every
decision can be tried with any history.

Waits follow "Exponential Backoff And Jitter" (Marc Brooker, AWS Architecture Blog, 2015): full
jitter, so that many tasks that failed together don't come back together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from cutaway.errors import (
    ConnectionFailed,
    OptionError,
    ProtocolError,
    ServiceError,
    TimedOut,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cutaway.errors import CutawayError

__all__ = [
    "Hints",
    "Pace",
    "is_passing",
    "may_retry",
    "poll_delay",
    "read_hints",
    "retry_after",
    "retry_delay",
]

_SECONDS = re.compile(r"[0-9]{1,300}(\.[0-9]{1,300})?")  # more digits make no finite float
_RETRY_GROWTH = 2.0
_REQUEST_TIMEOUT = 408
_TOO_MANY_REQUESTS = 429
_SERVER_FAULTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a task is; every number is above zero, times are in seconds.

    Attributes:
        timeout: The whole life of a task: sending, waiting, polling, pauses and all.
        answer: The wait for the answer to a task that is delivered at once (sync).
        acknowledgement: The wait for any shorter answer: an acknowledgement, a poll, an upload.
        slowest_line: Bytes a second at which a big message still gets through; the wait for its
            answer is longer by what it takes at that speed.
        first_poll: The pause before the first poll.
        poll_growth: How much longer each further pause is, at least 1.
        longest_poll: The longest pause between polls.
        first_retry: The longest pause before the first retry; it doubles with each further one.
        longest_retry: The longest pause before any retry, unless the service asks for more.
        longest_hint: The longest pause that is granted to a service that asks for one.
        sends: How often a task is sent at most.
        unreadable: How many unreadable answers in a row show that no such service is there.

    Raises:
        OptionError: A number is out of its range.
    """

    timeout: float = 300.0
    answer: float = 120.0
    acknowledgement: float = 30.0
    slowest_line: float = 65536.0
    first_poll: float = 1.0
    poll_growth: float = 1.5
    longest_poll: float = 10.0
    first_retry: float = 0.5
    longest_retry: float = 8.0
    longest_hint: float = 60.0
    sends: int = 10
    unreadable: int = 5

    def __post_init__(self) -> None:
        """Check the ranges."""
        for field in fields(self):
            lowest = 1.0 if field.name in {"poll_growth", "sends", "unreadable"} else 0.0
            value: float = getattr(self, field.name)
            if not (value > 0 and value >= lowest):
                above = "at least 1" if lowest else "above 0"
                raise OptionError(
                    f"the pace's {field.name} can't be {value:g}",
                    f"it must be {above}",
                    "Leave it out for the usual one",
                )


class Hints(NamedTuple):
    """What a service's headers say about trying again; None where they say nothing.

    Attributes:
        retry_after: The seconds to wait before.
        should_retry: Whether it makes sense at all.
    """

    retry_after: float | None
    should_retry: bool | None


def read_hints(headers: Mapping[str, str], now: datetime) -> Hints:
    """What response headers (by lower-case name) say about trying again.

    `retry-after-ms` is the service's own, finer word, and goes before `retry-after`;
    `x-should-retry` is `true` or `false`.
    """
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    seconds = retry_after(headers.get("retry-after", ""), now)
    should = headers.get("x-should-retry", "").strip().lower()
    return Hints(
        seconds if milliseconds is None else milliseconds / 1000,
        {"true": True, "false": False}.get(should),
    )


def retry_after(value: str, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, section 10.2.3).

    Args:
        value: The header: seconds, or a date in any of HTTP's three forms.
        now: The present, with its time zone.

    Returns:
        Finite seconds, 0 or more; None for a date that has passed and for anything unreadable.
    """
    seconds = _seconds(value)
    return seconds if seconds is not None else _seconds_until(value, now)


def retry_delay(
    pace: Pace, attempt: int, *, retry_after: float | None = None, draw: Callable[[], float]
) -> float:
    """The pause before another try.

    Args:
        pace: The limits.
        attempt: How many tries have failed before the one that just did; the first time 0.
        retry_after: What the service asked for, if it did: it is granted up to
            `pace.longest_hint`. A demand of 0 is none.
        draw: A random number, 0..1.

    Returns:
        Seconds, 0 or more.
    """
    if retry_after is not None and retry_after > 0:
        return min(retry_after, pace.longest_hint)
    return draw() * _grown(pace.first_retry, _RETRY_GROWTH, attempt, pace.longest_retry)


def poll_delay(pace: Pace, attempt: int) -> float:
    """The pause in seconds before a poll; the first has attempt 0."""
    return _grown(pace.first_poll, pace.poll_growth, attempt, pace.longest_poll)


def may_retry(error: CutawayError, should_retry: bool | None = None) -> bool:  # noqa: FBT001  (the service's word, as it came)
    """Whether the same message may get through later.

    Only where the network failed, where the answer was lost on its way, and where the service was
    too busy or at fault itself (408, 429, 5xx, and its codes of that kind); never where the key,
    the account, the task or its picture is what is wrong.

    Args:
        error: What went wrong.
        should_retry: The service's own word (`x-should-retry`): `False` always holds; `True`
            holds only for an error that has no class of its own.
    """
    if should_retry is False:
        return False
    if type(error) is ServiceError:
        return should_retry is True or is_passing(error.details.status)
    if isinstance(error, ServiceError):
        return error.retryable
    return isinstance(error, (ConnectionFailed, TimedOut, ProtocolError))


def is_passing(status: int | None) -> bool:
    """Whether an HTTP status says that the same message may get through later."""
    return status in {_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS} or (status or 0) >= _SERVER_FAULTS


def _grown(first: float, growth: float, attempt: int, longest: float) -> float:
    try:
        return min(longest, first * growth**attempt)
    except OverflowError:
        return longest


def _seconds(value: str) -> float | None:
    return float(value) if _SECONDS.fullmatch(value.strip()) else None


def _seconds_until(date: str, now: datetime) -> float | None:
    from email.utils import parsedate_to_datetime  # takes long to import, and few services send one

    try:
        then = parsedate_to_datetime(date)
        if then.tzinfo is None:
            then = then.replace(tzinfo=UTC)
        seconds = (then - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None
