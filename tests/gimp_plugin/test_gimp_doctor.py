"""`cutaway gimp doctor` tells what is so, and for whatever isn't fine what to do."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import __version__
from cutaway.errors import ConfigError
from cutaway_gimp.asking import ask
from cutaway_gimp.pluginrc import queried_at
from cutaway_gimp.profiles import places_here
from tests.fakes.gimp_worker import ScriptedWorker
from tests.gimp_plugin.mounting import without_programs
from tests.shared.cli.running import cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gimp_plugin.console import Console

NAME = "cutaway-remove-background"
OTHERS = """\
# GIMP pluginrc

(protocol-version 277)
(file-version 15)

(plug-in-def "${gimp_plug_in_dir}/plug-ins/warp/warp" 1787339027
    (proc-def "plug-in-warp" 1
         "Twist (and \\"smear\\") an image"
        (proc-arg 5 "GParamBoolean" "gboolean" "x" "X" "X" 3 0)))
"""
NOTED = """\
(plug-in-def "${{gimp_dir}}/plug-ins/{name}/{name}.py" {mtime}
    (proc-def "plug-in-{name}" 1
         "Remove the background"
        (icon icon-name -1 "")
         0 0))
"""


@pytest.fixture
def profile() -> Path:
    """The profile of GIMP 3.0, without the plug-in."""
    folder = places_here().homes[0] / "3.0"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def plug_in(profile: Path) -> Path:
    """The folder of the plug-in, which is installed."""
    assert cli("gimp", "install").exit_code == 0
    return profile / "plug-ins" / NAME


@pytest.fixture
def worker(plug_in: Path, tmp_path: Path) -> ScriptedWorker:
    """What the plug-in starts in place of Cutaway."""
    worker = ScriptedWorker(tmp_path / "worker", {}, sys.executable)
    point_to(plug_in, worker.python)
    return worker


def point_to(plug_in: Path, python: Path) -> None:
    """Have the plug-in start another Python."""
    path = plug_in / "installed.json"
    told = {**json.loads(path.read_text(encoding="utf-8")), "python": str(python)}
    path.write_text(json.dumps(told), encoding="utf-8")


def start_gimp(plug_in: Path, *, works: bool = True) -> None:
    """Leave what GIMP writes when it is started: what it knows of plug-ins, and at what time."""
    entry = plug_in / f"{plug_in.name}.py"
    mtime = int(entry.stat().st_mtime)
    pluginrc = plug_in.parent.parent / "pluginrc"
    noted = NOTED.format(name=plug_in.name, mtime=mtime) if works else ""
    pluginrc.write_text(OTHERS + noted, encoding="utf-8")
    os.utime(pluginrc, (mtime + 5, mtime + 5))


def diagnosis(exit_code: int = 0) -> dict[str, Any]:
    """What it tells programs."""
    done = cli("gimp", "doctor", "--json")
    assert (done.exit_code, done.stderr) == (exit_code, "")
    told: dict[str, Any] = json.loads(done.stdout)
    assert bool(told["problems"]) is bool(exit_code)
    assert all(problem["next"] for problem in told["problems"])
    return told


def problem() -> str:
    """The only thing that is wrong, as people are told it."""
    (told,) = diagnosis(exit_code=1)["problems"]
    line = cli("gimp", "doctor").stderr.splitlines()[-1]
    assert line.startswith(f"cutaway: {told['what']}")
    return line


def test_cutaway_itself_answers_with_its_models_and_its_backend(plug_in: Path) -> None:
    start_gimp(plug_in)
    told = diagnosis()
    assert told["cutaway"] == __version__
    assert told["profiles"] == [
        {
            "gimp": "3.0",
            "folder": str(plug_in.parent.parent),
            "plug_in": str(plug_in),
            "installed": __version__,
            "python": sys.executable,
            "registered": "yes",
        }
    ]
    assert told["workers"] == [
        {
            "python": sys.executable,
            "version": __version__,
            "backend": "local",
            "key_found": False,
            "models": [],
            "auto": "classical",
        }
    ]
    (advice,) = told["advice"]
    assert "cutaway models pull u2netp" in advice


def test_people_are_told_the_same_line_by_line(plug_in: Path, worker: ScriptedWorker) -> None:
    usual = {"installed": True, "is_auto": False}
    models = [
        {**usual, "name": "classical"},
        {"name": "u2netp", "installed": True, "is_auto": True},
    ]
    worker.play({"facts": {"models": [*models, {**usual, "name": "u2net", "installed": False}]}})
    start_gimp(plug_in)
    done = cli("gimp", "doctor")
    told = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert (done.exit_code, done.stderr) == (0, "")
    assert {name: value.strip() for name, value in told.items()} == {
        "cutaway": __version__,
        "GIMP 3.0 profile": str(plug_in.parent.parent),
        "GIMP 3.0 plug-in": __version__,
        "GIMP 3.0 registered": "yes",
        "GIMP 3.0 starts": str(worker.python),
        "answers from": str(worker.python),
        "answers version": __version__,
        "backend": "local",
        "key": "none",
        "models": "u2netp",
        "auto": "u2netp",
    }


def test_the_worker_is_started_as_the_plug_in_starts_it(
    worker: ScriptedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    diagnosis()
    started, asked, *_ = worker.log
    assert started["arguments"] == ["-P", "-m", "cutaway_gimp.worker"]
    assert not {"PYTHONPATH", "LD_LIBRARY_PATH"} & started["environment"].keys()
    assert asked["kind"] == "facts"


def test_several_profiles_are_told_and_each_python_is_asked_once(
    profile: Path, worker: ScriptedWorker
) -> None:
    other = profile.with_name("3.2")
    other.mkdir()
    cli("gimp", "install", "--profile", other)
    point_to(other / "plug-ins" / NAME, worker.python)
    told = diagnosis()
    assert [one["gimp"] for one in told["profiles"]] == ["3.0", "3.2"]
    assert len(told["workers"]) == 1
    assert [event["event"] for event in worker.log].count("started") == 1


def test_a_profile_without_the_plug_in_is_a_problem(profile: Path) -> None:
    assert "Run: cutaway gimp install." in problem()
    (told,) = diagnosis(exit_code=1)["profiles"]
    assert (told["installed"], told["registered"]) == (None, None)
    assert "GIMP 3.0 plug-in              none\n" in cli("gimp", "doctor").stdout
    (profile / "plug-ins" / NAME).mkdir(parents=True)
    assert f"{profile / 'plug-ins' / NAME} isn't Cutaway's. Move it away" in problem()


@pytest.mark.usefixtures("worker")
def test_gimp_that_was_not_started_since_is_to_be_started(profile: Path, plug_in: Path) -> None:
    told = diagnosis()
    assert told["profiles"][0]["registered"] == "not yet"
    assert "Start it anew." in told["advice"][0]
    start_gimp(plug_in)
    assert diagnosis()["profiles"][0]["registered"] == "yes"
    entry = plug_in / f"{NAME}.py"
    newer = entry.stat().st_mtime + 60
    os.utime(entry, (newer, newer))  # as another installation would
    assert diagnosis()["profiles"][0]["registered"] == "not yet"
    (profile / "pluginrc").write_text(OTHERS, encoding="utf-8")
    os.utime(profile / "pluginrc", (newer - 5, newer - 5))
    assert diagnosis()["profiles"][0]["registered"] == "not yet"


@pytest.mark.usefixtures("worker")
def test_a_plug_in_that_gimp_did_not_take_is_a_problem(plug_in: Path) -> None:
    start_gimp(plug_in, works=False)
    assert "doesn't know the plug-in, though it was started since" in problem()
    assert diagnosis(exit_code=1)["profiles"][0]["registered"] == "no"


@pytest.mark.usefixtures("worker")
def test_a_plug_in_that_may_not_be_run_is_a_problem(plug_in: Path) -> None:
    entry = plug_in / f"{NAME}.py"
    entry.chmod(0o644)
    assert f"chmod +x '{entry}'" in problem()
    entry.chmod(0o744)
    diagnosis()


@pytest.mark.usefixtures("worker")
def test_a_missing_file_is_a_problem(plug_in: Path) -> None:
    (plug_in / "cutaway_gimp" / "plug_in" / "frames.py").unlink()
    assert f"files of it are missing in {plug_in}. Run: cutaway gimp install." in problem()


def test_a_disk_without_programs_is_a_problem(tmp_path: Path) -> None:
    script = '$cutaway gimp doctor --profile "$folder"; echo "exit $?"'
    install = '$cutaway gimp install --profile "$folder"'
    done = without_programs(tmp_path, script, before=install)
    assert done.stdout.endswith("exit 1\n")
    assert "Have it mounted without noexec" in done.stderr


def test_a_python_that_is_gone_is_a_problem(plug_in: Path, tmp_path: Path) -> None:
    point_to(plug_in, tmp_path / "gone" / "python")
    told = problem()
    assert f"Cutaway doesn't answer from {tmp_path / 'gone' / 'python'}" in told
    assert "cutaway gimp install" in told


def test_a_python_without_cutaway_is_a_problem(plug_in: Path, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    point_to(plug_in, bare)
    assert "No module named" in problem()


def test_another_version_there_is_a_problem(worker: ScriptedWorker) -> None:
    worker.play({"hello": {"version": "9.9.9"}})
    assert f"{worker.python} has Cutaway 9.9.9. Run: cutaway gimp install." in problem()


@pytest.mark.parametrize(
    "script",
    [
        {"hello": {"protocol": 2}},
        {"hello": {"kind": "good day"}},
        {"facts": {"models": None}},
        {"facts": {"models": [{"name": "u2netp"}]}},
        {"facts": {"models": "some"}},
    ],
)
def test_what_answers_otherwise_is_a_problem(
    script: dict[str, Any], worker: ScriptedWorker
) -> None:
    worker.play(script)
    assert "it is of another version than the plug-in" in problem()


def test_an_error_of_cutaways_is_told_in_its_own_words(
    plug_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_gimp(plug_in)
    monkeypatch.setenv("CUTAWAY_THREADS", "many")
    told = problem()
    assert "CUTAWAY_THREADS" in told
    assert told.endswith("See: cutaway doctor.")


def test_one_that_says_nothing_is_waited_for_no_longer_than_patience_lasts(
    plug_in: Path, worker: ScriptedWorker
) -> None:
    worker.play({"hello": False})
    with pytest.raises(ConfigError, match=r"it says nothing for 0\.3 seconds"):
        ask(plug_in, patience=0.3)
    assert [event["event"] for event in worker.log] == ["started", "hanging", "end", "exit"]


def test_for_runware_a_key_is_asked_for(worker: ScriptedWorker) -> None:
    worker.play({"facts": {"settings_backend": "runware"}})
    assert "cutaway login" in diagnosis()["advice"][-1]
    worker.play({"facts": {"settings_backend": "runware", "key_found": True}})
    told = diagnosis()
    assert len(told["advice"]) == 1  # to start GIMP
    assert (told["workers"][0]["backend"], told["workers"][0]["key_found"]) == ("runware", True)


def test_a_python_in_a_cache_is_warned_of(plug_in: Path, tmp_path: Path) -> None:
    worker = ScriptedWorker(tmp_path / "archive-v0" / "1f", {}, sys.executable)
    point_to(plug_in, worker.python)
    assert any("uv tool install cutaway" in one for one in diagnosis()["advice"])


@given(st.text())
def test_no_text_of_gimps_is_too_strange(text: str) -> None:
    assert queried_at(text, f"{NAME}.py") is None
    assert queried_at(text + "\n" + NOTED.format(name=NAME, mtime=12), f"{NAME}.py") == 12


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        (NOTED.format(name=NAME, mtime=7), 7),
        (NOTED.format(name=NAME, mtime=7).replace("/", "\\\\"), 7),
        (NOTED.format(name=f"{NAME}-2-10", mtime=7), None),
        (NOTED.format(name=f"my-{NAME}", mtime=7), None),
        (NOTED.format(name=NAME, mtime=7).replace("(proc-def", "(locale-def"), None),
        (NOTED.format(name=NAME, mtime=7).replace(f"{NAME}/", "other/"), None),
    ],
)
def test_gimps_note_is_read_by_the_plug_ins_place(noted: str, expected: int | None) -> None:
    assert queried_at(OTHERS + noted, f"{NAME}.py") == expected


def test_real_gimp_has_registered_it(gimp: Console) -> None:
    workplace = gimp.workplace
    told = json.loads(
        workplace.run(
            *(workplace.python, "-m", "cutaway", "gimp", "doctor", "--json"),
            environment={"HOME": workplace.inside(gimp.home)},
        )
    )
    (profile,) = told["profiles"]
    assert (profile["registered"], told["problems"]) == ("yes", [])
    assert told["workers"][0]["python"] == workplace.python
