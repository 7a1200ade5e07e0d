"""The folders that the server may read from and write to, and the only way to a file in them.

A path is judged by where it really leads, all links followed. Between that and its use someone may
put a link in its place; so a file is opened from its allowed folder downwards, one real name after
the other and through no link, and written under the handle of the folder that was judged. Where
the system has no such handles (Windows), the real path is judged again after the file is open.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cutaway_mcp.failures import quoted, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcp.server.mcpserver.exceptions import ToolError

__all__ = ["Folders", "Spot", "usual_folders", "whole"]

_HANDLES = {os.open, os.stat, os.unlink, os.link, os.rename} <= os.supports_dir_fd
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_UNBLOCKED = getattr(os, "O_NONBLOCK", 0)
_FOLDER = getattr(os, "O_DIRECTORY", 0)
_KERNELS = tuple(Path(name) for name in ("/proc", "/sys", "/dev"))
_MOST_SHOWN = 4
_UNHEEDED = "the client's roots were not heeded: none has anything to do with the allowed folders"


def usual_folders() -> tuple[Path, ...]:
    """The folder that is allowed if none is named: the working folder.

    None at all if that is the root of a drive or the home folder itself: a client that starts a
    server from there has not chosen it.
    """
    here = Path.cwd().resolve()
    too_much = {Path(here.anchor), Path.home().resolve()}
    return () if here in too_much else (here,)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a folder that is held open, so that no link can lead elsewhere meanwhile.

    Attributes:
        name: A plain name, for calls that take `handle` too; the whole path without one.
        handle: The folder's; None where the system has none.
    """

    name: str
    handle: int | None

    def beside(self, name: str) -> Spot:
        """Another place in the same folder."""
        if self.handle is not None:
            return replace(self, name=name)
        return replace(self, name=str(Path(self.name).with_name(name)))


class Folders:
    """The allowed folders.

    Args:
        allowed: Their paths; what isn't there, or is no folder, counts for nothing.
        results: Where results go whose place a call doesn't say: allowed too, whatever the roots.
        warnings: What a user should know of how these came to be allowed.
    """

    def __init__(
        self, allowed: Iterable[Path], results: Path | None = None, warnings: Iterable[str] = ()
    ) -> None:
        self._named = _real_folders(allowed)
        self._results = results
        self.allowed = _real_folders([*self._named, *([results] if results else [])])
        self.warnings = tuple(warnings)

    def narrowed(self, uris: Iterable[str]) -> Folders:
        """What is allowed here and lies in the roots of a client too.

        Roots that have nothing in common with what the operator allowed change nothing but the
        warnings: they say where a client works, not what it may do.

        Args:
            uris: The roots' own, percent-encoded `file:` URIs; any other kind is passed over.
        """
        told = list(uris)
        roots = [path for uri in told if (path := _root(uri))]
        inner = [root for root in roots if _is_in(root, self._named)]
        inner += [one for one in self._named if _is_in(one, roots)]
        if inner:
            return Folders(inner, self._results)
        return Folders(self._named, self._results, [_UNHEEDED]) if told else self

    def has_folder(self, text: str) -> bool:
        """Whether a text is the path of a folder that may be read.

        Raises:
            ToolError: it is no whole path.
        """
        path = _real(whole(text))
        return path is not None and _is_in(path, self.allowed) and _is_folder(path)

    def readable(self, text: str) -> Path:
        """The real path of a file that may be read.

        Raises:
            ToolError: it is outside of the allowed folders, missing, or no regular file.
        """
        path = self._judged(text)
        try:
            status = path.stat()
        except OSError as error:
            raise _missing(text, error) from error
        _check_kind(text, status.st_mode)
        return path

    def folder(self, text: str) -> Path:
        """The real path of a folder that may be read.

        Raises:
            ToolError: it is outside of the allowed folders, missing, or no folder.
        """
        path = self._judged(text)
        if _is_folder(path):
            return path
        why = "it is no folder" if os.path.lexists(path) else "there is no such folder"
        raise refusal(f"{quoted(text)} can't be read", why, "Check the path")

    def writable(self, text: str, *, overwrite: bool) -> Path:
        """The real path of a file that may be written; its folder must be there.

        Raises:
            ToolError: it is outside of the allowed folders, its folder is missing, something is
                there already and may not be replaced, or is no regular file.
        """
        path = self._judged(text)
        if not _is_folder(path.parent):
            raise refusal(
                f"{quoted(text)} can't be written",
                "its folder is missing",
                "Make the folder first, or choose another output_path",
            )
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return path
        except OSError as error:
            raise _missing(text, error) from error
        _check_kind(text, mode)
        if not overwrite:
            raise _occupied(text, path)
        return path

    @contextmanager
    def opened(self, path: Path) -> Iterator[BinaryIO]:
        """A file to read from, by the real path that `readable` gave.

        Raises:
            ToolError: it is another one by now.
        """
        with self.spot(path) as spot:
            try:
                file = open(path, "rb", opener=_opener(spot))  # noqa: SIM115  (closed below)
            except OSError as error:
                raise _changed(path) from error
            with file:
                _check_kind(str(path), os.fstat(file.fileno()).st_mode)
                if spot.handle is None and _real(path) != path:
                    raise _changed(path)
                yield file

    @contextmanager
    def spot(self, path: Path) -> Iterator[Spot]:
        """The place of a real path, its folder held open meanwhile.

        Raises:
            ToolError: a folder on the way to it is gone, or a link by now.
        """
        if not _HANDLES:
            if _real(path.parent) != path.parent:
                raise _changed(path)
            yield Spot(str(path), None)
            return
        top = next((one for one in self.allowed if path.is_relative_to(one)), None)
        if top is None:
            raise self._outside(str(path))
        with ExitStack() as stack:
            try:
                handle = _entered(top, path.relative_to(top).parts[:-1], stack)
            except OSError as error:
                raise _changed(path) from error
            yield Spot(path.name, handle)

    def _judged(self, text: str) -> Path:
        """The real path behind a text, if it lies in an allowed folder.

        Nothing is told of what is outside, not even whether it is there.
        """
        path = _real(whole(text))
        if path is None or not _is_in(path, self.allowed) or _is_in(path, _KERNELS):
            raise self._outside(text)
        return path

    def _outside(self, text: str) -> ToolError:
        what = f"{quoted(text)} can't be used"
        if not self.allowed:
            return refusal(
                what,
                "no folder is allowed: the server runs in the root or the home folder, or in none",
                "Have its operator start it with --allow-dir FOLDER",
            )
        shown = ", ".join(quoted(one) for one in self.allowed[:_MOST_SHOWN])
        more = ", …" if len(self.allowed) > _MOST_SHOWN else ""
        return refusal(
            what,
            f"it is not in an allowed folder ({shown}{more})",
            "Use a path in one of them, or have the operator start the server with --allow-dir",
        )


