from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from cutaway.errors import NoSubjectFound
from cutaway.runware.tasks import Dialect, RemovalTask
from cutaway.service import outcomes
from cutaway.service.configuration import Configuration
from cutaway.service.deliveries import MOST_TRIES, Deliveries, Pace
from cutaway.service.media import MediaStore
from cutaway.service.records import Records, TaskRecord
from cutaway.service.refusals import Refusal
from cutaway.sources.guard import Guard
from tests.shared.service.receiver import SILENCE, Receiver
from tests.shared.service.rooms import BASE, HERE_ONLY, PICTURE, USUAL, Clock, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

INPUT = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@dataclass
class Box:
    """Records and media with ended tasks, whose results wait to be delivered."""

    configuration: Configuration
    records: Records
    media: MediaStore

    def deliveries(self, pace: Pace = USUAL, guard: Guard = HERE_ONLY) -> Deliveries:
        return Deliveries(self.configuration, self.records, self.media, pace=pace, guard=guard)

    def ended(self, *, failed: bool = False, **parameters: Any) -> TaskRecord:
        """Write down a task and its end, as a desk does."""
        named = {"task_uuid": str(uuid4()), "image": INPUT, "model": "runware:109@1"} | parameters
        task = RemovalTask(**named)
        record = TaskRecord(
            uuid=task.task_uuid,
            owner="",
            promised=True,
            message=outcomes.message(task, Dialect.NEW, INPUT),
            model="classical",
            image_uuid=str(uuid4()),
            input_uuid=INPUT,
            base_url=BASE,
            accepted=0.0,
        )
        self.records.accept(record)
        finish = partial(self.records.finish, record.uuid, expires=2e6, durable=False)
        deliveries = self.deliveries(Pace(clock=lambda: 0.0)).planned(task, succeeded=not failed)
        if failed:
            error = NoSubjectFound("there is no subject", "all is one colour", "Try another model")
            finish("error", outcomes.failure(error, record), deliveries=deliveries)
        else:
            stored = self.media.put(
                PICTURE, ".png", kind="result", ttl=1e5, durable=False, uuid=record.image_uuid
            )
            finish("success", outcomes.success(stored, "image/png"), deliveries=deliveries)
        return record

    @property
    def pending(self) -> int:
        return len(self.records.due(1e12, 1000, underway=[], busy=[]))

    async def empty(self) -> None:
        """Wait until nothing is to be delivered any more."""
        await until(lambda: not self.pending)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    configuration = Configuration(folder=tmp_path, price=Decimal("0.0006"))
    with closing(Records(tmp_path)) as records:
        yield Box(configuration, records, MediaStore(configuration, records))


@asynccontextmanager
async def running(deliveries: Deliveries) -> AsyncIterator[Deliveries]:
    await deliveries.start()
    try:
        yield deliveries
    finally:
        await deliveries.stop()


