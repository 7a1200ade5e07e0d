from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from cutaway.errors import (
    CutawayError,
    NoSubjectFound,
    OutputError,
    SourceError,
    UnknownModel,
    UnsupportedFormat,
)
from cutaway.runware.tasks import Dialect
from cutaway.service.deliveries import Pace
from cutaway.service.reading import Delete, Upload
from cutaway.service.refusals import Refusal
from tests.fakes.picture_server import PictureServer, body, status
from tests.shared.service.rooms import (
    BASE,
    PICTURE,
    PICTURE_BASE64,
    RESULT,
    Clock,
    Rooms,
    StandIn,
    code_of,
    done,
    file_of,
    had,
    opened,
    removal,
    submit,
    until,
)

if TYPE_CHECKING:
    from cutaway.service.configuration import Configuration
    from tests.shared.service.receiver import Receiver

pytestmark = pytest.mark.anyio
CUTOUT = RESULT + PICTURE


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# What callers get


@pytest.mark.parametrize("dialect", Dialect)
async def test_a_caller_who_waits_gets_the_results_url(
    configuration: Configuration, dialect: Dialect
):
    async with opened(configuration) as rooms:
        task = removal(dialect)
        image_uuid = await submit(rooms, task)
        item = await rooms.desk.result(task.task.task_uuid)
        assert file_of(rooms, item) == CUTOUT
        assert item["taskUUID"] == task.task.task_uuid
        assert item["imageUUID"] == image_uuid
        assert had(rooms.media, item["inputImageUUID"]) == PICTURE
        assert "status" not in item


async def test_a_result_comes_in_every_form_that_was_asked_for(configuration: Configuration):
    async with opened(configuration) as rooms:
        item = await done(rooms, removal(output_type=("URL", "base64Data", "dataURI")))
        assert file_of(rooms, item) == CUTOUT
        assert b64decode(item["imageBase64Data"]) == CUTOUT
        assert item["imageDataURI"] == f"data:image/png;base64,{item['imageBase64Data']}"


async def test_a_result_that_is_asked_for_after_its_end_is_the_same(configuration: Configuration):
    async with opened(configuration) as rooms:
        task = removal(output_type="base64Data")
        item = await done(rooms, task)
        assert await rooms.desk.result(task.task.task_uuid) == item
        assert await rooms.desk.standing(task.task.task_uuid, "") == item | {"status": "success"}


async def test_a_poll_tells_of_work_by_the_results_uuid_and_then_the_result(
    configuration: Configuration, shut: StandIn
):
    async with opened(configuration, shut) as rooms:
        task = removal(delivery_method="async")
        image_uuid = await submit(rooms, task)
        item = await rooms.desk.standing(task.task.task_uuid.upper(), "")
        assert item["status"] == "processing"
        assert item["imageUUID"] == image_uuid
        shut.gate.set()
        item = await rooms.until_done(task.task.task_uuid)
        assert item["imageUUID"] == image_uuid
        assert file_of(rooms, item) == CUTOUT


async def test_nobody_elses_task_can_be_polled(configuration: Configuration, shut: StandIn):
    async with opened(configuration, shut) as rooms:
        task = removal(delivery_method="async")
        await submit(rooms, task, "me")
        for _ in range(2):
            with pytest.raises(Refusal) as caught:
                await rooms.desk.standing(task.task.task_uuid, "you")
            assert code_of(caught) == "taskNotFound"
            shut.gate.set()
            await rooms.until_done(task.task.task_uuid, "me")


async def test_a_task_that_nobody_sent_is_not_found(configuration: Configuration):
    async with opened(configuration) as rooms:
        with pytest.raises(Refusal) as caught:
            await rooms.desk.standing(str(uuid4()), "")
        assert code_of(caught) == "taskNotFound"


async def test_a_result_is_an_input_by_its_uuid(configuration: Configuration):
    async with opened(configuration) as rooms:
        first = await done(rooms, removal())
        second = await done(rooms, removal(image=first["imageUUID"].upper()))
        assert second["inputImageUUID"] == first["imageUUID"]
        assert rooms.remover.removed == [PICTURE, CUTOUT]


async def test_an_input_that_is_not_stored_is_refused_by_its_parameter(
    configuration: Configuration,
):
    async with opened(configuration) as rooms:
        for dialect, parameter in ((Dialect.NEW, "inputs.image"), (Dialect.LEGACY, "inputImage")):
            with pytest.raises(Refusal) as caught:
                await submit(rooms, removal(dialect, image=str(uuid4())))
            assert (code_of(caught), caught.value.fault.parameter) == ("mediaNotFound", parameter)
        assert rooms.desk.depth == 0


