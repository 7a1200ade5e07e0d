"""A matte's edges drawn to those of the picture, from one size of it to a finer one.

The functions of the colour that explain the matte at the coarse size are evaluated at the fine
one (`edge_fit`), tile by tile, and only where the matte is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.compositing.enlarging import enlarged_rows
from cutaway.engine.edge_fit import HALO, EdgeFit, fit_edges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from numpy.typing import NDArray

__all__ = ["SURE", "Drawing", "Level", "enlarged"]

SURE = 0.02
"""What is nearer to nothing or all than that is taken for it in the end."""
_TILE = 64
"""The side of a tile, in pixels of the coarse size."""
_MARGIN = HALO + 1  # and a pixel to interpolate with


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The picture at a size.

    Attributes:
        guide: uint8, shape (height, width, 3).
        halvings: How many led to it; each left out an odd last row and column.
    """

    guide: NDArray[np.uint8]
    halvings: int

    def times(self, finer: Level) -> int:
        """How many pixels of a finer level lie along the side of one of this."""
        return 1 << (self.halvings - finer.halvings)


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """The step from one level to a finer one, or to the same.

    Attributes:
        coarse: Where the functions are fitted.
        fine: Where they are evaluated.
        alpha: float32, 0..1, of the coarse level's size: its matte.
        drawn: Of the fine level's size, float32 of 0..1, or uint8 or uint16 without what is nearly
            sure: its matte by mere interpolation, which is drawn over.
        doubt: float32, 0..1: how far it may be drawn over, stretched over the whole picture.
    """

    coarse: Level
    fine: Level
    alpha: NDArray[np.float32]
    drawn: NDArray[Any]
    doubt: NDArray[np.float32]

    def run(self, pool: Executor) -> Iterator[float]:
        """Draw row after row of tiles, and tell before each the share that is done.

        Each tile is drawn by itself, so the result is the same for any number of threads.
        """
        height, width = self.alpha.shape
        for top in range(0, height, _TILE):
            yield top / height
            rows, _ = self._covered(top, 0)
            weight = enlarged_rows(self.doubt, self.drawn.shape, rows.start, rows.stop)
            drawing = []
            for left in range(0, width, _TILE):
                part = weight[:, self._covered(top, left)[1]]
                if part.any():
                    drawing.append(pool.submit(self._draw_tile, top, left, part))
            for tile in drawing:
                tile.result()

    def _covered(self, top: int, left: int) -> tuple[slice, slice]:
        """The rows and columns of the fine level that a tile of the coarse one covers."""
        times = self.coarse.times(self.fine)
        rows, columns = (
            slice(begin * times, (begin + _TILE) * times if begin + _TILE < coarse else fine)
            for begin, coarse, fine in zip(
                (top, left), self.alpha.shape, self.drawn.shape, strict=True
            )
        )
        return rows, columns

    def _draw_tile(self, top: int, left: int, weight: NDArray[np.float32]) -> None:
        place = self._covered(top, left)
        drawn, guide = self.drawn[place], self.fine.guide[place]
        fit = self._fitted(top, left, drawn.shape)
        trust = fit.trust * weight
        mixed = fit.intercept
        for channel, slope in enumerate(fit.slopes):
            mixed += slope * cv2.extractChannel(guide, channel)
        mixed *= weight
        if drawn.dtype == np.float32:
            mixed += (1 - trust) * drawn
            np.clip(mixed, 0, 1, out=drawn)
            return
        white = np.float32(np.iinfo(drawn.dtype).max)
        mixed -= np.float32(SURE) * trust
        mixed *= white / np.float32(1 - 2 * SURE)
        mixed += (1 - trust) * drawn
        drawn[...] = np.rint(mixed, out=mixed).clip(0, white)

    def _fitted(self, top: int, left: int, shape: tuple[int, ...]) -> EdgeFit:
        """The functions of a tile, enlarged to its shape on the fine level."""
        times = self.coarse.times(self.fine)
        first = [max(0, begin - _MARGIN) for begin in (top, left)]
        near = [max(0, begin - 1) for begin in (top, left)]
        rows, columns = (
            slice(start, begin + _TILE + _MARGIN)
            for start, begin in zip(first, (top, left), strict=True)
        )
        fit = fit_edges(self.coarse.guide[rows, columns], self.alpha[rows, columns])
        down, right = (close - start for close, start in zip(near, first, strict=True))
        below, beside = (top - near[0]) * times, (left - near[1]) * times

        def over(plane: NDArray[np.float32]) -> NDArray[np.float32]:
            inner = plane[down : down + _TILE + 2, right : right + _TILE + 2]
            large = enlarged(inner, times, (below + shape[0], beside + shape[1]))
            return large[below:, beside:]

        red, green, blue = map(over, fit.slopes)
        return EdgeFit((red, green, blue), over(fit.intercept), over(fit.trust))


def enlarged(plane: NDArray[Any], times: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Enlarge a plane so many times by linear interpolation.

    Args:
        plane: Shape (height, width), of any type that OpenCV resizes.
        times: How many pixels along the side of one.
        shape: The height and width to cut it to, or to fill up by repeating its last pixels.

    Returns:
        Of the same type, and of that shape.
    """
    if times > 1:
        plane = cv2.resize(plane, None, fx=times, fy=times, interpolation=cv2.INTER_LINEAR)
    below, beside = (max(0, want - have) for want, have in zip(shape, plane.shape, strict=False))
    if below or beside:
        plane = cv2.copyMakeBorder(plane, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    return plane[: shape[0], : shape[1]]
