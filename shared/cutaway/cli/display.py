"""What a run shows: lines, bars and JSON."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO

import click

from cutaway.errors import OutputError, ServiceError

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, ProgressColumn

    from cutaway.errors import CutawayError, ServiceDetails

__all__ = [
    "Bar",
    "error_facts",
    "is_terminal",
    "plain",
    "system_error",
    "table",
    "tell_error",
    "tell_json",
]

Layout = Literal["pictures", "stage", "bytes"]

_UNSEEN = 160
_NAMES = 2


class Bar:
    """A progress bar at the foot of stderr while the block runs, if that is a terminal.

    Args:
        layout: What it counts: pictures, a stage's share or bytes.
        description: What is going on, until `tell` says otherwise.
        total: How many of them make it full.
        wanted: Whether to show it at all.
        after: Seconds before it appears, so that quick work shows none.
    """

    def __init__(
        self,
        layout: Layout,
        description: str,
        total: float,
        *,
        wanted: bool = True,
        after: float = 0.0,
    ) -> None:
        self._layout: Layout = layout
        self._total = total
        self._wanted = wanted and is_terminal(sys.stderr)
        self._timer = threading.Timer(after, self._appear)
        self._timer.daemon = True
        self._after = after
        self._progress: Progress | None = None
        self._description = description
        self._completed = 0.0

    def tell(self, completed: float, description: str = "") -> None:
        """Show where the work is; from any thread."""
        self._completed = completed
        self._description = description or self._description
        if self._progress:
            (task,) = self._progress.task_ids
            self._progress.update(task, description=self._description, completed=completed)

    def echo(self, line: str, *, err: bool = False) -> None:
        """Print a line, above the bar if both are on the terminal."""
        stream = sys.stderr if err else sys.stdout
        if self._progress and is_terminal(stream):
            self._progress.console.print(plain(line), markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(plain(line), err=err)

    def __enter__(self) -> Self:
        if self._wanted and self._after:
            self._timer.start()
        elif self._wanted:
            self._appear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()
        if self._progress:
            self._progress.stop()

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        progress = Progress(
            *_columns(self._layout),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        task = progress.add_task(self._description, total=self._total)
        progress.update(task, completed=self._completed)
        progress.start()
        self._progress = progress


def _columns(layout: Layout) -> list[ProgressColumn]:
    from rich import progress

    columns: dict[Layout, list[ProgressColumn]] = {
        "pictures": [progress.MofNCompleteColumn(), progress.TimeRemainingColumn()],
        "stage": [],
        "bytes": [
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
        ],
    }
    text = progress.TextColumn("{task.description}", markup=False)
    return [text, progress.BarColumn(), *columns[layout]]


def is_terminal(stream: TextIO | None) -> bool:
    """Whether someone sits at a standard stream; Python has None for one that is closed."""
    return stream is not None and stream.isatty()


def plain(text: str) -> str:
    """A text for one line of a terminal: a file's name may hold what would steer it."""
    line = " ".join(text.splitlines())
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)


def tell_error(error: CutawayError) -> None:
    """Print what went wrong, why and what to do, on one line of stderr."""
    click.echo(plain(f"cutaway: {error}"), err=True)


def tell_json(value: object, *, err: bool = False, indent: int | None = None) -> None:
    """Print a value as JSON, in ASCII so that it fits any encoding."""
    click.echo(json.dumps(value, indent=indent), err=err)


def system_error(error: OSError) -> OutputError:
    """What the system's refusal is told as; one that names no file is a standard stream's."""
    why = error.strerror or str(error)
    if error.filename:
        return OutputError(f"{error.filename} can't be used", why, "Check its permissions")
    return OutputError("the output was not written", why, "Check that there is room where it goes")


def error_facts(error: CutawayError) -> dict[str, Any]:
    """What is known about a failure, ready for JSON."""
    facts: dict[str, Any] = {
        "code": error.code,
        "what": error.what,
        "why": error.why,
        "next": error.next_step,
    }
    if error.task_uuid:
        facts["task_uuid"] = error.task_uuid
    return facts | (_said(error.details) if isinstance(error, ServiceError) else {})


def _said(details: ServiceDetails) -> dict[str, Any]:
    """What a service itself said about an error, as far as it did."""
    said = {
        "raw_code": details.raw_code,
        "status": details.status,
        "parameter": details.parameter,
        "allowed_values": list(details.allowed_values),
        "documentation": details.documentation,
    }
    return {name: value for name, value in said.items() if value}


def table(headings: list[str], rows: list[list[str]]) -> None:
    """Print a table on stdout, as wide as the terminal; wide and unwrapped elsewhere.

    The first two columns are names to be copied, and are never wrapped.
    """
    from rich.console import Console
    from rich.table import Table

    width = None if is_terminal(sys.stdout) else _UNSEEN
    console = Console(width=width, markup=False, highlight=False)
    drawn = Table(box=None, pad_edge=False)
    for number, heading in enumerate(headings):
        drawn.add_column(heading, no_wrap=number < _NAMES, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)
