"""Where a removal runs: one small interface, and each backend behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from decimal import Decimal

    from cutaway.engine.matte import Matte
    from cutaway.images import Pixels
    from cutaway.options import RemovalOptions
    from cutaway.progress import Progress
    from cutaway.sources import Loaded

__all__ = ["Backend", "Finding", "doubts"]

_SURE_FROM = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a backend found in a picture.

    Attributes:
        matte: The subject, at the size the backend works at.
        model: The name of the model that found it.
        warnings: What the user should know about how it was found.
        finished: Whether the matte's edges are as they should be at its own size, as a service's
            are; an engine's are still to be drawn to the picture's.
        cost: US dollars; None if it cost nothing, or no one said.
        task_uuid: The remote task that found it; None if it was found here.
    """

    matte: Matte
    model: str
    warnings: tuple[str, ...] = ()
    finished: bool = False
    cost: Decimal | None = None
    task_uuid: str | None = None


class Backend(Protocol):
    """Something that finds the subject of a picture; all else is done after it, here."""

    @property
    def name(self) -> str:
        """`local`, `runware`, or a compatible service's origin."""
        ...

    def find_subject(
        self,
        pixels: Pixels,
        options: RemovalOptions,
        progress: Progress,
        original: Loaded | None = None,
    ) -> Finding:
        """Find the subject with the model that `options` names.

        Args:
            pixels: The picture.
            options: What to find it with.
            progress: Told of each stage.
            original: The file that the picture was decoded from, if it was.

        Raises:
            NoSubjectFound: there is nothing to keep.
            EngineError: the model can't be used.
            TransportError: the service can't be reached.
            ServiceError: it refuses.
            ProtocolError: its answer can't be used.
            Cancelled: the caller stopped it.
        """
        ...

    def check(self, options: RemovalOptions) -> str:
        """The name of the model that `options` lead to, if it can be used; nothing is sent.

        Raises:
            CutawayError: `find_subject` would fail with these options, whatever the picture.
        """
        ...

    def close(self) -> None:
        """Release what is kept warm between removals."""
        ...


def doubts(confidence: float) -> tuple[str, ...]:
    """What to tell of a model's confidence, 0..1: nothing, if it is high enough."""
    if confidence >= _SURE_FROM:
        return ()
    return (f"the subject is uncertain (confidence {confidence:.2f}): check it",)
