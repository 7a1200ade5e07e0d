"""Services as processes: started, waited for, and what they and their children take (Linux)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["cpu_seconds", "free_port", "listening", "resident"]

_PROC = Path("/proc")
_TRIES = 1200
_BETWEEN = 0.1
_USER_TIME = 11
"""Where a process's times begin in its `stat`, after its name; its children's end 4 fields on."""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextmanager
def listening(command: Sequence[str], port: int, variables: Mapping[str, str]) -> Iterator[int]:
    """A process that listens at a port of this machine, by its id, until the block ends.

    Raises:
        SystemExit: it ended, or didn't listen in two minutes.
    """
    with subprocess.Popen(command, env=variables, stdout=sys.stderr) as process:
        try:
            for _ in range(_TRIES):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(command)} ended: see its message above")
                Event().wait(_BETWEEN)
            else:
                raise SystemExit(f"{' '.join(command)} listens at no port")
            yield process.pid
        finally:
            process.kill()


def cpu_seconds(process: int) -> float:
    """Seconds of all cores together that a process and its children have taken so far."""
    return sum(_times(one) for one in _tree(process)) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> int:
    """Bytes of memory that a process and its children hold, what they share counted once each."""
    return sum(_resident(one) for one in _tree(process))


def _tree(process: int) -> list[int]:
    found = [process]
    for one in found:
        for listed in (_PROC / str(one) / "task").glob("*/children"):
            found += map(int, _text(listed).split())
    return found


def _times(process: int) -> int:
    fields = _text(_PROC / str(process) / "stat").rpartition(")")[2].split()
    return sum(map(int, fields[_USER_TIME : _USER_TIME + 4]))


def _resident(process: int) -> int:
    lines = _text(_PROC / str(process) / "status").splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS")), 0)


def _text(path: Path) -> str:
    """A file of a process; empty if it has ended."""
    with suppress(OSError):
        return path.read_text(encoding="ascii", errors="replace")
    return ""
