"""Writing a file so that it is whole or not there at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cutaway.errors import OutputError, OutputExists

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["write_atomically"]


@contextmanager
def write_atomically(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Give a binary file that takes its place at `path` only when the block ends well.

    It is written under a temporary name in the same folder, flushed to disk, then renamed. If the
    block raises, or the process dies, `path` is as it was. A file that is replaced keeps its mode,
    and a link keeps leading to it.

    Raises:
        OutputExists: `path` exists and `overwrite` is false, be it that it came meanwhile.
        OutputError: the folder is missing, can't be written to, the disk is full, or `path` is a
            folder, a device or a pipe, which is never replaced.
    """
    target = Path(path)
    if os.path.lexists(target):
        target = _replaceable(target, overwrite=overwrite)
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(temporary, target, overwrite=overwrite)
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _replaceable(target: Path, *, overwrite: bool) -> Path:
    """The file behind a path where something is, if that is a file and may be replaced."""
    if not overwrite:
        raise _exists(target)
    try:
        real = target.resolve()
        special = real.exists() and not real.is_file()
    except (OSError, RuntimeError) as error:  # a link that leads to itself
        raise _unwritable(target, str(error)) from error
    if special:
        raise OutputError(
            f"{target} was not written", "it is no regular file", "Choose another output"
        )
    return real


def _publish(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        with suppress(OSError):
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
        return
    try:
        # A hard link fails if the target exists, where a rename would replace it.
        os.link(temporary, target)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError:
        _claim_then_replace(temporary, target)


def _claim_then_replace(temporary: Path, target: Path) -> None:
    """Publish on a file system without hard links: the empty claim keeps others away."""
    try:
        with target.open("xb"):
            pass
    except FileExistsError as error:
        raise _exists(target) from error
    temporary.replace(target)


def _exists(target: Path) -> OutputExists:
    return OutputExists(
        f"{target} was not written",
        "something is there already",
        "Choose another output, or allow overwriting",
    )


def _unwritable(target: Path, why: str) -> OutputError:
    return OutputError(
        f"{target} was not written",
        why,
        "Check that the folder exists, can be written to and has room",
    )
