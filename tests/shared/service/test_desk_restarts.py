from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from cutaway.service.refusals import Refusal
from tests.fakes.picture_server import PictureServer, body, stalling
from tests.shared.service.rooms import (
    PICTURE,
    RESULT,
    Rooms,
    StandIn,
    code_of,
    done,
    file_of,
    opened,
    removal,
    submit,
    until,
)

if TYPE_CHECKING:
    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.configuration import Configuration
    from cutaway.service.reading import Removal
    from tests.shared.service.receiver import Receiver

pytestmark = pytest.mark.anyio
CUTOUT = RESULT + PICTURE


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# One UUID, one task


async def test_a_uuid_is_taken_while_its_task_is_open_when_it_is_done_and_in_the_next_run(
    configuration: Configuration, shut: StandIn
):
    task = removal()
    again = removal(task_uuid=task.task.task_uuid.upper(), delivery_method="async")

    async def conflicts(rooms: Rooms) -> None:
        with pytest.raises(Refusal) as caught:
            await submit(rooms, again)
        assert (code_of(caught), caught.value.fault.status) == ("conflictTaskUUID", 400)

    async with opened(configuration, shut) as rooms:
        await submit(rooms, task)
        await conflicts(rooms)
        shut.gate.set()
        await rooms.desk.result(task.task.task_uuid)
        await conflicts(rooms)
    async with opened(configuration) as rooms:
        await conflicts(rooms)


async def test_of_two_tasks_with_one_uuid_at_the_same_time_one_is_taken(
    configuration: Configuration,
):
    async with opened(configuration) as rooms:
        task = removal()
        answers = await asyncio.gather(
            *(submit(rooms, task) for _ in range(4)), return_exceptions=True
        )
        assert sum(isinstance(answer, Refusal) for answer in answers) == 3
        assert await rooms.desk.result(task.task.task_uuid)
        assert len(rooms.remover.removed) == 1


# Ends and new beginnings


async def test_a_drain_takes_nothing_more_and_ends_when_all_is_done(
    configuration: Configuration, shut: StandIn
):
    async with opened(configuration, shut) as rooms:
        ready = rooms.desk.ready
        task = removal()
        waiting = asyncio.create_task(done(rooms, task))
        await until(lambda: rooms.records.open_tasks() != [])
        draining = asyncio.create_task(rooms.desk.drain(30.0))
        await asyncio.sleep(0)
        assert (ready, rooms.desk.ready) == (True, False)
        with pytest.raises(Refusal) as caught:
            await submit(rooms, removal())
        assert caught.value.fault.status == 503
        shut.gate.set()
        assert file_of(rooms, await waiting) == CUTOUT
        await draining


async def test_a_drain_without_patience_leaves_promised_tasks_to_the_next_run(
    configuration: Configuration, shut: StandIn, receiver: Receiver
):
    promised = [removal(webhook_url=receiver.url()) for _ in range(3)]
    async with opened(configuration, shut, patience=0.0) as rooms:
        images = [await submit(rooms, task) for task in promised]
        waited_for = removal()
        caller = asyncio.create_task(done(rooms, waited_for))
        await until(lambda: len(rooms.records.open_tasks()) == 4)
    with pytest.raises(Refusal) as caught:
        await caller
    assert caught.value.fault.status == 503
    async with opened(configuration) as rooms:
        items = [await rooms.until_done(task.task.task_uuid) for task in promised]
        assert [item["imageUUID"] for item in items] == images
        with pytest.raises(Refusal) as caught:
            await rooms.desk.standing(waited_for.task.task_uuid, "")
        assert code_of(caught) == "taskFailedOrNotFound"
        await asyncio.to_thread(receiver.wait, 3)
    told = sorted(json.loads(taken.body)["taskUUID"] for taken in receiver.received)
    assert told == sorted(task.task.task_uuid for task in promised)


