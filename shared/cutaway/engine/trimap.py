"""What is done to a mask before it is used: smoothing it, and marking where it is unsure.

Both follow rembg 2.0.86 pixel for pixel (its `post_process` and the first half of its
`alpha_matting_cutout`), since the Runware API's settings have its meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BACKGROUND", "FOREGROUND", "UNKNOWN", "post_process_mask", "trimap"]

BACKGROUND, UNKNOWN, FOREGROUND = 0, 128, 255

_SIGMA = 2
_REACH = 4 * _SIGMA  # where the Gaussian is cut off, in pixels
_HALF = 127


def post_process_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Smooth a mask and make it hard-edged.

    Bright specks thinner than three pixels go (a grey opening with a cross of 3x3), a Gaussian of
    two pixels rounds the outline, and what is 127 or more after it becomes subject.

    Args:
        mask: uint8, shape (height, width); it is not written to.

    Returns:
        uint8, same shape, only 0 and 255.
    """
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cross)
    result = np.empty_like(mask)
    side = 2 * _REACH + 1
    for top, bottom in stripes(mask.shape[0], mask.shape[1] * 4):
        first = max(0, top - _REACH)
        # Only in floating point does no value near 127 fall on the wrong side.
        block = opened[first : bottom + _REACH].astype(np.float32)
        blurred = cv2.GaussianBlur(block, (side, side), _SIGMA, borderType=cv2.BORDER_REFLECT)
        dark = blurred[top - first : bottom - first] < _HALF
        result[top:bottom] = np.where(dark, BACKGROUND, FOREGROUND)
    return result


def trimap(
    mask: NDArray[np.uint8],
    foreground_threshold: int = 240,
    background_threshold: int = 10,
    erode_size: int = 10,
) -> NDArray[np.uint8]:
    """Mark what is surely subject, what is surely background, and the unknown band between.

    The two sure parts shrink by an erosion with a square. Beyond the picture's frame lies
    background: so the subject shrinks at the frame too, and the background doesn't.

    Args:
        mask: uint8, shape (height, width); it is not written to.
        foreground_threshold: What is above it is subject, 0..255.
        background_threshold: What is below it is background (also where it is subject), 0..255.
        erode_size: The square's side in pixels, 1 or more.

    Returns:
        uint8, same shape: `BACKGROUND`, `UNKNOWN` or `FOREGROUND`.
    """
    result = np.full(mask.shape, UNKNOWN, np.uint8)
    subject = _eroded(mask > foreground_threshold, erode_size, beyond=0)
    np.copyto(result, FOREGROUND, where=subject)
    background = _eroded(mask < background_threshold, erode_size, beyond=1)
    np.copyto(result, BACKGROUND, where=background)
    return result


def _eroded(region: NDArray[np.bool_], size: int, beyond: int) -> NDArray[np.bool_]:
    """Erode with a square; an even one reaches a pixel further up and left than down and right."""
    centre = (size // 2, size // 2)
    square = np.ones((size, size), np.uint8)
    eroded = cv2.erode(
        region.view(np.uint8),
        square,
        anchor=centre,
        borderType=cv2.BORDER_CONSTANT,
        borderValue=(beyond,),
    )
    return eroded.view(np.bool_)
