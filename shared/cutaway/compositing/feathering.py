"""A matte with its edge faded, as GIMP's Select > Feather does it."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.compositing.enlarging import enlarged_rows
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.progress import Progress

__all__ = ["feather"]

_RADIUS_OF_SIGMA = 3.5  # GIMP's own: what looks like a radius to people
_NARROWEST = 0.1  # a narrower blur gives nothing of a pixel to the next
_WIDEST = 12.0  # a wider blur is done on a reduced matte
_REDUCED = 5.0  # so wide it still is there: nothing happens between two pixels
_SHORTEST = 256  # a side that is no longer isn't reduced: at the frame it would show


def feather(alpha: NDArray[Any], radius: float, progress: Progress) -> None:
    """Blur a matte with a Gaussian of sigma radius / 3.5, in place.

    Beyond the frame its outermost pixels go on, so that what the frame cuts off stays opaque.
    A bounded amount of memory is needed, and for a large radius at most 1.5 bytes a pixel.

    Args:
        alpha: uint8 or uint16, shape (height, width); written to.
        radius: Pixels, 0 and up.
        progress: Told how far the work is; checked for cancellation between stripes.

    Raises:
        Cancelled: the caller stopped it; some rows may be blurred already.
    """
    sigma = radius / _RADIUS_OF_SIGMA
    if sigma > _WIDEST:
        _blur_reduced(alpha, sigma, progress)
    elif sigma >= _NARROWEST:
        _blur(alpha, sigma, progress)


def _blur(alpha: NDArray[Any], sigma: float, progress: Progress) -> None:
    reach = round(sigma * 4) + 1
    above = alpha[:0]
    for top, bottom in stripes(len(alpha), alpha[:1].nbytes):
        progress.advance(top / len(alpha))
        window = np.concatenate([above, alpha[top : bottom + reach]])
        first, past = len(above), len(above) + bottom - top
        above = window[max(0, past - reach) : past]
        blurred = cv2.GaussianBlur(window, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        alpha[top:bottom] = blurred[first:past]


def _blur_reduced(alpha: NDArray[Any], sigma: float, progress: Progress) -> None:
    size = [max(round(side * _REDUCED / sigma), min(side, _SHORTEST)) for side in alpha.shape]
    small = cv2.resize(alpha, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    down, across = (
        _left_to_do(sigma, few / many) for few, many in zip(size, alpha.shape, strict=True)
    )
    blurred = cv2.GaussianBlur(
        small, (0, 0), across, sigmaY=down, borderType=cv2.BORDER_REPLICATE
    ).astype(np.float32, copy=False)
    for top, bottom in stripes(len(alpha), alpha.shape[1] * 4):
        progress.advance(top / len(alpha))
        alpha[top:bottom] = np.rint(enlarged_rows(blurred, alpha.shape, top, bottom))


def _left_to_do(sigma: float, scale: float) -> float:
    """The sigma of a blur that makes up one of `sigma` together with a reduction and its undoing.

    In the reduced pixels, a box of one has a variance of 1/12, and a triangle of two has 1/6.
    """
    lost = 0 if scale == 1 else 1 / 12 + 1 / 6
    return sqrt((sigma * scale) ** 2 - lost)
