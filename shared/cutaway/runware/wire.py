"""The event loop behind the client: one thread that every task's messages go through.

Both faces use it. So encoding megabytes never holds up a caller's own loop, connections are shared
by all threads, and a task that no one waits for any more is cancelled at once.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import closing
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from cutaway.errors import ConnectionFailed, CutawayError
from cutaway.runware.delivery import Pause, await_result, deliver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Future

    from cutaway.runware.delivery import Life, Send, Until
    from cutaway.runware.replies import Reply, Result
    from cutaway.runware.retries import Pace
    from cutaway.runware.transport import Exchange, Transport

__all__ = ["Courier", "Wire"]

T = TypeVar("T")
Work: TypeAlias = "Callable[[Courier], Coroutine[Any, Any, T]]"


class Courier:
    """Drives the lives of tasks over a transport, on the wire's loop."""

    def __init__(self, transport: Transport, pace: Pace) -> None:
        self._transport = transport
        self._pace = pace

    async def deliver(self, message: Mapping[str, Any], until: Until = "output") -> Result:
        """Submit a task and see it through; see `cutaway.runware.delivery.deliver`."""
        life = deliver(message, self._pace, time.monotonic, random.random, until=until)
        return await self._live(life, message["taskUUID"])

    async def await_result(self, task_uuid: str) -> Result:
        """Wait for a task that was submitted before; see `delivery.await_result`."""
        return await self._live(await_result(task_uuid, self._pace, time.monotonic), task_uuid)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _live(self, life: Life, task_uuid: str) -> Result:
        outcome: Reply | CutawayError | None = None
        with closing(life), self._transport.follow(task_uuid) as exchange:
            while True:
                try:
                    step = _next(life, outcome)
                except StopIteration as end:
                    result: Result = end.value
                    return result
                outcome = await _outcome(step, exchange)


def _next(life: Life, outcome: Reply | CutawayError | None) -> Send | Pause:
    return life.throw(outcome) if isinstance(outcome, CutawayError) else life.send(outcome)


async def _outcome(step: Send | Pause, exchange: Exchange) -> Reply | CutawayError | None:
    if isinstance(step, Pause):
        await asyncio.sleep(step.seconds)
        return None
    try:
        return await exchange(step.message, step.timeout)
    except CutawayError as error:
        return error


class Wire:
    """A thread with an event loop, begun with the first work and ended by `close`.

    Args:
        transport: Makes the transport; called once, on the loop.
        pace: How patient the tasks are.
    """

    def __init__(self, transport: Callable[[], Transport], pace: Pace) -> None:
        self._make_transport = transport
        self._pace = pace
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._ending = asyncio.Event()
        self._tasks: set[asyncio.Task[Any] | None] = set()
        self._courier: Courier | None = None

    def start(self, work: Work[T]) -> Future[T]:
        """Begin to work, from any thread, without waiting; cancel the future to cancel the work.

        Raises:
            ConnectionFailed: the wire is closed.
        """
        with self._lock:
            if self._is_closed:
                raise ConnectionFailed("nothing was sent", "the client is closed", "Make a new one")
            # In a context of its own: the caller's may say that its loop is trio's.
            return Context().run(self._schedule, work)

    def close(self) -> None:
        """Cancel what is under way, close every connection, and end the thread; once or more."""
        self.end()
        if self._thread is not None:
            self._thread.join()

    def end(self) -> None:
        """Do as `close` does, without waiting for it."""
        with self._lock:
            if self._thread is not None and not self._is_closed:
                self._runner.get_loop().call_soon_threadsafe(self._ending.set)
            self._is_closed = True

    def _schedule(self, work: Work[T]) -> Future[T]:
        loop = self._runner.get_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="cutaway-wire", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._do(work), loop)

    def _run(self) -> None:
        with self._runner:
            self._runner.run(self._main())

    async def _main(self) -> None:
        await self._ending.wait()
        tasks = [task for task in self._tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._courier is not None:
            await self._courier.aclose()

    async def _do(self, work: Work[T]) -> T:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            if self._courier is None:
                self._courier = Courier(self._make_transport(), self._pace)
            return await work(self._courier)
        finally:
            self._tasks.discard(task)
