"""GIMP, and a real Python 2.7, each in a Debian of its own: a folder that one changes root into.

They are brought once, into `~/.cache/cutaway-tests`, from the mirror that apt is set to use here:

    python -m tests.gimp_root

That needs root, debootstrap and about three minutes. Tests bring nothing: without the folder they
are skipped. `CUTAWAY_TEST_GIMP=3.2` stands for another GIMP than 3.0, in both.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    _Entry = tuple[str, list[str], list[str]]  # an address, suites there, their components

PROJECT = Path(__file__).parent.parent
# The user's own: a test's home is another, and its environment has none of our names.
CACHE = Path.home() / ".cache" / "cutaway-tests"
ENVIRONMENT = dict(os.environ)
GIMP_VERSION = ENVIRONMENT.get("CUTAWAY_TEST_GIMP", "3.0")
CANNOT = 77
"""The exit code that says: not on this machine. It is no failure."""

PROFILE = "/opt/gimp-profile"
"""Inside GIMP's root: the profile of a GIMP that has been started once, which takes it long."""

_STEP_SECONDS = 900
_INSIDE = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
}
_GIMP_PACKAGES = """
    gimp python3-gi gir1.2-gimp-3.0 python3-venv locales
    xvfb openbox dbus at-spi2-core gir1.2-atspi-2.0 xdotool imagemagick adwaita-icon-theme
    fonts-dejavu-core
"""
_FINISH_GIMP = f"""
    set -eu
    localedef -i de_DE -f UTF-8 de_DE.UTF-8
    GIMP3_DIRECTORY={PROFILE} gimp-console -i --quit \\
        --batch-interpreter=python-fu-eval -b 'print(Gimp.version())'
"""


_INSTALL_WHEELS = """
    set -eu
    cd "$1"
    python3 -m venv venv
    venv/bin/python -m pip install --no-index --find-links wheels \\
        --constraint wheels/constraints.txt --requirement wheels/requirements.txt
    venv/bin/python -m pip check
"""


class Unavailable(Exception):
    """This machine can't have such a root; the text says what it would need."""


class BuildFailed(Exception):
    """A root couldn't be built though this machine has all that it takes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a root is made of; its folder is named for that.

    Attributes:
        finish: The script that is run in the new root once its packages are there.
        python: The version of the Python there that is to have what Cutaway needs.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    finish: str = ""
    python: str = ""

    @property
    def folder(self) -> Path:
        """Where the root is, or will be."""
        return CACHE / f"{self.name}-{_digest(self.suite, *self.packages, self.finish)}"

    @property
    def environment(self) -> Path | None:
        """Where in it the virtual environment is that has what Cutaway needs, but not Cutaway."""
        if not self.python:
            return None
        wanted = _digest(*_requirements(), _constraints().read_text(encoding="utf-8"))
        return self.folder / "opt" / f"cutaway-{wanted}"

    @property
    def is_there(self) -> bool:
        """Whether all of it has been brought."""
        return (self.environment or self.folder).is_dir()


GIMPS = {
    "3.0": Recipe("gimp-3.0", "trixie", tuple(_GIMP_PACKAGES.split()), _FINISH_GIMP, "3.13"),
    "3.2": Recipe("gimp-3.2", "forky", tuple(_GIMP_PACKAGES.split()), _FINISH_GIMP, "3.14"),
}
PYTHON_27 = Recipe("python-2.7", "bullseye", ("python2.7",))


@dataclass(frozen=True, slots=True)
class Root:
    """A root that is there.

    Attributes:
        path: Its folder, as this machine sees it.
        environment: As it is seen from within: a virtual environment with all that Cutaway needs,
            but not Cutaway; empty where there is none.
    """

    path: Path
    environment: str = ""

    def command(self, *command: str) -> list[str]:
        """The command that runs another in the root, with processes and mounts of its own.

        When the outer command ends, whoever ended it, nothing that was started within lives on.
        """
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*alone, f"--mount-proc={self.path}/proc", "chroot", str(self.path), *command]

    def run(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
        seconds: float = 100,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the root to its end, with nothing of this machine's environment."""
        return subprocess.run(
            self.command(*command),
            input=stdin,
            env={**_INSIDE, **(environment or {})},
            capture_output=True,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )


def gimp_root() -> Root:
    """GIMP's root; the test that asks is skipped where there is none."""
    return _root_or_skip(_gimp())


