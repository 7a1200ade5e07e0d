"""A smaller copy of the picture, for what need not see all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["reduced"]


def reduced(rgb: NDArray[np.uint8], side: int, narrowest: int = 1) -> NDArray[np.uint8]:
    """Shrink to `side` pixels a side at most, but a narrow picture not below `narrowest` across.

    Args:
        rgb: uint8, shape (height, width, 3); it comes back itself where it is small enough.
        side: Of the longer one, in pixels.
        narrowest: Of the shorter one, in pixels; a picture that is narrower keeps its own.
    """
    longest = max(rgb.shape[:2])
    if longest <= side:
        return rgb
    scale = side / longest
    height, width = (max(round(long * scale), min(long, narrowest)) for long in rgb.shape[:2])
    smaller = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return smaller.astype(np.uint8, copy=False)
