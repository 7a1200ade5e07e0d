"""The life of one task, from its first sending to its result: the rules that keep it paid once.

A life is a generator. It yields a `Send` (put this message to the service; answered with a
`Reply`, or with the error thrown in) or a `Pause` (answered with None), and returns the result. It
reads no clock and no socket of its own, so every transport drives the same rules, and a test can
play any history to them.

The rules:

* A task keeps one taskUUID for its whole life: the service runs a UUID once, a new one would be
  billed again.
* A message that certainly did not start the task (no connection, or "too much at once") is sent
  again after a pause. After any other failure the task may be running, so the service is asked
  (`getResponse`) before it is sent again, and it is sent again only if the service doesn't know it.
* "That UUID is taken", said to a task that was sent before, means that it was accepted then.
* Once the service has known a task it is never sent again, only asked for.
* One deadline stands over everything.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from cutaway.errors import (
    AuthError,
    ConnectionFailed,
    ConnectionLost,
    CutawayError,
    ProtocolError,
    RateLimited,
    ServiceError,
    TimedOut,
    TransportError,
)
from cutaway.runware.failures import error_for
from cutaway.runware.replies import Complaint, Reply, Result
from cutaway.runware.retries import Pace, may_retry, poll_delay, retry_delay
from cutaway.runware.tasks import poll

__all__ = ["Life", "Pause", "Send", "Until", "afterwards", "await_result", "deliver"]

_TAKEN = "conflicttaskuuid"
_UNKNOWN = frozenset({"tasknotfound", "taskfailedornotfound"})
_SERVERS_OWN = frozenset(
    {
        "defaulterror",
        "internalservererror",
        "serverunavailable",
        "serviceunavailable",
        "standarderror",
        "timeout",
        "undefinederror",
        "unknownerror",
        "unrecognizedresponse",
    }
)
"""Codes that, in answer to a poll, may be about the poll as well as about the task."""
_DENIALS = 3
"""How often a service must deny a task before it is believed, where it is likely to have it."""
_LAST_LOOK = 1.0
"""Seconds before the deadline at which a task is asked for once more."""
_FIRST_ERROR = 400


@dataclass(frozen=True, slots=True)
class Send:
    """Put a message to the service.

    The driver sends its `Reply` in, or throws in what went wrong: `ConnectionFailed` if certainly
    nothing of the message got out, `ConnectionLost` if something may have, `TimedOut`,
    `ProtocolError` for an answer that can't be read, or a `ServiceError` that came without an
    envelope. Each thrown error must be that task's own: its UUID is written into it.

    Attributes:
        message: The task object, such as `encode` makes it.
        timeout: Seconds that the exchange may take, sending included.
    """

    message: Mapping[str, Any] = field(repr=False)
    timeout: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before going on; the driver sends None in.

    Attributes:
        seconds: How long, 0 or more.
    """

    seconds: float


T = TypeVar("T")
_Steps: TypeAlias = Generator[Send | Pause, Reply | None, T]
Life: TypeAlias = _Steps[Result]
Until: TypeAlias = Literal["output", "accepted"]


def deliver(
    message: Mapping[str, Any],
    pace: Pace,
    now: Callable[[], float],
    draw: Callable[[], float],
    *,
    until: Until = "output",
) -> Life:
    """Submit a task and see it through.

    Args:
        message: The task object; its `taskUUID` is the task's for good.
        pace: How patient to be.
        now: A clock that only goes forward, in seconds.
        draw: A random number, 0..1, for the pauses between tries.
        until: Whether to wait for the picture, or only until the service has the task (for one
            whose result goes to a webhook).

    Returns:
        The service's result; for `accepted` its acknowledgement.

    Raises:
        ConnectionFailed: The service could not be reached, and nothing was sent.
        TimedOut: The deadline passed; the task may still finish and be billed.
        ServiceError: The service refused the task, or failed at it.
        ProtocolError: What answers there is no such service.

    Each of them carries the `task_uuid`.
    """
    life = _TaskLife(message["taskUUID"], pace, now, draw)
    try:
        return (yield from life.delivered(message, until))
    except CutawayError as error:
        error.task_uuid = life.uuid
        raise