def python27_root() -> Root:
    """The root of a Python 2.7, `python2.7`; the test that asks is skipped where there is none."""
    return _root_or_skip(PYTHON_27)


def _gimp() -> Recipe:
    """The recipe of the GIMP that was asked for."""
    if GIMP_VERSION not in GIMPS:
        message = f"CUTAWAY_TEST_GIMP={GIMP_VERSION}: there are {', '.join(GIMPS)}"
        raise ValueError(message)
    return GIMPS[GIMP_VERSION]


def _root_or_skip(recipe: Recipe) -> Root:
    import pytest  # bringing a root needs only what Cutaway does

    reason = "" if _is_root_of_linux() else "to run in another Debian takes Linux, and root there"
    if not reason and not recipe.is_there:
        reason = f"there is no {recipe.environment or recipe.folder}"
    version = f"CUTAWAY_TEST_GIMP={GIMP_VERSION} " if "CUTAWAY_TEST_GIMP" in ENVIRONMENT else ""
    if reason:
        pytest.skip(f"{reason}; as root, this brings it: {version}python -m tests.gimp_root")
    return _root(recipe)


def _root(recipe: Recipe) -> Root:
    environment = recipe.environment
    within = f"/{environment.relative_to(recipe.folder)}" if environment else ""
    return Root(recipe.folder, within)


def bring(recipe: Recipe) -> Root:
    """The root of a recipe, built now if it isn't there, whole or not at all.

    Raises:
        Unavailable: Not on this machine.
        BuildFailed: A step failed.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{recipe.name}.lock"):
        if not recipe.folder.is_dir():
            mirror = _mirror()
            with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"{recipe.name}-") as staging:
                root = Root(Path(staging) / "root")
                _build(root, recipe, mirror)
                root.path.rename(recipe.folder)
        if not recipe.is_there:
            _bring_environment(recipe)
    return _root(recipe)


def _mirror() -> str:
    """Where this machine's Debian comes from.

    Raises:
        Unavailable: It has none, or not what it takes to build a root.
    """
    if not _is_root_of_linux():
        raise Unavailable("to bring another Debian takes Linux, and root there")
    if not shutil.which("debootstrap"):
        raise Unavailable("debootstrap isn't installed: apt-get install debootstrap")
    if _distribution() != "debian":
        raise Unavailable("this is no Debian, so apt's sources name no mirror of it")
    if subprocess.run(
        ["unshare", "--mount", "true"], stderr=subprocess.DEVNULL, check=False
    ).returncode:
        raise Unavailable("root may not mount anything here, as in a container without the right")
    mirror = next(mirrors(Path("/etc/apt")), None)
    if mirror is None:
        raise Unavailable("apt's sources name no mirror")
    return mirror


def _is_root_of_linux() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


def _distribution() -> str:
    """This Linux's name; empty if it tells none."""
    try:
        return platform.freedesktop_os_release().get("ID", "")
    except OSError:
        return ""


def mirrors(apt: Path) -> Iterator[str]:
    """The addresses of whole archives that apt's sources name, in both of their forms.

    Args:
        apt: apt's folder of settings, `/etc/apt`.
    """
    files = sorted((apt / "sources.list.d").glob("*"))
    for file in [apt / "sources.list", *files]:
        entries = {".list": _in_lines, ".sources": _in_stanzas}.get(file.suffix)
        if entries is None or not file.is_file():
            continue
        for address, suites, components in entries(file.read_text(encoding="utf-8")):
            is_archive = any(not suite.endswith("-security") for suite in suites)
            if address.startswith(("http://", "https://")) and is_archive and "main" in components:
                yield address.rstrip("/")


def _in_lines(text: str) -> Iterator[_Entry]:
    """What is told by `deb [options] address suite component...` lines."""
    for line in text.splitlines():
        kind, _, rest = line.partition("#")[0].strip().partition(" ")
        rest = rest.strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2]
        if kind == "deb" and len(words := rest.split()) > 1:
            yield words[0], words[1:2], words[2:]


