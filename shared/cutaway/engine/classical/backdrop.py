"""A smooth backdrop: one slow change of colour behind all of the subject, as in a studio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Backdrop", "smooth_backdrop"]

_ROUNDS = 12
_MOST_SAMPLES = 4000
_FEWEST_SAMPLES = 60
_ROUGHEST = 6.0  # the median sample's distance from the fit, in 8-bit RGB
_LEAST_SHARE = 0.6  # of the samples that must be within reach
_NARROWEST_REACH = 20.0  # the corners that a lens darkens are no quadratic
_REACH_IN_SPREADS = 4.0
_BLUR = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """What a smooth backdrop would look like without the subject.

    Attributes:
        colours: float32, shape (height, width, 3), 8-bit RGB but neither rounded nor clipped.
        reach: How far from them the backdrop's own pixels are at most, as a Euclidean distance.
    """

    colours: NDArray[np.float32]
    reach: float

    def shows_at(self, rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Mark the pixels of the picture, uint8 of the same shape, that the backdrop explains."""
        smooth = cv2.GaussianBlur(rgb, (0, 0), _BLUR)
        return np.asarray(np.linalg.norm(smooth - self.colours, axis=2) < self.reach)


def smooth_backdrop(rgb: NDArray[np.uint8], where: NDArray[np.bool_]) -> Backdrop | None:
    """Fit a surface of the second degree to the colours of some pixels, whatever a few of them are.

    Source: Holland and Welsch, "Robust Regression Using Iteratively Reweighted Least-Squares",
    Communications in Statistics 1977, with Cauchy's weights.

    Args:
        rgb: uint8, shape (height, width, 3).
        where: bool, shape (height, width), True on pixels of which most show the backdrop.

    Returns:
        The backdrop; None where it is not smooth, or too little of it is to be seen.
    """
    places = np.flatnonzero(where)
    if len(places) < _FEWEST_SAMPLES:
        return None
    places = places[:: -(-len(places) // _MOST_SAMPLES)]
    terms = _terms(*where.shape)
    surface, away = _fitted(terms[places], rgb.reshape(-1, 3)[places].astype(np.float64))
    spread = float(np.median(away))
    reach = max(_NARROWEST_REACH, _REACH_IN_SPREADS * spread)
    if spread > _ROUGHEST or np.mean(away < reach) < _LEAST_SHARE:
        return None
    colours = np.einsum("pt,tc->pc", terms, surface).astype(np.float32)
    return Backdrop(colours.reshape(rgb.shape), reach)


def _fitted(
    terms: NDArray[np.float64], colours: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit colours, shape (samples, 3), by terms: the coefficients and each sample's distance."""
    weights = np.ones(len(terms))
    surface, away = np.zeros((terms.shape[1], 3)), weights
    for _ in range(_ROUNDS):
        weighted = (terms * weights[:, None]).T
        ridge = 1e-6 * np.eye(terms.shape[1])
        solved = np.linalg.solve(weighted @ terms + ridge, weighted @ colours)
        surface = solved.astype(np.float64)
        away = np.asarray(np.linalg.norm(terms @ surface - colours, axis=1), np.float64)
        weights = 1 / (1 + (away / (2 * max(float(np.median(away)), 1.0))) ** 2)
    return surface, away


def _terms(height: int, width: int) -> NDArray[np.float64]:
    """Raise each pixel's place, -1..1 on both axes, to the powers of a surface: (pixels, 6)."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2).reshape(-1, 6)