class Leaps:
    """A pace without waits: who sleeps lets the time go by."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.go(seconds)

    def pace(self, chance: float = 0.5, **patience: float) -> Pace:
        return Pace(clock=self.clock, sleep=self.sleep, chance=lambda: chance, **patience)


async def test_a_webhook_gets_the_result_as_json_and_keeps_its_token(box: Box, receiver: Receiver):
    task = box.ended(webhook_url=receiver.url("/hook?token=s3cret&n=1"), include_cost=True)
    async with running(box.deliveries()):
        await box.empty()
    [taken] = receiver.received
    assert (taken.method, taken.target) == ("POST", "/hook?token=s3cret&n=1")
    assert taken.headers["Content-Type"] == "application/json"
    item = json.loads(taken.body)
    assert item.pop("imageURL").startswith(f"{BASE}/media/{task.image_uuid}-")
    assert item == {
        "taskType": "imageBackgroundRemoval",
        "taskUUID": task.uuid,
        "imageUUID": task.image_uuid,
        "inputImageUUID": INPUT,
        "cost": 0.0006,
    }


async def test_a_failed_tasks_webhook_gets_the_error_and_its_endpoint_nothing(
    box: Box, receiver: Receiver
):
    task = box.ended(failed=True, webhook_url=receiver.url(), upload_endpoint=receiver.url("/put"))
    async with running(box.deliveries()):
        await box.empty()
    [taken] = receiver.received
    item = json.loads(taken.body)
    assert item["taskUUID"] == task.uuid
    assert item["code"] == "noSubjectFound"
    assert "there is no subject" in item["message"]


async def test_an_upload_endpoint_gets_the_bytes_with_their_type(box: Box, receiver: Receiver):
    box.ended(upload_endpoint=receiver.url("/bucket/a.png?X-Signature=abc"))
    async with running(box.deliveries()):
        await box.empty()
    [taken] = receiver.received
    assert (taken.method, taken.target) == ("PUT", "/bucket/a.png?X-Signature=abc")
    assert taken.headers["Content-Type"] == "image/png"
    assert taken.headers["Content-Length"] == str(len(PICTURE))
    assert taken.body == PICTURE


@pytest.mark.parametrize("refusal", [500, 404, 302, 307])
async def test_only_2xx_is_a_delivery_and_no_redirect_is_followed(
    box: Box, receiver: Receiver, refusal: int
):
    receiver.answers["/hook"] = [refusal, 204]
    box.ended(webhook_url=receiver.url())
    async with running(box.deliveries(Leaps().pace())):
        await box.empty()
    assert [taken.target for taken in receiver.received] == ["/hook", "/hook"]


async def test_a_receiver_is_asked_again_at_doubling_times_and_given_up_in_the_end(
    box: Box, receiver: Receiver
):
    receiver.answers["/hook"] = [503]
    box.ended(webhook_url=receiver.url())
    leaps = Leaps()
    async with running(box.deliveries(leaps.pace())):
        await box.empty()
    assert len(receiver.received) == MOST_TRIES
    waits = [0.25, 0.5, 1.0, 2.0, 4.0]
    assert leaps.slept == pytest.approx(waits + [8.0] * (MOST_TRIES - 1 - len(waits)))


@pytest.mark.parametrize(("chance", "first"), [(0.0, 0.1875), (1.0, 0.3125)])
async def test_chance_spreads_the_tries_by_a_quarter(
    box: Box, receiver: Receiver, chance: float, first: float
):
    receiver.answers["/hook"] = [503, 200]
    box.ended(webhook_url=receiver.url())
    leaps = Leaps()
    async with running(box.deliveries(leaps.pace(chance))):
        await box.empty()
    assert leaps.slept == pytest.approx([first])


async def test_each_receiver_is_settled_on_its_own(box: Box, receiver: Receiver):
    receiver.answers["/put"] = [500, 500, 200]
    box.ended(webhook_url=receiver.url("/hook"), upload_endpoint=receiver.url("/put"))
    async with running(box.deliveries(Leaps().pace())):
        await box.empty()
    targets = sorted(taken.target for taken in receiver.received)
    assert targets == ["/hook", "/put", "/put", "/put"]


async def test_what_was_taken_is_not_sent_again_and_what_was_not_goes_out_at_the_next_start(
    box: Box, receiver: Receiver
):
    receiver.answers["/late"] = [503, 200]
    box.ended(webhook_url=receiver.url("/hook"))
    box.ended(webhook_url=receiver.url("/late"))
    clock = Clock()
    async with running(box.deliveries(Pace(clock=clock, sleep=clock.sleep))):
        await asyncio.to_thread(receiver.wait, 2)
        await until(lambda: box.pending == 1 and box.records.next_due(clock.now) is not None)
    assert box.pending == 1
    clock.go(1.0)
    async with running(box.deliveries(Pace(clock=clock, sleep=clock.sleep))):
        await box.empty()
    assert sorted(taken.target for taken in receiver.received) == ["/hook", "/late", "/late"]


async def test_a_receiver_that_does_not_answer_in_time_is_asked_again(box: Box, receiver: Receiver):
    receiver.answers["/hook"] = [SILENCE, 200]
    box.ended(webhook_url=receiver.url())
    async with running(box.deliveries(Leaps().pace(webhook=0.05))):
        await box.empty()
    assert len(receiver.received) == 2


async def test_a_silent_receiver_holds_no_other_up(box: Box, receiver: Receiver):
    with Receiver() as silent:
        silent.answers["/hook"] = [SILENCE]
        for _ in range(30):
            box.ended(webhook_url=silent.url())
        box.ended(webhook_url=receiver.url())
        async with running(box.deliveries()):
            await asyncio.to_thread(receiver.wait, 1)
        assert len(silent.received) <= 4


async def test_a_result_that_comes_later_is_noticed(box: Box, receiver: Receiver):
    async with running(box.deliveries()) as deliveries:
        await asyncio.sleep(0)
        box.ended(webhook_url=receiver.url())
        deliveries.notice()
        await box.empty()
    assert len(receiver.received) == 1


async def test_what_is_underway_is_waited_for_at_the_end(box: Box, receiver: Receiver):
    box.ended(webhook_url=receiver.url())
    deliveries = box.deliveries()
    await deliveries.start()
    await asyncio.to_thread(receiver.wait, 1)
    await deliveries.stop(20.0)
    assert box.pending == 0


async def test_a_receiver_inside_is_refused_when_the_task_comes(box: Box, receiver: Receiver):
    named = {"task_uuid": str(uuid4()), "image": INPUT, "model": "m"}
    deliveries = box.deliveries(guard=Guard())
    for parameter, wire in (("webhook_url", "webhookURL"), ("upload_endpoint", "uploadEndpoint")):
        task = RemovalTask(**named, **{parameter: receiver.url()})  # type: ignore[arg-type]
        with pytest.raises(Refusal) as caught:
            await deliveries.check(task)
        assert caught.value.fault.parameter == wire
        assert caught.value.fault.status == 400
    allowed = Configuration(folder=box.configuration.folder, allow_private_network=True)
    await Deliveries(allowed, box.records, box.media).check(task)


@pytest.mark.parametrize("url", ["http://a..b/", "http://:80/", "http://host:99999/"])
async def test_what_is_no_url_is_refused_when_the_task_comes(box: Box, url: str):
    task = RemovalTask(task_uuid=str(uuid4()), image=INPUT, model="m", webhook_url=url)
    with pytest.raises(Refusal) as caught:
        await box.deliveries().check(task)
    assert caught.value.fault.parameter == "webhookURL"


async def test_a_name_that_leads_inside_later_is_given_up_without_a_connection(
    box: Box, receiver: Receiver
):
    box.ended(webhook_url=receiver.url(host="rebound.invalid"))
    guard = Guard(resolve=lambda _host, _port: ["127.0.0.1"])
    async with running(box.deliveries(guard=guard)):
        await box.empty()
    assert receiver.received == []


async def test_the_connection_goes_where_the_guard_looked_and_bears_the_name(
    box: Box, receiver: Receiver
):
    names = iter([["127.0.0.1"], ["192.0.2.1"]])
    box.ended(webhook_url=receiver.url(host="once.invalid"))
    guard = Guard(resolve=lambda _host, _port: next(names), permit=HERE_ONLY.permit)
    async with running(box.deliveries(guard=guard)):
        await box.empty()
    [taken] = receiver.received
    assert taken.headers["Host"].startswith("once.invalid:")


async def test_the_log_tells_what_was_given_up_but_no_token(
    box: Box, receiver: Receiver, caplog: pytest.LogCaptureFixture
):
    receiver.answers["/hook?token=s3cret"] = [500]
    box.ended(webhook_url=receiver.url("/hook?token=s3cret"))
    async with running(box.deliveries(Leaps().pace())):
        await box.empty()
    assert "delivery given up" in caplog.messages
    facts = [getattr(record, "facts", {}) for record in caplog.records]
    assert facts[-1]["tries"] == MOST_TRIES
    assert "s3cret" not in str(facts) + caplog.text
