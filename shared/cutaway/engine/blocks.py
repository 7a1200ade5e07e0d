"""Square blocks of a grid: those that hold something, and who lies beside whom.

What is known of a band of pixels, thin and winding, is kept as if each block were a small picture:
an array's first axes are the place within a block, its last one the block. An operation on a pixel
and its neighbours is then one on whole arrays, though most of the picture takes no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Integers = NDArray[np.int32]

__all__ = ["Blocks"]

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """The blocks that hold a wanted node of a grid, row by row.

    Attributes:
        side: Of a block, in nodes.
        grid: int32, shape (rows, columns) of blocks: the number of each block, `count` where there
            is none.
        rows: intp, shape (count,): each block's row in the grid of blocks.
        columns: intp, shape (count,): likewise.
        beside: int32, shape (3, 3, count): the numbers of the blocks around each, by direction;
            `count` where there is none.
    """

    side: int
    grid: Integers
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    beside: Integers

    @classmethod
    def covering(cls, wanted: NDArray[np.bool_], side: int) -> Blocks:
        """All blocks that hold a wanted node.

        Args:
            wanted: bool, shape (height, width): the grid's nodes.
            side: Of a block, in nodes.
        """
        filled = _in_blocks(wanted, side, fill=False).any(axis=(1, 3))
        rows, columns = np.nonzero(filled)
        count = len(rows)
        framed = np.pad(np.full_like(filled, count, np.int32), 1, constant_values=count)
        grid = framed[1:-1, 1:-1]
        grid[filled] = np.arange(count, dtype=np.int32)
        beside = [framed[rows + down, columns + right] for down in range(3) for right in range(3)]
        return cls(side, grid, rows, columns, np.stack(beside).reshape(3, 3, count))

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return len(self.rows)

    def places(self, reach: int = 0) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows and columns in the grid of each block's nodes, and of those around them.

        Returns:
            Indices of shape (side + 2 * reach, 1, count) and (1, side + 2 * reach, count); at the
            frame they reach beyond it.
        """
        steps = np.arange(-reach, self.side + reach)
        rows = self.rows * self.side + steps[:, None, None]
        return rows, self.columns * self.side + steps[:, None][None]

    def taken(self, grid: NDArray[_Scalar], fill: int) -> NDArray[_Scalar]:
        """What a grid of nodes has in each block.

        Args:
            grid: Shape (height, width), the grid that the blocks cover.
            fill: What a node beyond the grid has, and all of the column that is added.

        Returns:
            Shape (side, side, count + 1).
        """
        values = np.full((self.side, self.side, self.count + 1), fill, grid.dtype)
        parted = _in_blocks(grid, self.side, fill)
        values[..., : self.count] = parted[self.rows, :, self.columns].transpose(1, 2, 0)
        return values

    def widened(self, values: Floats, reach: int) -> Floats:
        """Each block's values with those around it.

        Args:
            values: float32, shape (parts, side, side, count + 1), the last column 0, which is
                what lies around where there is no block.
            reach: How far around, at most `side`.

        Returns:
            float32, shape (parts, side + 2 * reach, side + 2 * reach, count).
        """
        parts, side = len(values), self.side
        wide = np.empty((parts, side + 2 * reach, side + 2 * reach, self.count), np.float32)
        into = slice(reach), slice(reach, reach + side), slice(reach + side, None)
        out_of = slice(side - reach, None), slice(None), slice(reach)
        for row in range(3):
            for column in range(3):
                there = values[:, out_of[row], out_of[column]]
                itself = row == column == 1
                wide[:, into[row], into[column]] = (
                    there[..., :-1] if itself else there.take(self.beside[row, column], axis=-1)
                )
        return wide


def _in_blocks(grid: NDArray[Any], side: int, fill: int) -> NDArray[Any]:
    """The grid as an array of shape (rows, side, columns, side), filled up to whole blocks."""
    height, width = grid.shape
    rows, columns = -(-height // side), -(-width // side)
    whole = np.full((rows * side, columns * side), fill, grid.dtype)
    whole[:height, :width] = grid
    return whole.reshape(rows, side, columns, side)