async def test_an_input_is_fetched_from_its_url_once_and_stored(configuration: Configuration):
    with PictureServer() as server:
        server.answers["/cat.png"] = body(PICTURE)
        async with opened(configuration) as rooms:
            item = await done(rooms, removal(image=server.url("/cat.png")))
            assert had(rooms.media, item["inputImageUUID"]) == PICTURE
            task = removal(image=server.url("/cat.png"), delivery_method="async")
            await submit(rooms, task)
            polled = await rooms.until_done(task.task.task_uuid)
            assert had(rooms.media, str(polled["inputImageUUID"])) == PICTURE
        assert len(server.requests) == 2


async def test_an_url_that_has_no_picture_fails_the_task(configuration: Configuration):
    with PictureServer() as server:
        server.answers["/cat.png"] = status(404)
        server.answers["/page"] = body(b"<html>")
        async with opened(configuration) as rooms:
            with pytest.raises(SourceError):
                await done(rooms, removal(image=server.url("/cat.png")))
            with pytest.raises(UnsupportedFormat):
                await done(rooms, removal(image=server.url("/page")))


@pytest.mark.parametrize("image", ["/etc/hostname", "README.md", "bm90aGluZw==", "data:,text"])
async def test_nothing_but_a_picture_is_taken_and_no_file_is_ever_read(
    configuration: Configuration, image: str
):
    async with opened(configuration) as rooms:
        with pytest.raises(CutawayError) as caught:
            await submit(rooms, removal(image=image))
        assert isinstance(caught.value, (SourceError, UnsupportedFormat))
        assert list((configuration.folder / "media").iterdir()) == []


async def test_a_model_that_is_not_here_refuses_the_task_and_leaves_its_uuid_free(
    configuration: Configuration,
):
    async with opened(configuration) as rooms:
        task = removal(model="nobody:1@1")
        for _ in range(2):
            with pytest.raises(UnknownModel):
                await submit(rooms, task)


async def test_a_failed_task_tells_the_same_to_who_waits_and_to_who_polls_and_after_a_restart(
    configuration: Configuration,
):
    failing = StandIn(failure=NoSubjectFound("there is no subject", "it is all one", "Try another"))
    task = removal()
    async with opened(configuration, failing) as rooms:
        with pytest.raises(NoSubjectFound):
            await done(rooms, task)
    for _ in range(2):
        async with opened(configuration) as rooms:
            with pytest.raises(Refusal) as caught:
                await rooms.desk.standing(task.task.task_uuid, "")
            assert code_of(caught) == "noSubjectFound"
            assert str(caught.value) == "there is no subject: it is all one. Try another."


async def test_a_result_that_its_format_cant_hold_is_the_callers_fault(
    configuration: Configuration,
):
    failure = OutputError("the WEBP was not written", "a side is over 16383 pixels", "Choose PNG")
    async with opened(configuration, StandIn(failure=failure)) as rooms:
        with pytest.raises(Refusal, match="over 16383 pixels") as caught:
            await done(rooms, removal(output_format="WEBP"))
        assert (code_of(caught), caught.value.fault.status) == ("invalidOutputFormat", 400)


async def test_a_defect_fails_its_task_alone_and_is_logged(
    configuration: Configuration, caplog: pytest.LogCaptureFixture
):
    async with opened(configuration, StandIn(failure=ZeroDivisionError("oops"))) as rooms:
        task = removal(delivery_method="async")
        await submit(rooms, task)
        with pytest.raises(Refusal) as caught:
            await rooms.until_done(task.task.task_uuid)
        assert code_of(caught) == "internalServerError"
        assert "oops" not in str(caught.value)
        rooms.remover.failure = None
        assert await done(rooms, removal())
    assert "oops" in caplog.text


async def test_a_caller_waits_so_long_and_can_poll_then(
    configuration: Configuration, shut: StandIn
):
    async with opened(replace(configuration, sync_patience=0.01), shut) as rooms:
        task = removal(output_type="base64Data")
        with pytest.raises(Refusal) as caught:
            await done(rooms, task)
        assert (code_of(caught), caught.value.fault.status) == ("timeout", 408)
        shut.gate.set()
        item = await rooms.until_done(task.task.task_uuid)
        assert b64decode(str(item["imageBase64Data"])) == CUTOUT


