"""What a client hears while it waits, how it stops a call, and how many run at once."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest
import trio
from anyio import to_thread
from trio.testing import MockClock

from cutaway import Cancellation, Settings, Step, errors
from cutaway_mcp.folders import Folders
from cutaway_mcp.progress import telling
from cutaway_mcp.writing import new_file
from tests.fakes.runware_faults import Hold
from tests.fakes.runware_service import RunwareService
from tests.mcp_server.calling import call, facts_of, in_memory, names
from tests.pictures import as_file, portrait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from mcp import Client

pytestmark = pytest.mark.anyio
MODERN = "2026-07-28"


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


@asynccontextmanager
async def calling(era: str, folder: Path, service: RunwareService) -> AsyncIterator[Client]:
    settings = Settings.load(runware_api_key=service.key)
    backend = service.http_url
    async with in_memory(era, folder, settings=settings, backend=backend) as client:
        yield client


def held(service: RunwareService) -> list[Hold]:
    """Have the service hold every answer; gives the holds, as they come."""
    holds: list[Hold] = []

    def hold(_: object) -> Hold:
        holds.append(Hold())
        return holds[-1]

    service.fault_for = hold
    return holds


async def until(service: RunwareService, holds: Any) -> None:
    await to_thread.run_sync(service.wait_until, holds)


async def test_progress_rises_through_the_stages(era: str, folder: Path) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async with in_memory(era, folder) as client:
        arguments = {"input": str(folder / "cat.png")}
        await client.call_tool("remove_background", arguments, progress_callback=hear)
    values = [value for value, _, _ in told]
    assert values == sorted(set(values))
    assert {total for _, total, _ in told} == {100}
    stages = [message for _, _, message in told]
    assert stages[0] == "waiting"
    assert {"finding the subject", "refining"} <= set(stages)


def test_something_is_told_at_least_every_two_seconds_be_the_work_ever_so_silent() -> None:
    told: list[tuple[float, float, str]] = []  # when, how far, and at what

    async def send(value: float, total: float, message: str) -> None:
        assert value < total
        told.append((trio.current_time(), value, message))

    async def work() -> None:
        async with telling(send) as teller:
            teller.step(Step("reading", 0.0))
            await anyio.sleep(0.1)
            teller.step(Step("finding the subject", 0.9))
            await anyio.sleep(3600)
            teller.step(Step("decoding", 0.5))  # as a second picture would
            await anyio.sleep(60)

    trio.run(work, clock=MockClock(autojump_threshold=0))
    times, values, stages = zip(*told, strict=True)
    assert max(np.diff(times)) <= 2
    assert min(np.diff(values)) > 0
    assert list(dict.fromkeys(stages)) == ["reading", "finding the subject", "decoding"]


def test_many_steps_in_a_moment_are_told_once() -> None:
    told: list[str] = []

    async def send(_: float, __: float, message: str) -> None:
        told.append(message)

    async def work() -> None:
        async with telling(send) as teller:
            for share in range(1000):
                teller.step(Step("refining", share / 1000))
                await anyio.sleep(0.0001)

    trio.run(work, clock=MockClock(autojump_threshold=0))
    assert told == ["refining"]


async def test_a_cancelled_call_stops_the_waiting_for_a_service_and_leaves_no_file(
    era: str, folder: Path, service: RunwareService
) -> None:
    holds = held(service)
    async with calling(era, folder, service) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(partial(call, client, input=str(folder / "cat.png")))
            await until(service, lambda: holds)
            group.cancel_scope.cancel()
        service.fault_for = lambda _: None
        facts_of(await call(client, input=str(folder / "cat.png"), output="mask"))
        assert not holds[0].release.is_set()
        holds[0].release.set()
    await until(service, lambda: not service.open_connections)
    assert names(folder) == ["cat-mask.png", "cat.png"]


async def test_a_cancelled_call_stops_the_engine_and_leaves_no_file(era: str, folder: Path) -> None:
    (folder / "large.png").write_bytes(as_file(np.tile(portrait(), (10, 10, 1)), compress_level=1))
    working = anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        if message == "finding the subject":
            working.set()

    async with in_memory(era, folder) as client:
        async with anyio.create_task_group() as group:
            arguments = {"input": str(folder / "large.png")}
            group.start_soon(
                partial(client.call_tool, "remove_background", arguments, progress_callback=hear)
            )
            await working.wait()
            group.cancel_scope.cancel()
        facts_of(await call(client, input=str(folder / "cat.png")))
    assert names(folder) == ["cat-cutout.png", "cat.png", "large.png"]


def test_a_half_written_file_is_gone_once_its_call_is_cancelled(folder: Path) -> None:
    folders, cancellation = Folders([folder]), Cancellation()
    path = folders.writable(str(folder / "out.png"), overwrite=False)
    with ExitStack() as stack:
        file = stack.enter_context(
            new_file(folders, path, overwrite=False, cancellation=cancellation)
        )
        file.write(b"half")
        assert len(names(folder)) == 2
        cancellation.cancel()
        with pytest.raises(errors.Cancelled):
            file.write(b"the other half")
        with pytest.raises(errors.Cancelled):
            stack.close()
    assert names(folder) == ["cat.png"]


async def test_pictures_wait_for_their_turn(folder: Path, service: RunwareService) -> None:
    paths = [folder / f"{number}.png" for number in range(6)]
    for path in paths:
        path.write_bytes((folder / "cat.png").read_bytes())
    holds = held(service)
    async with calling(MODERN, folder, service) as client, anyio.create_task_group() as group:
        for path in paths:
            group.start_soon(partial(call, client, input=str(path)))
        for number, most in enumerate((4, 5, 6, 6, 6, 6)):
            await until(service, lambda most=most: len(holds) >= most)
            assert len(holds) == most
            holds[number].release.set()
    assert len(names(folder, "*-cutout.png")) == 6
