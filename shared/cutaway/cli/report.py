"""How the outcomes of a run are told: lines for people, JSON for programs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from cutaway.backends.local import NO_MODEL
from cutaway.cli.bill import Bill
from cutaway.cli.display import error_facts, tell_json

if TYPE_CHECKING:
    from cutaway.cli.batch import Outcome, Status
    from cutaway.cli.display import Bar

__all__ = ["JsonReport", "LineReport", "Report"]

_STATUSES: tuple[Status, ...] = ("done", "planned", "skipped", "failed")


class Report(Protocol):
    """Told each outcome as it comes, and when all have come."""

    def tell(self, outcome: Outcome) -> None:
        """Tell what became of one picture."""

    def close(self, *, early: bool = False, under_way: int = 0) -> None:
        """Sum up.

        Args:
            early: Whether the run is broken off.
            under_way: How many pictures may then be with a service that bills them, at most.
        """


class JsonReport:
    """One JSON object a line for each picture.

    Args:
        err: Write to stderr, as stdout takes the picture.
    """

    def __init__(self, *, err: bool) -> None:
        self._err = err

    def tell(self, outcome: Outcome) -> None:
        """Tell what became of one picture."""
        target = outcome.task.target
        told: dict[str, Any] = {
            "source": outcome.task.input.shown,
            "status": outcome.status,
            "path": None if target is None else str(target),
        }
        if outcome.status in {"done", "planned"}:
            told |= outcome.facts
        elif outcome.error and outcome.status == "failed":
            told["error"] = error_facts(outcome.error)
        tell_json(told, err=self._err)

    def close(self, *, early: bool = False, under_way: int = 0) -> None:
        """Sum up: the objects say it all."""


class LineReport:
    """A line for each picture.

    Args:
        bar: Where to print.
        count: How many pictures there are.
        quiet: Tell failures only.
        err: Write results to stderr, as stdout takes the picture.
    """

    def __init__(self, bar: Bar, count: int, *, quiet: bool, err: bool) -> None:
        self._bar = bar
        self._count = count
        self._quiet = quiet
        self._err = err
        self._told: Counter[str] = Counter()
        self._bill = Bill()
        self._no_model_told = False

    def tell(self, outcome: Outcome) -> None:
        """Tell what became of one picture, and what to know about the result."""
        self._told[outcome.status] += 1
        self._bill.add(outcome)
        if self._count > 1:
            self._bar.tell(self._told.total())
        if outcome.status == "failed":
            self._bar.echo(_failure(outcome), err=True)
        elif not self._quiet:
            line = _skip(outcome) if outcome.status == "skipped" else outcome.told
            self._bar.echo(f"{outcome.task.input.shown}{line}", err=self._err)
            self._warn(outcome)

    def close(self, *, early: bool = False, under_way: int = 0) -> None:
        """Sum up, if there were several or money was spent; only for the money if it is early."""
        open_ones = min(under_way, self._count - self._told.total())
        costs = self._bill.parts("would cost" if self._told["planned"] else "cost", open_ones)
        wanted = costs or (self._count > 1 and not early)
        if self._quiet or not wanted:
            return
        counts = [(self._told[status], status) for status in _STATUSES]
        told = [f"{number} {status}" for number, status in counts if number]
        self._bar.echo(f"cutaway: {', '.join(told + costs)}", err=True)

    def _warn(self, outcome: Outcome) -> None:
        for warning in outcome.facts.get("warnings", ()):
            if warning != NO_MODEL:
                self._bar.echo(f"cutaway: {outcome.task.input.shown}: {warning}", err=True)
            elif not self._no_model_told:
                self._no_model_told = True
                self._bar.echo(f"cutaway: {warning}", err=True)


def _skip(outcome: Outcome) -> str:
    return f": skipped, {outcome.task.target} is there already"


def _failure(outcome: Outcome) -> str:
    error = outcome.error
    shown = outcome.task.input.shown
    named = error is not None and shown in error.what
    return f"cutaway: {error}" if named else f"cutaway: {shown}: {error}"
