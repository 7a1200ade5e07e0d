"""From a guess at the subject to its outline: GrabCut, coarse and then fine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cleaned", "cut_again", "cut_out", "otsu_mask"]

_COARSE_SIDE = 200
_COARSE_ROUNDS = 2
_FINE_ROUNDS = 1
_BAND = 6  # pixels on either side: three of the coarse copy
_FEWEST_PIXELS = 20
_WEAKEST_PART = 0.12  # of the heaviest part
_LARGEST_HOLE = 0.002  # of the picture


def cut_out(rgb: NDArray[np.uint8], saliency: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find the subject's outline near where the saliency says the subject is.

    A copy of about 200 pixels is cut first; then only a band along that outline is cut again at
    full size, which takes less than half the time of cutting all of it.

    Source: Rother et al., "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts",
    SIGGRAPH 2004, started from the saliency instead of a rectangle.

    Args:
        rgb: uint8, shape (height, width, 3).
        saliency: float32, shape (height, width), 0..1.

    Returns:
        bool, shape (height, width), True on the subject.
    """
    height, width = saliency.shape
    scale = _COARSE_SIDE / max(height, width)
    if scale >= 1:
        return _grab_cut(rgb, _seeds(saliency), _COARSE_ROUNDS)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    coarse = _grab_cut(
        cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False),
        _seeds(cv2.resize(saliency, size, interpolation=cv2.INTER_AREA).astype(np.float32)),
        _COARSE_ROUNDS,
    )
    near = cv2.resize(coarse.astype(np.float32), (width, height)).round().astype(bool)
    return _grab_cut(rgb, _band(near), _FINE_ROUNDS)


def cut_again(
    rgb: NDArray[np.uint8], mask: NDArray[np.bool_], shadow: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Cut a band along a mask's outline once more, now that some of the mask is background.

    Args:
        rgb: uint8, shape (height, width, 3).
        mask: bool, shape (height, width), True on the subject and on `shadow`.
        shadow: bool, shape (height, width), True on what is surely background.
    """
    seeds = _band(mask & ~shadow)
    seeds[shadow] = cv2.GC_BGD
    return _grab_cut(rgb, seeds, _FINE_ROUNDS)


def otsu_mask(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Split values of 0..1 in two at Otsu's threshold; True on the larger ones.

    Source: Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE SMC 1979.
    """
    return values > _otsu(values)


def cleaned(mask: NDArray[np.bool_], saliency: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Drop the parts that weigh little, in saliency, beside the heaviest one; fill pinholes.

    Args:
        mask: bool, shape (height, width), True on the subject.
        saliency: float32, shape (height, width), 0..1.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    weights = np.bincount(labels.ravel(), saliency.ravel(), len(stats))
    weights[0] = 0
    keep = weights >= max(_WEAKEST_PART * float(weights.max()), 1e-6)
    kept = keep[np.asarray(labels, np.intp)]
    return np.asarray(kept | _pinholes(kept))


def _pinholes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the small holes of a mask that are closed all around."""
    height, width = mask.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    left, top, wide, high, area = stats.T
    inside = (left > 0) & (top > 0) & (left + wide < width) & (top + high < height)
    fill = inside & (area < _LARGEST_HOLE * mask.size)
    fill[0] = False
    return np.asarray(fill[np.asarray(labels, np.intp)])


def _otsu(values: NDArray[np.float32]) -> float:
    """Find Otsu's threshold of values in 0..1."""
    levels = (values * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return threshold / 255


def _seeds(saliency: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Mark what is surely and what is probably subject or background, for GrabCut."""
    middle = _otsu(saliency)
    seeds = np.full(saliency.shape, cv2.GC_PR_BGD, np.uint8)
    seeds[saliency > middle] = cv2.GC_PR_FGD
    seeds[saliency > min(0.9, (1 + middle) / 2)] = cv2.GC_FGD
    seeds[saliency < 0.45 * middle] = cv2.GC_BGD
    return seeds


def _band(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Leave only a band along a mask's outline open, for GrabCut."""
    square = np.ones((2 * _BAND + 1, 2 * _BAND + 1), np.uint8)
    solid = mask.astype(np.uint8)
    seeds = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[cv2.erode(solid, square) > 0] = cv2.GC_FGD
    seeds[cv2.dilate(solid, square) == 0] = cv2.GC_BGD
    return seeds


def _grab_cut(rgb: NDArray[np.uint8], seeds: NDArray[np.uint8], rounds: int) -> NDArray[np.bool_]:
    """Run GrabCut from seeds, shape (height, width); too few pixels on a side decide nothing."""
    subject = _is_subject(seeds)
    if not _FEWEST_PIXELS <= np.count_nonzero(subject) <= subject.size - _FEWEST_PIXELS:
        return subject
    cv2.setRNGSeed(0)  # GrabCut draws from the thread's generator and takes no seed of its own
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    unused = (0, 0, 0, 0)
    cv2.grabCut(rgb, seeds, unused, background, foreground, rounds, cv2.GC_INIT_WITH_MASK)
    return _is_subject(seeds)


def _is_subject(seeds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark what is surely or probably subject."""
    return np.asarray((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD))
