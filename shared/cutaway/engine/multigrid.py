"""Large sparse systems on the nodes of blocks, solved at many sizes at once.

Conjugate gradients need few steps where each step's error is well estimated. A smaller system does
that here, one that speaks of whole blocks: what it adds to a block is a combination of a few
functions on the block's nodes, which the caller gives: those that the system can hardly tell from
zero (P. Vanek, J. Mandel, M. Brezina, "Algebraic Multigrid by Smoothed Aggregation for Second and
Fourth Order Elliptic Problems", Computing 56, 1996, section 3, without the smoothing). It is
solved likewise, by two steps at each size (Y. Notay, P. S. Vassilevski, "Recursive Krylov-based
Multigrid Cycles", Numerical Linear Algebra with Applications 15, 2008), down to one that is small
enough to be inverted.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from cutaway.engine.blocks import Blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["System"]

_DAMPING = 0.65
"""Of a division by the diagonal, which would overshoot alone: below 2 / the largest eigenvalue."""
_SIDE = 2
"""Of a block of blocks."""
_INVERTED = 128
"""The most blocks of a system that is inverted."""
_CYCLES = 2
"""Steps of the smaller system for each step of the larger one."""
_MUCH_SMALLER = 3
"""Times. Where blocks of that side don't make a system so (a line of blocks just halves), they are
of twice the side, or the many steps of many sizes would add up."""
_DEPENDENT = 1e-3
"""A function that differs no more than this from what the ones before it make is left out."""
_RIDGES = (1e-8, 1e-6, 1e-4, 1e-2)
"""Of the largest diagonal: what is added to the others so that a matrix can be inverted."""
_EMPTY = 1e-9
"""A diagonal below it has no row."""


class _Solver(Protocol):
    """What estimates the blocks' shares in the functions."""

    def approximate(self, right: Floats) -> Floats:
        """Roughly the solution; both are of shape (functions, count + 1)."""
        ...


