"""The `cutaway` command."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from cutaway.cli.commands import cutaway

__all__ = ["main"]


def main() -> None:
    """Run the command that `sys.argv` asks for, and exit with its code."""
    # OpenCV writes its own warnings about damaged files to stderr, in the midst of ours.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    if isinstance(sys.stdout, TextIOWrapper):
        # A file name need not fit the terminal's encoding; stderr is forgiving already.
        sys.stdout.reconfigure(errors="backslashreplace")
    cutaway(prog_name="cutaway")
