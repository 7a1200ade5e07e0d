"""What a test can make the fake service do wrong, one task object at a time.

    service.faults.extend([Throttle(), None, Drop(accepted=True)])

A fault decides two things: whether the task is done (accepted and billed) or not, and what of the
answer reaches the client. What it does on either transport is told by its `play`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Work = Callable[[], "Outcome"]

__all__ = [
    "PATIENCE",
    "Answer",
    "Channel",
    "Close",
    "Drop",
    "DropMidAnswer",
    "FailLater",
    "Fault",
    "Forget",
    "Hold",
    "OutOfOrder",
    "Outcome",
    "Processing",
    "Refuse",
    "ReplayOnResume",
    "Throttle",
    "Twice",
]

PATIENCE = 30.0
"""Seconds after which anything that waits gives up, so that a failing test can't hang."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one message: the envelope's parts, and the HTTP status that goes with them."""

    data: Sequence[Mapping[str, Any]] = ()
    errors: Sequence[Mapping[str, Any]] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    """The way back to the client for one message, on either transport."""

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The task objects that are answered."""

    def send(self, outcome: Outcome) -> None:
        """Send the answer, as it should be."""

    def send_after_next(self, outcome: Outcome) -> None:
        """Send the answer when the next one is on its way; at once over HTTP."""

    def send_part(self, outcome: Outcome) -> None:
        """Send half of the answer and break the connection."""

    def send_raw(self, answer: Answer) -> None:
        """Send anything; only its body over a WebSocket."""

    def lose(self, outcome: Outcome) -> None:
        """Break the connection, keeping the answer for a session that is resumed."""

    def drop(self) -> None:
        """Break the connection."""

    def close(self, code: int) -> None:
        """Close the connection, a WebSocket with that code."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Nothing wrong yet: the task is done and the answer is sent."""

    def play(self, work: Work, channel: Channel) -> None:
        """Do the task or not, and answer or not."""
        channel.send(work())


@dataclass(frozen=True, slots=True)
class Drop(Fault):
    """The connection ends without an answer, before or after the task was accepted."""

    accepted: bool = False

    def play(self, work: Work, channel: Channel) -> None:
        if self.accepted:
            work()
        channel.drop()


@dataclass(frozen=True, slots=True)
class DropMidAnswer(Fault):
    """Half of the answer comes: HTTP then ends short, a WebSocket is reset within the frame."""

    def play(self, work: Work, channel: Channel) -> None:
        channel.send_part(work())


@dataclass(frozen=True, slots=True)
class Close(Fault):
    """A WebSocket is closed with a code, in good order; HTTP just ends."""

    code: int = 1001
    accepted: bool = False

    def play(self, work: Work, channel: Channel) -> None:
        if self.accepted:
            work()
        channel.close(self.code)


@dataclass(frozen=True, slots=True)
class ReplayOnResume(Fault):
    """The socket ends before the answer, which is sent when the session is resumed."""

    def play(self, work: Work, channel: Channel) -> None:
        channel.lose(work())


@dataclass(frozen=True, slots=True)
class Hold(Fault):
    """The answer waits for `release`; with `accepted` false, so does the work.

    `reached` is set when it begins to wait.
    """

    release: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    accepted: bool = True

    def play(self, work: Work, channel: Channel) -> None:
        outcome = work() if self.accepted else None
        self.reached.set()
        self.release.wait(PATIENCE)
        channel.send(outcome or work())


@dataclass(frozen=True, slots=True)
class Twice(Fault):
    """Two frames with the same answer, or over HTTP its items twice."""

    def play(self, work: Work, channel: Channel) -> None:
        outcome = work()
        channel.send(Outcome([*outcome.data, *outcome.data], outcome.errors, outcome.status))


@dataclass(frozen=True, slots=True)
class OutOfOrder(Fault):
    """The answer comes only after the next one on the same WebSocket."""

    def play(self, work: Work, channel: Channel) -> None:
        channel.send_after_next(work())


@dataclass(frozen=True, slots=True)
class Answer(Fault):
    """Anything instead of the answer; a header that is None is left out."""

    body: bytes
    status: int = 200
    content_type: str | None = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = False

    def play(self, work: Work, channel: Channel) -> None:
        if self.accepted:
            work()
        channel.send_raw(self)


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """An error of the service's own; `fields` are added to it, or take others' place.

    Without `named`, it doesn't say which task it is about.
    """

    status: int = 503
    code: str = "serviceUnavailable"
    message: str = "Try again later."
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    accepted: bool = False
    named: bool = True

    def play(self, work: Work, channel: Channel) -> None:
        if self.accepted:
            work()
        said = {"code": self.code, "message": self.message}
        names = [self._name(message) for message in channel.messages]
        errors = [{**said, **name, **self.fields} for name in names]
        channel.send(Outcome((), errors, self.status, self.headers))

    def _name(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"taskUUID": message["taskUUID"]} if self.named and "taskUUID" in message else {}


@dataclass(frozen=True, slots=True)
class Throttle(Fault):
    """Too much at once: 429 with a Retry-After header, seconds or an HTTP date, if given."""

    retry_after: str | None = "0"

    def play(self, work: Work, channel: Channel) -> None:
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        message = "Too many requests. Try again later."
        Refuse(429, "rateLimitExceeded", message, headers=headers).play(work, channel)


@dataclass(frozen=True, slots=True)
class Forget(Fault):
    """The task is not accepted, and the answer is an empty `data`."""

    def play(self, work: Work, channel: Channel) -> None:
        del work
        channel.send(Outcome())


@dataclass(frozen=True, slots=True)
class Processing(Fault):
    """The task is only acknowledged, and still in the works for that many polls."""

    polls: int = 1


@dataclass(frozen=True, slots=True)
class FailLater(Fault):
    """The task is acknowledged, then fails: polls tell it, and nothing is billed.

    With `inside` the error is in a `data` item of status `error`, else in `errors`.
    """

    code: str = "inferenceError"
    message: str = "The model failed."
    inside: bool = False
    polls: int = 0
