from __future__ import annotations

import io
import os
import subprocess
import sys
from array import array
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cutaway.errors import Cancelled, SourceError, TooLarge
from cutaway.progress import Cancellation, Progress, Step
from cutaway.settings import Limits
from cutaway.sources import Loaded, SourceKind, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cutaway.sources import Source

LIMITS = Limits(max_bytes=1000)


class Chatty:
    """A stream that keeps count of what was taken from it, and never ends."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int, /) -> bytes:
        piece = bytes(min(size, 300))
        self.taken += len(piece)
        return piece


@pytest.mark.parametrize("form", [str, Path, lambda path: Path(os.fsencode(path).decode())])
def test_a_path_gives_its_bytes_and_name(
    tmp_path: Path, form: Callable[[Path], str | Path]
) -> None:
    file = tmp_path / "my cat.png"
    file.write_bytes(b"meow")
    assert read(form(file), LIMITS) == Loaded(b"meow", "my cat.png", SourceKind.PATH)


def test_a_path_object_is_a_path_whatever_it_spells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("data:,x")
    file.write_bytes(b"file")
    assert read(file, LIMITS).data == b"file"
    assert read(str(file), LIMITS).data == b"x"


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, lambda data: memoryview(data)[::1]])
def test_bytes_of_any_type_are_taken_as_they_are(form: Callable[[bytes], Source]) -> None:
    assert read(form(b"abc"), LIMITS) == Loaded(b"abc", None, SourceKind.BYTES)


def test_bytes_are_measured_in_bytes_not_items() -> None:
    with pytest.raises(TooLarge, match="2,000 bytes"):
        read(memoryview(array("d", [0.0] * 250)), LIMITS)


def test_a_stream_is_read_from_where_it_stands_and_left_open(tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(b"header|picture")
    with file.open("rb") as stream:
        stream.seek(7)
        assert read(stream, LIMITS) == Loaded(b"picture", "cat.png", SourceKind.STREAM)
        assert not stream.closed


@pytest.mark.parametrize("name", [3, "<stdin>", "..", "a/..", "\n"])
def test_a_stream_without_a_usable_name_has_none(name: object) -> None:
    stream = io.BytesIO(b"abc")
    stream.name = name
    assert read(stream, LIMITS).name is None


def test_no_more_than_one_byte_over_the_limit_is_taken_from_a_stream() -> None:
    stream = Chatty()
    with pytest.raises(TooLarge, match="more than the 1,000 bytes"):
        read(stream, LIMITS)
    assert stream.taken == 1001


def test_a_source_of_just_the_limit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(bytes(1000))
    assert len(read(file, LIMITS).data) == 1000
    assert len(read(io.BytesIO(bytes(1000)), LIMITS).data) == 1000


def test_a_file_over_the_limit_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    file = tmp_path / "huge.png"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(TooLarge, match=r"1,099,511,627,776 bytes.*--max-bytes"):
        read(file, LIMITS)


@pytest.mark.parametrize("text", [b"text", b"\xff\xfe\xff"])
def test_a_text_stream_is_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(text)
    with file.open(encoding="utf-8") as stream, pytest.raises(SourceError, match="binary mode"):
        read(stream, LIMITS)  # type: ignore[arg-type]  # that is the point


def test_a_closed_stream_is_refused() -> None:
    stream = io.BytesIO(b"abc")
    stream.close()
    with pytest.raises(SourceError, match="closed"):
        read(stream, LIMITS)


@pytest.mark.parametrize("empty", [b"", io.BytesIO(), "data:,"])
def test_an_empty_source_is_refused(empty: Source) -> None:
    with pytest.raises(SourceError, match="empty"):
        read(empty, LIMITS)


def test_an_empty_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "nothing.png"
    file.touch()
    with pytest.raises(SourceError, match=r"nothing\.png is empty"):
        read(file, LIMITS)


@pytest.mark.parametrize("value", [None, 7, object()])
def test_what_is_no_source_is_refused(value: object) -> None:
    with pytest.raises(SourceError, match="is no source"):
        read(value, LIMITS)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing.png", "no such file"),
        (".", "it is a folder"),
        ("file.png/inner.png", "Not a directory"),
        ("a\0b.png", "null"),
        ("x" * 5000, "too long for a path"),
        ("", "an empty text"),
        (" ", "an empty text"),
    ],
)
def test_what_is_wrong_with_a_path_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.png").touch()
    with pytest.raises(SourceError) as caught:
        read(path, LIMITS)
    assert why in str(caught.value)
    assert caught.value.next_step
    assert len(caught.value.what) < 80


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret.png"
    file.write_bytes(b"abc")
    file.chmod(0)
    with pytest.raises(SourceError, match="permissions"):
        read(file, LIMITS)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file:/etc/passwd",
        "ftp://user:hunter2@host/a.png",
        "gopher://host/hunter2",
        "javascript:alert(1)",
        "http:/hunter2",
        " FILE:///etc/passwd",
    ],
)
def test_other_schemes_are_refused_and_nothing_but_the_scheme_shown(url: str) -> None:
    with pytest.raises(SourceError, match="only http:// and https://") as caught:
        read(url, LIMITS)
    assert "Give the file's path" in caught.value.next_step
    assert "hunter2" not in str(caught.value)
    assert "passwd" not in str(caught.value)


@contextmanager
def fifo_of(size: int, folder: Path) -> Iterator[Path]:
    fifo = folder / "pipe.png"
    os.mkfifo(fifo)
    script = "import sys; open(sys.argv[1], 'wb').write(bytes(int(sys.argv[2])))"
    command = [sys.executable, "-c", script, str(fifo), str(size)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL):
        yield fifo


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_read_to_its_end(tmp_path: Path) -> None:
    with fifo_of(1000, tmp_path) as fifo:
        assert len(read(fifo, LIMITS).data) == 1000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_with_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    with fifo_of(100_000, tmp_path) as fifo, pytest.raises(TooLarge):
        read(fifo, LIMITS)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_device_that_never_ends_is_read_within_the_limit() -> None:
    with pytest.raises(TooLarge):
        read("/dev/zero", LIMITS)


def test_progress_is_told_as_the_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(bytes(5 << 20))
    shares: list[float] = []
    read(file, Limits(), Progress(lambda step: shares.append(step.share)))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) > 5


def test_a_cancelled_reading_stops_between_two_pieces() -> None:
    cancellation = Cancellation()
    stream = Chatty()

    def report(_: Step) -> None:
        if stream.taken:
            cancellation.cancel()

    progress = Progress(report, cancellation)
    with pytest.raises(Cancelled):
        read(stream, Limits(), progress)
    assert 0 < stream.taken <= 600


def test_importing_the_room_does_not_import_httpx() -> None:
    script = "import sys, cutaway.sources; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
