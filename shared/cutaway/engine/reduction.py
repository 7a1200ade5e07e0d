"""A smaller copy of the picture, for what need not see all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["halved", "reduced"]


def halved(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink to half the size, each pixel the mean of four; an odd last row or column is left out.

    Args:
        rgb: uint8, shape (height, width, 3), at least two pixels high and wide.
    """
    height, width = (side // 2 for side in rgb.shape[:2])
    even = rgb[: 2 * height, : 2 * width]
    return cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA).astype(
        np.uint8, copy=False
    )


def reduced(rgb: NDArray[np.uint8], side: int, narrowest: int = 1) -> NDArray[np.uint8]:
    """Shrink to `side` pixels a side at most, but a narrow picture not below `narrowest` across.

    Halving is ten times as fast as averaging over any other size, so it goes as far as it can.

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
    while rgb.shape[0] >= 2 * height and rgb.shape[1] >= 2 * width:
        rgb = halved(rgb)
    smaller = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return smaller.astype(np.uint8, copy=False)
