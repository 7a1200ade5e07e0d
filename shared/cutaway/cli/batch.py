"""Many inputs in one run: what is settled beforehand, what becomes of the rest, and Ctrl-C."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeGuard

from cutaway.cli.commands import INTERRUPTED, tell_interrupted
from cutaway.client.many import THREAD
from cutaway.errors import OutputExists

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from decimal import Decimal
    from pathlib import Path
    from types import TracebackType

    from cutaway.cli.outputs import Task
    from cutaway.client.many import Removal
    from cutaway.errors import CutawayError
    from cutaway.options import RemovalOptions

__all__ = ["Batch", "Outcome", "Rules", "Status", "Work"]

Status = Literal["done", "planned", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How the inputs of a run are treated.

    Attributes:
        options: What to do with each.
        overwrite: Whether a file that is there already is replaced.
        skip_existing: Whether one that is kept counts as done before, not as a failure.
        jobs: How many inputs to work on at once; as the backend likes if not given.
    """

    options: RemovalOptions
    overwrite: bool = False
    skip_existing: bool = False
    jobs: int | None = None

    def keeps(self, target: Path | None) -> TypeGuard[Path]:
        """Whether something is at `target` already that must stay."""
        return target is not None and not self.overwrite and os.path.lexists(target)

    def status_of(self, error: CutawayError) -> Status:
        """Whether an input that met `error` has failed, or was done before."""
        done_before = isinstance(error, OutputExists) and self.skip_existing
        return "skipped" if done_before else "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one input.

    Attributes:
        task: What was to be done.
        status: Whether it was done, or only planned, skipped as its result is there already, or
            failed.
        told: What a person is told of it, after what the input is called.
        facts: What a program is told of it.
        has_price: Whether it is, or would be, paid for.
        cost: US dollars that were, or would be, paid for it; None where nobody said.
        data: The result itself, if it is for standard output.
        error: Why it failed.
    """

    task: Task
    status: Status
    told: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    has_price: bool = False
    cost: Decimal | None = None
    data: bytes | None = field(default=None, repr=False)
    error: CutawayError | None = None


class Work(Protocol):
    """What a run does with its inputs."""

    def start(self, tasks: Sequence[Task]) -> Generator[Removal[Outcome], None, None]:
        """Do it in threads, and give what becomes of each as it is finished.

        Closing the generator stops the work.
        """
        ...


class Batch:
    """Has work done in threads while the thread that asked only waits.

    Use it in a `with` block. Left by Ctrl-C, it ends the process if a thread can't be stopped (a
    read from a pipe that stays silent); no half-written file is left then.
    """

    def __init__(self, work: Work, rules: Rules) -> None:
        self._work = work
        self._rules = rules
        self._removals: Generator[Removal[Outcome], None, None] | None = None

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Work on `tasks`, and give what becomes of each: first of those that need no work."""
        settled = [self._settled(task) for task in tasks]
        yield from (outcome for outcome in settled if outcome)
        open_ones = [task for task, outcome in zip(tasks, settled, strict=True) if not outcome]
        self._removals = self._work.start(open_ones)
        for removal in self._removals:
            failed = removal.error and self._failed(open_ones[removal.index], removal.error)
            if outcome := failed or removal.saved:
                yield outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._removals:
                self._removals.close()
        finally:  # a second Ctrl-C ends the waiting
            if isinstance(error, KeyboardInterrupt) and _someone_is_stuck():
                tell_interrupted()
                os._exit(INTERRUPTED)

    def _settled(self, task: Task) -> Outcome | None:
        """What becomes of an input that needs no work."""
        if task.input.problem:
            return self._failed(task, task.input.problem)
        return self._failed(task, _kept(task.target)) if self._rules.keeps(task.target) else None

    def _failed(self, task: Task, error: CutawayError) -> Outcome:
        return Outcome(task, self._rules.status_of(error), error=error)


def _someone_is_stuck() -> bool:
    return any(thread.name.startswith(THREAD) for thread in threading.enumerate())


def _kept(target: Path) -> OutputExists:
    return OutputExists(
        f"{target} was not written",
        "something is there already",
        "Choose another place with -o, or replace it with --overwrite",
    )
