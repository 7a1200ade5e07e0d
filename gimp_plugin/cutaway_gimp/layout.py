"""What an installed plug-in is made of: its files, and the record that tells which are ours."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway_gimp.profiles import GIMP_2

if TYPE_CHECKING:
    from cutaway_gimp.profiles import Profile

__all__ = ["RECORD", "Edition", "Record", "edition_for", "files_in", "is_compiled"]

RECORD = "installed.json"
"""The file beside the plug-in that tells it which Python to start."""

_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Edition:
    """The plug-in for one series of GIMP.

    Attributes:
        name: Its folder's; GIMP 3 starts the file of that name in it.
        files: Where each of its files comes from, by its place in that folder.
    """

    name: str
    files: dict[str, Path]

    @property
    def entry(self) -> str:
        """The place of the file that GIMP starts."""
        return f"{self.name}.py"


@dataclass(frozen=True, slots=True)
class Record:
    """What was noted beside an installed plug-in.

    Attributes:
        python: The interpreter that has Cutaway, as an absolute path.
        version: Cutaway's, of which the files are.
        files: Their places.
    """

    python: str
    version: str
    files: frozenset[str]

    @classmethod
    def read(cls, plug_in: Path) -> Record | None:
        """Read that of a plug-in's folder; None if there is none of ours.

        Raises:
            OSError: it is there and can't be read.
        """
        try:
            told = json.loads((plug_in / RECORD).read_text(encoding="utf-8"))
            record = cls(told["python"], told["version"], frozenset(told.get("files", ())))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, LookupError, AttributeError):  # it is of another form
            return None
        texts = (record.python, record.version, *record.files)
        return record if all(isinstance(one, str) for one in texts) else None

    def write(self, plug_in: Path) -> None:
        """Put it into a plug-in's folder."""
        told = {"python": self.python, "version": self.version, "files": sorted(self.files)}
        (plug_in / RECORD).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def edition_for(profile: Profile) -> Edition:
    """Give the plug-in that a profile's GIMP can run."""
    return _gimp_2() if profile.version == GIMP_2 else _gimp_3()


def files_in(folder: Path) -> dict[str, Path]:
    """Every file below a folder by its place in it; links count as files and are not followed.

    Raises:
        OSError: a folder can't be read.
    """
    found = []
    for parent, folders, files in os.walk(folder, onerror=_raise):
        here = Path(parent)
        found += [here / name for name in files]
        found += [here / name for name in folders if (here / name).is_symlink()]
    return {path.relative_to(folder).as_posix(): path for path in found}


def is_compiled(place: str) -> bool:
    """Whether a file is what Python has made of another, and makes again."""
    return "__pycache__" in place.split("/")


def _gimp_3() -> Edition:
    name = "cutaway-remove-background"
    code = _PACKAGE / "plug_in"
    entry = code / f"{name}.py"
    modules = [_PACKAGE / "__init__.py", *(one for one in code.glob("*.py") if one != entry)]
    pages = [*code.glob("locale/*/LC_MESSAGES/*.mo"), *code.glob("help/*/*")]
    files = {
        entry.name: entry,
        **{f"cutaway_gimp/{one.relative_to(_PACKAGE).as_posix()}": one for one in modules},
        **{one.relative_to(code).as_posix(): one for one in pages},
    }
    return Edition(name, files)


def _gimp_2() -> Edition:
    name = "cutaway-remove-background-2-10"
    return Edition(name, {f"{name}.py": _PACKAGE / "plug_in_2_10" / f"{name}.py"})


def _raise(error: OSError) -> None:
    raise error
