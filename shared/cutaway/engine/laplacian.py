"""The matting Laplacian of a picture, for the pixels whose alpha is not known.

A. Levin, D. Lischinski, Y. Weiss, "A Closed-Form Solution to Natural Image Matting", IEEE PAMI
30(2), 2008: in each window of 3x3 pixels alpha is taken for a linear function of the colour; the
alpha that departs least from that everywhere is the solution of a sparse linear system. A pixel
meets those two steps away at most, so its row of the system has 25 places: a stencil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["BandSystem", "assemble"]

_ALL = 255  # the share of a pixel that is known as a whole
_EPSILON = 1e-7  # the paper's, as variance of a colour 0..1
_TRUST = 1e-2  # the weight of what is known of a part of a pixel
_WINDOW = 9  # pixels in a window
_STENCIL = 25  # places in a row
_SELF = 12  # the place of the pixel itself
_BLOCK = 1 << 12  # windows worked on at once, about 3 kB each


@dataclass(frozen=True, slots=True, eq=False)
class BandSystem:
    """The linear system for alpha in the unknown band.

    Attributes:
        stencils: float64, shape (unknowns, 25): each unknown pixel's row, by place.
        neighbours: intp, shape (unknowns, 25): the number of the unknown pixel at each place;
            the count of unknowns where the pixel there is known or outside.
        right: float64, shape (unknowns,): what the known pixels add up to.
    """

    stencils: NDArray[np.float64]
    neighbours: NDArray[np.intp]
    right: NDArray[np.float64]

    def solve(
        self,
        start: NDArray[np.float64],
        tolerance: float,
        iterations: int,
        advance: Callable[[float], None],
    ) -> NDArray[np.float64]:
        """Solve by conjugate gradients, preconditioned with the diagonal.

        J. R. Shewchuk, "An Introduction to the Conjugate Gradient Method Without the Agonizing
        Pain", 1994, appendix B3.

        Args:
            start: float64, shape (unknowns,): a first guess.
            tolerance: Done when the residual is this small compared with the right side.
            iterations: Done after so many in any case.
            advance: Told the finished share (0..1) before each; what it raises goes through.

        Returns:
            float64, shape (unknowns,).
        """
        solution = start.copy()
        scale = 1 / np.maximum(self.stencils[:, _SELF], np.finfo(np.float64).tiny)
        residual = self.right - self._times(solution)
        enough = tolerance**2 * _dot(self.right, self.right)
        direction = scale * residual
        energy = _dot(residual, direction)
        for done in range(iterations):
            advance(done / iterations)
            if _dot(residual, residual) <= enough:
                break
            image = self._times(direction)
            curvature = _dot(direction, image)
            if curvature <= 0:  # rounding has used up what the system knows
                break
            step = energy / curvature
            solution += step * direction
            residual -= step * image
            preconditioned = scale * residual
            before, energy = energy, _dot(residual, preconditioned)
            direction = preconditioned + (energy / before) * direction
        return solution

    def _times(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The system's matrix times `values`."""
        around = np.append(values, 0.0)[self.neighbours]
        product: NDArray[np.float64] = np.einsum("nk,nk->n", self.stencils, around)
        return product


def assemble(
    picture: NDArray[np.uint8], subject: NDArray[np.uint8], background: NDArray[np.uint8]
) -> BandSystem:
    """Set up the system for the pixels that are known neither as subject nor as background.

    A pixel of a reduced picture can be known in part: it leans a little to what is known there,
    or a thin strand that is known would be lost.

    Args:
        picture: uint8, shape (height, width, 3), at least 3x3.
        subject: uint8, shape (height, width): the share of each pixel that is known to be
            subject, 255 for all of it.
        background: The same for the background.
    """
    unknown = np.maximum(subject, background) < _ALL
    count = int(np.count_nonzero(unknown))
    numbers = np.full((unknown.shape[0] + 4, unknown.shape[1] + 4), count, np.int32)
    numbers[2:-2, 2:-2][unknown] = np.arange(count)
    stencils = _stencils(picture, numbers[2:-2, 2:-2], count)
    known_subject = np.pad(subject == _ALL, 2)
    around = sliding_window_view(known_subject, (5, 5))[unknown].reshape(count, _STENCIL)
    right = -np.einsum("nk,nk->n", stencils, around)
    lean_in, lean_out = (_TRUST / _ALL * share[unknown] for share in (subject, background))
    right += lean_in
    stencils[:, _SELF] += lean_in + lean_out
    neighbours = sliding_window_view(numbers, (5, 5))[unknown].reshape(count, _STENCIL)
    return BandSystem(stencils, neighbours.astype(np.intp), right)


def _stencils(
    picture: NDArray[np.uint8], numbers: NDArray[np.int32], count: int
) -> NDArray[np.float64]:
    """Add up what each window gives to its unknown pixels' rows."""
    total = np.zeros((count + 1) * _STENCIL)  # the last row takes what known pixels don't need
    windows = sliding_window_view(numbers, (3, 3))
    colours = sliding_window_view(picture, (3, 3), axis=(0, 1))
    centres = cv2.dilate((numbers < count).view(np.uint8), np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero(centres[1:-1, 1:-1])
    for begin in range(0, len(rows), _BLOCK):
        chosen = rows[begin : begin + _BLOCK], columns[begin : begin + _BLOCK]
        targets = windows[chosen].reshape(-1, _WINDOW, 1) * _STENCIL + _PLACES
        parts = _window_parts(colours[chosen].reshape(-1, 3, _WINDOW))
        total += np.bincount(targets.ravel(), parts.ravel(), len(total))
    return total.reshape(-1, _STENCIL)[:count]


def _window_parts(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Each window's 9x9 part of the Laplacian, the paper's for colour pictures."""
    centred = colours / _ALL
    centred -= centred.mean(axis=2, keepdims=True)
    rows = centred.transpose(0, 2, 1)
    covariance = centred @ rows / _WINDOW + np.eye(3) * _EPSILON
    affinity = rows @ np.linalg.solve(covariance, centred)
    parts: NDArray[np.float64] = np.eye(_WINDOW) - (1 + affinity) / _WINDOW
    return parts


def _places() -> NDArray[np.intp]:
    """Where each of a window's pixels finds each other one in its 5x5 stencil."""
    row, column = np.divmod(np.arange(_WINDOW), 3)
    return (row - row[:, None] + 2) * 5 + column - column[:, None] + 2


_PLACES = _places()


def _dot(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    # BLAS would wake its threads for this, which costs more than the sum on a busy machine.
    return float(np.einsum("n,n->", one, other))
