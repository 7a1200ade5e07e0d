"""The steps of the classical engine, from a picture to its matte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.engine.classical.confidence import confidence
from cutaway.engine.classical.evidence import only_noise, outline_step
from cutaway.engine.classical.saliency import cues, mean_cue
from cutaway.engine.classical.segmentation import cleaned, cut_again, cut_out
from cutaway.engine.classical.shadows import cast_shadow
from cutaway.engine.matte import Matte
from cutaway.engine.reduction import reduced
from cutaway.errors import NoSubjectFound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.progress import Progress

__all__ = ["ClassicalEngine"]

_CUT_SIDE = 400
_SALIENCY_SIDE = 320
_NARROWEST = 32
_SMALLEST = 16
_FAINTEST_STEP = 8.0  # a contrast of 5 in each channel; JPEG's blocks make as much of a gradient
_SOFTNESS = 0.8


class ClassicalEngine:
    """Finds the subject without a model, by what sets it apart from the picture's border.

    Good on plain, smooth and unevenly lit backgrounds. On busy ones it errs, and its confidence
    says so: below 0.6 a person should look. The same picture always gives the same matte.
    """

    def find_subject(self, rgb: NDArray[np.uint8], progress: Progress) -> Matte:
        """Find the subject on a copy of at most 400 pixels a side; see `Engine.find_subject`."""
        picture = reduced(rgb, _CUT_SIDE, _NARROWEST)
        _refuse_blank(picture)
        progress.advance(0.1)
        found = []
        for cue in cues(reduced(picture, _SALIENCY_SIDE, _NARROWEST)):
            found.append(_stretched_over(cue, picture))
            progress.advance(0.1 + 0.15 * len(found))
        saliency = mean_cue(found)
        mask = cleaned(cut_out(picture, saliency), saliency)
        shadow = cast_shadow(picture, mask)
        if shadow.any():
            mask = cleaned(cut_again(picture, mask, shadow), saliency)
        progress.advance(0.9)
        if outline_step(picture, mask) < _FAINTEST_STEP:
            raise _no_subject("nothing in the picture has an outline")
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SOFTNESS)
        return Matte(alpha.astype(np.float32, copy=False), confidence(picture, mask, found))


def _refuse_blank(picture: NDArray[np.uint8]) -> None:
    """Raise `NoSubjectFound` where there is no use in looking."""
    if min(picture.shape[:2]) < _SMALLEST:
        raise _no_subject(f"the picture is less than {_SMALLEST} pixels high or wide")
    if only_noise(picture):
        raise _no_subject("the picture is all one colour or noise")


def _no_subject(why: str) -> NoSubjectFound:
    """Say that there is nothing to keep in the picture."""
    return NoSubjectFound(
        "no subject was found", why, "Try a neural model, or crop the picture closer to the subject"
    )


def _stretched_over(values: NDArray[np.float32], picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale values up to the size of a picture."""
    height, width = picture.shape[:2]
    return cv2.resize(values, (width, height)).astype(np.float32, copy=False)
