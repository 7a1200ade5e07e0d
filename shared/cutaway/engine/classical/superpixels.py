"""Small patches of like colour: SLIC superpixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Superpixels", "split"]

_ROUNDS = 5
_COMPACTNESS = 12.0  # how many units of CIE Lab the width of a patch is worth


@dataclass(frozen=True, slots=True, eq=False)
class Superpixels:
    """A picture split into patches.

    Attributes:
        labels: int64, shape (height, width): the patch of each pixel, 0..count-1.
        colours: float64, shape (count, 3): each patch's mean colour.
        centres: float64, shape (count, 2): each patch's mean row and column.
    """

    labels: NDArray[np.int64]
    colours: NDArray[np.float64]
    centres: NDArray[np.float64]


def split(lab: NDArray[np.float32], count: int) -> Superpixels:
    """Split a picture into about `count` patches of like colour.

    Source: Achanta et al., "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods",
    PAMI 2012, section 3. Each pixel chooses among the nine patches that began in its cell of the
    grid and the cells around it, so a cell's pixels and its nine candidates are one matrix product.

    Args:
        lab: float32, shape (height, width, 3), CIE Lab.
        count: Patches wanted; a few more or less come out.
    """
    height, width = lab.shape[:2]
    step = max(1, round((height * width / count) ** 0.5))
    grid = _Grid(-(-height // step), -(-width // step), step)
    points = _points(lab, _COMPACTNESS / step)
    cells = grid.cells(points)
    means = _cell_middles(points, grid)
    labels = np.empty((height, width), np.int64)
    for _ in range(_ROUNDS):
        labels = grid.nearest(cells, means)[:height, :width]
        means = _means(points, labels, means)
    used, labels = np.unique(labels, return_inverse=True)
    return Superpixels(labels, means[used, :3], means[used, 3:] * (step / _COMPACTNESS))


@dataclass(frozen=True, slots=True)
class _Grid:
    """Square cells of `step` pixels that cover the picture, each the start of one patch."""

    rows: int
    columns: int
    step: int

    def cells(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Arrange points as (cells, pixels in a cell, 6), with a last coordinate of 1."""
        height, width, _ = points.shape
        below, right = self.rows * self.step - height, self.columns * self.step - width
        padded = np.pad(points, ((0, below), (0, right), (0, 0)), mode="edge")
        tiled = padded.reshape(self.rows, self.step, self.columns, self.step, -1).swapaxes(1, 2)
        flat = tiled.reshape(self.rows * self.columns, self.step * self.step, -1)
        return np.concatenate([flat, np.ones_like(flat[..., :1])], axis=2)

    def nearest(self, cells: NDArray[np.float32], means: NDArray[np.float64]) -> NDArray[np.int64]:
        """Give each pixel of the grid the closest of its nine candidates."""
        candidates = self.neighbours()
        # |p - m|^2 = |p|^2 - 2 p.m + |m|^2, and |p|^2 is the same for all candidates of p
        forms = np.column_stack([-2 * means, np.sum(means**2, axis=1)]).astype(np.float32)
        costs = cells @ forms[candidates].swapaxes(1, 2)
        chosen = np.take_along_axis(candidates, np.argmin(costs, axis=2), axis=1)
        tiled = chosen.reshape(self.rows, self.columns, self.step, self.step).swapaxes(1, 2)
        return np.asarray(tiled.reshape(self.rows * self.step, self.columns * self.step))

    def neighbours(self) -> NDArray[np.int64]:
        """Number the nine cells around each cell, shape (cells, 9); at the rim, some twice."""
        row, column = np.divmod(np.arange(self.rows * self.columns)[:, None], self.columns)
        down, across = np.divmod(np.arange(9), 3)
        row = np.clip(row + down - 1, 0, self.rows - 1)
        column = np.clip(column + across - 1, 0, self.columns - 1)
        return np.asarray(row * self.columns + column)


def _points(lab: NDArray[np.float32], pull: float) -> NDArray[np.float32]:
    """Join colour and place, the place scaled by `pull`: shape (height, width, 5)."""
    row, column = np.indices(lab.shape[:2], dtype=np.float32)
    return np.dstack([lab, row * pull, column * pull]).astype(np.float32, copy=False)


def _cell_middles(points: NDArray[np.float32], grid: _Grid) -> NDArray[np.float64]:
    """Take the colour and place at the middle of each cell."""
    height, width, _ = points.shape
    rows = np.minimum(np.arange(grid.rows) * grid.step + grid.step // 2, height - 1)
    columns = np.minimum(np.arange(grid.columns) * grid.step + grid.step // 2, width - 1)
    smooth = cv2.blur(points, (3, 3))  # so that no patch starts from a single noisy pixel
    return smooth[np.ix_(rows, columns)].reshape(-1, points.shape[2]).astype(np.float64)


def _means(
    points: NDArray[np.float32], labels: NDArray[np.int64], before: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average the points of each patch; a patch that lost all its pixels stays as it was."""
    flat = labels.ravel()
    counts = np.bincount(flat, minlength=len(before))
    sums = np.column_stack(
        [np.bincount(flat, channel.ravel(), len(before)) for channel in np.moveaxis(points, 2, 0)]
    )
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], before)
