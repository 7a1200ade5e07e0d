"""Where the results of a run go."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cutaway.cli.display import is_terminal
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
            click.BadParameter: several results can't go there, or stdout is a terminal or closed.
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
    """An input, and the file that its result goes to.

    None stands for standard output, or for nowhere if the input has a problem.
    """

    input: Input
    target: Path | None


def plan(inputs: Iterable[Input], place: Place, view: Output, format: ImageFormat) -> list[Task]:
    """Give every input the file of its result, and no file to two of them.

    Inputs whose results would have one name, as those of a.jpg and a.png, have them named after
    their full names. A result that would even so replace another's, or another input, makes its
    input a failing one.
    """
    given = list(inputs)
    if place.stdout:
        return [Task(one, None) for one in given]
    ending = f"{view.value}{format.suffix}"
    taken: dict[str, Input] = {}
    tasks = []
    sources = {_key(one.source): one for one in given if isinstance(one.source, Path)}
    for one, target in zip(given, _targets(given, place, ending), strict=True):
        checked = one if one.problem else _unless_taken(one, target, sources, taken)
        tasks.append(Task(checked, None if checked.problem else target))
    return tasks


def _targets(given: list[Input], place: Place, ending: str) -> list[Path]:
    by_stem = [_target(one, one.stem, place, ending) for one in given]
    wanted = Counter(
        _key(target) for one, target in zip(given, by_stem, strict=True) if not one.problem
    )
    return [
        _target(one, one.name, place, ending) if wanted[_key(target)] > 1 else target
        for one, target in zip(given, by_stem, strict=True)
    ]


def _target(one: Input, name: str, place: Place, ending: str) -> Path:
    if place.file:
        return place.file
    folder = one.folder if place.folder is None else place.folder / one.below
    return folder / (f"{name}-{ending}" if name else ending)


def _unless_taken(
    one: Input, target: Path, sources: dict[str, Input], taken: dict[str, Input]
) -> Input:
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
    if sys.stdout is None:
        raise _wrong("standard output is closed: pipe it")
    if is_terminal(sys.stdout):
        raise _wrong("standard output is a terminal, which can't show a picture: pipe it")
    return True


def _wrong(message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint="-o")