async def test_who_polls_while_the_service_stops_is_told_to_come_again(
    configuration: Configuration, shut: StandIn
):
    async with opened(configuration, shut) as rooms:
        promised = removal(delivery_method="async")
        await submit(rooms, promised)
        draining = asyncio.create_task(rooms.desk.drain(0.0))
        told = []
        while not draining.done():
            await asyncio.sleep(0)
            told.append(await _standing(rooms, promised))
        await draining
        assert await _standing(rooms, promised) == 503
    assert set(told) <= {"processing", 503}


async def test_who_sends_a_task_while_the_service_stops_is_told_to_come_again(
    configuration: Configuration,
):
    remover, begun = StandIn(), threading.Event()

    def check(_task: RemovalTask) -> str:
        begun.set()
        remover.gate.wait(30.0)
        return "classical"

    remover.check = check  # type: ignore[method-assign, assignment]
    remover.gate.clear()
    async with opened(configuration, remover) as rooms:
        sending = asyncio.create_task(submit(rooms, removal()))
        await until(begun.is_set)
        draining = asyncio.create_task(rooms.desk.drain(0.0))
        with pytest.raises(Refusal) as caught:
            await sending
        remover.gate.set()
        await draining
    assert caught.value.fault.status == 503


async def _standing(rooms: Rooms, task: Removal) -> object:
    """A poll's status, or that of its refusal."""
    try:
        return (await rooms.desk.standing(task.task.task_uuid, ""))["status"]
    except Refusal as refusal:
        return refusal.fault.status


async def test_a_drain_breaks_off_a_picture_that_does_not_come(configuration: Configuration):
    with PictureServer() as server:
        reached, release = threading.Event(), threading.Event()
        server.answers["/slow.png"] = stalling(PICTURE, reached, release)
        task = removal(image=server.url("/slow.png"), delivery_method="async")
        async with opened(configuration, patience=0.0) as rooms:
            await submit(rooms, task)
            await until(reached.is_set)
        release.set()
        server.answers["/slow.png"] = body(PICTURE)
        async with opened(configuration) as rooms:
            assert file_of(rooms, await rooms.until_done(task.task.task_uuid)) == CUTOUT


async def test_a_task_that_ends_the_service_each_time_is_given_up(
    configuration: Configuration, shut: StandIn
):
    task = removal(delivery_method="async")
    async with opened(configuration, shut, patience=0.0) as rooms:
        await submit(rooms, task)
        for _ in range(25):
            rooms.records.begin(task.task.task_uuid)
    async with opened(configuration) as rooms:
        with pytest.raises(Refusal) as caught:
            await rooms.until_done(task.task.task_uuid)
        assert code_of(caught) == "taskFailed"


async def test_what_was_promised_survives_a_kill_and_reaches_each_receiver_once(
    configuration: Configuration, receiver: Receiver
):
    ways = [f"hook {receiver.url(f'/{number}')}" for number in range(8)] + ["async", "sync"]
    with subprocess.Popen(  # noqa: ASYNC220  (nothing else is to go on meanwhile)
        [sys.executable, "-m", "tests.shared.service.killed", str(configuration.folder), "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="ascii",
    ) as process:
        assert process.stdin
        assert process.stdout
        uuids = []
        for way in ways:
            process.stdin.write(f"{way}\n")
            process.stdin.flush()
            uuids.append(process.stdout.readline().strip())
        await asyncio.to_thread(receiver.wait, 3)
        process.kill()
    async with opened(configuration) as rooms:
        for uuid in uuids[:-1]:
            assert file_of(rooms, await rooms.until_done(uuid)) == CUTOUT
        with pytest.raises(Refusal) as caught:
            await rooms.until_done(uuids[-1])
        assert code_of(caught) == "taskFailedOrNotFound"
        for uuid in uuids:
            with pytest.raises(Refusal) as caught:
                await submit(rooms, removal(task_uuid=uuid))
            assert code_of(caught) == "conflictTaskUUID"
    told = [json.loads(taken.body)["taskUUID"] for taken in receiver.received]
    assert set(told) == set(uuids[:8])
    assert len(told) <= len(set(told)) + 3  # what was answered when the kill came may come again
