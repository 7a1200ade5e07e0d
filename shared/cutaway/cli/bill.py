"""What a run costs, or would cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cutaway.errors import (
    ConnectionFailed,
    ConnectionLost,
    ProtocolError,
    ServiceError,
    TransportError,
)

if TYPE_CHECKING:
    from cutaway.cli.batch import Outcome
    from cutaway.errors import CutawayError

__all__ = ["Bill", "dollars"]


class Bill:
    """The sum of what is paid for, and how many items nobody knows the cost of."""

    def __init__(self) -> None:
        self._total = Decimal()
        self._known = 0
        self._unknown = 0
        self._doubtful = 0

    def add(self, outcome: Outcome) -> None:
        """Add what became of one input."""
        if outcome.has_price and outcome.cost is None:
            self._unknown += 1
        elif outcome.has_price:
            self._known += 1
            self._total += outcome.cost or 0
        elif outcome.error:
            self._doubtful += _may_be_billed(outcome.error)

    def parts(self, verb: str, under_way: int = 0) -> list[str]:
        """What to tell people, such as `cost $0.0018` and `1 at an unknown price`.

        Args:
            verb: `cost` or `would cost`.
            under_way: How many may have been with the service when the run was broken off.
        """
        parts = [f"{verb} {dollars(self._total)}"] if self._known else []
        if self._unknown:
            parts.append(f"{self._unknown} at an unknown price")
        if self._doubtful:
            parts.append(f"{self._doubtful} of the failed may be billed too")
        if under_way:
            parts.append(f"up to {under_way} under way may be billed too")
        return parts


def dollars(cost: Decimal | None) -> str:
    """An amount for people."""
    return "price unknown" if cost is None else f"${cost:f}"


def _may_be_billed(error: CutawayError) -> bool:
    """Whether the service may have done the task that failed here."""
    if error.task_uuid is None:
        return False
    if type(error) is ServiceError:  # of no known kind: it may have been said at any point
        return True
    unsent = isinstance(error, ConnectionFailed) and not isinstance(error, ConnectionLost)
    return isinstance(error, TransportError | ProtocolError) and not unsent
