"""The shadow that a subject casts on a smooth backdrop, where it was taken for subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.engine.classical.backdrop import smooth_backdrop

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["cast_shadow"]

_CLEARANCE = 7
_BLUR = 1.0
_LEAST_LIGHT = 0.2  # of the backdrop's, in the deepest shadow
_TINT = 9.0  # how far from the backdrop's own tone a shadow may be, in 8-bit RGB
_STEEPEST = 6.0  # change in a pixel that is always gentle: a sensor's noise makes as much
_STEEPEST_SHARE = 0.45  # of the light that is missing, lost in one pixel
_DETAIL_BLUR = 2.0
_DETAIL_SIDE = 5
_DETAIL = 5.0
_DETAIL_IN_NOISE = 1.8
_FEWEST_PIXELS = 12
_OPEN = 0.3
_LEAST_LEFT = 0.35
_SQUARE = np.ones((3, 3), np.uint8)


def cast_shadow(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the parts of a mask that are the subject's shadow rather than the subject.

    A soft shadow is the backdrop itself with less light: the same tone, no detail of its own, and
    it fades out where a thing has an outline. So a part of such pixels is shadow only if a good
    deal of its own rim goes on outside the mask without a step; a dark flat part of a subject is
    walled in. A backdrop that isn't smooth says nothing about its shadows.

    Source: the tone of Horprasert et al., "A Statistical Approach for Real-time Robust Background
    Subtraction and Shadow Detection", ICCV Frame-Rate Workshop 1999.

    Args:
        rgb: uint8, shape (height, width, 3).
        mask: bool, shape (height, width), True on the subject and maybe on its shadow.

    Returns:
        bool, shape (height, width), True on the shadow within the mask; nowhere if so little of
        the mask would be left that it can't be the subject.
    """
    none = np.zeros_like(mask)
    far = cv2.dilate(mask.astype(np.uint8), np.ones((_CLEARANCE, _CLEARANCE), np.uint8)) == 0
    backdrop = smooth_backdrop(rgb, far)
    if backdrop is None:
        return none
    shaded = _shaded(rgb, backdrop.colours) & ~_detailed(rgb, far)
    parts = _open_parts(
        cv2.morphologyEx((shaded & mask).astype(np.uint8), cv2.MORPH_OPEN, _SQUARE), shaded & ~mask
    )
    shadow = mask & (cv2.dilate(parts.astype(np.uint8), _SQUARE) > 0)
    left = np.count_nonzero(mask & ~shadow)
    return shadow if left >= _LEAST_LEFT * np.count_nonzero(mask) else none


def _shaded(rgb: NDArray[np.uint8], backdrop: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark where the picture is the backdrop in another light that changes gently."""
    smooth = cv2.GaussianBlur(rgb, (0, 0), _BLUR).astype(np.float32)
    light = np.sum(smooth * backdrop, axis=2) / np.maximum(np.sum(backdrop**2, axis=2), 1)
    tint = np.linalg.norm(smooth - light[..., None] * backdrop, axis=2)
    missing = (1 - light) * np.sqrt(np.mean(backdrop**2, axis=2))
    across, down = (cv2.Sobel(smooth, -1, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1)))
    slope = np.sqrt(across**2 + down**2).max(axis=2)
    gentle = slope < np.maximum(_STEEPEST, _STEEPEST_SHARE * missing)
    return np.asarray((light > _LEAST_LIGHT) & (tint < _TINT) & gentle)


def _detailed(rgb: NDArray[np.uint8], backdrop: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark where there is more fine detail than noise makes where the backdrop is to be seen."""
    fine = np.abs(rgb - cv2.GaussianBlur(rgb, (0, 0), _DETAIL_BLUR).astype(np.float32)).mean(axis=2)
    detail = cv2.blur(fine, (_DETAIL_SIDE, _DETAIL_SIDE))
    return np.asarray(detail > max(_DETAIL, _DETAIL_IN_NOISE * float(np.median(detail[backdrop]))))


def _open_parts(candidates: NDArray[np.generic], around: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the connected parts that go on into `around` along enough of their rim."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        candidates.astype(np.uint8), connectivity=4
    )
    spread = cv2.dilate(labels.astype(np.float32), _SQUARE).astype(np.intp)
    rim = (spread > 0) & (labels == 0)
    whole = np.bincount(spread[rim], minlength=count)
    through = np.bincount(spread[rim & around], minlength=count)
    keep = (stats[:, cv2.CC_STAT_AREA] >= _FEWEST_PIXELS) & (through >= _OPEN * whole)
    keep[0] = False
    return np.asarray(keep[np.asarray(labels, np.intp)])
