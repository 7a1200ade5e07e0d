from __future__ import annotations

import itertools
import os
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
import pytest

from cutaway import AsyncClient, Cancellation, Client, Cutout, Removal, Settings, Step
from cutaway.client.many import THREAD
from cutaway.errors import Cancelled, OptionError, OutputExists, SourceError
from tests.fakes.networks import make_network
from tests.fakes.runware_faults import Drop, DropMidAnswer, Hold, Refuse
from tests.fakes.runware_service import RunwareService
from tests.pictures import as_file, portrait
from tests.shared.backends.serving import cancelled_when_reached, remote, removals, settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

PATIENCE = 20.0
PICTURE = portrait(96, 72)
FILE = as_file(PICTURE)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_network(tmp_path_factory.mktemp("network") / "n.onnx")


@pytest.fixture
def client(network: Path) -> Iterator[Client]:
    with Client(Settings.load(model="u2netp"), weights=network) as client:
        yield client


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


@pytest.fixture(autouse=True)
def no_thread_stays_behind() -> Iterator[None]:
    yield
    assert at_work() == []


def at_work() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith(THREAD)]


class Counted:
    """Endless copies of a picture, which remember how many were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for self.taken in itertools.count(1):
            yield FILE


def test_every_source_comes_out_once_with_its_index(client: Client) -> None:
    sources: list[Any] = [FILE, PICTURE, PICTURE[:, ::-1].copy()]
    found = {one.index: one for one in client.remove_many(sources, output="mask")}
    assert sorted(found) == [0, 1, 2]
    for index, source in enumerate(sources):
        assert found[index].source is source
        assert (found[index].error, found[index].saved) == (None, None)
        result = found[index].cutout
        assert result is not None
        expected = client.remove_background(source, output="mask").array
        np.testing.assert_array_equal(result.array, expected)
    assert list(client.remove_many([])) == []


def test_one_that_fails_does_not_stop_the_rest(client: Client, tmp_path: Path) -> None:
    sources: list[Any] = [FILE, tmp_path / "nowhere.png", b"no picture", FILE]
    found = {one.index: one for one in client.remove_many(sources, jobs=2)}
    assert [type(found[index].error).__name__ for index in range(4)] == [
        "NoneType",
        "SourceError",
        "UnsupportedFormat",
        "NoneType",
    ]
    assert found[1].cutout is None
    assert isinstance(found[1].error, SourceError)


def test_results_are_saved_by_the_thread_that_made_them_and_let_go(
    client: Client, tmp_path: Path
) -> None:
    threads: set[str] = set()

    def save(index: int, cutout: Cutout) -> Path:
        threads.add(threading.current_thread().name.rpartition("_")[0])
        return cutout.save(tmp_path / f"{index}.png")

    (tmp_path / "2.png").write_bytes(b"kept")
    found = {one.index: one for one in client.remove_many([FILE] * 4, save=save, jobs=2)}
    assert all(one.cutout is None for one in found.values())
    assert [found[index].saved for index in (0, 1, 3)] == [
        tmp_path / f"{index}.png" for index in (0, 1, 3)
    ]
    assert isinstance(found[2].error, OutputExists)
    assert (tmp_path / "2.png").read_bytes() == b"kept"
    assert threads == {THREAD}


def test_what_else_goes_wrong_in_saving_ends_the_run(client: Client) -> None:
    def save(index: int, _: Cutout) -> None:
        raise ZeroDivisionError(index)

    sources = Counted()
    with pytest.raises(ZeroDivisionError):
        list(client.remove_many(sources, save=save))
    assert sources.taken == 1


@pytest.mark.parametrize("jobs", [1, 3])
def test_endless_sources_are_taken_no_faster_than_results(client: Client, jobs: int) -> None:
    sources = Counted()
    removals = client.remove_many(sources, jobs=jobs)
    assert sources.taken == 0
    for given in range(6):
        next(removals)
        assert sources.taken <= given + jobs
    removals.close()


def test_a_loop_that_is_left_leaves_nothing_at_work(client: Client) -> None:
    sources = Counted()
    for removal in client.remove_many(sources, jobs=2):
        assert removal.error is None
        break
    assert at_work() == []
    assert sources.taken <= 3


def test_a_remote_run_has_four_in_flight_and_results_come_as_they_finish(
    service: RunwareService,
) -> None:
    first = Hold()
    service.faults.append(first)
    with remote(service) as client:
        found = client.remove_many([FILE] * 7)
        finished = [next(found).index for _ in range(6)]
        assert first.reached.is_set()
        assert len(finished) == 6
        first.release.set()
        (last,) = found
    assert sorted([*finished, last.index]) == list(range(7))
    assert len(service.billed) == 7


def test_as_many_as_the_jobs_are_in_flight(service: RunwareService) -> None:
    holds = [Hold() for _ in range(4)]
    service.faults.extend(holds)

    def let_go_when_all_wait() -> None:
        for hold in holds:
            hold.reached.wait(PATIENCE)
        for hold in holds:
            hold.release.set()

    waiting = threading.Thread(target=let_go_when_all_wait)
    waiting.start()
    with remote(service) as client:
        found = list(client.remove_many([FILE] * 5))
    waiting.join()
    assert [one.error for one in found] == [None] * 5
    assert all(hold.reached.is_set() for hold in holds)


def test_no_more_than_the_jobs_are_in_flight(service: RunwareService) -> None:
    with remote(service) as client:
        found = client.remove_many(Counted(), jobs=2)
        for given in range(4):
            next(found)
            assert len(removals(service)) <= given + 2
        found.close()


def test_a_refused_task_is_told_in_its_place(service: RunwareService) -> None:
    service.faults.extend([None, Refuse(402, "insufficientCredits", "No credit.")])
    with remote(service) as client:
        found = list(client.remove_many([FILE] * 3, jobs=1))
    assert [getattr(one.error, "code", None) for one in found] == [None, "quota", None]


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_what_breaks_on_the_way_is_mended_and_nothing_paid_for_twice(
    service: RunwareService, transport: str
) -> None:
    service.faults.extend([None, Drop(accepted=True), None, DropMidAnswer(), Drop()])
    with remote(service, transport=transport) as client:
        found = list(client.remove_many([FILE] * 8))
    assert sorted(one.index for one in found) == list(range(8))
    assert [one.error for one in found] == [None] * 8
    tasks = [one.cutout.task_uuid for one in found if one.cutout]
    assert len(set(tasks)) == 8
    assert set(service.billed) == set(tasks)


def test_a_cancel_stops_all_at_once(service: RunwareService) -> None:
    holds = [Hold(), Hold()]
    service.faults.extend(holds)
    cancellation = Cancellation()

    def cancel_when_both_wait() -> None:
        for hold in holds:
            hold.reached.wait(PATIENCE)
        cancellation.cancel()

    stopper = threading.Thread(target=cancel_when_both_wait)
    stopper.start()
    with remote(service) as client:
        with pytest.raises(Cancelled):
            list(client.remove_many(Counted(), jobs=2, cancellation=cancellation))
        assert at_work() == []
        for hold in holds:
            assert not hold.release.is_set()
            hold.release.set()
    stopper.join()
    assert len(removals(service)) == 2


def test_a_cancellation_outlives_the_run_that_was_left(client: Client) -> None:
    cancellation = Cancellation()
    client.remove_many(Counted(), cancellation=cancellation).close()
    for _ in client.remove_many(Counted(), cancellation=cancellation):
        break
    assert not cancellation.cancelled
    cancellation.cancel()
    with pytest.raises(Cancelled):
        next(client.remove_many(Counted(), cancellation=cancellation))


def test_ctrl_c_stops_all_at_once(service: RunwareService) -> None:
    hold = Hold()
    service.faults.append(hold)

    def sources() -> Iterator[bytes]:
        yield FILE
        hold.reached.wait(PATIENCE)
        raise KeyboardInterrupt

    with remote(service) as client:
        with pytest.raises(KeyboardInterrupt):
            list(client.remove_many(sources()))
        assert at_work() == []
        assert not hold.release.is_set()
        hold.release.set()


def test_who_saves_is_waited_for_and_who_waits_to_is_not(client: Client) -> None:
    begun, finish = threading.Event(), threading.Event()
    saved: list[int] = []

    def save(index: int, _: Cutout) -> None:
        begun.set()
        finish.wait(PATIENCE)
        saved.append(index)

    def sources() -> Iterator[bytes]:
        yield FILE
        begun.wait(PATIENCE)
        threading.Thread(target=finish.set).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(client.remove_many(sources(), save=save, jobs=2))
    assert saved == [0]


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe that can be given as a path")
def test_a_read_that_never_ends_is_left_behind(client: Client, tmp_path: Path) -> None:
    pipe = tmp_path / "silent.png"
    os.mkfifo(pipe)
    opened: list[int] = []

    def sources() -> Iterator[Path]:
        yield pipe
        opened.append(os.open(pipe, os.O_WRONLY))  # waits until it is being read
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(client.remove_many(sources(), jobs=2))
    left = [one for one in threading.enumerate() if one.name.startswith(THREAD)]
    assert left
    os.close(opened[0])
    for thread in left:
        thread.join(PATIENCE)


def test_progress_names_the_picture(client: Client) -> None:
    steps: set[tuple[int, str]] = set()

    def on_progress(index: int, step: Step) -> None:
        steps.add((index, step.stage))

    list(client.remove_many([FILE, PICTURE], on_progress=on_progress, clean_edges=False))
    assert {stage for index, stage in steps if index == 0} == {
        "reading",
        "decoding",
        "finding the subject",
        "refining",
    }
    assert (1, "refining") in steps
    assert (1, "reading") not in steps


def test_wrong_options_and_no_jobs_are_told_before_anything_is_taken(client: Client) -> None:
    sources = Counted()
    with pytest.raises(OptionError, match="jobs"):
        client.remove_many(sources, jobs=0)
    with pytest.raises(OptionError, match="quality"):
        client.remove_many(sources, quality=5)
    assert sources.taken == 0


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["iterable", "async iterable"])
async def test_the_awaiting_client_gives_the_same(network: Path, tmp_path: Path, kind: str) -> None:
    steps: list[tuple[int, Step]] = []
    threads: set[int] = set()

    async def each() -> AsyncIterator[Any]:
        for source in sources:
            await anyio.lowlevel.checkpoint()
            yield source

    def on_progress(index: int, step: Step) -> None:
        steps.append((index, step))
        threads.add(threading.get_ident())

    def save(index: int, cutout: Cutout) -> Path:
        return cutout.save(tmp_path / f"{index}.png")

    sources: list[Any] = [FILE, b"no picture", PICTURE]
    async with AsyncClient(Settings.load(model="u2netp"), weights=network) as client:
        given = sources if kind == "iterable" else each()
        found: list[Removal[Path]] = [
            one async for one in client.remove_many(given, save=save, on_progress=on_progress)
        ]
    assert [one.saved for one in found] == [tmp_path / "0.png", None, tmp_path / "2.png"]
    assert threads == {threading.get_ident()}
    assert {index for index, _ in steps} == {0, 1, 2}


@pytest.mark.anyio
async def test_the_event_loop_goes_on_and_a_cancelled_task_stops_all(
    service: RunwareService,
) -> None:
    async with AsyncClient(settings_for(service)) as client, cancelled_when_reached(service):
        async for _ in client.remove_many(Counted(), jobs=1):
            raise AssertionError
    assert at_work() == []


@pytest.mark.anyio
async def test_a_closed_generator_leaves_nothing_at_work(network: Path) -> None:
    sources = Counted()
    async with AsyncClient(Settings.load(model="u2netp"), weights=network) as client:
        async with aclosing(client.remove_many(sources, jobs=2)) as found:
            async for removal in found:
                assert removal.error is None
                break
        assert at_work() == []
    assert sources.taken <= 3