def whole(text: str) -> Path:
    """The absolute path that a caller means; `~` is the home folder.

    Raises:
        ToolError: it is relative, on the network, or no path at all.
    """
    what = f"{quoted(text)} can't be used"
    if "\0" in text:
        raise refusal(what, "it holds a null byte", "Correct the path")
    if text.startswith(("\\\\", "//")):
        raise refusal(what, "network paths and device paths are not read", "Use a local path")
    path = Path(text)
    if path.parts[:1] == ("~",):
        path = Path.home().joinpath(*path.parts[1:])
    if not path.is_absolute():
        raise refusal(what, "it is no absolute path", "Give the whole path")
    return path


def _check_kind(text: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kind = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
    raise refusal(f"{quoted(text)} can't be used", f"it is {kind}", "Give the path of a file")


def _real(path: Path) -> Path | None:
    """Where a path leads, whether or not there is something; None if that can't be told."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # no access, or a link that leads to itself
        return None


def _real_folders(paths: Iterable[Path]) -> tuple[Path, ...]:
    real = (_real(path) for path in paths)
    return tuple(dict.fromkeys(path for path in real if path and _is_folder(path)))


def _is_folder(path: Path) -> bool:
    """Whether there is a folder; where that can't be told, such as of an overlong name, none is."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _is_in(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _root(uri: str) -> Path | None:
    """The real path of a client's root; None if it is no folder of this machine."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return None
    path = _real(Path(url2pathname(parts.path)))
    return path if path and _is_folder(path) else None


def _entered(top: Path, names: Iterable[str], stack: ExitStack) -> int:
    """The handle of a folder below `top`, reached through no link."""
    handle = os.open(top, os.O_RDONLY | _FOLDER | _NO_LINK)
    stack.callback(os.close, handle)
    for name in names:
        handle = os.open(name, os.O_RDONLY | _FOLDER | _NO_LINK, dir_fd=handle)
        stack.callback(os.close, handle)
    return handle


def _opener(spot: Spot) -> Callable[[str, int], int]:
    def opener(_: str, flags: int) -> int:
        # A pipe that took the file's place must not hold us up.
        return os.open(spot.name, flags | _NO_LINK | _UNBLOCKED | _BINARY, dir_fd=spot.handle)

    return opener


def _missing(text: str, error: OSError) -> ToolError:
    why = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
    return refusal(f"{quoted(text)} can't be used", why or str(error), "Check the path")


def _changed(path: Path) -> ToolError:
    return refusal(
        f"{quoted(path)} was not used",
        "it, or a folder on the way to it, was replaced meanwhile",
        "Check what is there, and try again",
    )


def _occupied(text: str, path: Path) -> ToolError:
    number = 2
    while (free := path.with_stem(f"{path.stem}-{number}")).exists():
        number += 1
    return refusal(
        f"{quoted(text)} was not written",
        "something is there already",
        "Set overwrite to replace it, or choose another output_path, such as "
        f"{quoted(whole(text).with_name(free.name))}",
    )
