"""A folder in GIMP's root where Cutaway is installed, as a user of GIMP would have it."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.gimp_root import PROJECT, Root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WHEEL_IS_MADE_OF = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")
_DAY = 24 * 60 * 60
_PACKAGES = ("shared", "mcp_server", "gimp_plugin")
# What Cutaway needs is in the environment that came with the root; this one only adds to it.
_INSTALL = """
    set -eu
    wheel="wheel --no-index --no-deps --no-build-isolation --wheel-dir wheel"
    purelib='import sysconfig; print(sysconfig.get_path("purelib"))'
    "$1" -m pip $wheel ./source
    "$1" -m venv --without-pip venv
    "$1" -c "$purelib" >"$(venv/bin/python -c "$purelib")/needed.pth"
    "$1" -m pip --python venv/bin/python install --no-index --no-deps wheel/*.whl
"""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where Cutaway's wheel is installed, made from this tree.

    Attributes:
        root: GIMP's.
        path: The folder, as this machine sees it.
    """

    root: Root
    path: Path

    @property
    def python(self) -> str:
        """The interpreter that has Cutaway, as it is seen within the root."""
        return self.inside(self.path / "venv" / "bin" / "python")

    def inside(self, path: Path) -> str:
        """A path of this machine as it is within the root."""
        return f"/{path.relative_to(self.root.path)}"

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """What a command prints, run within the root in this folder; it must end well."""
        place = self.inside(self.path)
        done = self.root.run("env", "-C", place, *command, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def installed(root: Root) -> Iterator[Workplace]:
    """Install Cutaway in a new folder in GIMP's root, which is deleted afterwards."""
    above = root.path / "work"
    above.mkdir(exist_ok=True)
    _sweep(above)
    with tempfile.TemporaryDirectory(dir=above, prefix="") as folder:
        workplace = Workplace(root, Path(folder))
        source = workplace.path / "source"
        source.mkdir()
        for name in _WHEEL_IS_MADE_OF:
            shutil.copy(PROJECT / name, source)
        for name in _PACKAGES:
            shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__*__"))
        workplace.run("sh", "-c", _INSTALL, "sh", f"{root.environment}/bin/python")
        yield workplace


def _sweep(above: Path) -> None:
    """Delete what sessions have left that were killed: folders of more than a day ago."""
    for folder in above.iterdir():
        if time.time() - folder.stat().st_mtime > _DAY:
            shutil.rmtree(folder)