def await_result(task_uuid: str, pace: Pace, now: Callable[[], float]) -> Life:
    """Wait for a task that was submitted before, by whomever; nothing is ever sent again.

    Args:
        task_uuid: The task.
        pace: How patient to be.
        now: A clock that only goes forward, in seconds.

    Returns:
        The service's result.

    Raises:
        NotFound: The service says again and again that it has no such task.
        TimedOut: The deadline passed.
        ServiceError: The service failed at the task, or refuses to tell.
        ProtocolError: What answers there is no such service.

    Each of them carries the `task_uuid`.
    """
    life = _TaskLife(task_uuid, pace, now, _certainly)
    try:
        return (yield from life.awaited())
    except CutawayError as error:
        error.task_uuid = task_uuid
        raise


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What went wrong in one exchange.

    Attributes:
        error: What it is for a caller.
        complaint: What the service itself said, if it said something.
        should_retry: Whether to try again, if the service said.
    """

    error: CutawayError
    complaint: Complaint | None = None
    should_retry: bool | None = None

    @property
    def is_unsent(self) -> bool:
        """Whether certainly nothing got to the service."""
        error = self.error
        return isinstance(error, ConnectionFailed) and not isinstance(error, ConnectionLost)

    @property
    def is_doubtful(self) -> bool:
        """Whether a task that was sent may have been taken all the same."""
        definite = self.is_unsent or isinstance(self.error, RateLimited)
        return may_retry(self.error) and not definite

    @property
    def may_retry(self) -> bool:
        """Whether to try again, as far as the service has a say."""
        return may_retry(self.error, self.should_retry)

    @property
    def is_taken(self) -> bool:
        """Whether the service has a task of that UUID already."""
        return self._code == _TAKEN

    @property
    def is_denial(self) -> bool:
        """Whether the service says that it has no such task."""
        return self._code in _UNKNOWN

    @property
    def ends_task(self) -> bool:
        """Whether, in answer to a poll, it says that the task itself has failed.

        A complaint that names the task is about the task, unless the poll was not let in, or met
        a busy or broken server. In doubt it isn't: who believes a running task to have failed
        pays for another.
        """
        if self.complaint is None or self.complaint.task_uuid is None:
            return False
        if self.complaint.status == "error":
            return True
        status = self.error.details.status if isinstance(self.error, ServiceError) else None
        is_polls_own = (status or 0) >= _FIRST_ERROR or self._code in _SERVERS_OWN
        if may_retry(self.error) and is_polls_own:
            return False
        return not isinstance(self.error, (AuthError, RateLimited))

    @property
    def _code(self) -> str:
        return self.complaint.code.lower() if self.complaint else ""


_Word: TypeAlias = Result | _Trouble | None
"""What one exchange told of the task: a result, trouble, or nothing (an empty answer)."""


class _TaskLife:
    """One task's life so far, and how it goes on."""

    def __init__(
        self, task_uuid: str, pace: Pace, now: Callable[[], float], draw: Callable[[], float]
    ) -> None:
        self.uuid = task_uuid
        self._pace = pace
        self._now = now
        self._draw = draw
        self._deadline = now() + pace.timeout
        self._sends = self._polls = self._failures = self._unreadable = 0
        self._last_error: CutawayError | None = None
        self._arrived = False
        self._known = False
        self._is_last_look = False

    def delivered(self, message: Mapping[str, Any], until: Until) -> Life:
        """Send the task and ask for it, in turns, until it is done."""
        while True:
            sent = yield from self._submit(message)
            result = yield from self._follow(sent, until)
            if result is not None:
                return result

    def awaited(self) -> Life:
        """Ask for the task until it is done."""
        denials = 0
        word = yield from self._ask()
        while not (isinstance(word, Result) and word.has_output):
            if isinstance(word, _Trouble) and word.is_denial and not self._known:
                denials += 1
                if denials == _DENIALS:
                    raise word.error
            yield from self._rest_before_poll(word)
            word = yield from self._ask()
        return word

    def _submit(self, message: Mapping[str, Any]) -> _Steps[_Word]:
        """Send the task until it is taken, or until only asking can tell whether it was."""
        patience = _patience(message, self._pace)
        while True:
            word = self._meaning(message, (yield from self._exchange(message, patience)))
            if not isinstance(word, _Trouble) or word.is_doubtful:
                return word
            yield from self._rest_before_retry(word)

    def _meaning(self, message: Mapping[str, Any], word: _Word) -> _Word:
        """What an answer to the sending of a task means, given what was sent before."""
        self._sends += 1
        was_sent_before = self._arrived
        trouble = word if isinstance(word, _Trouble) else None
        self._arrived = was_sent_before or trouble is None or not trouble.is_unsent
        if trouble is not None and trouble.is_taken and was_sent_before:
            word = Result({"taskType": message.get("taskType"), "taskUUID": self.uuid})
        elif trouble is not None and trouble.is_denial:
            return None
        self._known = self._known or isinstance(word, Result)
        return word

    def _follow(self, sent: _Word, until: Until) -> _Steps[Result | None]:
        """Ask for a task that was sent until it is done; None if it was never taken."""
        word, denials = sent, 0
        while not (isinstance(word, Result) and (until == "accepted" or word.has_output)):
            yield from self._rest_before_poll(word)
            word = yield from self._ask()
            if word is None or (isinstance(word, _Trouble) and word.is_denial):
                denials += 1
                if self._was_never_taken(sent, denials):
                    return None
        return word

    def _was_never_taken(self, sent: _Word, denials: int) -> bool:
        """Whether to believe the service that it doesn't have the task, and to send it again."""
        if self._known:
            return False
        if isinstance(sent, _Trouble):
            if not sent.may_retry or self._sends >= self._pace.sends:
                raise sent.error
            return True
        return denials >= _DENIALS and self._sends < self._pace.sends

    def _ask(self) -> _Steps[_Word]:
        """Ask once how the task stands.

        Raises:
            CutawayError: it has failed, or asking again wouldn't help.
        """
        word = yield from self._exchange(poll(self.uuid), self._pace.acknowledgement)
        if isinstance(word, _Trouble) and word.is_taken:
            word = Result({"taskUUID": self.uuid})
        if isinstance(word, _Trouble) and not word.is_denial:
            self._raise_if_over(word)
        self._known = self._known or isinstance(word, Result)
        return word

    def _raise_if_over(self, trouble: _Trouble) -> None:
        error = trouble.error
        if trouble.ends_task:
            if may_retry(error):
                error.next_step = "This task is over: submit the picture again, as a new one"
            raise error
        if not trouble.may_retry:
            raise self._left_open(error)

    def _exchange(self, message: Mapping[str, Any], patience: float) -> _Steps[_Word]:
        left = self._left()
        if left <= 0:
            raise self._out_of_time() from self._last_error
        try:
            reply = yield Send(message, min(patience, left))
        except (TransportError, ProtocolError, ServiceError) as error:
            word: _Word = _Trouble(error)
        else:
            word = _read(reply, self.uuid)
        if isinstance(word, _Trouble):
            self._note(word.error)
        else:
            self._unreadable = 0
        return word

    def _note(self, error: CutawayError) -> None:
        """Remember an error; raise one that has come too often."""
        self._last_error = error
        self._unreadable = self._unreadable + 1 if isinstance(error, ProtocolError) else 0
        if self._unreadable >= self._pace.unreadable:
            raise self._left_open(error)

    def _rest_before_retry(self, trouble: _Trouble) -> _Steps[None]:
        """Pause before the task is sent again, or raise what kept it from being taken."""
        wait = self._retry_delay(trouble.error)
        if not trouble.may_retry or self._sends >= self._pace.sends or wait >= self._left():
            raise trouble.error
        yield Pause(wait)
        if self._left() <= 0:
            raise trouble.error

    def _rest_before_poll(self, word: _Word) -> _Steps[None]:
        """Pause before the task is asked for, leaving time for that before the deadline."""
        left = self._left() - min(_LAST_LOOK, self._pace.timeout / 10)
        if left <= 0 or self._is_last_look:
            raise self._out_of_time() from self._last_error
        wait = self._poll_delay(word)
        self._is_last_look = wait >= left
        yield Pause(min(wait, left))

    def _poll_delay(self, word: _Word) -> float:
        """The pause before a poll; after trouble a service may need a moment to see the task."""
        if isinstance(word, _Trouble) and not word.is_denial:
            return self._pace.first_poll + self._retry_delay(word.error)
        self._polls += 1
        return poll_delay(self._pace, self._polls - 1)

    def _retry_delay(self, error: CutawayError) -> float:
        hint = error.details.retry_after if isinstance(error, ServiceError) else None
        self._failures += 1
        return retry_delay(self._pace, self._failures - 1, retry_after=hint, draw=self._draw)

    def _left(self) -> float:
        return self._deadline - self._now()

    def _out_of_time(self) -> TimedOut:
        return TimedOut(
            f"the task {self.uuid} wasn't done within {self._pace.timeout:g} seconds",
            "the service has it, but gave no result"
            if self._known
            else "it isn't known whether the service has it",
            f"{afterwards(self.uuid)}; a longer timeout waits longer",
        )

    def _left_open(self, error: CutawayError) -> CutawayError:
        """An error that ends the waiting, not the task: tell so."""
        error.next_step = f"{error.next_step.rstrip('.')}. {afterwards(self.uuid)}"
        return error


