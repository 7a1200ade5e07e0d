"""Where the results of a run go."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cutaway.errors import OutputError
from cutaway.options import ImageFormat, Output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cutaway.cli.inputs import Input

__all__ = ["STDOUT", "Place", "Task", "plan"]

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Place:
    """The place for results: a folder, a file, standard output, or (all unset) beside each source.

    Attributes:
        folder: For any number of results; made if it is missing.
        file: For the only result.
        stdout: Whether the only result is written to standard output.
    """

    folder: Path | None = None
    file: Path | None = None
    stdout: bool = False

    @classmethod
    def named(cls, out: str | None, *, several: bool) -> Place:
        """Read what `-o` says, for one result or several.

        Raises:
            click.BadParameter: several results can't go there, or stdout is a terminal.
        """
        if out is None:
            return cls()
        if out == STDOUT:
            return cls(stdout=_pipe(several=several))
        path = Path(out)
        slash = out.endswith(("/", os.sep))
        if path.is_dir() or slash:
            return cls(folder=path)
        if several and (path.exists() or ImageFormat.of_suffix(path.suffix)):
            raise _wrong(f"{out} is one file, and there may be several results: name a folder/")
        return cls(folder=path) if several else cls(file=path)

    def format(self, wanted: str | None) -> ImageFormat:
        """The format of the results: as wanted, or as the file's ending says, or PNG.

        Raises:
            click.BadParameter: the two contradict each other, or the ending isn't one we write.
        """
        ending = self.file.suffix if self.file else ""
        told = ImageFormat.of_suffix(ending) if ending else None
        chosen = ImageFormat.of_suffix(wanted) if wanted else told
        if told and chosen is not told:
            raise _wrong(f"{self.file} ends as a {told.value} does, but --format says {wanted}")
        if ending and chosen is None:
            raise _wrong(f"{ending} is not written: use .png, .webp or .jpg, or give --format")
        return chosen or ImageFormat.PNG


@dataclass(frozen=True, slots=True)
class Task:
    """An input, and the file that its result goes to (None: standard output)."""

    input: Input
    target: Path | None


def plan(inputs: Iterable[Input], place: Place, view: Output, format: ImageFormat) -> list[Task]:
    """Give every input the file of its result, and no file to two of them.

    A result that would replace another's, or another input, makes its input a failing one.
    """
    taken: dict[str, Input] = {}
    tasks = []
    given = list(inputs)
    sources = {_key(one.source): one for one in given if isinstance(one.source, Path)}
    for one in given:
        target = None if place.stdout else _target(one, place, view, format)
        tasks.append(Task(_unless_taken(one, target, sources, taken), target))
    return tasks


def _target(one: Input, place: Place, view: Output, format: ImageFormat) -> Path:
    if place.file:
        return place.file
    name = f"{one.stem}-{view.value}" if one.stem else view.value
    folder = one.folder if place.folder is None else place.folder / one.below
    return folder / f"{name}{format.suffix}"


def _unless_taken(
    one: Input, target: Path | None, sources: dict[str, Input], taken: dict[str, Input]
) -> Input:
    if target is None or one.problem:
        return one
    key = _key(target)
    source = sources.get(key, one)
    other = taken.setdefault(key, one) if source is one else source
    if other is one:
        return one
    what = "the result of" if source is one else "an input of this run,"
    problem = OutputError(
        f"{target} was not written",
        f"it is {what} {other.shown}",
        "Remove the background of this one in a run of its own, with another -o",
    )
    return replace(one, problem=problem)


def _key(path: Path) -> str:
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100  (Path.absolute() keeps `..`)


def _pipe(*, several: bool) -> bool:
    if several:
        raise _wrong("standard output takes one picture, and there may be several results")
    if sys.stdout.isatty():
        raise _wrong("standard output is a terminal, which can't show a picture: pipe it")
    return True


def _wrong(message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint="-o")
