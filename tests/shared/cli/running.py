"""The real command: in this process where its answer is enough, else in one of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

from click.testing import CliRunner

from cutaway.cli.commands import cutaway

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

__all__ = [
    "Command",
    "Words",
    "cli",
    "in_shell",
    "json_lines",
    "process",
    "process_command",
]

Words = tuple[str, ...]
"""Part of a command line."""


class Command(Protocol):
    """Runs the command as `cli` does."""

    def __call__(self, *arguments: str | Path, data: bytes | None = None) -> Result: ...


def cli(*arguments: str | Path, data: bytes | None = None) -> Result:
    """Run the command here; a failure that isn't one of ours is raised."""
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(
        cutaway, texts, input=data, catch_exceptions=False, prog_name="cutaway"
    )


def process_command(*arguments: str | Path) -> list[str]:
    """The words that start the command as a process of its own."""
    return [sys.executable, "-m", "cutaway", *map(str, arguments)]


def process(
    *arguments: str | Path, data: bytes = b"", **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process of its own, with pipes for its streams."""
    return subprocess.run(
        process_command(*arguments),
        input=data,
        capture_output=True,
        check=False,
        env={**os.environ, **environ},
        timeout=60,
    )


def in_shell(redirected: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a shell does that redirects its streams."""
    line = f"{shlex.join(process_command(*arguments))} {redirected}"
    return subprocess.run(["sh", "-c", line], capture_output=True, check=False, timeout=60)


def json_lines(text: str) -> list[dict[str, Any]]:
    """Read one JSON object from each line."""
    return [json.loads(line) for line in text.splitlines()]
