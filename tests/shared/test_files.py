from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cutaway.errors import OutputError, OutputExists
from cutaway.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KILLED_WHILE_WRITING = """
import os, sys
from cutaway.files import write_atomically
with write_atomically(sys.argv[1], overwrite=True) as file:
    file.write(b"half")
    file.flush()
    print("half is written", flush=True)
    sys.stdin.read()
"""


def write(
    target: Path,
    content: bytes,
    *,
    overwrite: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    with write_atomically(target, overwrite=overwrite) as file:
        file.write(content)
        meanwhile()


def test_the_file_is_there_only_when_the_block_has_ended(tmp_path: Path):
    target = tmp_path / "out.png"
    with write_atomically(target, overwrite=False) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_an_existing_file_is_kept_unless_told(tmp_path: Path):
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists):
        write(target, b"new")
    assert target.read_bytes() == b"old"
    write(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"


def test_a_file_that_comes_meanwhile_is_kept(tmp_path: Path):
    target = tmp_path / "out.png"
    with pytest.raises(OutputExists):
        write(target, b"ours", meanwhile=lambda: target.write_bytes(b"theirs"))
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_dangling_link_counts_as_existing(tmp_path: Path):
    target = tmp_path / "out.png"
    target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExists), write_atomically(target, overwrite=False):
        pass


def test_a_failure_inside_leaves_everything_as_it_was(tmp_path: Path):
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError):
        write(target, b"half", overwrite=True, meanwhile=lambda: 1 // 0)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target in (pipe, tmp_path):
        with pytest.raises(OutputError, match="was not written"):
            write(target, b"new", overwrite=True)
    assert pipe.is_fifo()


def test_a_replaced_file_keeps_its_mode_and_the_link_that_leads_to_it(tmp_path: Path):
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    real.chmod(0o600)
    link.symlink_to(real)
    write(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_missing_folder_is_told(tmp_path: Path):
    with pytest.raises(OutputError, match="No such file"):
        write(tmp_path / "no" / "out.png", b"new")


def test_a_full_disk_is_told_and_leaves_no_file(tmp_path: Path):
    resource = pytest.importorskip("resource", reason="limits on file size are a Unix thing")
    target = tmp_path / "out.png"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match=r"out\.png was not written"):
            write(target, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_writing_leaves_the_old_file_whole(tmp_path: Path):
    target = tmp_path / "out.png"
    target.write_bytes(b"old")
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED_WHILE_WRITING, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half is written\n"
        writer.kill()
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_the_file_has_the_mode_any_new_file_has(tmp_path: Path):
    usual = tmp_path / "usual"
    usual.touch()
    with write_atomically(tmp_path / "ours", overwrite=False) as file:
        file.write(b"x")
    assert (tmp_path / "ours").stat().st_mode == usual.stat().st_mode
