"""What the tools tell of their results: one model for each, the same as text."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CutoutFacts", "Facts"]


class Facts(BaseModel):
    """Facts that go out as structured content, and as the same JSON in a text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_data(self) -> dict[str, object]:
        """The facts for structured content; what has no value is left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def as_text(self) -> str:
        """The facts as compact JSON on one line, the same as `as_data`.

        File names may hold what is invisible or turns the direction of a text: that is escaped.
        """
        text = self.model_dump_json(exclude_none=True)
        return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


class CutoutFacts(Facts):
    """What is known about a result."""

    output_path: Annotated[str, Field(description="The file written.")]
    width: Annotated[int, Field(description="Pixels, the input's.")]
    height: Annotated[int, Field(description="Likewise.")]
    format: Annotated[str, Field(description="PNG, WEBP or JPG.")]
    bytes: Annotated[int, Field(description="File size.")]
    backend: Annotated[str, Field(description="Where the subject was found.")]
    model: Annotated[str, Field(description="What found it.")]
    subject_share: Annotated[float, Field(description="Share kept, 0..1.")]
    soft_edge_share: Annotated[float, Field(description="Share half-transparent, 0..1.")]
    bounding_box: Annotated[
        list[int] | None,
        Field(description="Subject's left, top, right, bottom; absent if none."),
    ] = None
    cost: Annotated[float | None, Field(description="US dollars, if known.")] = None
    task_uuid: Annotated[str | None, Field(description="The remote task, if any.")] = None
    seconds: Annotated[float, Field(description="Time taken.")]
    left_machine: Annotated[bool, Field(description="Whether it was uploaded.")]
    warnings: Annotated[list[str], Field(description="What to check.")]
