"""A disk from which no program can be run, for the length of a script."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.shared.cli.running import process_command

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["without_programs"]


def without_programs(
    folder: Path, script: str, *, before: str = ":"
) -> subprocess.CompletedProcess[str]:
    """Run a shell script while such a disk is mounted on a folder, unseen by all else.

    Args:
        folder: Where to mount it; the test is skipped where that isn't allowed.
        script: What to run; `$cutaway` is our command, `$folder` the folder.
        before: What to run there while programs can still be run.
    """
    mounts = ["unshare", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs none "$folder"'
    environ = {**os.environ, "folder": str(folder), "cutaway": shlex.join(process_command())}
    if subprocess.run([*mounts, mount], env=environ, capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk takes root's rights on Linux")
    whole = f'{mount} && {before} && mount -o remount,noexec "$folder" && {script}'
    return subprocess.run(
        [*mounts, whole], env=environ, capture_output=True, encoding="utf-8", check=False
    )
