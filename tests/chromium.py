"""Chromium without a window, and its driver, for the tests of the service's web page.

They are this machine's own, whatever brought them. On a Debian, as root, this does:

    python -m tests.chromium

It stands on the standard library alone. Tests bring nothing: without the two they are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

__all__ = ["CANNOT", "installed"]

CANNOT = 77
"""The exit code that says: not on this machine. It is no failure."""

_PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")
_PROGRAMS = (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
_SECONDS = 600


def installed() -> tuple[str, str] | None:
    """Chromium and its driver, if both are here."""
    program, driver = (next(filter(None, map(shutil.which, names)), None) for names in _PROGRAMS)
    return (program, driver) if program and driver else None


def main() -> int:
    """Bring both, where apt can; the exit code."""
    if installed() is None:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        if not root or not shutil.which("apt-get"):
            sys.stdout.write("The tests in a browser will be skipped: to bring one takes apt\n")
            return CANNOT
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *_PACKAGES]
        for command in (["apt-get", "update"], install):
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                timeout=_SECONDS,
                check=False,
            )
            if done.returncode:
                sys.stdout.write(f"The tests in a browser will be skipped: {done.stderr[-500:]}\n")
                return CANNOT
    sys.stdout.write(f"{' '.join(installed() or ())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
