"""What every engine answers with, and what an engine is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cutaway.progress import Progress

__all__ = ["Engine", "Matte"]


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """How much of each pixel is subject, at the size the engine works at.

    Attributes:
        alpha: float32, shape (height, width), 0..1, covering the whole picture (the aspect ratio
            may differ from the picture's).
        confidence: How sure the engine is that this is the subject, 0..1.
    """

    alpha: NDArray[np.float32]
    confidence: float


class Engine(Protocol):
    """Something on this machine that finds the subject of a picture."""

    def find_subject(self, rgb: NDArray[np.uint8], progress: Progress) -> Matte:
        """Find the subject.

        Args:
            rgb: uint8, shape (height, width, 3), any size from 1x1; never written to.
            progress: Told how far the work is; checked for cancellation between steps.

        Raises:
            NoSubjectFound: there is nothing to keep.
            Cancelled: the caller stopped it.
        """
        ...
