r"""What the plug-in and its worker say to each other: framed JSON, with raw bytes behind it.

A frame is one line of JSON in UTF-8, an object that tells its `kind`, ended by "\n". If it has
`bytes`, a whole number, so many raw bytes follow:

    {"kind": "rows", "top": 0, "rows": 256, "bytes": 6144000}
    ...6144000 bytes...

Both ends run this file, the plug-in's in GIMP's own Python: it needs 3.9 and nothing beside it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO, Any, NoReturn

    Payload = bytes | bytearray | memoryview

__all__ = [
    "LARGEST_PAYLOAD",
    "LONGEST_HEADER",
    "PROTOCOL",
    "FrameError",
    "read_frame",
    "strip_rows",
    "write_frame",
]

PROTOCOL = 1
"""The version of what is said; an end that hears of another one must not go on."""

LONGEST_HEADER = 1 << 20
"""Bytes that a frame's line has at most, its end included."""

LARGEST_PAYLOAD = 64 << 20
"""Bytes that follow a line at most."""

_STRIP_ROWS = 256


class FrameError(Exception):
    """What came is no frame, or was cut off within one; its text says how."""


def strip_rows(row_bytes: int) -> int:
    """How many rows of a picture go into one frame: at most 256, and at least one.

    Args:
        row_bytes: What a row takes in it; above 0.
    """
    return max(1, min(_STRIP_ROWS, LARGEST_PAYLOAD // row_bytes))


def write_frame(stream: IO[bytes], header: dict[str, Any], payload: Payload = b"") -> None:
    """Write a frame whole, and flush it.

    Args:
        stream: A buffered binary stream.
        header: What to say; it has a `kind`. `bytes` is added where there is a payload.
        payload: What follows it; any contiguous buffer.

    Raises:
        FrameError: it is larger than the other end would take.
        OSError: the stream is closed at the other end.
    """
    size = memoryview(payload).nbytes
    told = dict(header, bytes=size) if size else header
    line = json.dumps(told, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > LONGEST_HEADER or size > LARGEST_PAYLOAD:
        raise FrameError(f"a frame of {len(line)} and {size} bytes is too large")
    stream.write(line)
    if size:
        stream.write(payload)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read the next frame.

    Args:
        stream: A buffered binary stream.

    Returns:
        Its header and its payload; None if the stream ended properly, between two frames.

    Raises:
        FrameError: what came is no frame, or ended within one; nothing after it can be read.
    """
    line = stream.readline(LONGEST_HEADER)
    if not line:
        return None
    if not line.endswith(b"\n"):
        cut_off = len(line) < LONGEST_HEADER
        raise FrameError("a line was cut off" if cut_off else "a line is too long")
    header = _header(line)
    size = header.get("bytes", 0)
    if type(size) is not int or not 0 <= size <= LARGEST_PAYLOAD:
        raise FrameError("the number of bytes can't be used")
    payload = stream.read(size)
    if len(payload) < size:
        raise FrameError(f"{len(payload)} bytes came instead of {size}")
    return header, payload


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a line is no JSON: {error}") from error
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise FrameError("a line is no object with a kind")
    return header


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
