"""What `cutaway gimp doctor` finds: in each profile, and in the Python that its plug-in starts."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutaway import __version__
from cutaway.errors import ConfigError
from cutaway_gimp.advice import about_gimp, about_python, about_worker
from cutaway_gimp.asking import ask
from cutaway_gimp.layout import Record, edition_for
from cutaway_gimp.pluginrc import Registration, registration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cutaway.errors import CutawayError
    from cutaway_gimp.profiles import Places, Profile

__all__ = ["Report", "check"]

_INSTALL = "Run: cutaway gimp install"


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        profiles: The facts about each profile.
        workers: The facts about each Python that answered.
        advice: What to know or to do, though nothing is wrong.
        problems: What is wrong.
    """

    profiles: list[dict[str, Any]] = field(default_factory=list)
    workers: list[dict[str, Any]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    problems: list[CutawayError] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """What is known, ready for JSON."""
        return {
            "cutaway": __version__,
            "python": sys.executable,
            "profiles": self.profiles,
            "workers": self.workers,
            "advice": self.advice,
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """The same for people: names, and what is there."""
        yield "cutaway", __version__
        for profile in self.profiles:
            name = f"GIMP {profile['gimp']}"
            yield f"{name} profile", profile["folder"]
            yield f"{name} plug-in", profile["installed"] or "none"
            if profile["installed"]:
                yield f"{name} registered", profile["registered"] or "no"
                yield f"{name} starts", profile["python"]
        for worker in self.workers:
            yield "answers from", worker["python"]
            yield "answers version", worker["version"]
            yield "backend", worker["backend"]
            yield "key", "found" if worker["key_found"] else "none"
            yield "models", ", ".join(worker["models"]) or "none"
            yield "auto", worker["auto"] or "unknown"


def check(where: Places[Path], profiles: list[Profile]) -> Report:
    """Look at every profile, and ask every worker that a plug-in there starts."""
    report = Report(advice=about_gimp(where))
    versions: dict[str, str | None] = {}
    for profile in profiles:
        plug_in = profile.plug_ins / edition_for(profile).name
        record = Record.read(plug_in)
        _look(profile, plug_in, record, report)
        if record is None:
            continue
        if record.python not in versions:
            versions[record.python] = _ask(plug_in, Path(record.python), report)
        there = versions[record.python]
        if there and there != record.version:
            report.problems.append(_other_version(profile, record, there))
    return report


def _look(profile: Profile, plug_in: Path, record: Record | None, report: Report) -> None:
    """Look at one profile."""
    entry = plug_in / edition_for(profile).entry
    state = None
    if record is None:
        report.problems.append(_absent(profile, plug_in))
    elif any(not (plug_in / place).is_file() for place in {entry.name, *record.files}):
        report.problems.append(_incomplete(profile, plug_in))
    elif not os.access(entry, os.X_OK):
        report.problems.append(_not_runnable(profile, entry))
    else:
        state = registration(profile, entry)
        if state is Registration.NOT_YET:
            report.advice.append(
                f"{profile} was not started since the plug-in was installed. Start it anew."
            )
        elif state is Registration.REFUSED:
            report.problems.append(_refused(profile, entry))
    report.profiles.append(
        {
            "gimp": profile.version,
            "folder": str(profile.folder),
            "plug_in": str(plug_in),
            "installed": record.version if record else None,
            "python": record.python if record else None,
            "registered": state,
        }
    )


def _ask(plug_in: Path, python: Path, report: Report) -> str | None:
    """Ask a worker; the version of Cutaway that it is of, None if it doesn't answer."""
    report.advice += about_python(python)
    try:
        answer = ask(plug_in)
    except ConfigError as error:
        report.problems.append(error)
        return None
    report.workers.append(answer.facts())
    report.advice += about_worker(answer)
    return answer.version


def _absent(profile: Profile, plug_in: Path) -> ConfigError:
    what = f"{profile} doesn't have the plug-in"
    if os.path.lexists(plug_in):
        return ConfigError(
            what, f"{plug_in} isn't Cutaway's", "Move it away, and run: cutaway gimp install"
        )
    return ConfigError(what, next_step=_INSTALL)


def _incomplete(profile: Profile, plug_in: Path) -> ConfigError:
    return ConfigError(
        f"the plug-in of {profile} is damaged", f"files of it are missing in {plug_in}", _INSTALL
    )


def _not_runnable(profile: Profile, entry: Path) -> ConfigError:
    what = f"{profile} can't start the plug-in"
    if entry.stat().st_mode & stat.S_IXUSR:
        return ConfigError(
            what,
            f"no program can be run from the disk that {entry} is on",
            "Have it mounted without noexec, or keep GIMP's profile on another (GIMP3_DIRECTORY)",
        )
    return ConfigError(what, f"{entry} may not be run", f"{_INSTALL}, or: chmod +x '{entry}'")


def _refused(profile: Profile, entry: Path) -> ConfigError:
    return ConfigError(
        f"{profile} doesn't know the plug-in, though it was started since",
        f"it could not load {entry}, or doesn't look there",
        "Start GIMP from a terminal and read what it says of Cutaway; see that its preferences "
        "name the plug-ins folder (Edit > Preferences > Folders > Plug-ins)",
    )


def _other_version(profile: Profile, record: Record, there: str) -> ConfigError:
    return ConfigError(
        f"the plug-in of {profile} is that of Cutaway {record.version}",
        f"{record.python} has Cutaway {there}",
        _INSTALL,
    )
