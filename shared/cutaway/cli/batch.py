"""Many pictures over one client, in threads that Ctrl-C can stop."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, Self, TypeGuard

from cutaway.cli.commands import INTERRUPTED, tell_interrupted
from cutaway.errors import CutawayError, OutputError, OutputExists
from cutaway.progress import Cancellation, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from cutaway.cli.outputs import Task
    from cutaway.client import Client
    from cutaway.cutout import Cutout
    from cutaway.options import RemovalOptions
    from cutaway.progress import Step

__all__ = ["Batch", "Outcome", "Rules"]

_THREAD = "cutaway-picture"
_BLINK = 0.2
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How the pictures of a run are treated.

    Attributes:
        options: What to do with each.
        overwrite: Whether a file that is there already is replaced.
        skip_existing: Whether one that is kept counts as done before, not as a failure.
        jobs: How many pictures to work on at once.
    """

    options: RemovalOptions
    overwrite: bool = False
    skip_existing: bool = False
    jobs: int = 1

    def keeps(self, target: Path | None) -> TypeGuard[Path]:
        """Whether something is at `target` already that must stay."""
        return target is not None and not self.overwrite and os.path.lexists(target)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture.

    Attributes:
        task: What was to be done.
        status: Whether it was done, skipped as its result is there already, or failed.
        facts: What is known of the result: `bytes`, `format` and `Cutout.facts()`.
        data: The result itself, if it is for standard output.
        error: Why it failed.
    """

    task: Task
    status: Literal["done", "skipped", "failed"]
    facts: dict[str, Any] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    error: CutawayError | None = None


class Batch:
    """Works on pictures in threads while the thread that asked only waits.

    Use it in a `with` block. Left by Ctrl-C, it stops the work, and ends the process if a thread
    can't be stopped (a read from a pipe that stays silent); no half-written file is left then.
    """

    def __init__(
        self, client: Client, rules: Rules, on_step: Callable[[Step], None] | None = None
    ) -> None:
        self._client = client
        self._rules = rules
        self._on_step = on_step
        self._cancellation = Cancellation()
        self._threads = ThreadPoolExecutor(rules.jobs, thread_name_prefix=_THREAD)
        self._writing = threading.Semaphore(rules.jobs)

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Work on `tasks`, and give what becomes of each as it is finished."""
        finished: SimpleQueue[Future[Outcome]] = SimpleQueue()
        for task in tasks:
            self._threads.submit(self._outcome, task).add_done_callback(finished.put)
        for _ in tasks:
            yield _next(finished).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._cancellation.cancel()
            self._threads.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, KeyboardInterrupt):
            self._leave_unless_stopped()
        self._threads.shutdown()

    def _leave_unless_stopped(self) -> None:
        stopped = False
        try:
            stopped = _all_end(_PATIENCE)
            for _ in range(0 if stopped else self._rules.jobs):
                # Whoever writes a file holds one of these: wait until nobody does.
                self._writing.acquire()
        finally:  # a second Ctrl-C ends the waiting
            if not stopped:
                tell_interrupted()
                os._exit(INTERRUPTED)

    def _outcome(self, task: Task) -> Outcome:
        try:
            if task.input.problem:
                raise task.input.problem
            if self._rules.keeps(task.target):
                raise _kept(task.target)
            return self._removed(task)
        except OutputExists as error:
            return Outcome(task, "skipped" if self._rules.skip_existing else "failed", error=error)
        except CutawayError as error:
            return Outcome(task, "failed", error=error)

    def _removed(self, task: Task) -> Outcome:
        cutout = self._client.remove_background(
            task.input.source,
            self._rules.options,
            on_progress=self._on_step,
            cancellation=self._cancellation,
        )
        facts = {"bytes": 0, "format": cutout.options.format.value, **cutout.facts()}
        progress = Progress(self._on_step, self._cancellation)
        with self._writing, progress.stage("writing"):
            data, facts["bytes"] = self._written(cutout, task.target)
        facts["seconds"]["writing"] = round(progress.seconds["writing"], 3)
        return Outcome(task, "done", facts, data)

    def _written(self, cutout: Cutout, target: Path | None) -> tuple[bytes | None, int]:
        if target is None:
            data = cutout.to_bytes()
            return data, len(data)
        _make_folder(target.parent)
        cutout.save(target, format=cutout.options.format, overwrite=self._rules.overwrite)
        return None, target.stat().st_size


def _all_end(patience: float) -> bool:
    """Wait for the working threads, also one that was just about to start, to end."""
    deadline = time.monotonic() + patience
    working = [one for one in threading.enumerate() if one.name.startswith(_THREAD)]
    for thread in working:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in working)


def _next(finished: SimpleQueue[Future[Outcome]]) -> Future[Outcome]:
    while True:
        # Windows notices Ctrl-C only between waits, so none of them may be long.
        with suppress(Empty):
            return finished.get(timeout=_BLINK)


def _kept(target: Path) -> OutputExists:
    return OutputExists(
        f"{target} was not written",
        "something is there already",
        "Choose another place with -o, or replace it with --overwrite",
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {folder} was not made",
            error.strerror or str(error),
            "Choose another place with -o",
        ) from error
