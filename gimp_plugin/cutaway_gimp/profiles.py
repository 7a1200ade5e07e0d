"""Where GIMP keeps its profiles: one folder for each of its versions, such as `GIMP/3.0`.

`places()` is pure: it tells where to look on any system, whichever runs it. The rest looks there.
"""

from __future__ import annotations

import os
import re
import sys
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Generic, TypeVar

from cutaway.errors import ConfigError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "FLATPAK_LINE",
    "GIMP_2",
    "Places",
    "Profile",
    "find_profiles",
    "flatpak_may_start_programs",
    "has_flatpak",
    "has_snap",
    "named_profile",
    "places",
    "places_here",
    "version_of",
]

GIMP_2 = "2.10"
"""The only version before 3 that there is a plug-in for."""

FLATPAK_LINE = "flatpak override --user --talk-name=org.freedesktop.Flatpak org.gimp.GIMP"
"""What lets GIMP start programs outside of its Flatpak; a person runs it, never Cutaway."""

_GIMP_3 = re.compile(r"3\.(0|[1-9][0-9]{0,2})")
_ANY_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_FLATPAK_NAME = "org.gimp.GIMP"

P = TypeVar("P", bound=PurePath)


@dataclass(frozen=True, slots=True)
class Profile:
    """A folder of GIMP's settings for one person and version.

    Attributes:
        folder: Its absolute path.
        version: GIMP's, such as 3.0 or 2.10; of a folder whose name doesn't say, 3.
    """

    folder: Path
    version: str

    @property
    def plug_ins(self) -> Path:
        """Where GIMP looks for plug-ins; it may not be there yet."""
        return self.folder / "plug-ins"

    def __str__(self) -> str:
        return f"GIMP {self.version} ({self.folder})"


@dataclass(frozen=True, slots=True)
class Places(Generic[P]):
    """Where to look; nothing of it need be there.

    Attributes:
        homes: Folders that hold a profile for each version of GIMP.
        gimp_3: The only profile of GIMP 3, where the environment names it.
        gimp_2: Likewise of GIMP 2.10.
        flatpaks: Folders of which one is there where GIMP is a Flatpak.
        overrides: Files that may widen its sandbox.
        snap: A folder that is there where GIMP is a Snap; None where there are no Snaps.
    """

    homes: tuple[P, ...]
    gimp_3: P | None = None
    gimp_2: P | None = None
    flatpaks: tuple[P, ...] = ()
    overrides: tuple[P, ...] = ()
    snap: P | None = None


def version_of(name: str) -> str | None:
    """Give the version of GIMP whose profile a folder of that name is; None if there is none.

    It is 2.10, or 3.0 and whatever follows it up to 3.999; older ones have no plug-in.
    """
    return name if name == GIMP_2 or _GIMP_3.fullmatch(name) else None


def places(system: str, environ: Mapping[str, str], home: P) -> Places[P]:
    """Tell where profiles may be, as GIMP finds its own (libgimpbase/gimpenv.c).

    Args:
        system: As `sys.platform` names it.
        environ: The environment.
        home: The person's home folder; its class decides how paths are read.
    """
    gimp_3 = _below(home, environ.get("GIMP3_DIRECTORY"))
    gimp_2 = _below(home, environ.get("GIMP2_DIRECTORY"))
    if system == "win32":
        roaming = _absolute(home, environ.get("APPDATA"), "AppData/Roaming")
        return Places((roaming / "GIMP",), gimp_3, gimp_2)
    if system == "darwin":
        return Places((home / "Library" / "Application Support" / "GIMP",), gimp_3, gimp_2)
    sandbox = home / ".var" / "app" / _FLATPAK_NAME
    data = _absolute(home, environ.get("XDG_DATA_HOME"), ".local/share")
    flatpaks = (data / "flatpak", type(home)("/var/lib/flatpak"))
    return Places(
        (
            _absolute(home, environ.get("XDG_CONFIG_HOME"), ".config") / "GIMP",
            sandbox / "config" / "GIMP",
        ),
        gimp_3,
        gimp_2,
        flatpaks=(sandbox, *(one / "app" / _FLATPAK_NAME for one in flatpaks)),
        overrides=tuple(one / "overrides" / _FLATPAK_NAME for one in flatpaks),
        snap=home / "snap" / "gimp",
    )


