"""Writing a file into an allowed folder: whole or not at all, and never through a link."""

from __future__ import annotations

import io
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cutaway import errors
from cutaway_mcp.failures import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from _typeshed import ReadableBuffer

    from cutaway import Cancellation
    from cutaway_mcp.folders import Folders, Spot

__all__ = ["new_file"]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0)


class _WatchedFile(io.FileIO):
    """A file that takes no more than it may, and nothing once the work was cancelled."""

    def __init__(self, handle: int, most: int | None, cancellation: Cancellation) -> None:
        super().__init__(handle, "wb")
        self._left = most
        self._cancellation = cancellation

    def write(self, data: ReadableBuffer) -> int:
        self._cancellation.check()
        size = memoryview(data).nbytes
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                raise errors.OutputError(
                    "the result was not written",
                    "the output folder would hold more than it may (--output-max-size)",
                    "Have results removed from it, or give an output_path elsewhere",
                )
        view = memoryview(data).cast("B")
        written = 0
        while written < size:
            written += super().write(view[written:]) or 0
        return size


@contextmanager
def new_file(
    folders: Folders,
    path: Path,
    *,
    overwrite: bool,
    cancellation: Cancellation,
    most: int | None = None,
) -> Iterator[BinaryIO]:
    """Give a file to write, that takes its place at `path` only when the block ends well.

    It is written under a temporary name in the same folder, flushed to disk, then renamed. A file
    that is replaced keeps its mode.

    Args:
        folders: Where it may be.
        path: A real path, as `Folders.writable` gives it.
        overwrite: Whether a file that is there already may be replaced.
        cancellation: Stops the writing at its next piece.
        most: Bytes that it may have; None for any number.

    Raises:
        ToolError: the path leads elsewhere by now.
        OutputExists: a file came there meanwhile.
        OutputError: it can't be written, or would have more than `most` bytes.
        Cancelled: `cancellation` was cancelled.
    """
    cancellation.check()
    with folders.spot(path) as target:
        temporary = target.beside(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
        try:
            handle = os.open(temporary.name, _NEW, 0o666, dir_fd=temporary.handle)
            with _WatchedFile(handle, most, cancellation) as file:
                yield file
                os.fsync(file.fileno())
            cancellation.check()
            _publish(temporary, target, path, overwrite=overwrite)
        except OSError as error:
            raise errors.OutputError(
                f"{quoted(path)} was not written",
                error.strerror or str(error),
                "Check that the folder can be written to and has room",
            ) from error
        finally:
            with suppress(OSError):
                os.unlink(temporary.name, dir_fd=temporary.handle)


def _publish(temporary: Spot, target: Spot, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        _take_over(temporary, target, path)
        return
    try:
        # A hard link fails if the target exists, where a rename would replace it.
        os.link(
            temporary.name,
            target.name,
            src_dir_fd=temporary.handle,
            dst_dir_fd=target.handle,
            follow_symlinks=os.link not in os.supports_follow_symlinks,
        )
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:
        _claim_then_replace(temporary, target, path)


def _take_over(temporary: Spot, target: Spot, path: Path) -> None:
    """Replace what is at the target, if that is a regular file or nothing."""
    try:
        mode = os.stat(target.name, dir_fd=target.handle, follow_symlinks=False).st_mode
    except FileNotFoundError:
        _replace(temporary, target)
        return
    if not stat.S_ISREG(mode):
        raise errors.OutputError(
            f"{quoted(path)} was not written",
            "something else than a file came there meanwhile",
            "Choose another output_path",
        )
    with suppress(OSError, NotImplementedError):
        os.chmod(temporary.name, stat.S_IMODE(mode), dir_fd=temporary.handle)
    _replace(temporary, target)


def _claim_then_replace(temporary: Spot, target: Spot, path: Path) -> None:
    """Publish on a file system without hard links: the empty claim keeps others away."""
    try:
        os.close(os.open(target.name, _NEW, 0o666, dir_fd=target.handle))
    except FileExistsError as error:
        raise _exists(path) from error
    _replace(temporary, target)


def _replace(temporary: Spot, target: Spot) -> None:
    os.replace(temporary.name, target.name, src_dir_fd=temporary.handle, dst_dir_fd=target.handle)


def _exists(path: Path) -> errors.OutputExists:
    return errors.OutputExists(
        f"{quoted(path)} was not written",
        "something came there meanwhile",
        "Choose another output_path, or set overwrite",
    )
