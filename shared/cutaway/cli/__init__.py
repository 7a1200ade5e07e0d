"""The `cutaway` command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from io import TextIOWrapper
from pathlib import Path

from cutaway.cli.commands import FAILED, cutaway

__all__ = ["main"]


def main() -> None:
    """Run the command that `sys.argv` asks for, and exit with its code."""
    # OpenCV writes its own warnings about damaged files to stderr, in the midst of ours.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    if isinstance(sys.stdout, TextIOWrapper):
        # A file name need not fit the terminal's encoding; stderr is forgiving already.
        sys.stdout.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        # To be ended from outside is to be ended as by Ctrl-C: no half-written file is left.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cutaway(prog_name="cutaway")
    except OSError as error:  # click has dealt with a reader that went away
        from cutaway.cli.display import system_error, tell_error

        tell_error(system_error(error))
        sys.exit(FAILED)
    finally:
        _drop_what_is_stuck()


def _drop_what_is_stuck() -> None:
    """Throw away what a full stdout has refused: at exit Python would try again, and complain."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
