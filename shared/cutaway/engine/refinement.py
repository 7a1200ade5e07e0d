"""A small matte brought to the picture's full size, its edges drawn to the picture's own.

Joint upsampling by the fast guided filter (K. He, J. Sun, arXiv:1505.00996): the matte is fitted
as a local linear function of the colours at a middling size, and that function is evaluated on
the full-size picture. A matte that others have finished at the picture's own size stays as it is.
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
"""The longer side of the fit, in pixels: fine enough for a network's matte, small whatever the
picture."""
_REACH = 3
"""The radius of a window in the matte's own pixels: as far as its edge can be off."""
_OF_A_NETWORK = 1024
"""The longer side of the largest matte that a network gives; a larger one was drawn finer."""
_FINEST = 2048
"""The longer side of the fit of such a finer matte, at most; up to there it keeps its detail."""
_CLOSE_REACH = 2
_EPSILON = 1e-4
_HAZE = 0.05
"""A fit over a window spreads a little of an edge's doubt on both sides: that much is cut off."""


def refine(
    matte: Matte,
    rgb: NDArray[np.uint8],
    depth: int,
    progress: Progress,
    *,
    finished: bool = False,
) -> NDArray[Any]:
    """Bring a matte to the size of its picture.

    Args:
        matte: What was found.
        rgb: uint8, shape (height, width, 3): the picture, never written to.
        depth: Bits of the result: 8 or 16.
        progress: Told how far the work is, stripe by stripe.
        finished: Whether the matte's edges are as they should be already, at its own size; then
            it stays as it is if that is the picture's.

    Returns:
        uint8 or uint16, shape (height, width), the full range; about 1 or 2 bytes a pixel and a
        bounded rest are needed.

    Raises:
        Cancelled: the caller stopped it.
    """
    height, width = rgb.shape[:2]
    fit = None if finished and matte.alpha.shape == (height, width) else _fit(matte.alpha, rgb)
    white = 255 if depth == 8 else 65535  # noqa: PLR2004  (the other depth is 16)
    alpha = np.empty((height, width), np.uint8 if depth == 8 else np.uint16)  # noqa: PLR2004
    for top, bottom in stripes(height, width * 4):
        progress.advance(top / height)
        if fit is None:
            stripe = matte.alpha[top:bottom] * np.float32(white)
        else:
            stripe = guided.apply_rows(fit, rgb, top, bottom)
            stripe -= _HAZE
            stripe *= white / (1 - 2 * _HAZE)
        alpha[top:bottom] = np.clip(np.rint(stripe, out=stripe), 0, white, out=stripe)
    return alpha


def _fit(alpha: NDArray[np.float32], rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = rgb.shape[:2]
    longest = max(alpha.shape)
    fine = longest > _OF_A_NETWORK
    work, reach = (min(longest, _FINEST), _CLOSE_REACH) if fine else (_WORK, _REACH)
    scale = min(1.0, work / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    guide = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if alpha.shape != guide.shape[:2]:
        resized = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
        alpha = resized.astype(np.float32, copy=False)
    return guided.coefficients(guide, alpha, max(2, round(reach * max(size) / longest)), _EPSILON)
