"""The command in a real pseudo-terminal, and the person who sits at it."""

from __future__ import annotations

import codecs
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.shared.cli.running import process_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Terminal", "terminal"]


class Terminal:
    """The person's end of a terminal in which a command runs.

    Attributes:
        running: The command.
        shown: What the terminal has shown so far.
    """

    def __init__(self, running: subprocess.Popen[bytes], end: int) -> None:
        self.running = running
        self.shown = ""
        self._end = end
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(self, text: str) -> None:
        """Wait until `text` is shown."""
        while text not in self.shown:
            piece = self._read()
            assert piece, f"the command ended before it showed {text!r}: {self.shown!r}"

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._end, text.encode())

    def finish(self) -> int:
        """Wait for the command's end; its exit code."""
        while self._read():
            pass
        return self.running.wait(30)

    def _read(self) -> str:
        try:
            piece = self._decoder.decode(os.read(self._end, 4096))
        except OSError:  # so Linux tells that the command has closed its end
            return ""
        self.shown += piece
        return piece


@contextmanager
def terminal(*arguments: str | Path) -> Iterator[Terminal]:
    """Run the command in a terminal of its own, as a shell would; not on Windows."""
    import pty

    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    with subprocess.Popen(
        process_command(*arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environ, "TERM": "xterm", "COLUMNS": "160"},
        start_new_session=True,
    ) as running:
        os.close(theirs)
        try:
            yield Terminal(running, ours)
        finally:
            running.kill()
            os.close(ours)
