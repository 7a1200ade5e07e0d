"""The plug-in goes into GIMP's profiles and out again, whole, and nothing else is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

import cutaway_gimp
from cutaway import __version__
from cutaway_gimp.installing import may_vanish
from cutaway_gimp.profiles import places_here
from tests.conftest import ROOT
from tests.gimp_plugin.mounting import without_programs
from tests.shared.cli.running import cli
from tests.shared.cli.test_completion import completed
from tests.shared.cli.test_start import HEAVY, modules_after

NAME = "cutaway-remove-background"
OLD_NAME = "cutaway-remove-background-2-10"
PACKAGE = Path(cutaway_gimp.__file__).parent


@pytest.fixture
def profile() -> Path:
    """The profile of GIMP 3.0, which has no plug-ins yet."""
    folder = places_here().homes[0] / "3.0"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def plug_in(profile: Path) -> Path:
    """The folder of the plug-in, which is installed."""
    assert cli("gimp", "install").exit_code == 0
    return profile / "plug-ins" / NAME


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its place."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_file()}


def record(plug_in: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((plug_in / "installed.json").read_text(encoding="utf-8"))
    return told


def pretend(plug_in: Path, **changes: object) -> None:
    """Change what is noted of an installation."""
    (plug_in / "installed.json").write_text(
        json.dumps({**record(plug_in), **changes}), encoding="utf-8"
    )


def expected_files() -> dict[str, bytes]:
    """What the plug-in of GIMP 3 is made of, but for the record: what is in the tree."""
    code = PACKAGE / "plug_in"
    modules = [path for path in code.glob("*.py") if path.stem != NAME]
    sources = {
        f"{NAME}.py": code / f"{NAME}.py",
        "cutaway_gimp/__init__.py": PACKAGE / "__init__.py",
        **{f"cutaway_gimp/plug_in/{path.name}": path for path in modules},
        **{
            path.relative_to(code).as_posix(): path
            for ending in ("mo", "html", "xml")
            for path in code.rglob(f"*.{ending}")
        },
    }
    return {place: path.read_bytes() for place, path in sources.items()}


def test_the_plug_in_of_gimp_3_is_complete_and_gimp_may_run_it(profile: Path) -> None:
    done = cli("gimp", "install")
    assert (done.exit_code, done.stderr) == (0, "")
    plug_in = profile / "plug-ins" / NAME
    found = contents(plug_in)
    del found["installed.json"]
    assert found == expected_files()
    german = {"locale/de/LC_MESSAGES/cutaway.mo", "help/de/index.html", "help/de/gimp-help.xml"}
    assert german | {"cutaway_gimp/plug_in/procedure.py"} <= found.keys()
    assert modes(plug_in)[f"{NAME}.py"] & 0o111
    assert not modes(plug_in)["installed.json"] & 0o111
    told, start, _ = done.stdout.split("\n")
    assert told == f"GIMP 3.0 ({profile}): Cutaway {__version__} installed"
    assert start.startswith("Start GIMP anew: Layer > Transparency > ")


def test_the_plug_in_of_gimp_2_is_one_file_and_the_record() -> None:
    profile = places_here().homes[0] / "2.10"
    profile.mkdir(parents=True)
    assert cli("gimp", "install").exit_code == 0
    plug_in = profile / "plug-ins" / OLD_NAME
    assert sorted(contents(plug_in)) == [f"{OLD_NAME}.py", "installed.json"]
    assert modes(plug_in)[f"{OLD_NAME}.py"] & 0o111
    assert record(plug_in)["version"] == __version__


def test_nobody_may_run_it_who_may_not_read_it(profile: Path) -> None:
    before = os.umask(0o027)
    try:
        cli("gimp", "install")
    finally:
        os.umask(before)
    assert modes(profile / "plug-ins" / NAME)[f"{NAME}.py"] == 0o750


def test_this_python_and_this_version_are_recorded(plug_in: Path) -> None:
    told = record(plug_in)
    assert (told["python"], told["version"]) == (sys.executable, __version__)
    assert sorted(told["files"]) == sorted(expected_files())


def test_a_virtual_environments_python_is_recorded_and_not_what_it_leads_to(
    profile: Path, tmp_path: Path
) -> None:
    python = environment(tmp_path / "venv")
    assert python.is_symlink()
    done = run(python, "gimp", "install")
    assert (done.returncode, done.stderr) == (0, "")
    assert record(profile / "plug-ins" / NAME)["python"] == str(python)


def test_a_python_in_a_cache_is_recorded_with_a_warning(profile: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "archive-v0" / "3mF-x_Yb")
    done = run(python, "gimp", "install")
    assert done.returncode == 0
    assert f"cutaway: {python} lies in a cache" in done.stderr
    assert "uv tool install cutaway" in done.stderr
    assert record(profile / "plug-ins" / NAME)["python"] == str(python)


def environment(folder: Path) -> Path:
    """The Python of a new virtual environment that sees what this one has installed."""
    venv.create(folder, symlinks=True)
    site = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    site.joinpath("ours.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n", encoding="utf-8"
    )
    return folder / "bin" / "python"


def run(python: Path | str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command by another Python."""
    return subprocess.run(
        [python, "-m", "cutaway", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    ("python", "environ", "vanishes"),
    [
        ("/home/you/.cache/uv/archive-v0/8sXb/bin/python", {}, True),
        ("/home/you/.cache/uv/environments-v2/script-1f/bin/python3", {}, True),
        ("/srv/uv/archive/bin/python", {"UV_CACHE_DIR": "/srv/uv"}, True),
        ("/home/you/.cache/pipx/21099224639c8b5/bin/python", {}, True),
        ("/home/you/.local/pipx/.cache/5d41402abc/bin/python", {}, True),
        ("/home/you/.local/share/uv/tools/cutaway/bin/python", {}, False),
        ("/home/you/.local/share/pipx/venvs/cutaway/bin/python", {}, False),
        (
            "/home/you/.cache/project/.venv/bin/python",
            {"UV_CACHE_DIR": "/home/you/.cache/uv"},
            False,
        ),
        ("/home/you/archive-v0.1/bin/python", {}, False),
    ],
)
def test_the_caches_of_uv_and_pipx_are_known(
    python: str, environ: dict[str, str], *, vanishes: bool
) -> None:
    assert may_vanish(PurePosixPath(python), environ) is vanishes


def test_the_cache_of_uv_is_known_on_windows() -> None:
    cached = r"C:\Users\you\AppData\Local\uv\cache\archive-v0\8sXb\Scripts\python.exe"
    assert may_vanish(PureWindowsPath(cached), {})
    assert not may_vanish(PureWindowsPath(r"C:\Users\you\cutaway\Scripts\python.exe"), {})


def test_installing_again_replaces_the_earlier_one_whole(plug_in: Path) -> None:
    entry = plug_in / f"{NAME}.py"
    os.utime(entry, (1, 1))
    (plug_in / "cutaway_gimp" / "gone.py").write_text("", encoding="utf-8")
    (plug_in / "cutaway_gimp" / "plug_in" / "frames.py").write_text("", encoding="utf-8")
    compiled = plug_in / "cutaway_gimp" / "plug_in" / "__pycache__" / "frames.cpython-313.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"old")
    pretend(plug_in, version="0.0.1", files=[*record(plug_in)["files"], "cutaway_gimp/gone.py"])
    done = cli("gimp", "install")
    assert f"{__version__} installed (there was 0.0.1)\n" in done.stdout
    assert contents(plug_in).keys() == {*expected_files(), "installed.json"}
    assert (plug_in / "cutaway_gimp" / "plug_in" / "frames.py").stat().st_size
    assert entry.stat().st_mtime > 1  # so GIMP asks it anew for its procedures
    assert [path.name for path in plug_in.parent.iterdir()] == [NAME]


def test_files_that_a_person_has_put_there_stay(plug_in: Path) -> None:
    theirs = plug_in / "locale" / "fr" / "LC_MESSAGES" / "cutaway.mo"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    theirs.chmod(0o600)
    (plug_in / "link").symlink_to("nowhere")
    done = cli("gimp", "install")
    assert f"{theirs}: left as it is\n" in done.stdout
    assert (theirs.read_bytes(), theirs.stat().st_mode & 0o777) == (b"mine", 0o600)
    removed = cli("gimp", "uninstall")
    assert removed.exit_code == 0
    assert f"{theirs}: left as it is\n" in removed.stdout
    assert contents(plug_in) == {"locale/fr/LC_MESSAGES/cutaway.mo": b"mine"}
    assert (plug_in / "link").readlink() == Path("nowhere")
    assert cli("gimp", "install").exit_code == 0
    assert theirs.read_bytes() == b"mine"


@pytest.mark.parametrize("name", [f"{NAME}.py", "installed.json", "cutaway_gimp/plug_in/frames.py"])
def test_a_file_that_is_not_ours_is_never_replaced(name: str, profile: Path) -> None:
    theirs = profile / "plug-ins" / NAME / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"python": 1}', encoding="utf-8")
    for arguments in (["install"], ["install", "--dry-run"]):
        done = cli("gimp", *arguments)
        assert done.exit_code == 1
        assert f"cutaway: {theirs} was not replaced: it isn't one of Cutaway's." in done.stderr
    assert cli("gimp", "uninstall").exit_code == 1
    assert contents(profile) == {f"plug-ins/{NAME}/{name}": b'{"python": 1}'}


