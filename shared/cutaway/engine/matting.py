"""Alpha matting: the share of the subject in each pixel of a trimap's unknown band.

Closed-form matting (A. Levin, D. Lischinski, Y. Weiss, IEEE PAMI 30(2), 2008) is solved for the
unknown pixels alone. A picture that is very large, or has very many of them, is solved at a reduced
size; what the method assumes, that alpha is linear in the colour around each pixel, then carries
the solution to the full size (see `guided`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.engine import guided, laplacian
from cutaway.engine.trimap import BACKGROUND, FOREGROUND
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cutaway.progress import Progress

__all__ = ["estimate_alpha"]

_MEGAPIXELS = 2.0
"""Hair a pixel thin is found at full size only; but larger pictures than that come out no better
solved in full (`tests.benchmarks.matting`), as colours differ too little from pixel to pixel."""
_UNKNOWN = 0.3
"""The most unknown pixels that are solved for, as a share of the pixels that may be solved."""
_MILLION = 1e6
_TOLERANCE, _ROUGH = 1e-5, 1e-4
"""The error of alpha that is left, on average, at the full size and at smaller ones: some
hundredths of a level of 8 bits."""
_ITERATIONS = 50
_RADIUS, _SMOOTHNESS = 2, 1e-5  # of the functions that carry alpha to a larger size
_SMALLEST = 3  # the sides of a window, and so of the picture that is solved, at least
_MARGIN = 4  # pixels kept around the band, at the size that is solved
_ASSEMBLING, _SOLVING = 0.25, 0.55  # of the time; carrying alpha to the full size takes the rest


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """What is known around the band, at some size.

    Attributes:
        picture: uint8, shape (height, width, 3).
        subject: uint8, shape (height, width): the share of each pixel that is known to be
            subject, 255 for all of it.
        background: The same for the background.
    """

    picture: NDArray[np.uint8]
    subject: NDArray[np.uint8]
    background: NDArray[np.uint8]

    @property
    def unknown(self) -> NDArray[np.bool_]:
        return np.maximum(self.subject, self.background) < FOREGROUND

    def rows(self, top: int, bottom: int) -> _Level:
        """A stripe of it."""
        stripe = slice(top, bottom)
        return _Level(self.picture[stripe], self.subject[stripe], self.background[stripe])

    def reduced(self, scale: float) -> _Level:
        """The same at `scale`, below 1, but at least 3x3 pixels."""
        height, width = self.subject.shape
        size = max(_SMALLEST, round(width * scale)), max(_SMALLEST, round(height * scale))
        return _Level(
            _resized(self.picture, size),
            _resized(self.subject, size),
            _resized(self.background, size),
        )


def estimate_alpha(
    rgb: NDArray[np.uint8],
    trimap: NDArray[np.uint8],
    progress: Progress,
    megapixels: float = _MEGAPIXELS,
) -> NDArray[np.float32]:
    """Solve for alpha where the trimap doesn't know it.

    Beyond the result it takes about 6 bytes a pixel, and at most 100 MB for each of `megapixels`.

    Args:
        rgb: uint8, shape (height, width, 3), any size from 1x1.
        trimap: uint8, shape (height, width): 0 is background, 255 subject, all else unknown.
        progress: Told how far the work is; checked for cancellation between iterations.
        megapixels: A larger picture is solved at that size, 0.01 or more. It bounds time and
            memory; less is also smoother, which suits what is out of focus, but not hair.

    Returns:
        float32, shape (height, width), 0..1; exactly 0 and 1 where the trimap knows. If only one
        of the two is known anywhere, the unknown becomes that; if neither is, 0.5.

    Raises:
        Cancelled: the caller stopped it.
    """
    alpha: NDArray[np.float32] = (trimap == FOREGROUND).astype(np.float32)
    unknown = (trimap != FOREGROUND) & (trimap != BACKGROUND)
    count = int(np.count_nonzero(unknown))
    if count:
        known = bool((trimap == FOREGROUND).any()), bool((trimap == BACKGROUND).any())
        if all(known):
            most = megapixels * _MILLION
            scale = min(1.0, (most * _UNKNOWN / count) ** 0.5, (most / unknown.size) ** 0.5)
            place = _around(unknown, int(_MARGIN / scale))
            full = _level(rgb[place], trimap[place])
            work = _reduced(full, scale, most * _UNKNOWN)
            _fill(alpha[place], full, work, _TOLERANCE if scale == 1 else _ROUGH, progress)
        else:
            alpha[unknown] = {(True, False): 1, (False, True): 0, (False, False): 0.5}[known]
    return alpha


def _level(rgb: NDArray[np.uint8], trimap: NDArray[np.uint8]) -> _Level:
    return _Level(rgb, _equal(trimap, FOREGROUND), _equal(trimap, BACKGROUND))


def _equal(trimap: NDArray[np.uint8], value: int) -> NDArray[np.uint8]:
    """255 where the trimap has `value`, 0 elsewhere."""
    return cv2.inRange(trimap, (value,), (value,)).astype(np.uint8, copy=False)


def _around(region: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """The rows and columns that hold the region and a margin."""
    left, top, width, height = cv2.boundingRect(region.view(np.uint8))
    rows = slice(max(0, top - margin), top + height + margin)
    return rows, slice(max(0, left - margin), left + width + margin)


def _fill(
    alpha: NDArray[np.float32], full: _Level, work: _Level, tolerance: float, progress: Progress
) -> None:
    """Solve at the size of `work`, and write the unknown pixels of `alpha`."""
    if work is full:
        _solve(work, alpha, tolerance, progress)
    else:
        small = (work.subject == FOREGROUND).astype(np.float32)
        _solve(work, small, tolerance, progress)
        begun = _ASSEMBLING + _SOLVING
        _carry(work, small, alpha, full, partial(_advance, progress, begun, 1 - begun))


def _solve(level: _Level, alpha: NDArray[np.float32], tolerance: float, progress: Progress) -> None:
    """Write the unknown pixels of a level's alpha."""
    if not level.unknown.any():  # few pixels may be lost in the mean of a thousand
        return
    assembling = partial(_advance, progress, 0, _ASSEMBLING)
    band = laplacian.assemble(level.picture, level.subject, level.background, assembling)
    solving = partial(_advance, progress, _ASSEMBLING, _SOLVING)
    alpha[band.rows, band.columns] = band.solve(tolerance, _ITERATIONS, solving).clip(0, 1)


def _advance(progress: Progress, begun: float, span: float, share: float) -> None:
    progress.advance(begun + span * share)


def _reduced(full: _Level, scale: float, most: float) -> _Level:
    """The picture at `scale`, or below if that leaves too many unknown pixels."""
    if scale == 1 and min(full.subject.shape) >= _SMALLEST:
        return full
    work = full.reduced(scale)
    while (unknowns := np.count_nonzero(work.unknown)) > most:  # thin bands shrink less
        scale *= 0.99 * (most / unknowns) ** 0.5
        work = full.reduced(scale)
    return work


def _carry(
    level: _Level,
    solved: NDArray[np.float32],
    alpha: NDArray[np.float32],
    full: _Level,
    advance: Callable[[float], None],
) -> None:
    """Write the unknown pixels of the full size."""
    height, width = alpha.shape
    functions = guided.coefficients(level.picture, solved, _RADIUS, _SMOOTHNESS)
    for top, bottom in stripes(height, width * alpha.itemsize):
        advance(top / height)
        unknown = full.rows(top, bottom).unknown
        if unknown.any():
            values = guided.apply_rows(functions, full.picture, top, bottom)
            np.copyto(alpha[top:bottom], values, where=unknown)


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
