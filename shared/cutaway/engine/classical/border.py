"""The colours of the border, which are the background's, and how unlike them a pixel is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.engine.classical.backdrop import smooth_backdrop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Border", "background_border", "colour_distance"]

_CLUSTERS = 6
_PIXELS_PER_CLUSTER = 50
_FEWEST_PIXELS = 8
_SPREAD_FLOOR = 6.0  # variance in CIE Lab that even the plainest wall may have
_SIDES = 4
_BOTTOM = 1
_TOUCHED = 0.03  # the share of a side that a colour must take to be there
_FARTHEST = 12.0
_MOST_CUTS = 4  # places where the frame may cut the subject; clutter meets it in more


@dataclass(frozen=True, slots=True, eq=False)
class Border:
    """The strip along the frame, as far as it shows background.

    Attributes:
        background: bool, shape (height, width), True on those pixels.
        clusters: int32, shape (height, width): which of the border's colours each of them has.
    """

    background: NDArray[np.bool_]
    clusters: NDArray[np.int32]


def background_border(lab: NDArray[np.float32], rgb: NDArray[np.uint8]) -> Border:
    """Find the part of the border that is background.

    Where most of it is one smooth backdrop, only that is: the rest, in few places, is a subject
    that the frame cuts. Otherwise all of it is, but for colours that are met at the bottom only:
    there the frame cuts people and things that stand on the ground, so those colours may be the
    subject's own.

    Args:
        lab: float32, shape (height, width, 3), CIE Lab.
        rgb: uint8, shape (height, width, 3), the same picture.
    """
    sides = _sides(lab.shape[0], lab.shape[1])
    strip = sides >= 0
    clusters = np.full(sides.shape, -1, np.int32)
    clusters[strip] = _clustered(lab[strip])
    backdrop = smooth_backdrop(rgb, strip)
    if backdrop is not None:
        plain = strip & backdrop.shows_at(rgb)
        # The fit sees a frame of one or two pixels, of which the blurred picture shows nothing.
        most = 2 * np.count_nonzero(plain) > np.count_nonzero(strip)
        if most and _runs(strip & ~plain) <= _MOST_CUTS:
            return Border(plain, clusters)
    counts = np.zeros((_SIDES, _CLUSTERS))
    np.add.at(counts, (sides[strip], clusters[strip]), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    elsewhere = np.delete(shares, _BOTTOM, axis=0).max(axis=0)
    cut = (shares[_BOTTOM] > _TOUCHED) & (elsewhere < _TOUCHED)
    return Border(strip & ~cut[clusters], clusters)


def colour_distance(lab: NDArray[np.float32], border: Border) -> NDArray[np.float32]:
    """Measure how far each pixel's colour is from the nearest colour of the background border.

    The distance is Mahalanobis', so a colour that varies much on the border covers much.

    Source: the boundary prior of Wei et al., "Geodesic Saliency Using Background Priors",
    ECCV 2012, with clusters of colour in place of paths.

    Args:
        lab: float32, shape (height, width, 3), CIE Lab.
        border: Its border.

    Returns:
        float32, shape (height, width), in standard deviations, at most 12.
    """
    nearest = np.full(lab.shape[:2], _FARTHEST, np.float32)
    for centre, whitening in _models(lab, border):
        distance = np.linalg.norm((lab - centre) @ whitening, axis=2)
        np.minimum(nearest, distance, out=nearest)
    return nearest


def _models(
    lab: NDArray[np.float32], border: Border
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield the centre of each colour of the background border, and the whitening of its spread."""
    for index in range(_CLUSTERS):
        colours = lab[border.background & (border.clusters == index)]
        if len(colours) >= _FEWEST_PIXELS:
            spread = np.cov(colours, rowvar=False) + _SPREAD_FLOOR * np.eye(3)
            whitening = np.linalg.cholesky(np.linalg.inv(spread))
            yield colours.mean(axis=0), whitening.astype(np.float32)


def _runs(pixels: NDArray[np.bool_]) -> int:
    """Count the connected groups of pixels, those of single pixels apart."""
    joined = cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    stats = cv2.connectedComponentsWithStats(joined, connectivity=8)[2]
    return int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= _FEWEST_PIXELS))


def _sides(height: int, width: int) -> NDArray[np.int8]:
    """Number the border's pixels by side: top 0, bottom 1, left 2, right 3; -1 inside."""
    strip = max(2, round(0.02 * min(height, width)))
    sides = np.full((height, width), -1, np.int8)
    sides[:strip], sides[-strip:], sides[:, :strip], sides[:, -strip:] = 0, _BOTTOM, 2, 3
    return sides


def _clustered(colours: NDArray[np.float32]) -> NDArray[np.int32]:
    """Cluster colours, shape (pixels, 3), by k-means++ [Arthur and Vassilvitskii, SODA 2007]."""
    count = min(_CLUSTERS, max(1, len(colours) // _PIXELS_PER_CLUSTER))
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    labels = np.empty((len(colours), 1), np.int32)
    cv2.setRNGSeed(0)  # k-means draws from the thread's generator and takes no seed of its own
    cv2.kmeans(colours, count, labels, stop, 2, cv2.KMEANS_PP_CENTERS)
    return labels.ravel()