def test_a_link_is_left_alone(profile: Path, tmp_path: Path) -> None:
    (profile / "plug-ins").mkdir()
    (profile / "plug-ins" / NAME).symlink_to(tmp_path)
    for command in ("install", "uninstall"):
        done = cli("gimp", command)
        assert done.exit_code == 1
        assert "was left alone: it is a link" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_the_folder_is_left_alone(profile: Path) -> None:
    (profile / "plug-ins").mkdir()
    (profile / "plug-ins" / NAME).write_text("mine", encoding="utf-8")
    assert cli("gimp", "install").exit_code == 1
    assert contents(profile) == {f"plug-ins/{NAME}": b"mine"}


def test_what_fails_leaves_the_earlier_one_whole(plug_in: Path) -> None:
    pretend(plug_in, version="0.0.1")
    before = contents(plug_in)
    os.mkfifo(plug_in / "pipe")  # which can't be taken along
    done = cli("gimp", "install")
    assert done.exit_code == 1
    assert "cutaway: the plug-in was not installed in GIMP 3.0" in done.stderr
    assert "is a named pipe" in done.stderr
    assert contents(plug_in) == before
    assert [path.name for path in plug_in.parent.iterdir()] == [NAME]


def test_one_profile_that_fails_does_not_stop_the_others(profile: Path) -> None:
    other = profile.with_name("3.2")
    other.mkdir()
    (profile / "plug-ins").write_text("no folder", encoding="utf-8")
    done = cli("gimp", "install", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [one["status"] for one in told["profiles"]] == ["failed", "installed"]
    assert told["profiles"][0]["error"]["code"] == "output"
    assert record(other / "plug-ins" / NAME)["version"] == __version__


def test_where_no_program_can_be_run_it_is_not_installed(tmp_path: Path) -> None:
    script = '$cutaway gimp install --profile "$folder"; echo "exit $?"; ls "$folder/plug-ins"'
    done = without_programs(tmp_path, script)
    assert done.stdout == "exit 1\n"
    assert "Have it mounted without noexec" in done.stderr


def test_json_tells_what_was_done(profile: Path) -> None:
    told = json.loads(cli("gimp", "install", "--json").stdout)
    plug_in = profile / "plug-ins" / NAME
    expected: dict[str, Any] = {
        "gimp": "3.0",
        "folder": str(profile),
        "status": "installed",
        "plug_in": str(plug_in),
        "before": None,
        "kept": [],
    }
    python = sys.executable
    assert told == {
        "cutaway": __version__,
        "python": python,
        "profiles": [expected],
        "advice": [],
    }
    (removed,) = json.loads(cli("gimp", "uninstall", "--json").stdout)["profiles"]
    assert removed == {**expected, "status": "removed", "before": __version__}
    (absent,) = json.loads(cli("gimp", "uninstall", "--json").stdout)["profiles"]
    assert absent == {"gimp": "3.0", "folder": str(profile), "status": "absent"}


def test_a_dry_run_tells_the_same_and_does_nothing(profile: Path) -> None:
    told = cli("gimp", "install", "--dry-run")
    assert told.stdout == f"GIMP 3.0 ({profile}): Cutaway {__version__} would be installed\n"
    assert not list(profile.iterdir())
    cli("gimp", "install")
    before = contents(profile)
    told = cli("gimp", "uninstall", "--dry-run")
    would = f"GIMP 3.0 ({profile}): Cutaway would be removed (there was {__version__})\n"
    assert (told.exit_code, told.stdout) == (0, would)
    assert contents(profile) == before


def test_uninstalling_leaves_nothing_of_ours(plug_in: Path) -> None:
    compiled = plug_in / "cutaway_gimp" / "__pycache__" / "__init__.cpython-313.pyc"
    compiled.parent.mkdir()
    compiled.touch()
    done = cli("gimp", "uninstall")
    assert (done.exit_code, done.stderr) == (0, "")
    assert not list(plug_in.parent.iterdir())


def test_uninstalling_what_is_nowhere_fails(profile: Path) -> None:
    done = cli("gimp", "uninstall")
    assert done.exit_code == 1
    assert done.stderr == f"cutaway: GIMP 3.0 ({profile}): Cutaway's plug-in isn't there\n"


def test_uninstalling_from_those_that_have_it_is_enough(plug_in: Path) -> None:
    plug_in.parent.parent.with_name("3.2").mkdir()
    assert cli("gimp", "uninstall").exit_code == 0


def test_a_record_that_names_files_elsewhere_deletes_none(plug_in: Path) -> None:
    outside = plug_in.parent / "outside.py"
    outside.touch()
    pretend(plug_in, files=[*record(plug_in)["files"], "../outside.py", str(outside)])
    assert cli("gimp", "uninstall").exit_code == 0
    assert list(plug_in.parent.iterdir()) == [outside]


def test_help_and_completion_are_quick() -> None:
    commands = [["gimp", name, "--help"] for name in ("install", "uninstall", "doctor")]
    modules = modules_after(["gimp", "--help"], *commands)
    assert "cutaway_gimp.subcommand" in modules
    assert not HEAVY & modules
    assert completed("cutaway gimp ") == ["doctor", "install", "uninstall"]


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that this tree makes, or that the source distribution made of it does."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install hatchling")
    folder = tmp_path_factory.mktemp("built")
    if request.param == "wheel":
        return build(ROOT, folder, "wheel")
    packed = build(ROOT, folder, "sdist")
    subprocess.run(["tar", "-xf", packed, "-C", folder], check=True)
    return build(packed.with_name(packed.name.removesuffix(".tar.gz")), folder, "wheel")


def build(source: Path, folder: Path, target: str) -> Path:
    """Build a distribution as pip does, without installing what builds it."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder],
        cwd=source,
        env={**os.environ, "PYTHONWARNDEFAULTENCODING": ""},
        capture_output=True,
        check=True,
    )
    (made,) = folder.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[target])
    return made


def test_the_wheel_holds_every_file_of_the_plug_in(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {info.filename: info for info in archive.infolist()}
    files = {
        f"cutaway_gimp/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in held if name.startswith("cutaway_gimp/")} == files
    for entry in (f"plug_in/{NAME}.py", f"plug_in_2_10/{OLD_NAME}.py"):
        assert held[f"cutaway_gimp/{entry}"].external_attr >> 16 & 0o111 == 0o111
    assert any(name.endswith("/de/LC_MESSAGES/cutaway.mo") for name in files)


def test_the_wheel_installs_the_plug_in(wheel: Path, profile: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = run(sys.executable, "gimp", "install", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    plug_in = profile / "plug-ins" / NAME
    assert contents(plug_in).keys() == {*expected_files(), "installed.json"}
    assert modes(plug_in)[f"{NAME}.py"] & 0o111
