"""Copying the plug-in into a profile of GIMP's, and taking it out again: whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cutaway import __version__
from cutaway.errors import ConfigError, OutputError, OutputExists
from cutaway_gimp.layout import RECORD, Record, edition_for, files_in, is_compiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cutaway_gimp.layout import Edition
    from cutaway_gimp.profiles import Profile

__all__ = ["Change", "install", "interpreter", "may_vanish", "uninstall"]

_CACHED = re.compile(r"(archive|builds|environments)-v[0-9]+")


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a profile, or would be.

    Attributes:
        profile: Which.
        plug_in: The plug-in's folder in it.
        before: The version that was there; None if none was.
        kept: Files of that folder that are not Cutaway's, and are still there.
    """

    profile: Profile
    plug_in: Path
    before: str | None
    kept: tuple[str, ...] = ()


def interpreter() -> Path:
    """Give the path of this Python, which GIMP is to start.

    That of a virtual environment is a link, and is given as it is: what it leads to knows
    nothing of the environment.

    Raises:
        ConfigError: Python doesn't know it.
    """
    if not sys.executable:
        raise ConfigError(
            "the plug-in was not installed",
            "this Python can't tell where it is, so GIMP could not start it",
            "Run the command with an ordinary Python: python -m cutaway gimp install",
        )
    return Path(sys.executable).absolute()


def may_vanish(python: PurePath, environ: Mapping[str, str]) -> bool:
    """Whether an interpreter lies in a cache, as those do that uvx and `pipx run` make.

    Args:
        python: Its absolute path.
        environ: The environment, which may name uv's cache.
    """
    named = environ.get("UV_CACHE_DIR")
    if named and python.is_relative_to(named):
        return True
    pipx_run = {"pipx", ".cache"} <= set(python.parts)
    return pipx_run or any(_CACHED.fullmatch(part) for part in python.parts)


def install(profile: Profile, python: Path, *, dry_run: bool = False) -> Change:
    """Put the plug-in into a profile, in the place of an earlier one.

    It is written beside its place and then renamed, so that GIMP finds the earlier one, none, or
    the new one whole. Files that others have put into its folder are taken along.

    Args:
        profile: Where to; its `plug-ins` folder is made if it isn't there.
        python: What the plug-in is to start.
        dry_run: Only look whether it could be done.

    Raises:
        OutputExists: something that isn't Cutaway's would be replaced.
        OutputError: a file can't be read or written.
    """
    edition = edition_for(profile)
    plug_in = profile.plug_ins / edition.name
    with _told(f"the plug-in was not installed in {profile}"):
        before = _own(plug_in)
        kept = _kept(plug_in, before, edition)
        if not dry_run:
            plug_in.parent.mkdir(exist_ok=True)
            _put(plug_in, edition, Record(str(python), __version__, frozenset(edition.files)), kept)
    return Change(profile, plug_in, before.version if before else None, tuple(kept))


def uninstall(profile: Profile, *, dry_run: bool = False) -> Change | None:
    """Delete the plug-in's files from a profile; None if none is there that Cutaway put there.

    Args:
        profile: Where from.
        dry_run: Only look what would be done.

    Raises:
        OutputExists: a link is there in its place.
        OutputError: a file can't be deleted.
    """
    plug_in = profile.plug_ins / edition_for(profile).name
    with _told(f"the plug-in was not removed from {profile}"):
        record = _own(plug_in)
        if record is None:
            return None
        kept = {place for place in files_in(plug_in) if not _is_ours(place, record)}
        if not dry_run:
            _delete(plug_in, kept)
    return Change(profile, plug_in, record.version, tuple(sorted(kept)))


def _own(plug_in: Path) -> Record | None:
    """The record of the plug-in that is there, None if none is; a link is its user's own."""
    if plug_in.is_symlink():
        raise OutputExists(
            f"{plug_in} was left alone", "it is a link", "Remove the link, and try again"
        )
    return Record.read(plug_in)


def _is_ours(place: str, record: Record | None) -> bool:
    return is_compiled(place) or (record is not None and place in {RECORD, *record.files})


def _kept(plug_in: Path, record: Record | None, edition: Edition) -> dict[str, Path]:
    """The files in the plug-in's folder that are not ours; none may be where one of ours goes."""
    if plug_in.is_file():
        raise _in_the_way(plug_in)
    found = files_in(plug_in) if plug_in.exists() else {}
    kept = {place: path for place, path in found.items() if not _is_ours(place, record)}
    for place, path in kept.items():
        if place in {RECORD, *edition.files}:
            raise _in_the_way(path)
    return kept


def _put(plug_in: Path, edition: Edition, record: Record, kept: dict[str, Path]) -> None:
    # GIMP looks into no folder whose name begins with a dot.
    stage = plug_in.with_name(f".{plug_in.name}.{secrets.token_hex(4)}.part")
    try:
        for place, path in {**kept, **edition.files}.items():
            copy = stage / place
            copy.parent.mkdir(parents=True, exist_ok=True)
            if place in kept:
                shutil.copy2(path, copy, follow_symlinks=False)
            else:
                shutil.copyfile(path, copy)
        _allow_to_run(stage / edition.entry)
        record.write(stage)
        _swap(stage, plug_in)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _allow_to_run(entry: Path) -> None:
    """Let all run it who may read it: GIMP takes for a plug-in only what it can run."""
    mode = entry.stat().st_mode
    entry.chmod(mode | (mode & 0o444) >> 2)
    if not os.access(entry, os.X_OK):
        raise OutputError(
            f"the plug-in was not installed in {entry.parent.parent}",
            "no program can be run from that disk, so GIMP could not start it",
            "Have it mounted without noexec, or keep GIMP's profile on another (GIMP3_DIRECTORY)",
        )


def _swap(stage: Path, plug_in: Path) -> None:
    if not plug_in.exists():
        stage.rename(plug_in)
        return
    earlier = stage.with_suffix(".old")
    plug_in.rename(earlier)
    try:
        stage.rename(plug_in)
    finally:
        if not plug_in.exists():
            earlier.rename(plug_in)
    shutil.rmtree(earlier, ignore_errors=True)


def _delete(plug_in: Path, kept: set[str]) -> None:
    """Delete all but some files, the record last: what breaks off can then be done again."""
    doomed = {place: path for place, path in files_in(plug_in).items() if place not in kept}
    for place in sorted(doomed, key=lambda place: place == RECORD):
        doomed[place].unlink(missing_ok=True)
    for folder, _, _ in os.walk(plug_in, topdown=False):
        with suppress(OSError):  # it isn't empty
            Path(folder).rmdir()


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            what,
            f"{error.filename}: {error.strerror}" if error.filename else str(error),
            "Close GIMP, check that you may write there, and try again",
        ) from error


def _in_the_way(path: Path) -> OutputExists:
    return OutputExists(
        f"{path} was not replaced", "it isn't one of Cutaway's", "Move it away, and install again"
    )
