"""How work on the wire is stopped: at once, from everywhere, with nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from cutaway import Cancellation
from cutaway.errors import Cancelled
from cutaway.runware.client import AsyncRunware, Runware
from tests.fakes.runware_faults import Hold
from tests.shared.runware.faces import (
    FACES,
    FAST,
    TRANSPORTS,
    address,
    open_face,
    picture,
    still_open,
    under_way,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.runware_service import RunwareService

PICTURE = picture()
PATIENCE = 30.0
POSIX = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends a signal to a thread")


@pytest.fixture(params=TRANSPORTS)
def url(request: pytest.FixtureRequest, service: RunwareService) -> str:
    return address(service, request.param)


@pytest.fixture
def hold(service: RunwareService) -> Hold:
    """What the first task's answer waits for."""
    hold = Hold()
    service.faults.append(hold)
    return hold


@pytest.fixture(autouse=True)
def nothing_stays(service: RunwareService) -> Iterator[None]:
    yield
    service.wait_until(lambda: not service.open_connections)
    assert still_open() == []


async def reached(hold: Hold) -> None:
    """Wait until a task's answer waits."""
    assert await anyio.to_thread.run_sync(hold.reached.wait, 30, abandon_on_cancel=True)


@pytest.mark.parametrize("face", FACES)
def test_a_cancelled_task_is_given_up_and_can_be_waited_for(
    service: RunwareService, url: str, face: str, hold: Hold
):
    stop, name = Cancellation(), str(uuid.uuid4())
    with (
        open_face(face, service.key, url=url) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        task = pool.submit(client.submit, PICTURE, task_uuid=name, cancellation=stop)
        assert hold.reached.wait(30)
        stop.cancel()
        with pytest.raises(Cancelled, match="wait_for") as caught:
            task.result(30)
        assert not hold.release.is_set()  # the answer was not what ended it
        assert caught.value.task_uuid == name
        client.submit(picture(1))
        assert under_way() == []
        hold.release.set()
        assert client.wait_for(name).image_url
    assert service.submissions(name) == 1


@pytest.mark.parametrize("face", FACES)
def test_what_is_cancelled_already_is_never_sent(service: RunwareService, url: str, face: str):
    stop = Cancellation()
    stop.cancel()
    with open_face(face, service.key, url=url) as client:
        with pytest.raises(Cancelled) as caught:
            client.submit(PICTURE, cancellation=stop)
        assert "billed" not in str(caught.value)
        with pytest.raises(Cancelled):
            client.upload(PICTURE, cancellation=stop)
        with pytest.raises(Cancelled):
            client.wait_for(str(uuid.uuid4()), cancellation=stop)
    assert not [one for one in service.requests if one.task_type != "authentication"]


def test_a_cancelled_task_leaves_the_others_alone(service: RunwareService, url: str, hold: Hold):
    stop, other = Cancellation(), Hold()
    service.faults.append(other)
    with Runware(service.key, url=url, pace=FAST) as client, ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.submit, PICTURE, cancellation=stop)
        assert hold.reached.wait(30)
        second = pool.submit(client.submit, picture(1))
        assert other.reached.wait(30)
        stop.cancel()
        with pytest.raises(Cancelled):
            first.result(30)
        other.release.set()
        assert second.result(30).image_url
        hold.release.set()


def test_closing_the_client_ends_what_is_under_way(service: RunwareService, url: str, hold: Hold):
    client = Runware(service.key, url=url, pace=FAST)
    with ThreadPoolExecutor(1) as pool:
        task = pool.submit(client.submit, PICTURE)
        assert hold.reached.wait(30)
        client.close()
        with pytest.raises(Cancelled):
            task.result(30)
    hold.release.set()


@POSIX
def test_ctrl_c_ends_the_waiting_and_the_work(service: RunwareService, url: str, hold: Hold):
    def press() -> None:
        assert hold.reached.wait(30)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with Runware(service.key, url=url, pace=FAST) as client:
        thread = threading.Thread(target=press)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            client.submit(PICTURE)
        thread.join()
        assert client.submit(PICTURE).image_url
        assert under_way() == []
    hold.release.set()


