from __future__ import annotations

import os
import re
import stat
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from cutaway.errors import OutputError, UnsupportedFormat
from cutaway.service.configuration import Configuration
from cutaway.service.media import Media, MediaStore, suffix_of
from cutaway.service.records import Records, TaskRecord
from cutaway.service.refusals import Refusal
from tests.shared.service.rooms import PICTURE, Clock, had

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(tmp_path)) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path, records: Records, clock: Clock) -> MediaStore:
    return MediaStore(Configuration(folder=tmp_path, max_storage=1000), records, clock)


def put(store: MediaStore, data: bytes = PICTURE, **options: Any) -> Media:
    named: dict[str, Any] = {"kind": "result", "ttl": 60.0, "durable": False}
    return store.put(data, ".png", **named | options)


def open_task(records: Records, input_uuid: str) -> None:
    records.accept(
        TaskRecord(
            uuid="task",
            owner="",
            promised=True,
            message={},
            model="classical",
            image_uuid="image",
            input_uuid=input_uuid,
            base_url="",
            accepted=0.0,
        )
    )


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "media").iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_a_stored_picture_is_had_by_its_uuid_in_any_case_and_by_its_name(
    store: MediaStore, tmp_path: Path, *, durable: bool
):
    media = put(store, durable=durable)
    assert had(store, media.uuid) == had(store, media.uuid.upper()) == PICTURE
    path = store.path(media.name)
    assert path == tmp_path / "media" / media.name
    assert path.read_bytes() == PICTURE
    assert files(tmp_path) == [media.name]


def test_a_name_holds_128_bits_that_the_uuid_does_not_tell(store: MediaStore):
    first, second = put(store), put(store)
    token = re.compile(rf"{first.uuid}-([0-9a-f]{{32}})\.png")
    found = token.fullmatch(first.name)
    assert found
    assert found[1] not in second.name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../records.sqlite", "{uuid}", "{uuid}.png", "{upper}", "{name}/"]
)
def test_only_the_very_name_leads_to_a_file(store: MediaStore, name: str):
    media = put(store)
    told = name.format(uuid=media.uuid, name=media.name, upper=media.name.upper())
    assert store.path(told) is None


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_pictures_are_for_the_owners_eyes_only(store: MediaStore, tmp_path: Path):
    path = tmp_path / "media" / put(store).name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_picture_is_gone_for_callers_at_its_end_and_from_the_disk_at_the_next_sweep(
    store: MediaStore, clock: Clock, tmp_path: Path
):
    media = put(store, ttl=60.0)
    clock.go(59.9)
    assert store.path(media.name)
    assert store.sweep() == 0
    clock.go(0.1)
    assert store.path(media.name) is None
    with pytest.raises(Refusal) as caught:
        had(store, media.uuid)
    assert caught.value.fault.code == "mediaNotFound"
    assert files(tmp_path) == [media.name]
    assert store.sweep() == 1
    assert files(tmp_path) == []


def test_an_expired_input_of_an_open_task_is_still_there_for_its_work(
    store: MediaStore, records: Records, clock: Clock
):
    media = put(store, kind="input")
    open_task(records, media.uuid)
    clock.go(DAY)
    assert store.sweep() == 0
    assert store.path(media.name) is None
    assert store.needed(media.uuid) == PICTURE


def test_an_upload_lives_on_for_thirty_days_after_each_use(store: MediaStore, clock: Clock):
    media = put(store, kind="upload", ttl=30 * DAY)
    for _ in range(3):
        clock.go(29 * DAY)
        assert had(store, media.uuid) == PICTURE
    clock.go(30 * DAY)
    with pytest.raises(Refusal):
        had(store, media.uuid)


def test_a_deleted_picture_and_its_file_are_gone_at_once(store: MediaStore, tmp_path: Path):
    media = put(store)
    store.delete(media.uuid.upper())
    assert files(tmp_path) == []
    for again in (store.delete, partial(had, store), store.needed):
        with pytest.raises(Refusal):
            again(media.uuid)