async def test_a_caller_who_goes_away_leaves_the_task_going_on(
    configuration: Configuration, shut: StandIn
):
    async with opened(configuration, shut) as rooms:
        task = removal()
        caller = asyncio.create_task(done(rooms, task))
        await until(lambda: rooms.records.open_tasks() != [])
        caller.cancel()
        await asyncio.wait([caller])
        shut.gate.set()
        assert (await rooms.until_done(task.task.task_uuid))["status"] == "success"


# How long


async def test_a_result_can_be_had_for_its_ttl_and_its_uuid_stays_taken(
    configuration: Configuration,
):
    clock = Clock()
    async with opened(configuration, pace=Pace(clock=clock, sleep=clock.sleep)) as rooms:
        task = removal(ttl=60)
        item = await done(rooms, task)
        clock.now += 59.9
        assert file_of(rooms, item) == CUTOUT
        assert await rooms.until_done(task.task.task_uuid)
        clock.now += 0.1
        assert file_of(rooms, item) is None
        with pytest.raises(Refusal) as caught:
            await rooms.desk.standing(task.task.task_uuid, "")
        assert code_of(caught) == "taskNotFound"
        with pytest.raises(Refusal) as caught:
            await submit(rooms, task)
        assert code_of(caught) == "conflictTaskUUID"


async def test_what_expired_is_off_the_disk_soon_after(configuration: Configuration):
    clock = Clock()
    async with opened(configuration, pace=Pace(clock=clock, sleep=clock.sleep)) as rooms:
        task = removal()
        await done(rooms, task)
        media = configuration.folder / "media"
        assert len(list(media.iterdir())) == 2
        clock.go(configuration.keep + 5.0)
        await until(lambda: not list(media.iterdir()))
        await until(lambda: rooms.records.task(task.task.task_uuid) is None)


async def test_what_expired_while_the_service_was_off_is_removed_at_the_start_but_open_inputs(
    configuration: Configuration, shut: StandIn
):
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    task = removal(delivery_method="async")
    async with opened(configuration, shut, pace, patience=0.0) as rooms:
        await submit(rooms, task)
    clock.now += 10 * configuration.keep
    async with opened(configuration, pace=pace) as rooms:
        assert file_of(rooms, await rooms.until_done(task.task.task_uuid)) == CUTOUT


# How much


async def test_a_full_queue_refuses_until_a_place_is_free(
    configuration: Configuration, shut: StandIn
):
    async with opened(replace(configuration, max_queue=2), shut) as rooms:
        tasks = [removal(delivery_method="async") for _ in range(3)]
        await submit(rooms, tasks[0])
        await until(lambda: rooms.desk.depth == 0)
        for task in tasks[1:]:
            await submit(rooms, task)
        assert rooms.desk.depth == 2
        late = removal()
        with pytest.raises(Refusal) as caught:
            await submit(rooms, late)
        assert caught.value.fault.status == 429
        assert caught.value.fault.retry_after
        shut.gate.set()
        for task in tasks:
            await rooms.until_done(task.task.task_uuid)
        assert await done(rooms, late)


async def test_many_tasks_at_once_do_not_overrun_the_queue(
    configuration: Configuration, shut: StandIn
):
    async with opened(replace(configuration, max_queue=5), shut) as rooms:
        tasks = [removal(delivery_method="async") for _ in range(20)]
        answers = await asyncio.gather(
            *(submit(rooms, task) for task in tasks), return_exceptions=True
        )
        taken = sum(isinstance(answer, str) for answer in answers)
        assert taken == len(rooms.records.open_tasks())
        assert 5 <= taken <= 6
        shut.gate.set()


async def test_a_key_has_so_many_tasks_at_a_time_and_others_are_not_held_up(
    configuration: Configuration, shut: StandIn
):
    async with opened(replace(configuration, per_key=2), shut) as rooms:
        for _ in range(2):
            await submit(rooms, removal(delivery_method="async"), "greedy")
        with pytest.raises(Refusal) as caught:
            await submit(rooms, removal(), "greedy")
        assert caught.value.fault.status == 429
        assert caught.value.fault.retry_after
        await submit(rooms, removal(delivery_method="async"), "modest")
        shut.gate.set()


