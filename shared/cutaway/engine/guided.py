"""The guided filter: a matte as a linear function of the picture's colour around each pixel.

K. He, J. Sun, X. Tang, "Guided Image Filtering", IEEE PAMI 35(6), 2013, with a colour guide
(section 3.5). The functions that are fitted at a small size are applied at any other (K. He,
J. Sun, "Fast Guided Filter", arXiv:1505.00996): that is how a small matte takes on the edges of
a large picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import cv2
import numpy as np

from cutaway.compositing.enlarging import enlarged_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane: TypeAlias = NDArray[Any]

__all__ = ["WindowFit", "apply_rows", "coefficients", "fit_windows", "window_mean"]

_INTERCEPT = 3
_BLOCK = 1 << 16
"""Pixels worked on at once; each takes some 200 bytes meanwhile."""


class WindowFit(NamedTuple):
    """The function of the colour that is nearest to the matte in the window around each pixel.

    All are planes of the matte's shape and type.

    Attributes:
        slopes: One for each channel.
        intercept: What is added to the slopes times the colour.
        mean: Of the matte in the window.
        covariances: Of each channel and the matte there.
    """

    slopes: list[Plane]
    intercept: Plane
    mean: Plane
    covariances: list[Plane]


def coefficients(
    guide: NDArray[np.uint8], matte: NDArray[np.float32], radius: int, epsilon: float
) -> NDArray[np.float32]:
    """Fit `matte = slopes . colour + intercept` in the window around each pixel, and average.

    Args:
        guide: uint8, shape (height, width, 3): the picture at the matte's size.
        matte: float32, shape (height, width), 0..1.
        radius: Half the side of the square windows, in pixels, 0 or more; the picture is mirrored
            at its frame.
        epsilon: How strongly steep slopes are discouraged, in squared colour units, above 0
            (1e-5 follows all detail of the guide, 1e-2 smooths).

    Returns:
        float32, shape (height, width, 4): the slopes for red, green and blue, and the intercept,
        each the mean over all windows that hold the pixel.
    """
    height, width = matte.shape
    result = np.empty((height, width, 4), np.float32)
    halo = 2 * radius  # a mean over windows looks one radius far, and each window another
    rows = max(1, _BLOCK // width, 2 * halo)
    for top in range(0, height, rows):
        first, last = max(0, top - halo), top + rows + halo
        # In float32 the variance of a flat window, a difference of two means, would be lost.
        colour = [guide[first:last, :, channel] / 255 for channel in range(3)]
        fit = fit_windows(colour, matte[first:last].astype(np.float64), radius, epsilon)
        for index, values in enumerate((*fit.slopes, fit.intercept)):
            block = window_mean(values, radius)[top - first :][:rows]
            result[top : top + rows, :, index] = block
    return result


def apply_rows(
    coefficients: NDArray[np.float32], guide: NDArray[np.uint8], top: int, bottom: int
) -> NDArray[np.float32]:
    """The matte of some rows of a picture, by functions that were fitted at another size.

    The coefficients are interpolated linearly between pixel centres and repeated beyond the
    outermost; a row comes out the same whichever rows are asked for along with it. About 13
    bytes are taken for each pixel of those rows.

    Args:
        coefficients: What `coefficients` returned, any size.
        guide: uint8, shape (height, width, 3): the picture at its full size.
        top: The first row wanted.
        bottom: One past the last row wanted, above `top`.

    Returns:
        float32, shape (bottom - top, width), 0..1.
    """
    matte = np.zeros((bottom - top, guide.shape[1]), np.float32)
    for index in range(4):
        plane = enlarged_rows(coefficients[..., index], guide.shape, top, bottom)
        if index < _INTERCEPT:
            plane *= cv2.extractChannel(guide[top:bottom], index)
            plane /= 255
        matte += plane
    return np.clip(matte, 0, 1, out=matte)


def fit_windows(colour: list[Plane], matte: Plane, radius: int, epsilon: float) -> WindowFit:
    """Fit a matte to the colour in the window around each pixel (He et al., section 3.5).

    Args:
        colour: The picture's three channels, 0..1: planes of the matte's shape and type.
        matte: float32 or float64, shape (height, width), 0..1.
        radius: As `coefficients` takes it.
        epsilon: Likewise.
    """
    means = [window_mean(channel, radius) for channel in colour]
    mean = window_mean(matte, radius)
    covariances = [
        window_mean(channel * matte, radius) - centre * mean
        for channel, centre in zip(colour, means, strict=True)
    ]
    variances = {
        (i, j): window_mean(colour[i] * colour[j], radius) - means[i] * means[j]
        for i in range(3)
        for j in range(i, 3)
    }
    for i in range(3):
        variances[i, i] += epsilon
    slopes = _solve_symmetric(variances, covariances)
    intercept = mean - sum(slope * centre for slope, centre in zip(slopes, means, strict=True))
    return WindowFit(slopes, intercept, mean, covariances)


def _solve_symmetric(matrix: dict[tuple[int, int], Plane], right: list[Plane]) -> list[Plane]:
    """Solve a symmetric positive 3x3 system at each pixel, by its LDL' decomposition.

    Unlike Cramer's rule it stays exact where the three channels are one, as in a grey picture.

    Args:
        matrix: Its upper half by row and column, planes of one shape and float type.
        right: The right side: three planes.
    """
    d0 = matrix[0, 0]
    l10, l20 = matrix[0, 1] / d0, matrix[0, 2] / d0
    d1 = matrix[1, 1] - l10 * matrix[0, 1]
    rest = matrix[1, 2] - l10 * matrix[0, 2]
    l21 = rest / d1
    d2 = matrix[2, 2] - l20 * matrix[0, 2] - l21 * rest
    y0 = right[0]
    y1 = right[1] - l10 * y0
    y2 = right[2] - l20 * y0 - l21 * y1
    x2 = y2 / d2
    x1 = y1 / d1 - l21 * x2
    x0 = y0 / d0 - l10 * x1 - l20 * x2
    return [x0, x1, x2]


def window_mean(values: Plane, radius: int) -> Plane:
    """The mean over the window around each pixel, of the same shape and type."""
    side = 2 * radius + 1
    return cv2.boxFilter(values, -1, (side, side))
