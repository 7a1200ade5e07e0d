from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway_gimp.plug_in.frames import (
    LARGEST_PAYLOAD,
    LONGEST_HEADER,
    FrameError,
    read_frame,
    strip_rows,
    write_frame,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
HEADERS = st.builds(
    lambda kind, rest: {**rest, "kind": kind},
    st.text(),
    st.dictionaries(st.text().filter(lambda name: name != "bytes"), VALUES, max_size=4),
)
FRAMES = st.tuples(HEADERS, st.binary(max_size=200))


def written(*frames: tuple[dict[str, object], bytes]) -> bytes:
    stream = io.BytesIO()
    for header, payload in frames:
        write_frame(stream, header, payload)
    return stream.getvalue()


def read(data: bytes) -> tuple[dict[str, object], bytes] | None:
    return read_frame(io.BytesIO(data))


@given(st.lists(FRAMES, max_size=4))
def test_frames_come_out_as_they_went_in(frames: list[tuple[dict[str, object], bytes]]):
    stream = io.BytesIO(written(*frames))
    for header, payload in frames:
        told = {**header, "bytes": len(payload)} if payload else header
        assert read_frame(stream) == (told, payload)
    assert read_frame(stream) is None


@given(FRAMES, st.data())
def test_a_frame_that_is_cut_off_anywhere_is_refused(
    frame: tuple[dict[str, object], bytes], data: st.DataObject
):
    whole = written(frame)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError):
        read(whole[:cut])


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: data + b"\n"))
def test_whatever_comes_is_a_frame_or_refused(data: bytes):
    try:
        frame = read(data)
    except FrameError:
        return
    assert frame is None or isinstance(frame[0]["kind"], str)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b'"hello"\n',
        b'{"kind": 5}\n',
        b'{"kind": "rows", "share": NaN}\n',
        b'{"kind": "rows", "share": -Infinity}\n',
        b'{"kind": "rows", "bytes": -1}\n',
        b'{"kind": "rows", "bytes": 1.0}\n x',
        b'{"kind": "rows", "bytes": true}\n x',
        b'{"kind": "rows", "bytes": "1"}\n x',
        b'{"kind": "rows", "bytes": null}\n',
        b'{"kind": "\xff"}\n',
        b'\xef\xbb\xbf{"kind": "rows"}\n',
        b'{"kind": "rows"} {"kind": "rows"}\n',
        b'{"kind": ' + b"9" * 5000 + b"}\n",
        b'{"kind": ' + b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_that_is_no_frames_header_is_refused(line: bytes):
    with pytest.raises(FrameError):
        read(line)


def test_a_payload_larger_than_allowed_is_refused_before_it_is_read():
    for size in (LARGEST_PAYLOAD + 1, 10**30):
        stream = io.BytesIO(json.dumps({"kind": "rows", "bytes": size}).encode() + b"\n" + b"x")
        with pytest.raises(FrameError):
            read_frame(stream)
        assert stream.read() == b"x"


def test_a_line_that_does_not_end_is_read_no_further_than_allowed():
    stream = io.BytesIO(b" " * (LONGEST_HEADER + 5))
    with pytest.raises(FrameError, match="too long"):
        read_frame(stream)
    assert stream.tell() == LONGEST_HEADER


def test_the_longest_line_is_taken_and_a_longer_one_is_not_written():
    text = "x" * (LONGEST_HEADER - len('{"kind":""}\n'))
    assert read(written(({"kind": text}, b""))) == ({"kind": text}, b"")
    stream = io.BytesIO()
    with pytest.raises(FrameError):
        write_frame(stream, {"kind": f"{text}x"})
    with pytest.raises(FrameError):
        write_frame(stream, {"kind": "rows"}, bytes(LARGEST_PAYLOAD + 1))
    assert stream.getvalue() == b""


def test_a_payload_may_be_any_contiguous_buffer():
    values = memoryview(bytes(range(8))).cast("H")
    frame = read(written(({"kind": "rows"}, values)))  # type: ignore[arg-type]
    assert frame == ({"kind": "rows", "bytes": 8}, bytes(range(8)))


@given(st.integers(1, LARGEST_PAYLOAD))
def test_a_strip_has_rows_that_fit_into_a_frame(row_bytes: int):
    rows = strip_rows(row_bytes)
    assert 1 <= rows <= 256
    assert rows * row_bytes <= LARGEST_PAYLOAD
    assert rows == 256 or (rows + 1) * row_bytes > LARGEST_PAYLOAD
