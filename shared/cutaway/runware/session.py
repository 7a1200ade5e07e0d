"""A WebSocket session as a state machine: fed with frames, it tells what they mean.

It opens no socket and reads no clock. The transport tells it which tasks it works for and which of
them wait for an answer, feeds it with what arrives, and acts on the events.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cutaway.errors import AuthError, ProtocolError, ServiceError
from cutaway.runware.failures import error_for
from cutaway.runware.replies import Complaint, Reply, concealed, parse
from cutaway.runware.tasks import authentication

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Authenticated",
    "Broken",
    "Event",
    "Pong",
    "Pulse",
    "Refused",
    "Routed",
    "Session",
    "Unrouted",
    "is_recoverable",
]

_RESUMABLE_FOR = 120.0
"""Seconds that the service keeps undelivered results for a session whose connection broke."""
_PING_AFTER = 30.0
_DEAD_AFTER = 100.0
_RECOVERABLE = frozenset({1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014})


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The service accepts the key: tasks may be sent now."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The service doesn't accept the key, or not the session that was to be taken up again.

    Attributes:
        complaint: What it said.
        dial_again: Whether a new connection may do, whose `opening` asks for a new session.
    """

    complaint: Complaint
    dial_again: bool

    def error(self) -> ServiceError:
        """Make the error; a new one for each task that it ends, as each bears its task's UUID."""
        return error_for(self.complaint)


@dataclass(frozen=True, slots=True)
class Pong:
    """The service answered a ping."""


@dataclass(frozen=True, slots=True)
class Routed:
    """An answer for a task: the one that it waits for, or a result that comes unasked.

    Attributes:
        task_uuid: The task, spelled as it was in `follow`.
        reply: What came for it.
    """

    task_uuid: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class Unrouted:
    """An answer that names no task, while several wait: it may be meant for any of them.

    Attributes:
        complaint: What the service complained about; None for an empty answer.
        task_uuids: The tasks that it may be meant for: each must ask how it stands.
    """

    complaint: Complaint | None
    task_uuids: tuple[str, ...]

    def error(self) -> ProtocolError:
        """Make the error; a new one for each of the tasks, as each bears its task's UUID."""
        problem = ProtocolError(
            "the service's answer doesn't say which task it is for",
            f"{len(self.task_uuids)} tasks wait for one",
            "Try again, with one task at a time",
        )
        problem.__cause__ = error_for(self.complaint) if self.complaint else None
        return problem


@dataclass(frozen=True, slots=True)
class Broken:
    """A frame that can't be understood: close the connection; its tasks are in doubt."""

    cause: ProtocolError

    def error(self) -> ProtocolError:
        """Make the error; a new one for each task in doubt, as each bears its task's UUID."""
        error = copy(self.cause)
        error.__cause__ = self.cause
        return error


Event: TypeAlias = Authenticated | Refused | Pong | Routed | Unrouted | Broken