@pytest.mark.anyio
async def test_cancelling_the_awaiting_task_ends_the_work(
    service: RunwareService, url: str, hold: Hold
):
    name, ended = str(uuid.uuid4()), anyio.Event()

    async def submit() -> None:
        try:
            await client.submit(PICTURE, task_uuid=name)
        finally:
            ended.set()

    async with AsyncRunware(service.key, url=url, pace=FAST) as client:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(submit)
                await reached(hold)
                group.cancel_scope.cancel()
        assert group.cancel_scope.cancelled_caught
        assert ended.is_set()
        assert not hold.release.is_set()
        await client.submit(picture(1))
        assert under_way() == []
        hold.release.set()
        assert (await client.wait_for(name)).image_url
    assert service.submissions(name) == 1


def test_a_cancelled_asyncio_task_stays_cancelled(service: RunwareService, url: str, hold: Hold):
    async def main() -> None:
        async with AsyncRunware(service.key, url=url, pace=FAST) as client:
            task = asyncio.create_task(client.submit(PICTURE))
            await reached(hold)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()

    asyncio.run(main())
    hold.release.set()


@pytest.mark.anyio
async def test_the_callers_loop_goes_on_while_a_task_is_awaited(
    service: RunwareService, url: str, hold: Hold
):
    async def let_go() -> None:
        await reached(hold)
        hold.release.set()  # by the very loop that awaits the answer

    async with (
        AsyncRunware(service.key, url=url, pace=FAST) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(let_go)
        assert (await client.submit(PICTURE)).image_url


@pytest.mark.anyio
async def test_many_tasks_are_awaited_at_once(service: RunwareService, url: str):
    holds = [Hold() for _ in range(5)]
    service.faults.extend(holds)
    done = []

    async def submit(number: int) -> None:
        done.append(await client.submit(picture(number)))

    async with AsyncRunware(service.key, url=url, pace=FAST) as client:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for number in range(5):
                    group.start_soon(submit, number)
                for one in holds:
                    await reached(one)
                for one in holds:
                    one.release.set()
    assert {result.task_uuid for result in done} == service.billed.keys()


def test_one_client_serves_several_loops(service: RunwareService, url: str):
    client = AsyncRunware(service.key, url=url, pace=FAST)
    for backend in ("asyncio", "trio", "asyncio"):
        assert anyio.run(partial(client.submit, PICTURE), backend=backend).image_url
    anyio.run(client.aclose)


def test_a_loop_that_ends_takes_its_tasks_along(service: RunwareService, url: str, hold: Hold):
    client = AsyncRunware(service.key, url=url, pace=FAST)

    async def leave() -> None:
        waiting.append(asyncio.create_task(client.submit(PICTURE)))
        await reached(hold)

    waiting: list[asyncio.Task[object]] = []
    asyncio.run(leave())
    assert waiting[0].cancelled()
    hold.release.set()
    assert anyio.run(partial(client.submit, PICTURE)).image_url
    anyio.run(client.aclose)


def test_a_loop_that_is_closed_is_told_nothing(
    service: RunwareService, url: str, hold: Hold, caplog: pytest.LogCaptureFixture
):
    loop = asyncio.new_event_loop()
    client = AsyncRunware(service.key, url=url, pace=FAST)
    forgotten = loop.create_task(client.submit(PICTURE))
    loop.run_until_complete(reached(hold))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    hold.release.set()
    assert anyio.run(partial(client.submit, PICTURE)).image_url
    anyio.run(client.aclose)
    assert not [record for record in caplog.records if record.name == "concurrent.futures"]
    assert not forgotten.done()
    del forgotten
    gc.collect()


def test_a_client_that_no_one_closed_ends_with_the_last_who_knows_it(url, service):
    client = Runware(service.key, url=url, pace=FAST)
    client.submit(PICTURE)
    (thread,) = [one for one in threading.enumerate() if one.name == "cutaway-wire"]
    del client
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()
