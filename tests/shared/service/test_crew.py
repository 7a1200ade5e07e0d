from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from cutaway.errors import Cancelled, SourceError
from cutaway.service.configuration import Configuration
from cutaway.service.crew import Crew
from cutaway.service.removing import Remover
from cutaway.settings import Settings
from tests.fakes.file_server import FileServer, Hold, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from cutaway.progress import Cancellation


def _with_crew(
    folder: Path, scenario: Callable[[Crew], Coroutine[Any, Any, None]], workers: int | None = None
) -> None:
    settings = Settings.load(models_dir=folder)
    remover = Remover(Configuration(allow_private_network=True), settings)
    crew = Crew(remover, workers)
    try:
        asyncio.run(asyncio.wait_for(scenario(crew), 30))
    finally:
        crew.close()


class _Job:
    """Works until it is let go or cancelled."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.released = threading.Event()
        self.stopped = threading.Event()

    def __call__(self, cancellation: Cancellation) -> str:
        with cancellation.interrupting(self.released.set):
            self.begun.set()
            self.released.wait(30)
        if cancellation.cancelled:
            self.stopped.set()
        cancellation.check()
        return threading.current_thread().name

    async def has_begun(self) -> bool:
        return await asyncio.to_thread(self.begun.wait, 30)


def test_a_job_is_done_in_a_thread_of_its_own_and_its_result_or_error_comes_back(tmp_path: Path):
    async def scenario(crew: Crew) -> None:
        job = _Job()
        job.released.set()
        assert await crew.work(job) != threading.current_thread().name

        def fail(_: Cancellation) -> None:
            raise SourceError("it failed")

        with pytest.raises(SourceError, match="it failed"):
            await crew.work(fail)

    _with_crew(tmp_path, scenario)


@pytest.mark.parametrize(("workers", "expected"), [(None, 2), (1, 1), (3, 3)])
def test_no_more_jobs_run_at_a_time_than_there_are_workers(
    tmp_path: Path, workers: int | None, expected: int
):
    async def scenario(crew: Crew) -> None:
        jobs = [_Job() for _ in range(expected + 1)]
        running = [asyncio.create_task(crew.work(job)) for job in jobs]
        for job in jobs[:-1]:
            assert await job.has_begun()
        last = jobs[-1]
        assert not last.begun.is_set()
        jobs[0].released.set()
        await running[0]
        assert await last.has_begun()
        for job in jobs:
            job.released.set()
        await asyncio.gather(*running)

    _with_crew(tmp_path, scenario, workers)


def test_cancelling_the_task_stops_a_job_that_runs_and_leaves_out_one_that_waits(tmp_path: Path):
    async def scenario(crew: Crew) -> None:
        runs, waits, next_one = _Job(), _Job(), _Job()
        next_one.released.set()
        running = asyncio.create_task(crew.work(runs))
        assert await runs.has_begun()
        waiting = asyncio.create_task(crew.work(waits))
        await asyncio.sleep(0)
        for task in (waiting, running):
            task.cancel()
        outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [type(one) for one in outcomes] == [asyncio.CancelledError] * 2
        assert await asyncio.to_thread(runs.stopped.wait, 30)
        await crew.work(next_one)
        assert not waits.begun.is_set()

    _with_crew(tmp_path, scenario, 1)


def test_closing_cancels_what_runs_and_what_waits_and_leaves_no_thread(tmp_path: Path):
    before = set(threading.enumerate())

    async def scenario(crew: Crew) -> None:
        runs, waits = _Job(), _Job()
        running = asyncio.create_task(crew.work(runs))
        assert await runs.has_begun()
        waiting = asyncio.create_task(crew.work(waits))
        await asyncio.sleep(0)
        await asyncio.to_thread(crew.close)
        outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [type(one) for one in outcomes] == [Cancelled] * 2
        assert not waits.begun.is_set()
        with pytest.raises(Cancelled):
            await crew.work(waits)

    _with_crew(tmp_path, scenario, 1)
    assert {thread.name for thread in set(threading.enumerate()) - before} == set()


def test_a_slow_server_holds_no_worker_up_and_closing_breaks_the_connection_off(tmp_path: Path):
    hold = Hold()

    async def scenario(crew: Crew, url: str) -> None:
        fetching = asyncio.create_task(crew.fetch(url))
        assert await asyncio.to_thread(hold.reached.wait, 30)
        job = _Job()
        job.released.set()
        await crew.work(job)
        assert not fetching.done()
        await asyncio.to_thread(crew.close)
        with pytest.raises(Cancelled):
            await fetching

    with FileServer() as server:
        server.put("/photo.png", bytes(100_000))
        server.script("/photo.png", Reply(hold_after=1000, hold=hold))
        try:
            _with_crew(tmp_path, lambda crew: scenario(crew, f"{server.url}/photo.png"), 1)
        finally:
            hold.release()