class Session:
    """One session with the service, over as many connections as it takes.

    Each connection begins with `opening`; after `Authenticated` tasks may be sent. For each task
    the transport calls `follow`, then `expect` with each of its messages and `settle` when it
    doesn't wait any longer, and in the end `forget`.

    Args:
        key: The API key; None for a service that demands none.
    """

    def __init__(self, key: str | None) -> None:
        self._key = key
        self._session: str | None = None
        self._is_open = False
        self._is_resuming = False
        self._followed: dict[str, str] = {}
        self._waiting: dict[str, bool] = {}

    @property
    def is_open(self) -> bool:
        """Whether tasks may be sent on the present connection."""
        return self._is_open

    def opening(self, away: float = 0.0) -> dict[str, Any] | None:
        """What to say first on a new connection.

        Args:
            away: Seconds since the last connection broke; after 120 the service has forgotten
                the session, and a new one is asked for.

        Returns:
            The message to send; None if there is no key to show, and tasks may be sent at once.
        """
        if away > _RESUMABLE_FOR:
            self._session = None
        self._is_resuming = self._session is not None
        self._is_open = self._key is None
        return None if self._key is None else authentication(self._key, self._session)

    def follow(self, task_uuid: str) -> None:
        """Route what comes for a task from now on."""
        self._followed[task_uuid.lower()] = task_uuid

    def forget(self, task_uuid: str) -> None:
        """Let go what comes for a task from now on."""
        self.settle(task_uuid)
        self._followed.pop(task_uuid.lower(), None)

    def expect(self, task_uuid: str, *, polling: bool = False) -> None:
        """Note that a task waits for an answer; `polling` if its message is a `getResponse`."""
        self._waiting[task_uuid.lower()] = polling

    def settle(self, task_uuid: str) -> None:
        """Note that a task waits no longer."""
        self._waiting.pop(task_uuid.lower(), None)

    def lost(self) -> tuple[str, ...]:
        """Note that the connection is gone; gives the tasks that waited for an answer on it."""
        doubtful = self._spelled(self._waiting)
        self._waiting.clear()
        self._is_open = False
        return doubtful

    def feed(self, frame: str | bytes) -> tuple[Event, ...]:
        """What a frame means, text or UTF-8 bytes; nothing where it concerns no one here."""
        try:
            reply = parse(concealed(frame, self._key))
        except ProtocolError as error:
            return (Broken(error),)
        return tuple(self._events(reply))

    def __repr__(self) -> str:
        state = "open" if self._is_open else "closed"
        return f"<Session {state}, {len(self._waiting)} of {len(self._followed)} tasks waiting>"

    def _events(self, reply: Reply) -> Iterator[Event]:
        """Sort a frame by what it speaks of; by its fields, as taskType can't be relied upon."""
        for result in reply.results:
            if "connectionSessionUUID" in result.fields:
                yield self._authenticated(result.fields["connectionSessionUUID"])
            elif "pong" in result.fields:
                yield Pong()
        yield from self._named(reply)
        nameless = [one for one in reply.complaints if one.task_uuid is None]
        if nameless:
            yield from self._nameless(nameless[0])
        elif not reply.results and not reply.complaints:
            yield from self._empty()

    def _authenticated(self, session: object) -> Authenticated:
        self._session = session if isinstance(session, str) else None
        self._is_open = True
        return Authenticated()

    def _named(self, reply: Reply) -> Iterator[Event]:
        """Give each task its own; a complaint or an acknowledgement only if it waits for one."""
        names = [one.task_uuid for one in reply.results]
        names += [one.task_uuid for one in reply.complaints]
        for uuid in dict.fromkeys(name.lower() for name in names if name):
            own = reply.of(uuid)
            own = Reply(own.results, tuple(one for one in own.complaints if one.task_uuid))
            is_awaited = uuid in self._waiting or any(one.has_output for one in own.results)
            if uuid in self._followed and is_awaited:
                yield self._routed(uuid, own)

    def _nameless(self, complaint: Complaint) -> Iterator[Event]:
        if not self._is_open or isinstance(error_for(complaint), AuthError):
            is_old_sessions = self._is_resuming and not self._is_open
            self._session = None
            self._is_open = False
            yield Refused(complaint, dial_again=is_old_sessions)
        elif len(self._waiting) == 1:
            yield self._routed(next(iter(self._waiting)), Reply(complaints=(complaint,)))
        elif self._waiting:
            yield Unrouted(complaint, self._spelled(self._waiting))

    def _empty(self) -> Iterator[Event]:
        """An empty answer: that to a poll for an unknown task, or else to the only message."""
        polling = [uuid for uuid, is_poll in self._waiting.items() if is_poll]
        meant = polling or list(self._waiting)
        if len(meant) == 1:
            yield self._routed(meant[0], Reply())
        elif polling:
            yield Unrouted(None, self._spelled(polling))

    def _routed(self, uuid: str, reply: Reply) -> Routed:
        self._waiting.pop(uuid, None)
        return Routed(self._followed.get(uuid, uuid), reply)

    def _spelled(self, uuids: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._followed.get(uuid, uuid) for uuid in uuids)


@dataclass(slots=True)
class Pulse:
    """The life signs of a connection: a ping after 30 s of silence, dead after 100.

    The service closes a connection 120 s after the last message.

    Attributes:
        heard: When the last frame came, or the connection was made; set it with each frame.
        pinged: When the last ping was sent; set it with each.
    """

    heard: float
    pinged: float = float("-inf")

    def due(self, now: float) -> Literal["ping", "close"] | None:
        """What is to be done at a time: ping, close the dead connection, or nothing yet."""
        if now >= self.heard + _DEAD_AFTER:
            return "close"
        return "ping" if now >= self._next_ping else None

    def wait(self, now: float) -> float:
        """How many seconds, 0 or more, nothing is to be done."""
        return max(0.0, min(self._next_ping, self.heard + _DEAD_AFTER) - now)

    @property
    def _next_ping(self) -> float:
        return max(self.heard, self.pinged) + _PING_AFTER


def is_recoverable(code: int | None) -> bool:
    """Whether to dial again after a connection closed with a code (RFC 6455, section 7.4).

    Yes where the service went away, restarted, broke or is busy (1001, 1011 to 1014), where the
    connection broke without a word (1005, 1006 or none), and after a normal close (1000), which is
    how an idle connection ends. No where the service objects to what was said (1002, 1003, 1007 to
    1010), as it would be said again; nor at 1015 (TLS), and at codes of the service's own (3000 and
    above), of which Runware documents none.
    """
    return code is None or code in _RECOVERABLE
