"""The matting Laplacian of a picture, for the pixels whose alpha is not known.

A. Levin, D. Lischinski, Y. Weiss, "A Closed-Form Solution to Natural Image Matting", IEEE PAMI
30(2), 2008: in each window of 3x3 pixels alpha is taken for a linear function of the colour; the
alpha that departs least from that everywhere is the solution of a sparse linear system. A pixel
meets those two steps away at most, so its row of the system has 5x5 places: a stencil.

Over a larger block, too, what the system hardly tells from zero is what is linear in the colour:
those are the functions by which it is solved (see `multigrid`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from cutaway.engine.blocks import Blocks
from cutaway.engine.multigrid import System

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["Band", "assemble"]

_ALL = 255  # the share of a pixel that is known as a whole
_WINDOW = 9  # pixels in a window
_EPSILON = 1e-7 / _WINDOW
"""What a window's variance of colour (0..1) is raised by, as in the paper's code."""
_TRUST = 1e-2
"""The weight of what is known of a part of a pixel."""
_SIDE = 4
"""Of a block, in pixels."""
_REACH = 2
"""Of a stencil, in pixels."""
_SPAN = 2 * _REACH + 1
_HALF = _SPAN**2 // 2  # the places before a stencil's own
_CHUNK = 256
"""Blocks worked on at once, about 15 kB each."""
_MIDDLE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The pixels whose alpha is not known, and the linear system for it.

    Attributes:
        rows: intp, shape (unknowns,): where they are in the picture.
        columns: intp, likewise.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    _unknown: NDArray[np.bool_]
    _system: System
    _right: Floats

    def solve(
        self, tolerance: float, iterations: int, advance: Callable[[float], None]
    ) -> NDArray[np.float32]:
        """Find alpha.

        Args:
            tolerance: Done when the mean error (root of the mean square) is about as small.
            iterations: Done after so many in any case.
            advance: Told the finished share (0..1) in each; what it raises goes through.

        Returns:
            float32, shape (unknowns,), not exactly within 0..1.
        """
        solution = self._system.solve(self._right, tolerance, iterations, advance)
        found: NDArray[np.float32] = solution[0, ..., :-1][self._unknown]
        return found


def assemble(
    picture: NDArray[np.uint8],
    subject: NDArray[np.uint8],
    background: NDArray[np.uint8],
    advance: Callable[[float], None],
) -> Band:
    """Set up the system for the pixels that are known neither as subject nor as background.

    A pixel of a reduced picture can be known in part: it leans a little to what is known there,
    or a thin strand that is known would be lost. About 300 bytes are taken for each unknown pixel.

    Args:
        picture: uint8, shape (height, width, 3), at least 3x3.
        subject: uint8, shape (height, width): the share of each pixel that is known to be
            subject, 255 for all of it.
        background: The same for the background.
        advance: Told the finished share (0..1) now and then; what it raises goes through.
    """
    unknown = np.maximum(subject, background) < _ALL
    square = np.ones((_SPAN, _SPAN), np.uint8)
    blocks = Blocks.covering(cv2.dilate(unknown.view(np.uint8), square).view(np.bool_), _SIDE)
    inside = blocks.taken(unknown, fill=0)
    stencils = _stencils(picture, blocks, advance)
    stencils *= inside[:, :, None, None]
    leans = [
        np.float32(_TRUST / _ALL) * (blocks.taken(share, fill=0) * inside)
        for share in (subject, background)
    ]
    stencils[:, :, _REACH, _REACH] += leans[0] + leans[1]
    rows = stencils[None, :, :, None, ..., :-1]
    system = System(blocks, rows, _functions(picture, blocks, inside))
    known = blocks.taken((subject == _ALL).astype(np.float32), fill=0)
    places = np.broadcast_arrays(*blocks.places())
    mask = inside[..., :-1]
    right = leans[0] - system.times(known[None])
    return Band(places[0][mask], places[1][mask], mask, system, right)


def _functions(picture: NDArray[np.uint8], blocks: Blocks, inside: NDArray[np.bool_]) -> Floats:
    """What alpha can be for next to nothing: the same everywhere, or as one of the channels."""
    functions = np.empty((1 + picture.shape[2], 1, *inside.shape), np.float32)
    functions[0] = inside
    for channel, function in enumerate(functions[1:]):
        values = blocks.taken(picture[..., channel], fill=0)
        function[0] = (values / np.float32(_ALL) - _MIDDLE) * inside
    return functions


def _stencils(
    picture: NDArray[np.uint8], blocks: Blocks, advance: Callable[[float], None]
) -> Floats:
    """The row of every pixel of the blocks.

    Returns:
        float32, shape (side, side, span, span, count + 1), the last column 0.
    """
    stencils = np.zeros((_SIDE, _SIDE, _SPAN, _SPAN, blocks.count + 1), np.float32)
    later = stencils.reshape(_SIDE, _SIDE, _SPAN**2, -1)[:, :, _HALF:]
    rows, columns = blocks.places(reach=1)
    height, width = picture.shape[:2]
    for begin in range(0, blocks.count, _CHUNK):
        advance(begin / blocks.count)
        chunk = slice(begin, begin + _CHUNK)
        at = rows[..., chunk].clip(0, height - 1), columns[..., chunk].clip(0, width - 1)
        whole = _within(rows[1:-1, :, chunk], height) & _within(columns[:, 1:-1, chunk], width)
        parts = _window_parts(picture[at], whole)
        _hand_out(parts, later, blocks.beside[..., chunk], slice(begin, begin + parts.shape[-1]))
    stencils[..., -1] = 0
    for place in range(1, _HALF + 1):
        down, right = divmod(place + _HALF, _SPAN)
        # What a pixel is to a later one, that one is to it.
        wide = blocks.widened(later[None, :, :, place], _REACH)[0]
        top, left = 2 * _REACH - down, 2 * _REACH - right
        stencils[:, :, top, left, :-1] = wide[top:, left:][:_SIDE, :_SIDE]
    return stencils


def _hand_out(
    parts: NDArray[np.float64], stencils: Floats, beside: NDArray[np.int32], chunk: slice
) -> None:
    """Add what windows give to their own blocks' pixels and to those around.

    Args:
        parts: What `_window_parts` returned for some blocks.
        stencils: float32, shape (side, side, 13, count + 1), of all blocks; written to. The last
            column takes what no one needs.
        beside: The numbers of the blocks around each of them.
        chunk: Their own numbers.
    """
    out_of = slice(1), slice(1, -1), slice(-1, None)
    into = slice(-1, None), slice(None), slice(1)
    for row, column in product(range(3), repeat=2):
        given = parts[out_of[row], out_of[column]]
        if row == column == 1:
            stencils[..., chunk] += given
        else:
            stencils[into[row], into[column]][..., beside[row, column]] += given


def _within(middle: NDArray[np.intp], size: int) -> NDArray[np.bool_]:
    """Whether windows around some rows, or columns, lie within the frame."""
    return (middle > 0) & (middle < size - 1)


def _window_parts(colours: NDArray[np.uint8], whole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the windows around each pixel of a block give to the later half of the stencils.

    Args:
        colours: uint8, shape (side + 2, side + 2, blocks, 3): the blocks and a pixel around them.
        whole: bool, shape (side, side, blocks): whether the window lies within the frame.

    Returns:
        float64, shape (side + 2, side + 2, 13, blocks): for each pixel, itself and the twelve
        places that follow it in the order of reading.
    """
    spread = _spread(colours)
    parts = np.zeros((*colours.shape[:2], _HALF + 1, colours.shape[2]))
    weight = whole.astype(np.float64)
    for first in range(_WINDOW):
        affinity = np.einsum("cabn,ckabn->kabn", spread[:, first], spread[:, first:])
        affinity += 1
        affinity *= -weight / _WINDOW
        affinity[0] += weight
        row, column = divmod(first, 3)
        target = parts[row : row + _SIDE, column : column + _SIDE]
        for second, part in enumerate(affinity, first):
            down, right = second // 3 - row, second % 3 - column
            target[:, :, down * _SPAN + right] += part
    return parts


def _spread(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The colours of each window's pixels less their mean, in units of the window's variance.

    The product of two of them is the paper's (I_i - mean)' (Covariance + eps / 9)^-1 (I_j - mean).

    Returns:
        float64, shape (3, 9, side, side, blocks).
    """
    windows = sliding_window_view(colours, (3, 3), axis=(0, 1))
    side, _, count = windows.shape[:3]
    shape = 3, _WINDOW, side, side, count
    centred = windows.transpose(3, 4, 5, 0, 1, 2).reshape(shape) / _ALL
    centred -= centred.mean(axis=1, keepdims=True)
    spread = np.empty_like(centred)
    factor: dict[tuple[int, int], NDArray[np.float64]] = {}  # Cholesky's
    for row, channel in enumerate(centred):
        spread[row] = channel
        for column in range(row + 1):
            entry = np.einsum("kabn,kabn->abn", channel, centred[column]) / _WINDOW
            for earlier in range(column):
                entry -= factor[row, earlier] * factor[column, earlier]
            if column < row:
                factor[row, column] = entry / factor[column, column]
                spread[row] -= factor[row, column] * spread[column]
            else:
                factor[row, row] = np.sqrt(entry + _EPSILON)
        spread[row] /= factor[row, row]
    return spread