def test_a_deleted_picture_that_a_task_works_on_is_gone_for_callers_only(
    store: MediaStore, records: Records
):
    media = put(store, kind="upload")
    open_task(records, media.uuid)
    store.delete(media.uuid)
    assert store.path(media.name) is None
    assert store.needed(media.uuid) == PICTURE
    records.finish("task", "error", {}, expires=0.0, durable=False)
    assert store.sweep() == 1


def test_the_oldest_results_and_inputs_make_room_for_new_ones(store: MediaStore, clock: Clock):
    upload = put(store, bytes(300), kind="upload")
    old = []
    for _ in range(10):
        old.append(put(store, bytes(20)))
        clock.go(1.0)
    young = put(store, bytes(400))
    new = put(store, bytes(200))
    assert [store.path(one.name) is not None for one in old] == [False] * 8 + [True] * 2
    assert store.path(upload.name)
    assert store.path(young.name)
    assert store.path(new.name)


def test_a_picture_is_refused_where_only_needed_ones_could_make_room(
    store: MediaStore, records: Records, tmp_path: Path
):
    media = put(store, bytes(600), kind="input")
    put(store, bytes(300), kind="upload")
    open_task(records, media.uuid)
    with pytest.raises(Refusal) as caught:
        put(store, bytes(101))
    assert caught.value.fault.status == 503
    put(store, bytes(100))
    assert len(files(tmp_path)) == 3


def test_a_picture_that_never_fits_costs_no_other_its_place(store: MediaStore):
    media = put(store)
    with pytest.raises(Refusal):
        put(store, bytes(1001))
    assert had(store, media.uuid) == PICTURE


def test_room_is_counted_by_a_later_run_and_given_back(
    store: MediaStore, records: Records, clock: Clock, tmp_path: Path
):
    first = put(store, bytes(900), kind="upload")
    later = MediaStore(Configuration(folder=tmp_path, max_storage=1000), records, clock)
    with pytest.raises(Refusal):
        put(later, bytes(200))
    later.delete(first.uuid)
    put(later, bytes(1000), kind="upload")


def test_a_result_that_is_made_again_replaces_the_first(store: MediaStore, tmp_path: Path):
    first = put(store, b"first", uuid="image")
    second = put(store, b"second", uuid="image")
    assert had(store, "image") == b"second"
    assert store.path(first.name) is None
    assert files(tmp_path) == [second.name]


def test_what_a_crash_left_half_written_or_unrecorded_is_swept(store: MediaStore, tmp_path: Path):
    media = put(store)
    for stray in (".half.png.part", "unrecorded.png"):
        (tmp_path / "media" / stray).write_bytes(b"stray")
    assert store.sweep_strays() == 2
    assert files(tmp_path) == [media.name]


def test_a_recorded_picture_whose_file_is_lost_is_one_that_is_not_there(
    store: MediaStore, tmp_path: Path
):
    media = put(store)
    (tmp_path / "media" / media.name).unlink()
    for read in (partial(had, store), store.needed):
        with pytest.raises(Refusal):
            read(media.uuid)


def test_a_disk_that_takes_nothing_is_told_and_costs_no_room(store: MediaStore, tmp_path: Path):
    (tmp_path / "media").rmdir()
    for _ in range(20):
        with pytest.raises(OutputError, match=r"^the picture was not stored: "):
            put(store, bytes(100))
    (tmp_path / "media").mkdir()
    put(store, bytes(1000))


@pytest.mark.parametrize(
    ("start", "suffix"),
    [
        (PICTURE, ".png"),
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"RIFF\0\0\0\0WEBPVP8 ", ".webp"),
        (b"GIF89a", ".gif"),
    ],
)
def test_a_pictures_name_ends_as_its_bytes_say(start: bytes, suffix: str):
    assert suffix_of(start) == suffix


@pytest.mark.parametrize("data", [b"", b"<html>", b"<svg xmlns='...'/>", b"%PDF-1.7"])
def test_what_is_no_picture_gets_no_name(data: bytes):
    with pytest.raises(UnsupportedFormat):
        suffix_of(data)