def _in_stanzas(text: str) -> Iterator[_Entry]:
    """What is told by stanzas of `Field: values`."""
    lines = [line.rstrip() for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in stanza.splitlines():
            goes_on = line[:1].isspace()
            name = name if goes_on else line.partition(":")[0].lower()
            values = line if goes_on else line.partition(":")[2]
            fields.setdefault(name, []).extend(values.split())
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            for address in fields.get("uris", []):
                yield address, fields.get("suites", []), fields.get("components", [])


def _build(root: Root, recipe: Recipe, mirror: str) -> None:
    """Build a root; its folder isn't there yet."""
    _tell(f"{recipe.name}: Debian {recipe.suite} from apt's mirror")
    # The script is named, as there is none for a suite newer than debootstrap. What it mounts is
    # gone with it, whatever happens: else to delete the folder could delete what is mounted.
    options = ["--variant=minbase", "--include=ca-certificates"]
    script = "/usr/share/debootstrap/scripts/sid"
    bootstrap = ["debootstrap", *options, recipe.suite, str(root.path), mirror, script]
    _step(["unshare", "--mount", *bootstrap])
    settings = root.path / "etc" / "apt" / "apt.conf.d" / "90host"
    settings.write_text(_output(["apt-config", "dump", "Acquire"]), encoding="utf-8")
    (root.path / "etc" / "dpkg" / "dpkg.cfg.d" / "fast").write_text("force-unsafe-io\n")
    _tell(f"{recipe.name}: {' '.join(recipe.packages)}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *recipe.packages]
    _step(root.command("apt-get", "update"))
    _step(root.command(*install))
    _step(root.command("apt-get", "clean"))
    if recipe.finish:
        _tell(f"{recipe.name}: finishing")
        _step(root.command("sh", "-c", recipe.finish))


def _bring_environment(recipe: Recipe) -> None:
    """Make the virtual environment of a root that is there."""
    _tell(f"{recipe.name}: what Cutaway needs, for Python {recipe.python}")
    environment = recipe.environment
    assert environment is not None
    with tempfile.TemporaryDirectory(dir=environment.parent) as temporary:
        staging = Path(temporary)
        _download(staging / "wheels", recipe.python)
        within = f"/{staging.relative_to(recipe.folder)}"
        _step(Root(recipe.folder).command("sh", "-c", _INSTALL_WHEELS, "sh", within))
        # Its scripts name another path from here on, but only its Python is ever started.
        (staging / "venv").rename(environment)


def _download(folder: Path, python: str) -> None:
    """Bring the wheels of Cutaway's dependencies, from wherever pip is set to look for them."""
    folder.mkdir()
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(_requirements()), encoding="utf-8")
    constraints = str(shutil.copy(_constraints(), folder))
    machine = platform.machine()
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in range(17, 42)]
    platforms.append(f"--platform=manylinux2014_{machine}")
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    which = [f"--python-version={python}", "--constraint", constraints, "-r", str(requirements)]
    _step([*download, *platforms, *which, "--dest", str(folder)], ENVIRONMENT)


def _requirements() -> list[str]:
    """What Cutaway needs, and what builds its wheel."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return [*project["project"]["dependencies"], *project["build-system"]["requires"]]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _constraints() -> Path:
    return PROJECT / "constraints.txt"


def _step(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run one step of a build, of this machine's environment only with the ways to the network.

    Raises:
        BuildFailed: It failed; the end of what it printed is told.
    """
    proxies = {name: text for name, text in ENVIRONMENT.items() if name.lower().endswith("_proxy")}
    try:
        subprocess.run(
            command,
            env=environment or {**_INSIDE, **proxies},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_STEP_SECONDS,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"{error}\n{str(error.stdout)[-3000:]}") from error


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _install_debootstrap() -> None:
    """Install debootstrap where apt can.

    Raises:
        BuildFailed: It can't.
    """
    if not shutil.which("debootstrap") and shutil.which("apt-get") and os.geteuid() == 0:
        _step(["apt-get", "update"])
        _step(["apt-get", "install", "--yes", "--no-install-recommends", "debootstrap"])


def main(arguments: Sequence[str]) -> int:
    """Bring both roots; the exit code."""
    try:
        if "--install-debootstrap" in arguments:
            _install_debootstrap()
        for recipe in (PYTHON_27, _gimp()):
            _tell(str(bring(recipe).path))
    except Unavailable as reason:
        _tell(f"The tests in GIMP will be skipped: {reason}")
        return CANNOT
    except BuildFailed as failure:
        _tell(f"A root for the tests could not be built: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
