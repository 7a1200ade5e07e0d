"""Where GIMP's profiles are looked for, and which of what is there are taken."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway_gimp.profiles import FLATPAK_LINE, places, places_here, version_of
from tests.shared.cli.running import cli

HOME = PurePosixPath("/home/you")
WINDOWS_HOME = PureWindowsPath(r"C:\Users\you")


@pytest.fixture
def gimp_home(isolated_home: Path) -> Path:
    """The folder that holds a profile for each version of GIMP; it isn't there yet."""
    first = places_here().homes[0]
    assert isolated_home in first.parents
    return first


def found() -> list[tuple[str, Path]]:
    """The version and folder of each profile that the command would install into."""
    done = cli("gimp", "install", "--dry-run", "--json")
    assert done.exit_code == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)["profiles"]
    return [(one["gimp"], Path(one["folder"])) for one in told]


def make(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(parents=True)


@given(st.integers(0, 999))
def test_every_minor_version_of_gimp_3_has_a_profile(minor: int) -> None:
    assert version_of(f"3.{minor}") == f"3.{minor}"


@given(st.text() | st.from_regex(r"[0-9٣]{1,2}[.,][0-9٣ \n]{1,5}", fullmatch=True))
def test_no_other_folder_is_a_profile(name: str) -> None:
    series, _, minor = name.partition(".")
    is_3 = series == "3" and minor in {str(number) for number in range(1000)}
    assert version_of(name) == (name if is_3 or name == "2.10" else None)


@pytest.mark.parametrize(
    "name", ["2.8", "2.99", "2.100", "3", "3.", "3.01", "3.1000", "4.0", "3.0 "]
)
def test_what_only_looks_like_a_profile_is_none(name: str) -> None:
    assert version_of(name) is None


def test_on_linux_they_are_in_the_configuration_and_in_the_flatpaks_own_folder() -> None:
    where = places("linux", {}, HOME)
    assert where.homes == (
        HOME / ".config" / "GIMP",
        HOME / ".var" / "app" / "org.gimp.GIMP" / "config" / "GIMP",
    )
    assert places("linux", {"XDG_CONFIG_HOME": "/etc/you"}, HOME).homes[0] == PurePosixPath(
        "/etc/you/GIMP"
    )


@pytest.mark.parametrize("relative", ["", "config", "./config"])
def test_a_configuration_folder_that_is_not_absolute_is_not_taken(relative: str) -> None:
    where = places("linux", {"XDG_CONFIG_HOME": relative}, HOME)
    assert where.homes[0] == HOME / ".config" / "GIMP"


def test_on_macos_they_are_in_the_application_support() -> None:
    where = places("darwin", {"XDG_CONFIG_HOME": "/etc/you"}, PurePosixPath("/Users/you"))
    assert where.homes == (PurePosixPath("/Users/you/Library/Application Support/GIMP"),)
    assert (where.flatpaks, where.snap) == ((), None)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"APPDATA": r"D:\Roaming"}, r"D:\Roaming\GIMP"),
        ({}, r"C:\Users\you\AppData\Roaming\GIMP"),
        ({"APPDATA": "Roaming"}, r"C:\Users\you\AppData\Roaming\GIMP"),
    ],
)
def test_on_windows_they_are_in_the_roaming_data(environ: dict[str, str], expected: str) -> None:
    where = places("win32", environ, WINDOWS_HOME)
    assert where.homes == (PureWindowsPath(expected),)
    assert (where.flatpaks, where.snap) == ((), None)


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_environment_can_name_a_profile_from_the_home_folder_on(system: str) -> None:
    environ = {"GIMP3_DIRECTORY": "/srv/gimp", "GIMP2_DIRECTORY": "old/gimp"}
    where = places(system, environ, HOME)
    assert (where.gimp_3, where.gimp_2) == (PurePosixPath("/srv/gimp"), HOME / "old" / "gimp")


def test_on_windows_too_the_environment_can_name_a_profile() -> None:
    environ = {"GIMP3_DIRECTORY": r"D:\gimp", "GIMP2_DIRECTORY": "gimp"}
    where = places("win32", environ, WINDOWS_HOME)
    assert where.gimp_3 == PureWindowsPath(r"D:\gimp")
    assert where.gimp_2 == PureWindowsPath(r"C:\Users\you\gimp")


def test_all_that_are_there_are_found_by_age(gimp_home: Path) -> None:
    flatpaks = places_here().homes[-1]
    make(*(gimp_home / name for name in ("3.2", "3.0", "2.10", "3.10")))
    make(*(gimp_home / name for name in ("2.8", "2.99", "backup", "3.0 (copy)")))
    (gimp_home / "3.4").write_text("no folder", encoding="utf-8")
    expected = [(name, gimp_home / name) for name in ("2.10", "3.0", "3.2", "3.10")]
    assert found() == expected
    make(flatpaks / "3.2")
    assert set(found()) == {*expected, ("3.2", flatpaks / "3.2")}


