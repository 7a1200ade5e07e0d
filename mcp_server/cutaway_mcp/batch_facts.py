"""What is known about a batch: all of it in a manifest, what matters most in the answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cutaway_mcp.facts import CutoutFacts, Facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutaway_mcp.gathering import Item

__all__ = ["BatchFacts", "Outcome", "manifest", "summary"]

Status = Literal["done", "skipped", "failed", "not tried"]

_MOST_ITEMS = 6
_LONGEST_ERROR = 160


class BatchItem(BaseModel):
    """What became of one picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    input: Annotated[str | None, Field(description="Unless its result is there.")] = None
    output_path: Annotated[str | None, Field(description="The result that is there.")] = None
    subject_share: Annotated[float | None, Field(description="Share that was kept.")] = None
    warnings: Annotated[list[str] | None, Field(description="What to check.")] = None
    error: Annotated[str | None, Field(description="Why it failed, shortened.")] = None


class BatchFacts(Facts):
    """What `remove_backgrounds` tells."""

    total: Annotated[int, Field(description="Pictures asked for.")]
    done: int
    skipped: Annotated[int, Field(description="Their results were there already.")]
    failed: int
    not_tried: Annotated[int, Field(description="They would have failed alike.")]
    items: Annotated[
        list[BatchItem], Field(description="Those to look at first; all are in the manifest.")
    ]
    manifest_path: Annotated[str | None, Field(description="JSON; absent if none is done.")] = None
    cost: Annotated[float | None, Field(description="US dollars; absent if free or unknown.")] = (
        None
    )
    seconds: float
    left_machine: Annotated[bool, Field(description="Whether pictures were uploaded.")]
    warnings: Annotated[list[str], Field(description="What holds for all.")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture.

    Attributes:
        item: The picture.
        status: What became of it.
        facts: What is known of the result, if it is done.
        error: Why it failed; empty if it didn't.
    """

    item: Item
    status: Status
    facts: CutoutFacts | None = None
    error: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to check in the result."""
        return tuple(self.facts.warnings) if self.facts else ()


def summary(
    outcomes: Sequence[Outcome],
    *,
    seconds: float,
    warnings: Sequence[str],
    **rest: Any,  # noqa: ANN401  (fields of `BatchFacts`)
) -> BatchFacts:
    """The facts of a batch, in about the same length however many pictures there are."""
    counts = Counter(outcome.status for outcome in outcomes)
    common = _common_warnings(outcomes)
    first = sorted(outcomes, key=lambda outcome: _urgency(outcome, common))[:_MOST_ITEMS]
    return BatchFacts(
        total=len(outcomes),
        done=counts["done"],
        skipped=counts["skipped"],
        failed=counts["failed"],
        not_tried=counts["not tried"],
        items=[_told(outcome, common) for outcome in first],
        cost=_cost(outcomes),
        seconds=round(seconds, 2),
        warnings=[*common, *warnings],
        **rest,
    )


def manifest(outcomes: Sequence[Outcome], choices: dict[str, Any]) -> dict[str, Any]:
    """All that is known about a batch, for a JSON file; the same for the same results."""
    return {
        "options": choices,
        "cost": _cost(outcomes),
        "items": [
            {
                "input": outcome.item.source,
                "status": outcome.status,
                "output_path": outcome.item.output_path,
                **(_lasting(outcome.facts) if outcome.facts else {}),
                **({"error": outcome.error} if outcome.error else {}),
            }
            for outcome in outcomes
        ],
    }


def _lasting(facts: CutoutFacts) -> dict[str, Any]:
    return facts.model_dump(mode="json", exclude={"seconds", "output_path"})


def _common_warnings(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What is to be told of every result, and so of none in particular."""
    done = [outcome.warnings for outcome in outcomes if outcome.status == "done"]
    if len(done) == 1:
        return ()
    return tuple(dict.fromkeys(one for one in sum(done, ()) if all(one in each for each in done)))


def _urgency(outcome: Outcome, common: Sequence[str]) -> int:
    """How soon it should be looked at, the lowest first."""
    if outcome.status == "done":
        return 2 if set(outcome.warnings) - set(common) else 3
    return {"failed": 0, "not tried": 1, "skipped": 4}[outcome.status]


def _told(outcome: Outcome, common: Sequence[str]) -> BatchItem:
    error = outcome.error
    if len(error) > _LONGEST_ERROR:
        error = f"{error[: _LONGEST_ERROR - 1]}…"
    there = outcome.status in {"done", "skipped"}
    own = [warning for warning in outcome.warnings if warning not in common]
    return BatchItem(
        status=outcome.status,
        input=None if there else outcome.item.source,
        output_path=outcome.item.output_path if there else None,
        subject_share=outcome.facts.subject_share if outcome.facts else None,
        warnings=own or None,
        error=error or None,
    )


def _cost(outcomes: Sequence[Outcome]) -> float | None:
    costs = [one.facts.cost for one in outcomes if one.facts and one.facts.cost is not None]
    return round(sum(costs), 6) if costs else None
