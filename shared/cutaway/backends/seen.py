"""A picture as the models see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cutaway.images import stripes, to_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.images import Pixels

__all__ = ["seen"]


def seen(pixels: Pixels) -> NDArray[np.uint8]:
    """The picture as 8-bit RGB, on white where it is transparent itself.

    The colour under full transparency is whatever the last program left there.

    Returns:
        uint8, shape (height, width, 3); the picture's own memory where nothing needs to change, so
        never write to it.
    """
    guide = pixels.guide()
    if pixels.alpha is None:
        return guide
    whole = np.empty_like(guide)
    for top, bottom in stripes(pixels.height, pixels.width * 6):
        alpha = to_depth(pixels.alpha[top:bottom], 8)[..., None].astype(np.uint16)
        whole[top:bottom] = (guide[top:bottom] * alpha + 255 * (255 - alpha) + 127) // 255
    return whole
