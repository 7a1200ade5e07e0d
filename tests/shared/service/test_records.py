from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cutaway.errors import ConfigError, OutputError
from cutaway.service.records import Delivery, Media, Records, TaskRecord
from cutaway.service.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASK = TaskRecord(
    uuid="a",
    owner="somebody",
    promised=True,
    message={"taskUUID": "A", "model": "runware:109@1"},
    model="classical",
    image_uuid="image",
    input_uuid="input",
    base_url="http://here",
    accepted=100.0,
)
MEDIA = Media(
    uuid="input",
    name="input-1.png",
    suffix=".png",
    size=10,
    kind="input",
    created=100.0,
    expires=200.0,
)
HOOK = Delivery(task="a", kind="webhook", url="http://b/?t=1", receiver="http://b", due=100.0)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(tmp_path)) as opened:
        yield opened


def finish(records: Records, uuid: str = "a", *deliveries: Delivery) -> None:
    records.finish(
        uuid, "success", {"name": "x"}, expires=500.0, deliveries=deliveries, durable=False
    )


def test_an_accepted_task_is_read_back_as_it_was_by_a_later_run(tmp_path: Path):
    with closing(Records(tmp_path)) as first:
        first.accept(TASK)
    with closing(Records(tmp_path)) as second:
        assert second.task("a") == TASK
        assert second.open_tasks() == [TASK]
        assert second.task("b") is None


@pytest.mark.parametrize("promised", [True, False])
def test_a_uuid_stays_taken_after_its_task_ended_and_in_a_later_run(
    tmp_path: Path, *, promised: bool
):
    with closing(Records(tmp_path)) as first:
        first.accept(replace(TASK, promised=promised))
        finish(first)
    with closing(Records(tmp_path)) as second, pytest.raises(Refusal) as caught:
        second.accept(replace(TASK, owner="another"))
    assert caught.value.fault.code == "conflictTaskUUID"


def test_a_refused_task_changes_nothing(records: Records):
    records.accept(TASK)
    with pytest.raises(Refusal):
        records.accept(replace(TASK, model="other"))
    assert records.task("a") == TASK


def test_an_outcome_and_its_deliveries_are_kept_together(tmp_path: Path):
    with closing(Records(tmp_path)) as first:
        first.accept(TASK)
        finish(first, "a", HOOK)
    with closing(Records(tmp_path)) as second:
        ended = second.task("a")
        assert ended is not None
        assert (ended.state, ended.outcome, ended.expires) == ("success", {"name": "x"}, 500.0)
        assert second.open_tasks() == []
        assert second.due(100.0, 5, underway=[], busy=[]) == [replace(HOOK, id=1)]


def test_a_task_has_one_outcome_and_each_delivery_once(records: Records):
    records.accept(TASK)
    finish(records, "a", HOOK)
    records.finish("a", "error", {}, expires=1.0, deliveries=[HOOK], durable=True)
    ended = records.task("a")
    assert ended is not None
    assert ended.state == "success"
    assert len(records.due(100.0, 5, underway=[], busy=[])) == 1


def test_what_was_begun_least_often_and_came_first_is_worked_on_first(records: Records):
    for uuid, accepted in (("late", 3.0), ("early", 1.0), ("begun", 0.0)):
        records.accept(replace(TASK, uuid=uuid, accepted=accepted))
    assert records.begin("begun") == 1
    assert records.begin("begun", "new input") == 2
    assert [task.uuid for task in records.open_tasks()] == ["early", "late", "begun"]
    assert records.open_tasks()[2].input_uuid == "new input"
    assert records.open_tasks()[0].input_uuid == "input"


def test_a_task_is_forgotten_when_it_expired_and_has_nothing_to_deliver(records: Records):
    for uuid in ("a", "b", "open"):
        records.accept(replace(TASK, uuid=uuid))
    finish(records, "a", HOOK)
    finish(records, "b")
    assert records.forget_tasks(499.9) == 0
    assert records.forget_tasks(500.0) == 1
    assert records.task("b") is None
    [hook] = records.due(100.0, 5, underway=[], busy=[])
    records.settle(hook.id)
    assert records.forget_tasks(500.0) == 1
    assert [task.uuid for task in records.open_tasks()] == ["open"]


def test_deliveries_are_due_in_order_without_those_underway_or_to_busy_receivers(records: Records):
    records.accept(TASK)
    other = replace(HOOK, receiver="http://c", due=50.0)
    finish(records, "a", HOOK, other, replace(HOOK, due=150.0))
    assert [one.id for one in records.due(120.0, 5, underway=[], busy=[])] == [2, 1]
    assert [one.id for one in records.due(120.0, 1, underway=[], busy=[])] == [2]
    assert [one.id for one in records.due(120.0, 5, underway=[2], busy=[])] == [1]
    assert [one.id for one in records.due(150.0, 5, underway=[], busy=["http://b"])] == [2]
    assert records.next_due(120.0) == 150.0
    assert records.next_due(150.0) is None


def test_a_failed_delivery_is_due_later_and_counts_its_tries(records: Records):
    records.accept(TASK)
    finish(records, "a", HOOK)
    records.put_off(1, 101.5)
    assert records.due(101.0, 5, underway=[], busy=[]) == []
    assert records.due(101.5, 5, underway=[], busy=[]) == [replace(HOOK, id=1, tries=1, due=101.5)]


def test_media_that_a_task_works_on_or_a_receiver_waits_for_are_not_dropped(records: Records):
    result = replace(MEDIA, uuid="image", name="image-1.png", kind="result")
    for media in (MEDIA, result):
        records.add_media(media)
    records.accept(TASK)
    assert records.drop_expired_media(300.0) == [result]
    records.add_media(result)
    finish(records, "a", HOOK)
    assert records.drop_oldest_media() == [MEDIA]
    assert records.drop_expired_media(300.0) == []
    records.settle(1)
    assert records.drop_expired_media(300.0) == [result]
    assert records.media_bytes() == 0


def test_uploads_are_not_dropped_for_room(records: Records):
    records.add_media(replace(MEDIA, kind="upload"))
    assert records.drop_oldest_media() == []
    assert records.media_bytes() == 10


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_folder_and_the_file_are_for_their_owners_eyes_only(tmp_path: Path):
    folder = tmp_path / "a" / "service"
    with closing(Records(folder)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "records.sqlite").stat().st_mode) == 0o600


def test_a_folder_serves_one_service_at_a_time(tmp_path: Path):
    with closing(Records(tmp_path)), pytest.raises(ConfigError, match="another `cutaway serve`"):
        Records(tmp_path)
    Records(tmp_path).close()


def test_a_damaged_file_is_refused_and_the_folder_given_free(tmp_path: Path):
    (tmp_path / "records.sqlite").write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(ConfigError, match="not a database"):
            Records(tmp_path)


def test_a_file_of_a_later_version_is_refused_and_left_as_it_is(tmp_path: Path):
    Records(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="later version"):
        Records(tmp_path)
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError):
        Records(tmp_path / "file")


def test_records_that_can_not_be_used_say_so(tmp_path: Path):
    records = Records(tmp_path)
    records.close()
    with pytest.raises(OutputError):
        records.accept(TASK)
    with pytest.raises(OutputError):
        records.task("a")
