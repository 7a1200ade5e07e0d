"""A small matte brought to the picture's full size, its edges drawn to the picture's own.

Joint upsampling by the fast guided filter (K. He, J. Sun, arXiv:1505.00996): the matte is fitted
as a local linear function of the colours at a middling size, and that function is evaluated on
the full-size picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.engine import guided
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.engine.matte import Matte
    from cutaway.progress import Progress

__all__ = ["refine"]

_WORK = 1000
"""The longer side of the fit, in pixels: finer than the mattes, small whatever the picture."""
_REACH = 3
"""The radius of a window in the matte's own pixels: as far as its edge can be off."""
_EPSILON = 1e-4
_HAZE = 0.05
"""A fit over a window spreads a little of an edge's doubt on both sides: that much is cut off."""


def refine(matte: Matte, rgb: NDArray[np.uint8], depth: int, progress: Progress) -> NDArray[Any]:
    """Bring a matte to the size of its picture.

    Args:
        matte: What an engine found.
        rgb: uint8, shape (height, width, 3): the picture, never written to.
        depth: Bits of the result: 8 or 16.
        progress: Told how far the work is, stripe by stripe.

    Returns:
        uint8 or uint16, shape (height, width), the full range; about 1 or 2 bytes a pixel and a
        bounded rest are needed.

    Raises:
        Cancelled: the caller stopped it.
    """
    fit = _fit(matte.alpha, rgb)
    height, width = rgb.shape[:2]
    white = 255 if depth == 8 else 65535  # noqa: PLR2004  (the other depth is 16)
    alpha = np.empty((height, width), np.uint8 if depth == 8 else np.uint16)  # noqa: PLR2004
    for top, bottom in stripes(height, width * 4):
        progress.advance(top / height)
        stripe = guided.apply_rows(fit, rgb, top, bottom)
        stripe -= _HAZE
        stripe *= white / (1 - 2 * _HAZE)
        alpha[top:bottom] = np.clip(np.rint(stripe, out=stripe), 0, white, out=stripe)
    return alpha


def _fit(alpha: NDArray[np.float32], rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORK / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    guide = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    middle = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
    radius = max(2, round(_REACH * max(size) / max(alpha.shape)))
    return guided.coefficients(guide, middle.astype(np.float32, copy=False), radius, _EPSILON)