async def test_a_full_storage_refuses_the_input_and_leaves_the_uuid_free(
    configuration: Configuration, shut: StandIn
):
    small = replace(configuration, max_storage=len(PICTURE) + 1)
    async with opened(small, shut) as rooms:
        await submit(rooms, removal(delivery_method="async"))
        task = removal(delivery_method="async")
        for _ in range(2):
            with pytest.raises(Refusal) as caught:
                await submit(rooms, task)
            assert caught.value.fault.status == 503
        shut.gate.set()


async def test_parameters_of_many_letters_are_refused(configuration: Configuration):
    async with opened(configuration) as rooms:
        with pytest.raises(Refusal) as caught:
            await submit(rooms, removal(provider_settings={"bria": {"a": "x" * 70_000}}))
        assert caught.value.fault.status == 400


async def test_nothing_of_a_done_task_stays_in_memory(configuration: Configuration):
    async def work(rooms: Rooms, count: int) -> int:
        for _ in range(count):
            await done(rooms, removal())
            rooms.remover.removed.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    async with opened(configuration) as rooms:
        tracemalloc.start()
        try:
            before = await work(rooms, 30)
            after = await work(rooms, 120)
        finally:
            tracemalloc.stop()
    assert after - before < 24_000  # 200 bytes a task would be too much


# Receivers


async def test_a_webhook_makes_any_task_one_that_is_promised(
    configuration: Configuration, receiver: Receiver
):
    async with opened(configuration) as rooms:
        task = removal(webhook_url=receiver.url("/hook?token=1"))
        await submit(rooms, task)
        await asyncio.to_thread(receiver.wait, 1)
        record = rooms.records.task(task.task.task_uuid)
        assert record is not None
        assert record.promised
    assert json.loads(receiver.received[0].body)["taskUUID"] == task.task.task_uuid


async def test_a_caller_who_waits_gets_the_result_and_the_endpoint_its_bytes(
    configuration: Configuration, receiver: Receiver
):
    async with opened(configuration) as rooms:
        item = await done(rooms, removal(upload_endpoint=receiver.url("/put")))
        assert file_of(rooms, item) == CUTOUT
        await asyncio.to_thread(receiver.wait, 1)
    assert receiver.received[0].body == CUTOUT


async def test_a_receiver_inside_refuses_the_task_at_once(configuration: Configuration):
    async with opened(configuration) as rooms:
        with pytest.raises(Refusal) as caught:
            await submit(rooms, removal(webhook_url="http://169.254.169.254/latest"))
        assert caught.value.fault.parameter == "webhookURL"
        assert rooms.records.open_tasks() == []


# Uploads


@pytest.mark.parametrize(
    ("task_type", "word"), [("imageUpload", "image"), ("mediaStorage", "media")]
)
async def test_an_upload_is_stored_for_later_tasks_and_runs(
    configuration: Configuration, task_type: Any, word: str
):
    upload = Upload(str(uuid4()), f"data:image/png;base64,{PICTURE_BASE64}", task_type)
    async with opened(configuration) as rooms:
        item = await rooms.desk.upload(upload, base_url=BASE)
        assert (item["taskType"], item["taskUUID"]) == (task_type, upload.task_uuid)
        assert file_of(rooms, item, f"{word}URL") == PICTURE
    async with opened(configuration) as rooms:
        result = await done(rooms, removal(image=item[f"{word}UUID"]))
        assert result["inputImageUUID"] == item[f"{word}UUID"]


async def test_an_upload_that_is_no_picture_is_refused(configuration: Configuration):
    async with opened(configuration) as rooms:
        upload = Upload(str(uuid4()), "data:text/html,<script>", "mediaStorage")
        with pytest.raises(UnsupportedFormat):
            await rooms.desk.upload(upload, base_url=BASE)


async def test_a_deleted_upload_is_gone_and_deleting_it_again_is_an_error(
    configuration: Configuration,
):
    async with opened(configuration) as rooms:
        upload = Upload(str(uuid4()), PICTURE_BASE64, "mediaStorage")
        item = await rooms.desk.upload(upload, base_url=BASE)
        deletion = Delete(str(uuid4()), item["mediaUUID"])
        assert await rooms.desk.delete(deletion) == {
            "taskType": "mediaStorage",
            "taskUUID": deletion.task_uuid,
            "mediaUUID": item["mediaUUID"],
        }
        assert file_of(rooms, item, "mediaURL") is None
        with pytest.raises(Refusal) as caught:
            await rooms.desk.delete(deletion)
        assert (code_of(caught), caught.value.fault.parameter) == ("mediaNotFound", "media")