def test_one_that_is_reached_twice_is_taken_once(gimp_home: Path) -> None:
    flatpaks = places_here().homes[-1]
    make(gimp_home / "3.0", flatpaks.parent)
    flatpaks.symlink_to(gimp_home)
    assert found() == [("3.0", gimp_home / "3.0")]


def test_one_that_the_environment_names_is_the_only_one_of_its_series(
    gimp_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(gimp_home / "3.0", gimp_home / "2.10", tmp_path / "mine", tmp_path / "3.2")
    monkeypatch.setenv("GIMP3_DIRECTORY", str(tmp_path / "mine"))
    assert found() == [("2.10", gimp_home / "2.10"), ("3", tmp_path / "mine")]
    monkeypatch.setenv("GIMP3_DIRECTORY", str(tmp_path / "3.2"))
    monkeypatch.setenv("GIMP2_DIRECTORY", str(tmp_path / "mine"))
    assert found() == [("2.10", tmp_path / "mine"), ("3.2", tmp_path / "3.2")]


@pytest.mark.parametrize("command", ["install", "uninstall", "doctor"])
def test_without_a_profile_it_says_to_start_gimp_or_to_name_one(
    command: str, gimp_home: Path
) -> None:
    done = cli("gimp", command)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"there is none in {gimp_home} and " in done.stderr
    assert "Start GIMP once" in done.stderr
    assert "--profile DIR" in done.stderr


def test_a_snap_is_said_to_be_of_no_use(isolated_home: Path, gimp_home: Path) -> None:
    make(isolated_home / "snap" / "gimp")
    alone = cli("gimp", "install")
    assert alone.exit_code == 1
    assert "a Snap, which can't start Cutaway" in alone.stderr
    make(gimp_home / "3.0")
    beside = cli("gimp", "install", "--dry-run")
    assert beside.exit_code == 0
    assert beside.stderr.startswith("cutaway: GIMP is a Snap here.")


@pytest.mark.parametrize("folder", [".var/app/", ".local/share/flatpak/app/"])
def test_for_a_flatpak_the_line_that_it_needs_is_told(
    folder: str, isolated_home: Path, gimp_home: Path
) -> None:
    make(gimp_home / "3.0", isolated_home / folder / "org.gimp.GIMP")
    done = cli("gimp", "install", "--dry-run")
    assert done.exit_code == 0
    assert "any program on this computer" in done.stderr
    assert done.stderr.endswith(f"{FLATPAK_LINE}\n")
    assert json.loads(cli("gimp", "install", "--dry-run", "--json").stdout)["advice"]


@pytest.mark.parametrize(
    ("override", "allowed"),
    [
        ("[Session Bus Policy]\norg.freedesktop.Flatpak=talk\n", True),
        ("[Context]\nfilesystems=home;\n\n[Session Bus Policy]\norg.freedesktop.Flatpak=own", True),
        ("[Session Bus Policy]\norg.freedesktop.Flatpak=none\n", False),
        ("[Session Bus Policy]\norg.freedesktop.Other=talk\n", False),
        ("[System Bus Policy]\norg.freedesktop.Flatpak=talk\n", False),
        ("org.freedesktop.Flatpak=talk\n", False),
        ("[Session Bus Policy]\norg.freedesktop.Flatpak=talk\n\xe9", False),
    ],
)
def test_it_is_not_told_once_the_flatpak_may_start_programs(
    override: str, isolated_home: Path, gimp_home: Path, *, allowed: bool
) -> None:
    data = isolated_home / ".local" / "share" / "flatpak"
    make(gimp_home / "3.0", data / "app" / "org.gimp.GIMP", data / "overrides")
    (data / "overrides" / "org.gimp.GIMP").write_text(override, encoding="latin-1")
    assert (cli("gimp", "install", "--dry-run").stderr == "") is allowed


def test_one_that_is_named_is_taken_instead_of_those_found(gimp_home: Path, tmp_path: Path) -> None:
    make(gimp_home / "3.0", tmp_path / "2.10", tmp_path / "mine")
    arguments = ("--profile", str(tmp_path / "2.10"), "--profile", str(tmp_path / "mine"))
    told = json.loads(cli("gimp", "install", "--dry-run", "--json", *arguments).stdout)
    assert [(one["gimp"], one["folder"]) for one in told["profiles"]] == [
        ("2.10", str(tmp_path / "2.10")),
        ("3", str(tmp_path / "mine")),
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("3.0/plug-ins", "Name the one above: "),
        ("2.8", "for GIMP 3 and 2.10 only"),
        ("", "Name one: "),
        ("nowhere", "does not exist"),
        ("file", "is a file"),
    ],
)
def test_what_is_no_profile_is_refused_as_wrong_use(name: str, said: str, tmp_path: Path) -> None:
    make(tmp_path / "3.0" / "plug-ins", tmp_path / "2.8")
    (tmp_path / "file").touch()
    done = cli("gimp", "install", "--profile", tmp_path / name)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not list((tmp_path / "3.0" / "plug-ins").iterdir())
