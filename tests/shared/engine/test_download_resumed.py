from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cutaway.engine.download import Patience
from cutaway.errors import (
    Cancelled,
    ConnectionFailed,
    DownloadRefused,
    ModelDamaged,
    TimedOut,
)
from cutaway.progress import Cancellation, Progress, Step
from tests.fakes.file_server import FileServer, Hold, Reply
from tests.fakes.pulling import BODY, PATH, SHA256, SIZE, TINY, Pulling, leave_part, ranges
from tests.fakes.tiny_model import body_of

if TYPE_CHECKING:
    from cutaway.engine.store import InstalledModel, ModelStore

ROOT = Path(__file__).parents[3]


class Asked(Cancellation):
    """Tells when it has been asked so many times whether to stop."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.enough = threading.Event()
        self._times = times

    def check(self) -> None:
        self._times -= 1
        if self._times <= 0:
            self.enough.set()
        super().check()


def start_puller(server: FileServer, models_dir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.fakes.puller", server.url, str(models_dir), str(SIZE)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8")


def read_until(process: subprocess.Popen[str], line: str, times: int = 1) -> None:
    assert process.stdout
    for told in process.stdout:
        times -= told.startswith(line)
        if not times:
            return
    pytest.fail(f"the process ended without saying {line!r}")


def test_a_cut_connection_is_taken_up_again_where_it_broke(
    pulling: Pulling, server: FileServer
) -> None:
    server.script(PATH, Reply(cut_after=100_000), Reply(cut_after=50_000), Reply())
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]
    assert server.requests[1].headers["if-range"] == server.requests[2].headers["if-range"] != ""
    assert len(pulling.pauses) == 2
    assert 0 < max(pulling.pauses) < 1


def test_a_connection_that_keeps_breaking_is_given_up_after_three_more_tries(
    pulling: Pulling, server: FileServer
) -> None:
    server.script(PATH, Reply(cut_after=40_000))
    with pytest.raises(
        ConnectionFailed, match=r"cutaway models pull tiny again: it resumes at 160 kB"
    ):
        pulling()
    assert len(server.requests) == 4


def test_a_download_goes_on_in_the_next_call(pulling: Pulling, server: FileServer) -> None:
    server.script(PATH, *[Reply(cut_after=40_000)] * 4, Reply())
    with pytest.raises(ConnectionFailed):
        pulling()
    again = Pulling(server, pulling.store)
    assert again().sha256 == SHA256
    assert ranges(server)[-1] == "bytes=160000-"
    assert again.shares[1] > 160_000 / SIZE


def test_a_server_that_hangs_up_without_an_answer_is_tried_again(
    pulling: Pulling, server: FileServer
) -> None:
    server.script(PATH, Reply(answers=False), Reply())
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, None]


def test_a_body_without_a_length_that_is_cut_is_taken_up_again(
    pulling: Pulling, server: FileServer
) -> None:
    server.script(PATH, Reply(length=False, cut_after=120_000), Reply(length=False))
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, "bytes=120000-"]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(Reply(ranges=False), id="ranges are ignored"),
        pytest.param(Reply(etag='"newer"'), id="another version"),
    ],
)
def test_a_server_that_sends_the_whole_file_again_starts_it_cleanly(
    pulling: Pulling, server: FileServer, after: Reply
) -> None:
    server.script(PATH, Reply(cut_after=100_000), after)
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, "bytes=100000-"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 99999-{SIZE - 1}/{SIZE}"},
        {"Content-Range": f"bytes 100000-{SIZE}/{SIZE + 1}"},
        {"Content-Range": "pages 3-4/5"},
    ],
)
def test_a_range_that_does_not_fit_is_not_joined(
    pulling: Pulling, server: FileServer, headers: dict[str, str]
) -> None:
    server.script(PATH, Reply(cut_after=100_000), Reply(headers=headers), Reply())
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, "bytes=100000-", None]


def test_a_range_that_was_not_asked_for_is_refused(pulling: Pulling, server: FileServer) -> None:
    server.script(PATH, Reply(status=206))
    with pytest.raises(DownloadRefused, match="answered 206"):
        pulling()


def test_a_part_that_the_server_has_no_rest_for_starts_anew(
    pulling: Pulling, server: FileServer
) -> None:
    leave_part(pulling.store, body_of(SIZE, seed=2))
    assert pulling(size=SIZE + 1000, size_exact=False).sha256 == SHA256
    assert ranges(server) == [f"bytes={SIZE}-", None]


def test_a_part_longer_than_the_file_is_thrown_away(pulling: Pulling, server: FileServer) -> None:
    leave_part(pulling.store, BODY + b"more")
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None]


def test_a_part_that_is_whole_already_is_only_checked(pulling: Pulling, server: FileServer) -> None:
    leave_part(pulling.store, BODY)
    assert pulling().sha256 == SHA256
    assert server.requests == []


def test_a_part_resumes_without_a_validator_and_with_a_spoilt_one(
    pulling: Pulling, server: FileServer
) -> None:
    leave_part(pulling.store, BODY[:1000])
    pulling.store.place(TINY).origin.write_bytes(b"\xff")
    assert pulling().sha256 == SHA256
    assert ranges(server) == ["bytes=1000-"]
    assert "if-range" not in server.requests[0].headers


def test_the_date_of_the_last_change_stands_in_for_a_strong_etag(
    pulling: Pulling, server: FileServer
) -> None:
    date = "Tue, 03 Feb 2026 10:00:00 GMT"
    dated = Reply(headers={"Last-Modified": date}, etag='W/"weak"')
    server.script(PATH, replace(dated, cut_after=1000), dated)
    assert pulling().sha256 == SHA256
    assert server.requests[1].headers["if-range"] == date


def test_a_part_from_elsewhere_spoils_only_itself(pulling: Pulling, server: FileServer) -> None:
    leave_part(pulling.store, body_of(1000, seed=4))
    with pytest.raises(ModelDamaged):
        pulling()
    assert pulling().sha256 == SHA256
    assert ranges(server) == ["bytes=1000-", None]


def test_a_page_in_the_files_stead_is_refused_and_the_part_kept(
    pulling: Pulling, server: FileServer, store: ModelStore
) -> None:
    server.script(
        PATH, Reply(cut_after=100_000), Reply(body=b"<html>Log in</html>", etag='"page"'), Reply()
    )
    with pytest.raises(DownloadRefused, match=f"has 19 bytes, not {SIZE}"):
        pulling()
    assert store.place(TINY).part.stat().st_size == 100_000
    assert pulling().sha256 == SHA256


def test_a_server_that_falls_silent_times_out_and_what_came_is_kept(
    pulling: Pulling, server: FileServer
) -> None:
    pulling.patience = Patience(read=1.0)
    server.script(PATH, Reply(hold_after=100_000, hold=Hold()), Reply())
    with pytest.raises(TimedOut, match="it resumes at 100 kB"):
        pulling()
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, "bytes=100000-"]


def test_a_cancel_between_two_blocks_keeps_what_came(
    pulling: Pulling, server: FileServer, store: ModelStore
) -> None:
    cancellation = Cancellation()

    def stop_midway(step: Step) -> None:
        if step.share > 0.3:
            cancellation.cancel()

    pulling.progress = Progress(stop_midway, cancellation)
    with pytest.raises(Cancelled):
        pulling()
    came = store.place(TINY).part.stat().st_size
    assert 0 < came < SIZE
    assert not store.place(TINY).file.exists()
    pulling.progress = Progress()
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, f"bytes={came}-"]


@pytest.mark.parametrize("length", [True, False])
def test_a_cancel_ends_a_download_that_waits_for_a_silent_server(
    pulling: Pulling, server: FileServer, store: ModelStore, *, length: bool
) -> None:
    pulling.patience = Patience(read=100.0)
    server.script(PATH, Reply(hold_after=100_000, hold=Hold(), length=length))
    came = threading.Event()

    def note(step: Step) -> None:
        if step.share >= 100_000 / SIZE:
            came.set()

    pulling.progress = Progress(note)
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(pulling, size_exact=length)
        assert came.wait(20)
        pulling.progress.cancellation.cancel()
        with pytest.raises(Cancelled):
            outcome.result(20)
    assert store.place(TINY).part.stat().st_size == 100_000


def test_a_cancel_ends_the_wait_for_another_download(pulling: Pulling, server: FileServer) -> None:
    hold = Hold()
    server.script(PATH, Reply(hold=hold))
    waiting = Cancellation()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(pulling)
        assert hold.reached.wait(20)
        second = Pulling(server, pulling.store)
        second.progress = Progress(lambda _: waiting.cancel(), waiting)
        with pytest.raises(Cancelled):
            second()
        hold.release()
        assert first.result(20).sha256 == SHA256
    assert len(server.requests) == 1


def test_two_processes_that_want_one_model_fetch_it_once(
    server: FileServer, tmp_path: Path
) -> None:
    hold = Hold()
    server.script(PATH, Reply(hold_after=1000, hold=hold), Reply())
    with start_puller(server, tmp_path) as first:
        assert hold.reached.wait(20)
        with start_puller(server, tmp_path) as second:
            read_until(second, "asked", times=3)
            hold.release()
            for process in (first, second):
                read_until(process, "done cutaway")
                assert process.wait(20) == 0
    assert len(server.requests) == 1


def test_threads_that_want_one_model_fetch_it_once(server: FileServer, store: ModelStore) -> None:
    hold = Hold()
    server.script(PATH, Reply(hold_after=1000, hold=hold), Reply())
    waiting = [Asked(times=3) for _ in range(3)]

    def fetch(cancellation: Cancellation) -> InstalledModel:
        one = Pulling(server, store)
        one.progress = Progress(cancellation=cancellation)
        return one()

    with ThreadPoolExecutor(4) as pool:
        outcomes = [pool.submit(fetch, Cancellation())]
        assert hold.reached.wait(20)
        outcomes += [pool.submit(fetch, cancellation) for cancellation in waiting]
        assert all(cancellation.enough.wait(20) for cancellation in waiting)
        hold.release()
        assert {outcome.result(20).sha256 for outcome in outcomes} == {SHA256}
    assert len(server.requests) == 1


def test_a_process_killed_midway_leaves_a_part_to_resume_and_no_file(
    pulling: Pulling, server: FileServer, store: ModelStore, tmp_path: Path
) -> None:
    server.script(PATH, Reply(hold_after=2_000, hold=Hold()), Reply())
    with start_puller(server, tmp_path / "models") as process:
        read_until(process, f"share {2_000 / SIZE}")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    place = store.place(TINY)
    assert place.part.read_bytes() == BODY[:2_000]
    assert not place.file.exists()
    assert store.locate(TINY) is None
    assert pulling().sha256 == SHA256
    assert ranges(server) == [None, "bytes=2000-"]
    assert "if-range" in server.requests[1].headers