class System:
    """A symmetric, positive system whose rows reach a few nodes around each.

    Each node holds a number or several, its parts. Values are float32 of shape
    (parts, side, side, count + 1): by part, place in the block, and block; 0 in the last column
    and at nodes without a row.

    Args:
        blocks: The nodes.
        stencils: float32, shape (parts, side, side, parts, span, span, count), the span odd and at
            most 2 * side + 1: each part's row, by part and place of what it refers to, its own
            node in the middle.
        functions: float32, (functions, *values): what the system can hardly tell from zero; made
            orthonormal in each block, in place.
    """

    def __init__(self, blocks: Blocks, stencils: Floats, functions: Floats) -> None:
        self._blocks = blocks
        self._stencils = stencils
        self._reach = stencils.shape[-2] // 2
        self._scale = np.zeros(functions.shape[1:], np.float32)
        for part, rows in enumerate(stencils):
            diagonal = rows[:, :, part, self._reach, self._reach]
            scale = self._scale[part, ..., :-1]
            np.divide(_DAMPING, diagonal, out=scale, where=diagonal > _EMPTY)
        self._functions = functions
        shares = _orthonormalize(functions)
        self._coarse = _coarse(blocks, self._combined(), shares)

    def times(self, values: Floats) -> Floats:
        """The system's matrix times some values."""
        wide = self._blocks.widened(values, self._reach)
        part, row, column, block = wide.strides
        # As a `sliding_window_view`, but that one takes longer to make than a small product.
        strides = part, row, column, row, column, block
        shape = len(values), *self._stencils.shape[1:3], *self._stencils.shape[4:]
        around = np.ndarray(shape, np.float32, wide, strides=strides)
        image = np.zeros_like(values)
        np.einsum("qabpijn,pabijn->qabn", self._stencils, around, out=image[..., :-1])
        return image

    def solve(
        self, right: Floats, tolerance: float, iterations: int, advance: Callable[[float], None]
    ) -> Floats:
        """Solve for a right side.

        Args:
            right: Values.
            tolerance: Done when the mean error (root of the mean square) is estimated to be below.
            iterations: Done after so many in any case.
            advance: Told the finished share (0..1) in each; what it raises goes through.
        """
        unknowns = max(1, int(np.count_nonzero(self._scale)))
        enough = tolerance**2 * unknowns
        shares = (1 - 0.8**done for done in range(iterations))  # as far as one can tell

        def precise(step: Floats) -> bool:
            advance(next(shares))
            return _dot(step, step) <= enough

        return self._solution(right.copy(), iterations, precise)

    def approximate(self, right: Floats) -> Floats:
        """Roughly the solution; the right side is written to."""
        return self._solution(right, _CYCLES, lambda _: False)

    def _solution(
        self, residual: Floats, iterations: int, precise: Callable[[Floats], bool]
    ) -> Floats:
        """Flexible conjugate gradients, which allow for an estimate that varies.

        Args:
            residual: The right side; written to.
            iterations: Done after so many.
            precise: Whether a step, as estimated, is small enough to be the last.
        """
        solution = np.zeros_like(residual)
        direction = image = np.zeros_like(residual)
        curvature = 1.0
        for _ in range(iterations):
            step = self._estimate(residual)
            if precise(step):
                solution += step
                break
            step -= _dot(step, image) / curvature * direction
            direction, image = step, self.times(step)
            curvature = _dot(direction, image)
            if curvature <= 0:  # rounding has used up what the system knows
                break
            length = _dot(residual, direction) / curvature
            solution += length * direction
            residual -= length * image
        return solution

    def _estimate(self, residual: Floats) -> Floats:
        """What is missing, roughly: node by node, then by blocks, then node by node again."""
        missing = self._scale * residual
        missing += self._correction(residual - self.times(missing))
        missing += self._scale * (residual - self.times(missing))
        return missing

    def _correction(self, residual: Floats) -> Floats:
        """What is missing as far as the functions can tell."""
        seen = np.einsum("kpabn,pabn->kn", self._functions, residual)
        found = self._coarse.approximate(seen)
        missing: Floats = np.einsum("kpabn,kn->pabn", self._functions, found)
        return missing

    def _combined(self) -> Floats:
        """What the functions of a block and of those around it have to do with each other.

        Returns:
            float32, shape (functions, functions, 3, 3, count + 1): the smaller system's rows.
        """
        size, side, count = len(self._functions), self._blocks.side, self._blocks.count
        combined = np.zeros((size, size, 3, 3, count + 1), np.float32)
        for second, function in enumerate(self._functions):
            wide = self._blocks.widened(function, self._reach)
            for part, row, column in np.ndindex(self._scale.shape[:-1]):
                here = self._functions[:, part, row, column, :-1]
                stencil = self._stencils[part, row, column]
                vertical, horizontal = (_reached(at, self._reach, side) for at in (row, column))
                for (down, near, far), (right, close, wider) in product(vertical, horizontal):
                    image = np.einsum("pijn,pijn->n", stencil[:, near, close], wide[:, far, wider])
                    combined[:, second, down, right, :-1] += here * image
        return combined


def _reached(place: int, reach: int, side: int) -> list[tuple[int, slice, slice]]:
    """Which of three blocks in a row a stencil reaches from a place in the middle one.

    Returns:
        For each of those blocks its number, the part of the stencil, and that of the widened row.
    """
    edges = (0, reach, reach + side, 2 * reach + side)
    reached = []
    for block, (first, last) in enumerate(pairwise(edges)):
        begin, end = max(place, first), min(place + 2 * reach + 1, last)
        if begin < end:
            reached.append((block, slice(begin - place, end - place), slice(begin, end)))
    return reached


