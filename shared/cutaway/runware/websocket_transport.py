"""Many tasks over one WebSocket. Import it only when needed: `websockets` is heavy."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import contextmanager, nullcontext
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from cutaway.errors import (
    ConnectionLost,
    CutawayError,
    ServiceDetails,
    ServiceError,
    TimedOut,
)
from cutaway.runware.replies import concealed, excerpt
from cutaway.runware.retries import retry_delay
from cutaway.runware.session import (
    Authenticated,
    Broken,
    Pong,
    Refused,
    Routed,
    Session,
    Unrouted,
    is_recoverable,
)
from cutaway.runware.transport import body_of
from cutaway.runware.trust import tls_context, unreached
from cutaway.runware.websocket_line import Line, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cutaway.runware.credential import Credential
    from cutaway.runware.endpoint import Endpoint
    from cutaway.runware.replies import Reply
    from cutaway.runware.retries import Pace
    from cutaway.runware.session import Event
    from cutaway.runware.transport import Exchange

__all__ = ["WebSocketTransport"]

_ADMISSION_SECONDS = 15.0


class WebSocketTransport:
    """One connection for all tasks, made when it is first needed and again when it broke.

    A task whose message was on the line when it broke is in doubt: it gets `ConnectionLost` and may
    ask how it stands over the next connection, which takes up the session where it was. After a
    close that tells the client to stay away, the tasks on the line are given up instead. The more
    connections in a row were of no use, the longer the next one waits.

    Frames are sent one after the other, each made when it is its turn, so that no more than one
    takes up memory.

    Args:
        endpoint: The service.
        credential: Its key, if it has one.
        pace: How long to wait before a connection that follows a failure.
        plan: How connections are made, if not as usual.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credential: Credential | None,
        pace: Pace,
        plan: Plan | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._plan = plan or Plan(tls_context() if endpoint.is_secure else None)
        self._pace = pace
        self._key = credential.reveal() if credential else None
        self._session = Session(self._key)
        self._line: Line | None = None
        self._parted = 0.0
        self._failures = 0
        self._dialling: asyncio.Task[Line | CutawayError] | None = None
        self._asking = asyncio.Lock()
        self._followers: Counter[str] = Counter()
        self._waiting: dict[str, list[_Answer]] = {}
        self._early: dict[str, Reply] = {}

    @contextmanager
    def follow(self, task_uuid: str) -> Iterator[Exchange]:
        """Give the way for a task's messages; a result that comes unasked is kept for the next."""
        self._followers[task_uuid] += 1
        self._session.follow(task_uuid)
        try:
            yield self.exchange
        finally:
            self._followers[task_uuid] -= 1
            if not self._followers[task_uuid]:
                del self._followers[task_uuid]
                self._session.forget(task_uuid)
                self._early.pop(task_uuid, None)

    async def exchange(self, message: Mapping[str, Any], timeout: float) -> Reply:  # noqa: ASYNC109  (it is a task's own patience, not the caller's)
        """Send one message and wait `timeout` seconds for its answer; see `Exchange`."""
        course = _Course()
        try:
            async with asyncio.timeout(timeout):
                outcome = await self._outcome(message, course)
        except TimeoutError as error:
            why = "no answer came in time"
            if course.line is None:
                raise unreached(self._endpoint, why) from error
            if not course.is_through:
                course.line.break_off()
            origin = self._endpoint.origin
            raise TimedOut(f"{origin} did not answer", why, "Try again later") from error
        if isinstance(outcome, CutawayError):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """Close the connection, and let one that is being made go."""
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)
        if self._line is not None:
            await self._line.aclose()

    async def _outcome(self, message: Mapping[str, Any], course: _Course) -> Reply | CutawayError:
        """Send a message as soon as a line is free, and wait for what comes of it."""
        is_poll = message["taskType"] == "getResponse"
        # The answer for a task that the service doesn't know is empty and names none; so only one
        # task asks at a time.
        async with self._asking if is_poll else nullcontext():
            with self._awaited(message["taskUUID"]) as answer:
                while not (course.is_through or answer.done()):
                    line = await self._connected()
                    async with line.sending:
                        if line.is_open and not answer.done():
                            self._session.expect(message["taskUUID"], polling=is_poll)
                            course.line = line
                            await line.send(body_of(message))
                            course.is_through = True
                return await answer

    @contextmanager
    def _awaited(self, task_uuid: str) -> Iterator[_Answer]:
        answer: _Answer = asyncio.get_running_loop().create_future()
        if task_uuid in self._early:
            answer.set_result(self._early.pop(task_uuid))
        waiting = self._waiting.setdefault(task_uuid, [])
        waiting.append(answer)
        try:
            yield answer
        finally:
            waiting.remove(answer)
            if not waiting:
                del self._waiting[task_uuid]
                self._session.settle(task_uuid)

    def _settle(self, task_uuid: str, make: Callable[[], Reply | CutawayError]) -> bool:
        """Tell each who waits for that task what came of it; whether there was anyone."""
        waiting = [one for one in self._waiting.get(task_uuid, ()) if not one.done()]
        for answer in waiting:
            answer.set_result(make())
        return bool(waiting)

    async def _connected(self) -> Line:
        """The open line; a new one, which all who wait share, if there is none."""
        if self._line is not None and self._line.is_open:
            return self._line
        if self._dialling is None:
            self._dialling = asyncio.get_running_loop().create_task(self._dial())
        dialled = await asyncio.shield(self._dialling)
        if isinstance(dialled, CutawayError):
            raise copy(dialled) from dialled.__cause__
        return dialled

    async def _dial(self) -> Line | CutawayError:
        """Make a new connection, after a pause if the last ones were of no use."""
        try:
            if self._failures:
                delay = retry_delay(self._pace, self._failures - 1, draw=random.random)
                await asyncio.sleep(delay)
            return await self._admitted_line()
        except CutawayError as error:
            self._failures += 1
            return error
        finally:
            self._dialling = None

    async def _admitted_line(self) -> Line:
        loop = asyncio.get_running_loop()
        line = await Line.dial(self._endpoint, self._plan)
        opening = self._session.opening(loop.time() - self._parted)
        admission: _Admission = loop.create_future()
        line.start(partial(self._take, line, admission), partial(self._part, line, admission))
        try:
            refused = await self._refusal(line, opening, admission) if opening else None
        except BaseException:
            await line.aclose()
            raise
        if refused is None:
            self._failures += 1  # until it has been of use
            self._line = line
            return line
        line.break_off()
        await line.aclose()
        if refused.dial_again:
            return await self._admitted_line()
        raise refused.error()

    async def _refusal(
        self, line: Line, opening: Mapping[str, Any], admission: _Admission
    ) -> Refused | None:
        """Authenticate; gives what the service says if it refuses."""
        try:
            async with asyncio.timeout(_ADMISSION_SECONDS):
                await line.send(body_of(opening))
                outcome = await admission
        except TimeoutError as error:
            line.break_off()
            raise unreached(self._endpoint, "it did not answer to the key in time") from error
        if isinstance(outcome, CutawayError):
            raise outcome
        return outcome

    def _take(self, line: Line, admission: _Admission, frame: str | bytes) -> None:
        for event in self._session.feed(frame):
            match event:
                case Authenticated() if not admission.done():
                    admission.set_result(None)
                case Refused() if not admission.done():
                    admission.set_result(event)
                case Refused() | Broken():
                    self._tell_all(event.error)
                    line.break_off()
                case _:
                    self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        match event:
            case Routed(task_uuid, reply):
                self._failures = 0
                if not self._settle(task_uuid, partial(replace, reply)):
                    self._early[task_uuid] = reply
            case Unrouted(task_uuids=task_uuids):
                for task_uuid in task_uuids:
                    self._settle(task_uuid, event.error)
            case Pong():
                self._failures = 0

    def _part(self, line: Line, admission: _Admission) -> None:
        """Take note that a line has ended."""
        self._parted = asyncio.get_running_loop().time()
        if line is self._line:
            self._line = None
        self._tell_all(partial(self._broken, line))
        if not admission.done():
            admission.set_result(unreached(self._endpoint, "it hung up before the key was checked"))

    def _tell_all(self, make: Callable[[], CutawayError]) -> None:
        """Tell each task on the line that it was lost."""
        for task_uuid in self._session.lost():
            self._settle(task_uuid, make)

    def _broken(self, line: Line) -> CutawayError:
        origin, said = self._endpoint.origin, excerpt(concealed(line.reason, self._key))
        why = f"code {line.code}{': ' if said else ''}{said}"
        if is_recoverable(line.code):
            return ConnectionLost(f"the connection to {origin} broke", why, "Try again later")
        return ServiceError(
            f"{origin} closed the connection for good",
            why,
            "Ask how the task stands before you send it again: it may finish and be billed",
            ServiceDetails(raw_code=str(line.code), message=said),
        )


class _Course:
    """How far an exchange got.

    Attributes:
        line: The line that its message was put on.
        is_through: Whether all of the message has left.
    """

    def __init__(self) -> None:
        self.line: Line | None = None
        self.is_through = False


_Answer: TypeAlias = "asyncio.Future[Reply | CutawayError]"
_Admission: TypeAlias = "asyncio.Future[Refused | CutawayError | None]"