def places_here() -> Places[Path]:
    """Tell where profiles may be on this machine."""
    return places(sys.platform, os.environ, Path(os.path.expanduser("~")))  # noqa: PTH111  (Path's own raises where there is no home)


def find_profiles(where: Places[Path]) -> list[Profile]:
    """Find the profiles that are there, the oldest version first.

    As for GIMP itself, a profile that the environment names is the only one of its version.

    Raises:
        ConfigError: there is none.
        OSError: a folder can't be read.
    """
    found: dict[str, Profile] = {}
    for profile in _candidates(where):
        if profile.folder.is_dir():
            found.setdefault(os.path.realpath(profile.folder), profile)
    if not found:
        raise _none(where)
    return sorted(found.values(), key=_age)


def named_profile(folder: Path) -> Profile:
    """Take a folder that a person has named for a profile.

    Raises:
        OptionError: it is a plug-ins folder, holds profiles but is none, or is of a GIMP that is
            too old.
        OSError: it can't be read.
    """
    folder = folder.absolute()
    version = version_of(folder.name)
    if version:
        return Profile(folder, version)
    what = f"{folder} is no profile for the plug-in"
    if folder.name == "plug-ins":
        raise OptionError(
            what, "it is the plug-ins folder of one", f"Name the one above: {folder.parent}"
        )
    if _ANY_VERSION.fullmatch(folder.name):
        raise OptionError(what, "there is one for GIMP 3 and 2.10 only", "Install a newer GIMP")
    for profile in _held(folder):
        raise OptionError(
            what, "it holds one for each version of GIMP", f"Name one: {profile.folder}"
        )
    return Profile(folder, "3")


def has_flatpak(where: Places[Path]) -> bool:
    """Whether GIMP is a Flatpak here, be it that it is not the only one."""
    return any(folder.is_dir() for folder in where.flatpaks)


def flatpak_may_start_programs(where: Places[Path]) -> bool:
    """Whether someone has let that Flatpak start programs outside of it, see `FLATPAK_LINE`."""
    for file in where.overrides:
        override = ConfigParser(strict=False, interpolation=None)
        try:
            override.read(file, encoding="utf-8")
        except (Error, UnicodeDecodeError):
            continue
        policy = override.get("Session Bus Policy", "org.freedesktop.Flatpak", fallback="")
        if policy in {"talk", "own"}:
            return True
    return False


def has_snap(where: Places[Path]) -> bool:
    """Whether GIMP is a Snap here, be it that it is not the only one."""
    return where.snap is not None and where.snap.is_dir()


def _candidates(where: Places[Path]) -> Iterator[Profile]:
    if where.gimp_3:
        yield Profile(where.gimp_3, _named_version(where.gimp_3) or "3")
    if where.gimp_2:
        yield Profile(where.gimp_2, GIMP_2)
    for home in where.homes:
        for profile in _held(home):
            if not (where.gimp_2 if profile.version == GIMP_2 else where.gimp_3):
                yield profile


def _named_version(folder: Path) -> str | None:
    return version_of(folder.name) if folder.name != GIMP_2 else None


def _held(home: Path) -> list[Profile]:
    """The profiles in a folder that holds one for each version."""
    if not home.is_dir():
        return []
    named = ((child, version_of(child.name)) for child in home.iterdir())
    return [Profile(child, version) for child, version in named if version and child.is_dir()]


def _age(profile: Profile) -> tuple[Sequence[int], str]:
    return [int(part) for part in profile.version.split(".")], str(profile.folder)


def _below(home: P, named: str | None) -> P | None:
    """A path as GIMP reads one from the environment: below the home folder if it is relative."""
    return home / named if named else None


def _absolute(home: P, named: str | None, usual: str) -> P:
    """A folder that the environment names by an absolute path, or else the usual one."""
    folder = type(home)(named or "")
    return folder if folder.is_absolute() else home / usual


def _none(where: Places[Path]) -> ConfigError:
    looked = " and ".join(str(one) for one in (where.gimp_3, where.gimp_2, *where.homes) if one)
    if has_snap(where):
        return ConfigError(
            "no GIMP was found that takes plug-ins from outside",
            "the one here is a Snap, which can't start Cutaway",
            "Install GIMP in another way, such as your system's package or Flatpak",
        )
    return ConfigError(
        "no profile of GIMP 3 or 2.10 was found",
        f"there is none in {looked}",
        "Start GIMP once, so that it makes its profile, or name one with --profile DIR",
    )
