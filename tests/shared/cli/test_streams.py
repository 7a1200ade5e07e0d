from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.pictures import as_file, portrait
from tests.shared.cli.running import in_shell, json_lines, process, process_command

CLASSICAL = ("--model", "classical")

IN_ORDER = """
import atexit, sys
from cutaway.cli import main
atexit.register(sys.stderr.write, "left in order\\n")
main()
"""

ENDED_WHILE_WRITING = """
import os, signal
from cutaway.cli import main
flush = os.fsync
def end_and_flush(file):
    os.kill(os.getpid(), signal.SIGTERM)
    flush(file)
os.fsync = end_and_flush
main()
"""

posix_only = pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")


def test_a_picture_goes_from_stdin_to_stdout_and_the_report_to_stderr(
    folder: Path, picture: bytes
) -> None:
    done = process("remove", "-", "-o", "-", *CLASSICAL, data=picture)
    assert done.returncode == 0
    with Image.open(io.BytesIO(done.stdout)) as cutout:
        assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (96, 72))
    assert done.stderr.startswith(b"stdin -> stdout (96x72, classical, ")
    assert list(folder.iterdir()) == []


def test_with_a_picture_on_stdout_json_goes_to_stderr(picture: bytes) -> None:
    flags = ("--format", "webp", "--json", *CLASSICAL)
    done = process("remove", "-", "-o", "-", *flags, data=picture)
    (told,) = json_lines(done.stderr.decode())
    assert (told["path"], told["bytes"], told["format"]) == (None, len(done.stdout), "WEBP")
    assert done.stdout[8:12] == b"WEBP"


def test_a_picture_that_fails_leaves_stdout_empty() -> None:
    done = process("remove", "-", "-o", "-", *CLASSICAL, data=b"no picture")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"cutaway: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("out", ["-", "mask.png"])
def test_a_reader_that_went_away_is_no_traceback(picture: bytes, out: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = process_command("remove", "-", "-o", out, *CLASSICAL)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE
    ) as running:
        os.close(writer)
        _, told = running.communicate(picture)
    assert running.returncode == 1
    assert b"Traceback" not in told
    assert b"Broken" not in told


def test_opencv_does_not_mix_its_own_warnings_in(folder: Path) -> None:
    (folder / "cut.png").write_bytes(
        cv2.imencode(".png", np.zeros((64, 64, 3), np.uint16))[1].tobytes()[:-30]
    )
    done = process("remove", "cut.png", *CLASSICAL)
    assert done.returncode == 1
    assert done.stderr.startswith(b"cutaway: ")
    assert done.stderr.count(b"\n") == 1


@posix_only
def test_ctrl_c_ends_the_work_promptly_and_leaves_no_file(
    folder: Path, picture: bytes, ctrl_c: int
) -> None:
    (folder / "a.jpg").write_bytes(picture)
    large = as_file(portrait(1500, 1000), "JPEG")
    for number in range(30):
        (folder / f"b{number}.jpg").write_bytes(large)
    command = [sys.executable, "-c", IN_ORDER, "remove", ".", "--json", *CLASSICAL]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as running:
        assert running.stdout
        assert b"a-cutout.png" in running.stdout.readline()
        os.killpg(running.pid, ctrl_c)
        _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert told == b"\ncutaway: interrupted\nleft in order\n"
    assert not (folder / "b9-cutout.png").exists()
    assert not list(folder.glob(".*"))


@posix_only
def test_ctrl_c_ends_a_read_that_never_ends(folder: Path, ctrl_c: int) -> None:
    os.mkfifo(folder / "silent.jpg")
    command = process_command("remove", "silent.jpg", *CLASSICAL)
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as running,
        # Opening a FIFO waits for its other end: the command is reading once this is done.
        (folder / "silent.jpg").open("wb"),
    ):
        os.killpg(running.pid, ctrl_c)
        _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert told == b"\ncutaway: interrupted\n"


@posix_only
def test_a_process_that_is_ended_while_it_writes_leaves_no_half_written_file(photo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED_WHILE_WRITING, "remove", photo.name, *CLASSICAL],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (130, b"\ncutaway: interrupted\n")
    assert not list(photo.parent.glob(".*"))


@posix_only
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_hindrance(photo: Path, closed: str) -> None:
    done = in_shell(closed, "remove", photo.name)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    with Image.open("photo-cutout.png") as cutout:
        assert cutout.size == (96, 72)


@posix_only
def test_a_table_for_a_closed_stream_is_no_failure() -> None:
    done = in_shell(">&-", "models", "list")
    assert (done.returncode, done.stderr) == (0, b"")


@posix_only
@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize(
    ("closed", "arguments", "told"),
    [
        ("<&-", ("-",), b"standard input is closed"),
        (">&-", ("photo.jpg", "-o", "-"), b"standard output is closed"),
    ],
)
def test_a_picture_for_or_from_a_closed_stream_is_wrong_use(
    closed: str, arguments: tuple[str, ...], told: bytes
) -> None:
    done = in_shell(closed, "remove", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
FULL = "cutaway: {}the output was not written: No space left on device. Check that there is room"


@full_device
@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--help",), ""),
        (("doctor",), ""),
        (("models", "list"), ""),
        (("remove", "photo.jpg", *CLASSICAL), ""),
        (("remove", "photo.jpg", "-o", "-", *CLASSICAL), "photo.jpg: "),
    ],
)
def test_a_full_standard_output_fails_in_one_line(arguments: tuple[str, ...], named: str) -> None:
    done = in_shell(">/dev/full", *arguments)
    assert done.returncode == 1
    assert done.stderr.decode().startswith(FULL.format(named))
    assert done.stderr.count(b"\n") == 1


@full_device
@pytest.mark.usefixtures("photo")
def test_a_picture_that_standard_output_did_not_take_has_failed() -> None:
    done = in_shell(">/dev/full", "remove", "photo.jpg", "-o", "-", "--json", *CLASSICAL)
    (told,) = json_lines(done.stderr.decode())
    assert done.returncode == 1
    assert (told["status"], told["error"]["code"]) == ("failed", "output")
