"""What a run works on: the pictures that its arguments stand for."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

import click

from cutaway.cli.display import is_terminal
from cutaway.errors import CutawayError, SourceError
from cutaway.options import Output
from cutaway.sources.text import SourceKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["STDIN", "Input", "find_inputs", "is_folder"]

STDIN = "-"

# HEIC can't be decoded, but a folder of it must say so instead of looking empty.
_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
    *(".avif", ".heic", ".heif"),
)
_LONGEST_STEM = 50
"""Characters; with four bytes each and an ending it is still within the 255 of a file system."""

_NOT_IN_NAMES = '<>:"/\\|?*'


@dataclass(frozen=True, slots=True)
class Input:
    """One picture to work on.

    Attributes:
        source: What a client takes.
        shown: What messages call it; never a secret.
        stem: What its output is named after; empty if it has no name.
        name: What its output is named after if another's has the same stem.
        folder: Where its output belongs unless a place is given.
        below: Where it is, seen from the folder that was given.
        problem: Why it can't be worked on, if that is known already.
    """

    source: Path | str | BinaryIO
    shown: str
    stem: str = ""
    name: str = ""
    folder: Path = Path()
    below: Path = Path()
    problem: CutawayError | None = None


def find_inputs(
    arguments: Iterable[str], *, recursive: bool = False, avoid: Path | None = None
) -> Iterator[Input]:
    """Give the pictures that `arguments` stand for, in order; those of a folder by name.

    A file that is given again, be it by another path, is left out.

    Args:
        arguments: Files, folders, http(s) URLs, data URIs, UUIDs, or `-` for standard input.
        recursive: Look into the folders below a folder too.
        avoid: A folder whose pictures are results, not inputs.
    """
    seen: set[str] = set()
    for one in _all_inputs(arguments, recursive=recursive, avoid=avoid):
        if isinstance(one.source, Path):
            real = os.path.normcase(os.path.realpath(one.source))
            if real in seen:
                continue
            seen.add(real)
        yield one


def is_folder(argument: str) -> bool:
    """Whether an argument names a folder, and so may stand for many pictures."""
    # Path.is_dir() raises for what is too long for a path, as a data URI is.
    return kind_of(argument) is SourceKind.PATH and os.path.isdir(argument)  # noqa: PTH112


def _all_inputs(
    arguments: Iterable[str], *, recursive: bool, avoid: Path | None
) -> Iterator[Input]:
    for argument in arguments:
        kind = kind_of(argument)
        if argument == STDIN:
            yield _stdin()
        elif kind is not SourceKind.PATH:
            yield _remote(argument, kind)
        elif is_folder(argument):
            yield from _folder(Path(argument), recursive=recursive, avoid=avoid)
        else:
            yield _file(Path(argument))


def _stdin() -> Input:
    if sys.stdin is None:
        raise click.UsageError("standard input is closed: pipe a picture into it")
    if is_terminal(sys.stdin):
        raise click.UsageError("standard input is a terminal: pipe a picture into it")
    return Input(sys.stdin.buffer, "stdin")


def _file(path: Path, below: Path = Path()) -> Input:
    return Input(path, str(path), path.stem, path.name, path.parent, below)


def _remote(argument: str, kind: SourceKind) -> Input:
    if kind is SourceKind.UUID:
        return Input(argument, argument, argument, argument)
    if kind is not SourceKind.URL:
        return Input(argument, f"a {kind.value}")
    try:
        url = urlsplit(argument.strip())
    except ValueError:
        return Input(argument, "a URL")
    host = url.netloc.rpartition("@")[2]
    last = unquote(url.path.rstrip("/").rpartition("/")[2])
    shown = f"{url.scheme}://{host}{url.path}"
    return Input(argument, shown, _safe(Path(last).stem), _safe(last))


def _safe(name: str) -> str:
    """What of a stranger's name can be a file's name on any system, and not a hidden one's."""
    kept = (one for one in name if one.isprintable() and one not in _NOT_IN_NAMES)
    return "".join(kept).strip(" .")[:_LONGEST_STEM]


def _folder(folder: Path, *, recursive: bool, avoid: Path | None) -> Iterator[Input]:
    unreadable: list[OSError] = []
    empty = True
    for root, folders, names in os.walk(folder, onerror=unreadable.append):
        here = Path(root)
        folders[:] = sorted(_seen(folders, here, avoid)) if recursive else []
        for name in _pictures(names):
            empty = False
            yield _file(here / name, here.relative_to(folder))
    for error in unreadable:
        empty = False
        yield _problem(str(error.filename), error.strerror or str(error), "Check its permissions")
    if empty:
        advice = "Check the path" if recursive else "Use --recursive to look into its folders too"
        yield _problem(str(folder), "it holds no pictures", advice)


def _problem(shown: str, why: str, next_step: str) -> Input:
    return Input(shown, shown, problem=SourceError(f"{shown} can't be used", why, next_step))


def _seen(folders: Iterable[str], here: Path, avoid: Path | None) -> Iterator[str]:
    """Leave out hidden folders, which hold thumbnails and caches, and the results' own."""
    for name in folders:
        path = here / name
        if not name.startswith(".") and not (avoid and avoid.exists() and path.samefile(avoid)):
            yield name


def _pictures(names: Iterable[str]) -> list[str]:
    """The pictures among a folder's files, by name, but no hidden ones and no earlier results."""
    pictures = [name for name in names if Path(name).suffix.lower() in _ENDINGS and name[:1] != "."]
    originals = {*pictures, *(Path(name).stem for name in pictures)}
    return sorted(name for name in pictures if not _is_result(Path(name).stem, originals))


def _is_result(stem: str, originals: set[str]) -> bool:
    original, _, ending = stem.rpartition("-")
    return ending in {view.value for view in Output} and original in originals