def afterwards(task_uuid: str) -> str:
    """Tell how to come by the result of a task that no one waits for any more."""
    return (
        f"The task may still finish and be billed: wait_for({task_uuid!r}) asks for it, and "
        f"cutaway remove --task-uuid {task_uuid} takes its result"
    )


def _read(reply: Reply | None, task_uuid: str) -> _Word:
    """What a reply tells of the task: a finished result before a complaint before a progress."""
    if reply is None:
        raise TypeError("a Send is answered with a Reply")
    mine = reply.of(task_uuid)
    done = next((result for result in mine.results if result.has_output), None)
    if done is not None:
        return done
    if mine.complaints:
        complaint = mine.complaints[0]
        error = error_for(
            complaint, status=mine.status, retry_after=mine.retry_after, task_uuid=task_uuid
        )
        return _Trouble(error, complaint, mine.should_retry)
    return mine.results[0] if mine.results else None


def _patience(message: Mapping[str, Any], pace: Pace) -> float:
    """How long the answer to a task may take: a big picture takes a while on a slow line."""
    at_once = message.get("deliveryMethod") != "async" and "webhookURL" not in message
    parts = [*message.values(), *message.get("inputs", {}).values()]
    size = sum(len(part) for part in parts if isinstance(part, str))
    return (pace.answer if at_once else pace.acknowledgement) + size / pace.slowest_line


def _certainly() -> float:
    """Draw no lots: a single waiter has no crowd to keep out of the way of."""
    return 1.0
