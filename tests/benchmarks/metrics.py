"""How good a matte is beside the true one: the measures of the field.

Mattes are float arrays of shape (height, width), 0..1; all but `mean_absolute_error` cut the true
matte at half. Every measure is 0..1 and best at 1, but for `mean_absolute_error`, best at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Matte = NDArray[np.float64]
    Shape = NDArray[np.bool_]

__all__ = [
    "Scores",
    "Tally",
    "boundary_f",
    "f_curve",
    "intersection_over_union",
    "max_f",
    "mean_absolute_error",
    "s_measure",
]

_BETA_SQUARED = 0.3
_LEVELS = 256
_TINY = 1e-20


def mean_absolute_error(matte: Matte, truth: Matte) -> float:
    """The mean difference (F. Perazzi et al., "Saliency Filters", CVPR 2012)."""
    return float(np.abs(matte - truth).mean())


def intersection_over_union(matte: Matte, truth: Matte) -> float:
    """The overlap of both, cut at half (M. Everingham et al., "The PASCAL VOC", IJCV 2010)."""
    one, other = _shape(matte), _shape(truth)
    union = int((one | other).sum())
    return float((one & other).sum() / union) if union else 1.0


def f_curve(matte: Matte, truth: Matte) -> NDArray[np.float64]:
    """The F-measure of the matte cut at each of 255..0 / 255.

    R. Achanta et al., "Frequency-tuned Salient Region Detection", CVPR 2009, with their weight of
    0.3, which favours precision.
    """
    levels = np.rint(matte * (_LEVELS - 1)).astype(np.intp)
    subject = _shape(truth)
    hits = np.bincount(levels[subject], minlength=_LEVELS)[::-1].cumsum()
    misses = np.bincount(levels[~subject], minlength=_LEVELS)[::-1].cumsum()
    precision = hits / np.maximum(hits + misses, 1)
    recall = hits / max(int(subject.sum()), 1)
    weighted = (1 + _BETA_SQUARED) * precision * recall
    curve: NDArray[np.float64] = weighted / np.maximum(_BETA_SQUARED * precision + recall, _TINY)
    return curve


def max_f(curves: Sequence[NDArray[np.float64]]) -> float:
    """The best of the mean of the pictures' F curves: one threshold for the whole data set.

    A. Borji et al., "Salient Object Detection: A Benchmark", IEEE TIP 2015.
    """
    return float(np.mean(curves, axis=0).max())


def s_measure(matte: Matte, truth: Matte) -> float:
    """Likeness of structure, by region and by object in equal parts.

    D.-P. Fan et al., "Structure-measure: A New Way to Evaluate Foreground Maps", ICCV 2017.
    """
    subject = _shape(truth)
    share = float(subject.mean())
    if share == 0:
        return float(1 - matte.mean())
    if share == 1:
        return float(matte.mean())
    by_object = share * _uniformity(matte[subject])
    by_object += (1 - share) * _uniformity(1 - matte[~subject])
    return max(0.0, (by_object + _by_region(matte, subject)) / 2)


def boundary_f(matte: Matte, truth: Matte, tolerance: float = 2.0) -> float:
    """The F-measure of the outlines, cut at half: a point hits within `tolerance` pixels.

    D. Martin et al., "Learning to Detect Natural Image Boundaries", IEEE PAMI 2004, as F. Perazzi
    et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR
    2016, use it, but with nearest points for a matching and distances in pixels whatever the
    picture's size.
    """
    found, wanted = _outline(_shape(matte)), _outline(_shape(truth))
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision = float((_distance_to(wanted)[found] <= tolerance).mean())
    recall = float((_distance_to(found)[wanted] <= tolerance).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """A data set's scores: means over its pictures, but for `max_f`, as that says."""

    pictures: int
    mean_absolute_error: float
    intersection_over_union: float
    max_f: float
    s_measure: float
    boundary_f: float


class Tally:
    """Gathers the scores of a data set, picture by picture."""

    def __init__(self) -> None:
        self._curves: list[NDArray[np.float64]] = []
        self._singles: list[tuple[float, float, float, float]] = []

    def add(self, matte: Matte, truth: Matte) -> None:
        """Score a picture's matte against the true one, of the same shape."""
        self._curves.append(f_curve(matte, truth))
        self._singles.append(
            (
                mean_absolute_error(matte, truth),
                intersection_over_union(matte, truth),
                s_measure(matte, truth),
                boundary_f(matte, truth),
            )
        )

    def scores(self) -> Scores:
        """The scores of all pictures so far, at least one."""
        error, overlap, structure, boundary = np.mean(self._singles, axis=0).tolist()
        return Scores(len(self._singles), error, overlap, max_f(self._curves), structure, boundary)


def _shape(matte: Matte) -> Shape:
    shape: Shape = matte > 0.5
    return shape


def _uniformity(values: NDArray[np.float64]) -> float:
    """How near to 1 and how even the values are: the part by object, with lambda 1/2."""
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return 2 * mean / (mean * mean + 1 + spread)


def _by_region(matte: Matte, subject: Shape) -> float:
    """The likeness of the four parts that meet at the subject's centroid, by their areas."""
    down, right = (int(np.floor(places.mean() + 0.5)) + 1 for places in np.nonzero(subject))
    truth = subject.astype(np.float64)
    total = 0.0
    for rows in (slice(None, down), slice(down, None)):
        for columns in (slice(None, right), slice(right, None)):
            part = matte[rows, columns]
            total += part.size * _likeness(part, truth[rows, columns])
    return total / matte.size


def _likeness(one: Matte, other: Matte) -> float:
    """The structural similarity of two parts, without its constants: the part by region."""
    if one.size <= 1:
        return 0.0
    mean, other_mean = float(one.mean()), float(other.mean())
    count = one.size - 1
    covariance = float(((one - mean) * (other - other_mean)).sum()) / count
    variances = float(((one - mean) ** 2).sum() + ((other - other_mean) ** 2).sum()) / count
    above = 4 * mean * other_mean * covariance
    below = (mean * mean + other_mean * other_mean) * variances
    if above == 0:
        return float(below == 0)
    return above / (below + _TINY)


def _outline(shape: Shape) -> Shape:
    """The pixels of a shape with a neighbour outside it; the frame of the picture is no edge."""
    solid = shape.astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    outline: Shape = solid > cv2.erode(solid, cross)
    return outline


def _distance_to(points: Shape) -> NDArray[np.float32]:
    """The distance of each pixel to the nearest of the points, in pixels."""
    elsewhere = (~points).astype(np.uint8)
    distance = cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance.astype(np.float32, copy=False)