def _orthonormalize(functions: Floats) -> Floats:
    """Make the functions independent in each block, in place (Gram and Schmidt).

    Returns:
        float32, shape (functions, functions, count + 1): how much of each new one was in each.
    """
    shares = np.zeros((len(functions), len(functions), functions.shape[-1]), np.float32)
    for number, function in enumerate(functions):
        for earlier, other in enumerate(functions[:number]):
            share = np.einsum("pabn,pabn->n", other, function)
            functions[number] -= share * other
            shares[earlier, number] = share
        length = np.sqrt(np.einsum("pabn,pabn->n", function, function))
        length[length <= _DEPENDENT] = 0
        functions[number] *= np.divide(1, length, out=np.zeros_like(length), where=length > 0)
        shares[number, number] = length
    return shares


def _coarse(blocks: Blocks, rows: Floats, functions: Floats) -> _Solver:
    """The system that speaks of whole blocks.

    Args:
        blocks: Its nodes.
        rows: float32, shape (parts, parts, 3, 3, count + 1): each part's row, by direction.
        functions: float32, shape (parts, functions, count + 1).
    """
    if blocks.count <= _INVERTED:
        return _Inverse(blocks, rows[..., :-1])
    return _Smaller(blocks, rows, functions)


class _Smaller:
    """A system of blocks of blocks."""

    def __init__(self, blocks: Blocks, rows: Floats, functions: Floats) -> None:
        held = blocks.grid < blocks.count
        outer = Blocks.covering(held, _SIDE)
        if outer.count * _MUCH_SMALLER > blocks.count:
            outer = Blocks.covering(held, 2 * _SIDE)
        self._order = outer.taken(blocks.grid, blocks.count)
        self._places = np.empty(blocks.count + 1, np.int32)
        self._places[self._order] = np.arange(self._order.size).reshape(self._order.shape)
        self._places[-1] = outer.count  # a column that is 0
        parts, side = len(rows), outer.side
        stencils = np.empty((parts, side, side, parts, 3, 3, outer.count), np.float32)
        for part, row, column in np.ndindex(parts, side, side):
            there = self._order[row, column, :-1]
            # Unless it clips, `take` works on a copy of `out`.
            rows[part].take(there, axis=-1, out=stencils[part, row, column], mode="clip")
        ordered = functions.take(self._order, axis=-1).swapaxes(0, 1)
        self._system = System(outer, stencils, np.ascontiguousarray(ordered))

    def approximate(self, right: Floats) -> Floats:
        """As `_Solver` has it."""
        solution = self._system.approximate(right.take(self._order, axis=-1))
        return solution.reshape(len(right), -1).take(self._places, axis=-1)


class _Inverse:
    """A system that is small enough to be inverted."""

    def __init__(self, blocks: Blocks, rows: Floats) -> None:
        parts, count = len(rows), blocks.count
        matrix = np.zeros((parts, count + 1, parts, count + 1))
        for first, second, down, right in np.ndindex(rows.shape[:-1]):
            others = blocks.beside[down, right]
            matrix[first, np.arange(count), second, others] = rows[first, second, down, right]
        square = matrix[:, :-1, :, :-1].reshape(parts * count, parts * count)
        self._inverse = _inverted(square).astype(np.float32)

    def approximate(self, right: Floats) -> Floats:
        """As `_Solver` has it, but exactly."""
        solution = np.zeros_like(right)
        # BLAS would wake its threads for this, which costs more than the sum on a busy machine.
        known = np.einsum("ij,j->i", self._inverse, right[:, :-1].ravel())
        solution[:, :-1] = known.reshape(len(right), -1)
        return solution


def _inverted(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of a symmetric matrix that is positive, but for rounding and rows of zeros."""
    even = (matrix + matrix.T) / 2
    diagonal = even.diagonal().copy()
    diagonal[diagonal <= _EMPTY] = 1
    for ridge in _RIDGES:
        np.fill_diagonal(even, diagonal + ridge * diagonal.max(initial=0))
        positive, inverse = cv2.invert(even, flags=cv2.DECOMP_CHOLESKY)
        if positive:
            return inverse.astype(np.float64, copy=False)
    return np.diag(1 / diagonal)


def _dot(one: Floats, other: Floats) -> float:
    return float(np.einsum("pabn,pabn->", one, other))
