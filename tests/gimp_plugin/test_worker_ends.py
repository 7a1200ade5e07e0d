"""How a worker ends: by the plug-in's end, by what it can't understand, by faults of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.gimp_plugin.plug_in_end import PATIENCE, PlugInEnd, layer
from tests.pictures import portrait

if TYPE_CHECKING:
    from pathlib import Path

DONE, FAULT, MISUNDERSTOOD, CANCELLED, UNHEARD = range(5)
PICTURE = layer(portrait())
LARGE = layer(portrait(1600, 1200))

KEYRING = """
from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        {body}

    def set_password(self, service, username, password):
        pass
"""


def with_keyring(folder: Path, body: str) -> dict[str, str]:
    """An environment in which the key is looked for by this piece of Python."""
    (folder / "odd_keyring.py").write_text(KEYRING.format(body=body), encoding="utf-8")
    return {"PYTHONPATH": str(folder), "PYTHON_KEYRING_BACKEND": "odd_keyring.Keyring"}


def test_a_plug_in_that_has_no_more_to_do_lets_the_worker_end_well():
    with PlugInEnd() as plug_in:
        plug_in.begin()
        plug_in.remove(PICTURE, "matte")
        assert plug_in.end() == DONE
        assert plug_in.log == ""


def test_a_plug_in_that_goes_away_while_it_sends_a_layer_ends_the_worker():
    with PlugInEnd() as plug_in:
        plug_in.begin()
        plug_in.announce(PICTURE, "matte")
        plug_in.say({"kind": "rows", "top": 0, "rows": 100}, PICTURE[:100].tobytes())
        assert plug_in.end() == CANCELLED


@pytest.mark.parametrize("stage", ["finding the subject", "matting", "cleaning edges"])
def test_a_plug_in_that_goes_away_cancels_what_runs(stage: str):
    with PlugInEnd() as plug_in:
        plug_in.begin(model="classical", alpha_matting=True, alpha_matting_erode_size=50)
        plug_in.send(LARGE, "cutout")
        plug_in.until(stage)
        assert plug_in.end() == CANCELLED
        assert b'"kind":"found"' not in plug_in.incoming.read()


def test_a_worker_that_waits_for_someone_to_read_ends_as_well():
    with PlugInEnd() as plug_in:
        plug_in.begin(model="classical")
        plug_in.send(LARGE, "matte")
        while plug_in.hear()[0]["kind"] != "found":
            pass
        assert plug_in.end() == CANCELLED  # a pipe has no room for the rows that it writes


def test_a_worker_ends_when_no_one_hears_it_any_more():
    with PlugInEnd() as plug_in:
        plug_in.begin()
        plug_in.incoming.close()
        plug_in.say({"kind": "facts"})
        assert plug_in.process.wait(PATIENCE) == UNHEARD


def test_a_worker_ends_when_no_one_hears_of_its_progress_any_more():
    with PlugInEnd() as plug_in:
        plug_in.begin(model="classical", alpha_matting=True)
        plug_in.announce(LARGE, "cutout")
        plug_in.incoming.close()
        plug_in.say({"kind": "rows", "top": 0, "rows": 1200}, LARGE.tobytes())
        assert plug_in.process.wait(PATIENCE) == UNHEARD


BEGIN = {"kind": "begin", "backend": "local", "options": {}, "fill": ""}
ANNOUNCED = {"kind": "picture", "width": 4, "height": 2, "depth": 8, "want": "matte"}
FOREIGN: dict[str, list[dict[str, Any]]] = {
    "of no known kind": [{"kind": "hello"}],
    "that begins nothing": [{"kind": "begin"}],
    "with a backend that is no text": [{**BEGIN, "backend": 5}],
    "with options that are no object": [{**BEGIN, "options": []}],
    "with a fill that is no text": [{**BEGIN, "fill": None}],
    "of a picture before a begin": [ANNOUNCED],
    "of rows before a picture": [BEGIN, {"kind": "rows", "top": 0, "rows": 1}],
    "of a picture without a width": [BEGIN, {**ANNOUNCED, "width": None}],
    "of a picture that is no columns wide": [BEGIN, {**ANNOUNCED, "width": 0}],
    "of a picture with a height that is no number": [BEGIN, {**ANNOUNCED, "height": True}],
    "of a picture of 32 bits": [BEGIN, {**ANNOUNCED, "depth": 32}],
    "that wants what there isn't": [BEGIN, {**ANNOUNCED, "want": "everything"}],
    "of rows out of order": [BEGIN, ANNOUNCED, {"kind": "rows", "top": 1, "rows": 1}],
    "of more rows than there are": [BEGIN, ANNOUNCED, {"kind": "rows", "top": 0, "rows": 3}],
    "of no rows": [BEGIN, ANNOUNCED, {"kind": "rows", "top": 0, "rows": 0}],
    "of rows with too few bytes": [BEGIN, ANNOUNCED, {"kind": "rows", "top": 0, "rows": 2}],
    "in the middle of a picture": [BEGIN, ANNOUNCED, BEGIN],
}


def test_frames_that_no_plug_in_of_this_version_sends_are_told_to_be_so():
    with PlugInEnd() as plug_in:
        for name, frames in FOREIGN.items():
            for header in frames:
                plug_in.say(header, b"12345" if header["kind"] == "rows" else b"")
            while (told := plug_in.hear()[0])["kind"] == "ready":
                pass
            assert told["code"] == "protocol", name
            assert "cutaway gimp install" in told["text"]
        assert plug_in.begin()["kind"] == "ready"
        assert plug_in.end() == DONE


@pytest.mark.parametrize("at_work", [False, True], ids=["idle", "at work"])
def test_what_is_no_frame_at_all_ends_the_worker(*, at_work: bool):
    with PlugInEnd() as plug_in:
        plug_in.begin(model="classical", alpha_matting=True)
        if at_work:
            plug_in.send(LARGE, "matte")
        plug_in.outgoing.write(b"GET / HTTP/1.1\r\n\r\n")
        plug_in.outgoing.flush()
        while (told := plug_in.hear()[0])["kind"] == "progress":
            pass
        assert told["code"] == "protocol"
        assert plug_in.process.wait(PATIENCE) == MISUNDERSTOOD


def test_what_libraries_print_goes_to_the_log(tmp_path: Path):
    body = "import os; print('by print', flush=True); os.write(1, b'by write'); return None"
    with PlugInEnd(**with_keyring(tmp_path, body)) as plug_in:
        answer = plug_in.begin(backend="runware")
        assert answer["code"] == "auth"
        assert plug_in.end() == DONE
        assert "by print" in plug_in.log
        assert "by write" in plug_in.log


def test_what_libraries_read_is_not_the_plug_ins(tmp_path: Path):
    with PlugInEnd(**with_keyring(tmp_path, "return input()")) as plug_in:
        assert plug_in.begin(backend="runware")["code"] == "crash"  # there is nothing to read
        assert plug_in.process.wait(PATIENCE) == FAULT
        assert "EOFError" in plug_in.log


def test_a_fault_of_our_own_is_told_and_logged(tmp_path: Path):
    with PlugInEnd(**with_keyring(tmp_path, "return 1 / 0")) as plug_in:
        answer = plug_in.begin(backend="runware")
        assert answer["code"] == "crash"
        assert "ZeroDivisionError" in answer["text"]
        assert plug_in.process.wait(PATIENCE) == FAULT
        assert "Traceback" in plug_in.log


def test_a_want_of_memory_is_told_and_the_worker_goes_on(tmp_path: Path):
    with PlugInEnd(**with_keyring(tmp_path, "raise MemoryError")) as plug_in:
        assert plug_in.begin(backend="runware")["code"] == "memory"
        assert plug_in.begin()["kind"] == "ready"
        assert plug_in.end() == DONE


def test_the_plug_in_is_greeted_before_anything_heavy_is_loaded(tmp_path: Path):
    (tmp_path / "numpy.py").write_text("raise ImportError('no numpy')", encoding="utf-8")
    with PlugInEnd(PYTHONPATH=str(tmp_path)) as plug_in:
        assert plug_in.hello["kind"] == "hello"
        assert plug_in.hear()[0]["code"] == "crash"
        assert plug_in.process.wait(PATIENCE) == FAULT
        assert "no numpy" in plug_in.log


def test_a_worker_that_a_person_starts_and_leaves_ends_well():
    command = [sys.executable, "-m", "cutaway_gimp.worker"]
    done = subprocess.run(command, input=b"", capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout.count(b"\n") == 1
