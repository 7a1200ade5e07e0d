"""Bytes from this machine: a path or a binary stream."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from cutaway.errors import SourceError
from cutaway.sources.bounded import excerpt, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cutaway.progress import Progress
    from cutaway.settings import Limits

__all__ = ["BinaryStream", "read_path", "read_stream"]

_PIECE = 1 << 20
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)
"""A URL's scheme; a single letter is a drive of Windows."""

_ADVICE: dict[int | None, tuple[str, str]] = {
    errno.ENOENT: ("there is no such file", "Check the path"),
    errno.EACCES: ("it may not be read", "Check the file's permissions"),
    errno.EPERM: ("it may not be read", "Check the file's permissions"),
    errno.ENAMETOOLONG: (
        "it is too long for a path, and does not begin as the base64 of a picture does",
        "Give a path, a URL, a data URI or a whole picture in base64",
    ),
}


@runtime_checkable
class BinaryStream(Protocol):
    """Anything whose `read(size)` gives at most `size` bytes, and none at the end."""

    def read(self, size: int, /) -> bytes: ...  # noqa: D102  (the class says it)


def read_path(path: str, limits: Limits, progress: Progress) -> bytes:
    """Read a file, a FIFO or a process substitution to its end.

    Raises:
        SourceError: there is nothing at the path, or a folder, or it can't be read.
        TooLarge: it has more than `limits.max_bytes`; of a file that is told before reading.
        Cancelled: the caller stopped it.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb"))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        status = os.fstat(file.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        what = excerpt(path)
        return gather(_pieces(file, what, limits), what, limits, progress, size)


def read_stream(stream: BinaryStream, what: str, limits: Limits, progress: Progress) -> bytes:
    """Read a binary stream from where it stands to its end, and leave it open.

    At most one byte more than the limit is taken from it.

    Raises:
        SourceError: it gives text, nothing at all, or an error.
        TooLarge: it has more than `limits.max_bytes`.
        Cancelled: the caller stopped it.
    """
    return gather(_pieces(stream, what, limits), what, limits, progress)


def _pieces(stream: BinaryStream, what: str, limits: Limits) -> Iterator[bytes]:
    left = limits.max_bytes + 1
    while left > 0 and (piece := _piece(stream, what, min(left, _PIECE))):
        left -= len(piece)
        yield piece


def _piece(stream: BinaryStream, what: str, size: int) -> bytes:
    try:
        piece: object = stream.read(size)
    except UnicodeError:
        piece = None  # a text stream met bytes that are no text
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{what} can't be read", excerpt(str(error), 120), "Give an open stream, or a path"
        ) from error
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise SourceError(
            f"{what} can't be read",
            f"a {type(stream).__name__} does not give bytes",
            "Open it in binary mode, such as open(path, 'rb')",
        )
    return bytes(piece)


def _unreadable(path: str, error: OSError | ValueError) -> SourceError:
    scheme = _SCHEME.match(path.lstrip())
    if scheme:
        # Nothing else of it is shown: it may be a URL that holds a password.
        return SourceError(
            f"a source that begins with {excerpt(scheme[0])} can't be read",
            "there is no such file, and of URLs only http:// and https:// are fetched",
            "Give the file's path, or its http(s) URL",
        )
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir() raises for some that can't be paths)
        why, next_step = "it is a folder", "Give one of the pictures in it"
    else:
        number = error.errno if isinstance(error, OSError) else None
        reason = getattr(error, "strerror", None) or str(error)
        why, next_step = _ADVICE.get(number, (reason, "Check the path"))
    return SourceError(f"{excerpt(path)} can't be read", why, next_step)
