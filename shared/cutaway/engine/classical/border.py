"""How unlike the picture's border a pixel looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["colour_distance"]

_CLUSTERS = 6
_PIXELS_PER_CLUSTER = 50
_FEWEST_PIXELS = 8
_SPREAD_FLOOR = 6.0
_SIDE_TOUCHED = 0.08
_LARGE_SHARE = 0.15
_FARTHEST = 12.0


class _Cluster(NamedTuple):
    """A colour of the border: its centre, the whitening of its spread, and how much to trust it."""

    centre: NDArray[np.float32]
    whitening: NDArray[np.float32]
    doubt: float


def colour_distance(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Measure how far each pixel's colour is from the nearest colour of the border.

    The border strip is clustered, and the distance is Mahalanobis' to each cluster, so a border
    colour that varies much covers much. A colour found on one side only may be the subject's own,
    where the frame cuts it, so it counts for less.

    Source: the border prior of Wei et al., "Geodesic Saliency Using Background Priors", ECCV 2012,
    section 2; clusters by k-means++ [Arthur and Vassilvitskii, SODA 2007].

    Args:
        lab: float32, shape (height, width, 3), CIE Lab.

    Returns:
        float32, shape (height, width), in standard deviations, at most 12.
    """
    nearest = np.full(lab.shape[:2], _FARTHEST, np.float32)
    for cluster in _clusters(lab):
        whitened = (lab - cluster.centre) @ cluster.whitening
        distance = np.sqrt(np.sum(whitened**2, axis=2)) * np.float32(cluster.doubt)
        np.minimum(nearest, distance, out=nearest)
    return nearest


def _clusters(lab: NDArray[np.float32]) -> Iterator[_Cluster]:
    """Cluster the colours of the border strip."""
    sides = _sides(lab.shape[0], lab.shape[1])
    colours, side = lab[sides > 0], sides[sides > 0]
    label = _label(colours, min(_CLUSTERS, max(1, len(colours) // _PIXELS_PER_CLUSTER)))
    for index in range(int(label.max()) + 1):
        member = label == index
        if np.count_nonzero(member) < _FEWEST_PIXELS:
            continue
        spread = np.cov(colours[member], rowvar=False) + _SPREAD_FLOOR * np.eye(3)
        whitening = np.linalg.cholesky(np.linalg.inv(spread)).astype(np.float32)
        yield _Cluster(colours[member].mean(axis=0), whitening, _doubt(member, side))


def _sides(height: int, width: int) -> NDArray[np.uint8]:
    """Number the pixels of the border strip 1..4 by the side they are on, 0 inside."""
    strip = max(2, round(0.02 * min(height, width)))
    sides = np.zeros((height, width), np.uint8)
    sides[:strip], sides[-strip:], sides[:, :strip], sides[:, -strip:] = 1, 2, 3, 4
    return sides


def _label(colours: NDArray[np.float32], count: int) -> NDArray[np.int32]:
    """Cluster colours, shape (pixels, 3), by k-means; the same input gives the same clusters."""
    cv2.setRNGSeed(0)  # k-means draws from the thread's generator and takes no seed of its own
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    found = np.empty((len(colours), 1), np.int32)
    _, label, _ = cv2.kmeans(colours, count, found, stop, 2, cv2.KMEANS_PP_CENTERS)
    return label.ravel().astype(np.int32, copy=False)


def _doubt(member: NDArray[np.bool_], side: NDArray[np.uint8]) -> float:
    """Say how much to stretch distances to a cluster: 1 if it touches two sides or more."""
    shares = [np.mean(member[side == number]) for number in range(1, 5)]
    if sum(share > _SIDE_TOUCHED for share in shares) > 1:
        return 1.0
    return 1.25 if np.mean(member) > _LARGE_SHARE else 1.7
