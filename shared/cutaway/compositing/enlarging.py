"""Something small stretched over a large picture, a few rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["enlarged_rows"]


def enlarged_rows(
    small: NDArray[np.float32], shape: tuple[int, ...], top: int, bottom: int
) -> NDArray[np.float32]:
    """Some rows of `small` stretched to a height and width, by linear interpolation.

    Pixel centres are aligned, and the outermost pixels repeated beyond the frame. A row comes out
    the same to the bit whichever rows are asked for along with it, at any width.

    Args:
        small: float32, shape (h, w) or (h, w, channels), at most four of them.
        shape: The full height and width; what follows them is not read.
        top: The first row wanted.
        bottom: One past the last row wanted, above `top`.

    Returns:
        float32, shape (bottom - top, width) or (bottom - top, width, channels).
    """
    height, width = shape[:2]
    # Two rows at least: `cv2.resize` rounds a single one differently.
    wanted = np.arange(top, max(bottom, top + 2))
    position = ((wanted + 0.5) * (len(small) / height) - 0.5).clip(0, len(small) - 1)
    upper = position.astype(np.intp)
    lower = np.minimum(upper + 1, len(small) - 1)
    weight = (position - upper).astype(np.float32).reshape(-1, *[1] * (small.ndim - 1))
    between = small[upper] * (1 - weight) + small[lower] * weight
    large = cv2.resize(between, (width, len(wanted)), interpolation=cv2.INTER_LINEAR)
    rows = large[: bottom - top].astype(np.float32, copy=False)
    return rows.reshape(bottom - top, width, *small.shape[2:])
