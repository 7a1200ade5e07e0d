"""Where a removal runs: one small interface, and each backend behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cutaway.engine.matte import Matte
    from cutaway.images import Pixels
    from cutaway.options import RemovalOptions
    from cutaway.progress import Progress

__all__ = ["Backend", "Finding"]


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a backend found in a picture.

    Attributes:
        matte: The subject, at the size the backend works at.
        model: The name of the model that found it.
        warnings: What the user should know about how it was found.
    """

    matte: Matte
    model: str
    warnings: tuple[str, ...] = ()


class Backend(Protocol):
    """Something that finds the subject of a picture; all else is done after it, here."""

    name: str

    def find_subject(self, pixels: Pixels, options: RemovalOptions, progress: Progress) -> Finding:
        """Find the subject with the model that `options` names.

        Raises:
            NoSubjectFound: there is nothing to keep.
            EngineError: the model can't be used.
            Cancelled: the caller stopped it.
        """
        ...

    def close(self) -> None:
        """Release what is kept warm between removals."""
        ...
