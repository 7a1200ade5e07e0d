"""How a removal tells where it is, and how it is stopped."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    ProgressCallback = Callable[["Step"], None]

__all__ = ["Cancellation", "Progress", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """A point in the work: the stage's name and its finished share, 0..1."""

    stage: str
    share: float


class Cancellation:
    """A switch that stops a removal from any thread; it can't be turned back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._interrupts: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the work is to stop."""
        return self._cancelled

    def cancel(self) -> None:
        """Stop the work: at its next check, or at once where something can be interrupted."""
        with self._lock:
            self._cancelled = True
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    def check(self) -> None:
        """Raise `Cancelled` if the work is to stop."""
        if self._cancelled:
            raise Cancelled("the work was cancelled", next_step="Start it again if you need it")

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` on cancel while the block runs (at once if already cancelled)."""
        with self._lock:
            self._interrupts.append(interrupt)
            cancelled = self._cancelled
        try:
            if cancelled:
                interrupt()
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)


class Progress:
    """What one removal tells while it runs.

    Args:
        report: Called with each `Step`, from the thread that works.
        cancellation: The switch that stops it; one of its own if none is given.

    Attributes:
        seconds: Time spent in each finished stage, by name, in order.
    """

    def __init__(
        self, report: ProgressCallback | None = None, cancellation: Cancellation | None = None
    ) -> None:
        self._report = report
        self._stage = ""
        self.cancellation = cancellation or Cancellation()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tell that a stage runs, time it, and raise `Cancelled` at its start if asked to stop."""
        self._stage = name
        self.advance(0.0)
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
        self.advance(1.0)

    def advance(self, share: float) -> None:
        """Tell the finished share (0..1) of the running stage; raise `Cancelled` if asked to."""
        self.cancellation.check()
        if self._report:
            self._report(Step(self._stage, share))
