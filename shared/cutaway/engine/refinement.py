"""A small matte brought to the picture's full size, its edges drawn to the picture's own.

From coarse to fine, as in joint upsampling (J. Kopf et al., "Joint Bilateral Upsampling", SIGGRAPH
2007), but by local functions of the colour (`edge_fit`): they are fitted at a size where the
picture is no sharper than the matte, and evaluated at a larger one, where they give a matte with
the detail of that size; and so on up to the whole. A matte that others have finished at the
picture's own size stays as it is, and one that shows more than the picture could is reduced.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.engine.edge_drawing import SURE, Drawing, Level, enlarged
from cutaway.engine.reduction import halved
from cutaway.machine import usable_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.engine.matte import Matte
    from cutaway.progress import Progress

__all__ = ["enlarge", "refine"]

_SHOWN = 0.5
"""How much of the detail that its size could hold a network's matte shows, along a side: the first
fit is made at a size of so much of its own at least, and a picture that is no larger has nothing
to add."""
_FINEST = 2560
"""The longer side of the last fit, at most, in pixels; its functions are evaluated on the whole."""
_DOUBTFUL = 0.05
"""A matte further than this from nothing and all is in doubt."""
_JUMP = 0.5
"""So are two neighbours that differ by more than this, however sure each is."""
_MAX_THREADS = 4


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
        progress: Told how far the work is, part by part.
        finished: Whether the matte's edges are as they should be already, at its own size; then
            it stays as it is if that is the picture's.

    Returns:
        uint8 or uint16, shape (height, width), the full range, the same for any number of threads.
        That much memory is needed, one byte a pixel more for a while, and a bounded rest.

    Raises:
        Cancelled: the caller stopped it.
    """
    if finished and matte.alpha.shape == rgb.shape[:2]:
        return _whole_numbers(matte.alpha, depth, 0.0)
    if max(rgb.shape[:2]) <= _SHOWN * max(matte.alpha.shape):
        return _whole_numbers(_resized(matte.alpha, rgb.shape), depth, SURE)
    doubt = _doubt(matte.alpha)
    levels = _levels(rgb, max(matte.alpha.shape))
    alpha = _resized(matte.alpha, levels[0].guide.shape)
    drawn: NDArray[Any] = matte.alpha
    steps = len(levels) - 1
    with ThreadPoolExecutor(min(_MAX_THREADS, usable_cores())) as pool:
        for step, (coarse, fine) in enumerate(pairwise(levels), start=1):
            if step == steps:
                drawn = _whole_numbers(drawn, depth, SURE)
            if step == 1:
                drawn = _resized(drawn, fine.guide.shape)
            else:
                drawn = enlarged(drawn, coarse.times(fine), fine.guide.shape)
            drawing = Drawing(coarse, fine, alpha, drawn, _no_larger(doubt, drawn.shape))
            for share in drawing.run(pool):
                # A step takes four times as long as the one before.
                progress.advance((1 + 3 * share) / 4 ** (steps - step + 1))
            alpha = drawn
    return drawn


def enlarge(matte: Matte, size: tuple[int, int], depth: int) -> NDArray[Any]:
    """Bring a matte to a width and height as it is, whatever the picture shows there.

    Returns:
        uint8 or uint16 for a depth of 8 or 16 bits, shape (height, width), the full range.
    """
    return _resized(_whole_numbers(matte.alpha, depth, 0.0), (size[1], size[0]))


def _levels(rgb: NDArray[np.uint8], side: int) -> list[Level]:
    """The sizes to fit a matte of that longer side at, from coarse to fine, and the whole.

    The whole comes twice where no smaller size will do.
    """
    guide, halvings = rgb, 0
    smaller: list[Level] = []
    while max(guide.shape[:2]) >= 2 * _SHOWN * side and min(guide.shape[:2]) > 1:
        guide, halvings = halved(guide), halvings + 1
        if max(guide.shape[:2]) <= _FINEST:
            smaller.append(Level(guide, halvings))
    whole = Level(rgb, 0)
    return [*(reversed(smaller) if smaller else [whole]), whole]


def _doubt(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 where the colour of the picture may have a say, 0 where the matte is sure."""
    square = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(alpha, square) - cv2.erode(alpha, square) > _JUMP
    unsure = (alpha > _DOUBTFUL) & (alpha < 1 - _DOUBTFUL)
    return (unsure | jump).astype(np.float32)


def _whole_numbers(alpha: NDArray[Any], depth: int, sure: float) -> NDArray[Any]:
    """A matte of floats as uint8 or uint16, what is within `sure` of nothing or all as that."""
    dtype = np.uint8 if depth == 8 else np.uint16  # noqa: PLR2004  (the other depth is 16)
    white = np.iinfo(dtype).max
    scaled = alpha - np.float32(sure)
    scaled *= np.float32(white / (1 - 2 * sure))
    whole: NDArray[Any] = np.rint(scaled, out=scaled).clip(0, white, out=scaled).astype(dtype)
    return whole


def _resized(plane: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A plane stretched over another height and width: averaged, or interpolated by a cubic."""
    height, width = shape[:2]
    shrinks = plane.shape[0] >= height and plane.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    resized: NDArray[Any] = cv2.resize(plane, (width, height), interpolation=how)
    return resized.clip(0, 1) if resized.dtype == np.float32 else resized


def _no_larger(plane: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A plane, shrunk to a height and width where it is larger."""
    height, width = (min(have, want) for have, want in zip(plane.shape, shape, strict=False))
    if plane.shape == (height, width):
        return plane
    shrunk = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    return shrunk.astype(np.float32, copy=False)
