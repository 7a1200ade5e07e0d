"""Runware's own Python clients, each in an environment of its own: both are called `runware`.

They come from whatever index pip is set to use, into `~/.cache/cutaway-tests`, when a test first
asks for them, or by

    python -m tests.shared.service.sdks
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

# Both are the user's own: a test's home is another, where pip has no settings and no cache.
CACHE = Path.home() / ".cache" / "cutaway-tests"
ENVIRONMENT = dict(os.environ)

OLD, NEW = "runware==0.5.24", "runware-sdk==1.8.0"

_INSTALL_SECONDS = 240
_WORK_SECONDS = 60
_WORKER = Path(__file__).with_name("sdk_worker.py")


def ask(sdk: str, way: str, url: str, key: str, **task: Any) -> dict[str, Any]:
    """Have an SDK do one task; the test that asks is skipped where it can't be had.

    Args:
        sdk: `OLD` or `NEW`.
        way: What it is to do: see the worker.
        url: The service's address.
        key: The caller's key.
        task: What is asked of it, as the SDK calls that.

    Returns:
        `results` (what the SDK made of the answer), or `error` (what it raised).
    """
    python = _installed(sdk)
    if isinstance(python, str):
        pytest.skip(f"{python}; with a network, this does: python -m {__name__}")
    done = subprocess.run(
        [python, _WORKER, way, url, key],
        input=json.dumps(task),
        env={**os.environ, "PYTHONWARNDEFAULTENCODING": "", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        encoding="utf-8",
        timeout=_WORK_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@functools.cache
def _installed(sdk: str) -> Path | str:
    """The interpreter of an environment with the SDK, or why there is none."""
    home = CACHE / sdk.replace("==", "-")
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "install.lock"):
        if not (home / "complete").exists() and (failure := _install(sdk, home, python)):
            shutil.rmtree(home, ignore_errors=True)
            return failure
    return python


def _install(sdk: str, home: Path, python: Path) -> str | None:
    """Make the environment anew, or say why that failed."""
    venv.create(home, clear=True, symlinks=os.name != "nt")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    try:
        done = subprocess.run(
            [*pip, "--disable-pip-version-check", "--retries", "1", sdk],
            env=ENVIRONMENT,
            capture_output=True,
            encoding="utf-8",
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"pip did not install {sdk} in {_INSTALL_SECONDS} seconds"
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "ERROR" in line), "")
        return f"pip could not install {sdk} ({reason})"
    (home / "complete").touch()
    return None


if __name__ == "__main__":
    failures = [found for one in (OLD, NEW) if isinstance(found := _installed(one), str)]
    if failures:
        sys.exit("\n".join(failures))
