"""Where the subject probably is: three cues that start from the border, and their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.engine.classical.barrier import barrier_distance
from cutaway.engine.classical.border import background_border, colour_distance
from cutaway.engine.classical.connectivity import subject_likelihood
from cutaway.engine.classical.superpixels import split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["cues", "mean_cue"]

_PATCHES = 260
_BLUR = 0.8


def cues(rgb: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """Yield three independent guesses at the subject, one after another.

    They assume what product shots and portraits share: most of the border is background. The
    first asks whether an outline separates a pixel from the border, the second whether its colour
    is unlike the border's, the third whether the patch it is in hangs together with the border.

    Args:
        rgb: uint8, shape (height, width, 3).

    Yields:
        float32, shape (height, width), 0..1, larger for subject.
    """
    smooth = cv2.GaussianBlur(rgb, (0, 0), _BLUR).astype(np.float32) / np.float32(255)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)
    border = background_border(lab, rgb)
    yield _stretched(barrier_distance(lab, border.background))
    yield _stretched(colour_distance(lab, border))
    patches = split(lab, _PATCHES)
    yield _stretched(subject_likelihood(patches, border.background)[patches.labels])


def mean_cue(found: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Average the cues.

    Returns:
        float32, shape (height, width), 0..1.
    """
    return _stretched(np.asarray(np.mean(found, axis=0)))


def _stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale the values to 0..1, leaving out the lowest hundredth and the highest few."""
    low, high = np.percentile(values, [1, 99.8])
    scaled = (values - low) / max(float(high - low), 1e-6)
    return np.asarray(np.clip(scaled, 0, 1), np.float32)
