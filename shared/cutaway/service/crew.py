"""The threads in which a service works, off its event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from cutaway.progress import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from cutaway.service.removing import Remover

__all__ = ["Crew"]

T = TypeVar("T")

_WORKERS = 2
_FETCHERS = 8


class Crew:
    """A few threads for removals, and others for pictures that are fetched first.

    A network's run keeps all cores busy and is one at a time, so a second worker is enough: it
    decodes and encodes meanwhile. Pictures are fetched apart from that, so that a slow server
    elsewhere holds no worker up.

    Args:
        remover: Does the work; closed with the crew.
        workers: Removals at a time; 2 if None.

    Attributes:
        remover: What it was given.
    """

    def __init__(self, remover: Remover, workers: int | None = None) -> None:
        self.remover = remover
        self._workers = ThreadPoolExecutor(workers or _WORKERS, "cutaway-worker")
        self._fetchers = ThreadPoolExecutor(_FETCHERS, "cutaway-fetcher")
        self._stop = Cancellation()

    async def work(self, job: Callable[[Cancellation], T]) -> T:
        """Run a removal in a worker's thread, as soon as one is free.

        Cancelling the task that awaits it takes it out of the queue, or cancels the job, which ends
        within one layer of a network.

        Raises:
            Cancelled: the crew was closed.
            Exception: whatever the job raises.
        """
        return await self._run(self._workers, job)

    async def fetch(self, image: str) -> bytes:
        """Do `Remover.fetch` in a thread of its own; cancelling the task breaks it off.

        Raises:
            Cancelled: the crew was closed.
            CutawayError: as `Remover.fetch`.
        """
        return await self._run(self._fetchers, partial(self.remover.fetch, image))

    def close(self) -> None:
        """Cancel what runs, wait for the threads to end, and let the networks go."""
        self._stop.cancel()
        for threads in (self._fetchers, self._workers):
            threads.shutdown()
        self.remover.close()

    async def _run(self, threads: Executor, job: Callable[[Cancellation], T]) -> T:
        cancellation = Cancellation()

        def begin() -> T:
            cancellation.check()
            return job(cancellation)

        self._stop.check()
        with self._stop.interrupting(cancellation.cancel):
            try:
                return await asyncio.wrap_future(threads.submit(begin))
            except asyncio.CancelledError:
                cancellation.cancel()
                raise
