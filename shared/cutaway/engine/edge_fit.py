"""A matte's edge as a function of the picture's colour around it.

In a small window the matte is fitted as a linear function of the colour (the guided filter: K. He,
J. Sun, X. Tang, IEEE PAMI 35(6), 2013), and the functions of all windows that hold a pixel are
averaged. Two things are added. How much of the matte's change the colour explains tells how far
the function is to be trusted: where both sides of an edge look alike, the matte is the better
guess. And where the matte steps from background to subject not quite where the colour does, the
function comes out too flat; it is steepened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import cv2
import numpy as np

from cutaway.engine.guided import fit_windows, window_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane: TypeAlias = NDArray[Any]

__all__ = ["HALO", "EdgeFit", "fit_edges"]

_RADIUS = 2
"""Half the side of the windows, in pixels: they span about the blur of a matte's edge."""
_BLUR = 1.0
"""The Gaussian that takes the picture to the sharpness of a matte of its size, in pixels. Without
it the finest strands weaken the regression: the matte doesn't know them."""
_BLUR_REACH = 2
HALO = 2 * _RADIUS + _BLUR_REACH
"""How far around a pixel its function depends on picture and matte."""
_EPSILON = 1e-4
"""Steep slopes are discouraged by it, in squared colour units: noise has no edge to tell."""
_EXPLAINED = 0.2, 0.8
"""The share of the matte's variance that the colour must explain: for any trust, and for full."""
_STEP = 0.15, 0.4
"""The matte's variance, in that of a clean step: for any steepening, and for all of it."""
_STEEPEST = np.float32(2.5)
_LEAST = np.float32(1e-4)
"""A mean that is nearer to nothing or all has no step."""
_FLAT = np.float32(1e-5)
"""Variances below these are none: such a matte has no edge here."""
_LEVEL = np.float32(1 / 255)


class EdgeFit(NamedTuple):
    """The functions, weighted by how far to trust them; each is float32, shape (height, width).

    Attributes:
        slopes: For red, green and blue of 0..255, times the trust.
        intercept: Times the trust.
        trust: 0..1; what it leaves is for the matte itself.
    """

    slopes: tuple[Plane, Plane, Plane]
    intercept: Plane
    trust: Plane


def fit_edges(guide: NDArray[np.uint8], matte: NDArray[np.float32]) -> EdgeFit:
    """Fit a matte to the colours of a picture of the same size.

    Args:
        guide: uint8, shape (height, width, 3).
        matte: float32, shape (height, width), 0..1.
    """
    size = (2 * _BLUR_REACH + 1,) * 2
    blurred = cv2.GaussianBlur(guide, size, _BLUR).astype(np.float32)
    colour = [channel * _LEVEL for channel in cv2.split(blurred)]
    fit = fit_windows(colour, matte, _RADIUS, _EPSILON)
    explained = _mean(np.maximum(_dot(fit.slopes, fit.covariances), 0))
    variance = _mean(_mean(matte * matte) - fit.mean * fit.mean)
    share = explained / np.maximum(variance, _FLAT)
    trust = _risen(share, *_EXPLAINED)
    gain = trust * _gain(share, variance, _mean(fit.mean))
    red, green, blue = (_mean(slope) * (gain * _LEVEL) for slope in fit.slopes)
    # Steeper around one half.
    centred = _mean(fit.intercept) * gain + (trust - gain) * np.float32(0.5)
    return EdgeFit((red, green, blue), centred, trust)


def _gain(share: Plane, variance: Plane, mean: Plane) -> Plane:
    """How much steeper each function is to be, by the share of the variance that it explains.

    Errors in what explains weaken a regression by just that share (attenuation: W. A. Fuller,
    "Measurement Error Models", 1987, section 1.1). A clean step of mean m has the variance
    m (1 - m): a wide fade, whose variance in a window is less, stays as it is.
    """
    step = variance / np.maximum(mean * (1 - mean), _LEAST)
    steeper = 1 / np.maximum(share, 1 / _STEEPEST)
    gain: Plane = 1 + (steeper - 1) * _risen(step, *_STEP)
    return gain


def _risen(values: Plane, low: float, high: float) -> Plane:
    """A smooth rise from 0 at `low` to 1 at `high`."""
    share = ((values - np.float32(low)) * np.float32(1 / (high - low))).clip(0, 1)
    risen: Plane = share * share * (3 - 2 * share)
    return risen


def _dot(one: list[Plane], other: list[Plane]) -> Plane:
    product: Plane = one[0] * other[0]
    product += one[1] * other[1]
    product += one[2] * other[2]
    return product


def _mean(values: Plane) -> Plane:
    return window_mean(values, _RADIUS)
