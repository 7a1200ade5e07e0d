"""Many pictures at once: a few threads at work, and results as they finish.

Sources are taken one at a time, by the one who asks for results, and never more of them than there
are threads beyond the results that were given: they may be endless.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
from anyio import to_thread

from cutaway.errors import CutawayError, OptionError
from cutaway.progress import Cancellation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable
    from concurrent.futures import Future
    from types import TracebackType

    from cutaway.cutout import Cutout
    from cutaway.options import RemovalOptions
    from cutaway.progress import Step

    Work = Callable[[int, Any, Cancellation], Cutout]
    Save = Callable[[int, Cutout], "Saved"]

__all__ = ["THREAD", "Crew", "Removal", "removals", "removals_on_loop", "work_of"]

Saved = TypeVar("Saved")

THREAD = "cutaway-picture"
"""How the names of the threads that work on pictures begin."""

_BLINK = 0.2
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Removal(Generic[Saved]):
    """What became of one of many pictures.

    Attributes:
        index: Which of the sources it was, from 0.
        source: The source itself.
        cutout: The result; None if it failed, or was given to `save`.
        saved: What `save` gave back; None without one.
        error: Why it failed; None if it didn't.
    """

    index: int
    source: Any = field(repr=False)
    cutout: Cutout | None = None
    saved: Saved | None = None
    error: CutawayError | None = None


class Crew(Generic[Saved]):
    """The threads that work on the pictures of one run: a `with` block, then `join`.

    Left by an exception, the block stops the work.

    Args:
        jobs: How many pictures to work on at once.
        work: Makes a cutout of a source; called in a thread.
        save: Takes each cutout, in that thread.
        cancellation: Cancel it to stop the work; it is never cancelled here.

    Raises:
        OptionError: there are no jobs.
    """

    def __init__(
        self,
        jobs: int,
        work: Work,
        save: Save[Saved] | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        if jobs < 1:
            raise OptionError("jobs can't be used", f"it is {jobs}", "Give 1 or more")
        self._jobs = jobs
        self._work = work
        self._save = save
        self._cancellation = Cancellation()
        self._outer = cancellation or Cancellation()
        self._links = ExitStack()
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix=THREAD)
        self._running: set[Future[Removal[Saved]]] = set()
        self._finished: SimpleQueue[Future[Removal[Saved]] | None] = SimpleQueue()
        self._saving = threading.Semaphore(jobs)

    @property
    def is_at_work(self) -> bool:
        """Whether there are results to come, or to take."""
        return bool(self._running)

    @property
    def has_news(self) -> bool:
        """Whether a result must be taken before more can be started, or can be without waiting."""
        return len(self._running) >= self._jobs or not self._finished.empty()

    def start(self, index: int, source: object) -> None:
        """Begin to work on a picture; the caller sees to it that there is a thread for it.

        Raises:
            Cancelled: the work was stopped.
        """
        self._cancellation.check()
        future = self._threads.submit(self._removed, index, source)
        self._running.add(future)
        future.add_done_callback(self._finished.put)

    def take(self) -> Removal[Saved]:
        """Wait for the next result.

        Raises:
            Cancelled: the work was stopped.
        """
        while True:
            self._cancellation.check()
            # Windows notices Ctrl-C only between waits, so none of them may be long.
            with suppress(Empty):
                if future := self._finished.get(timeout=_BLINK):
                    self._running.discard(future)
                    return future.result()

    def cancel(self) -> None:
        """Stop the work, without waiting for its end."""
        self._cancellation.cancel()
        self._finished.put(None)  # whoever waits for a result wakes up

    def join(self) -> None:
        """Wait for the threads to end, which takes a moment after the work was stopped.

        Who saves is waited for. Who reads from a pipe that stays silent can't be stopped, and is
        left behind after two seconds.
        """
        stuck = wait(self._running, _PATIENCE).not_done
        for _ in range(self._jobs if stuck else 0):
            self._saving.acquire()
        self._threads.shutdown(wait=not stuck)

    def __enter__(self) -> Self:
        self._links.enter_context(self._outer.interrupting(self.cancel))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._links.close()
        if error is not None:
            self.cancel()

    def _removed(self, index: int, source: object) -> Removal[Saved]:
        try:
            cutout = self._work(index, source, self._cancellation)
            if self._save is None:
                return Removal(index, source, cutout)
            with self._saving:
                self._cancellation.check()
                return Removal(index, source, saved=self._save(index, cutout))
        except CutawayError as error:
            return Removal(index, source, error=error)


def work_of(
    remove: Callable[..., Cutout],
    options: RemovalOptions,
    on_progress: Callable[[int, Step], None] | None,
) -> Work:
    """What a crew does with each source: `Client.remove_background`, with the index told."""

    def work(index: int, source: object, cancellation: Cancellation) -> Cutout:
        report = partial(on_progress, index) if on_progress else None
        return remove(source, options, on_progress=report, cancellation=cancellation)

    return work


def removals(sources: Iterable[Any], crew: Crew[Saved]) -> Generator[Removal[Saved], None, None]:
    """Work on the sources, and give what becomes of each as it is finished."""
    try:
        with crew:
            for index, source in enumerate(sources):
                crew.start(index, source)
                while crew.has_news:
                    yield crew.take()
            while crew.is_at_work:
                yield crew.take()
    finally:
        crew.join()


async def removals_on_loop(
    sources: Iterable[Any] | AsyncIterable[Any], crew: Crew[Saved]
) -> AsyncGenerator[Removal[Saved], None]:
    """`removals` for an event loop, which goes on while there is nothing to give."""
    try:
        with crew:
            async with aclosing(_counted(sources)) as counted:
                async for index, source in counted:
                    crew.start(index, source)
                    while crew.has_news:
                        yield await to_thread.run_sync(crew.take, abandon_on_cancel=True)
            while crew.is_at_work:
                yield await to_thread.run_sync(crew.take, abandon_on_cancel=True)
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(crew.join)


async def _counted(
    sources: Iterable[Any] | AsyncIterable[Any],
) -> AsyncGenerator[tuple[int, Any], None]:
    index = 0
    if isinstance(sources, AsyncIterable):
        async for source in sources:
            yield index, source
            index += 1
    else:
        for pair in enumerate(sources):
            yield pair
