"""The subject's own colour in half-transparent pixels, where the background shone through.

A picture's pixel I is a mix of the subject's colour F and the background's B: I = aF + (1 - a)B.
T. Germer, T. Uelwer, S. Conrad, S. Harmeling, "Fast Multi-Level Foreground Estimation", ICPR
2020, finds F and B that explain I and change little from pixel to pixel, from coarse to fine.
Here that is done for a reduced picture, all pixels at a time; at full size each soft pixel then
takes the F nearest to it that explains its I.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.compositing.enlarging import enlarged_rows
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.progress import Progress

__all__ = ["clean_edge_colours"]

_WORK = 250_000  # pixels of the reduced picture, at most
_FLAT = np.float32(1e-5)  # how much neighbours are held together where alpha doesn't change
_NEAR = np.float32(0.02)  # how much a soft pixel is held to the reduced picture's colours
_SMALL = 128  # a level no larger costs little, and more iterations carry colours further
_SMALL_ITERATIONS, _ITERATIONS = 10, 5


@dataclass(frozen=True, slots=True, eq=False)
class _Layers:
    """The colours of the subject and of the background, float32, 0..1, last axis the channels."""

    subject: NDArray[np.float32]
    background: NDArray[np.float32]

    def explaining(
        self,
        mixed: NDArray[np.float32],
        alpha: NDArray[np.float32],
        hold: NDArray[np.float32] | np.float32,
    ) -> _Layers:
        """The layers nearest to these whose mix is nearest to `mixed` (least squares).

        Args:
            mixed: The picture.
            alpha: Its matte, one channel.
            hold: The weight of staying near, against that of the mix; like alpha, or one for all.
        """
        through = 1 - alpha
        missing = mixed - alpha * self.subject - through * self.background
        missing /= alpha * alpha + through * through + hold
        return _Layers(
            (self.subject + alpha * missing).clip(0, 1),
            (self.background + through * missing).clip(0, 1),
        )


def clean_edge_colours(colour: NDArray[Any], alpha: NDArray[Any], progress: Progress) -> None:
    """Replace the colour of half-transparent pixels by the subject's own, in place.

    Pixels that are fully opaque or fully transparent stay as they are. A bounded amount of memory
    is needed, about 50 MB, whatever the picture's size.

    Args:
        colour: uint8 or uint16, shape (height, width, 1 or 3), not premultiplied; written to.
        alpha: Same dtype, shape (height, width); only read.
        progress: Told how far the work is; checked for cancellation between stripes.

    Raises:
        Cancelled: the caller stopped it; some of the pixels may be replaced already.
    """
    height, width = alpha.shape
    parts = list(stripes(height, width * 8))
    if not any(_soft(alpha[top:bottom]).any() for top, bottom in parts):
        return
    layers = _estimate(*_reduced(colour, alpha))
    for top, bottom in parts:
        progress.advance(top / height)
        _clean_rows(colour, alpha, layers, top, bottom)


def _soft(alpha: NDArray[Any]) -> NDArray[np.bool_]:
    return (alpha > 0) & (alpha < np.iinfo(alpha.dtype).max)


def _reduced(
    colour: NDArray[Any], alpha: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The picture and its matte at a size of `_WORK` pixels at most, float32, 0..1."""
    height, width = alpha.shape
    scale = min(1.0, (_WORK / (height * width)) ** 0.5)
    size = max(1, int(height * scale)), max(1, int(width * scale))
    white = np.float32(np.iinfo(alpha.dtype).max)
    return _resized(colour, size) / white, _resized(alpha[..., None], size) / white


def _estimate(picture: NDArray[np.float32], alpha: NDArray[np.float32]) -> _Layers:
    """Both layers of the picture, from one pixel up to its own size."""
    height, width = alpha.shape[:2]
    layers = _Layers(_mean(picture, alpha), _mean(picture, 1 - alpha))
    halvings = (max(height, width) - 1).bit_length()
    for level in range(halvings, -1, -1):
        size = -(-height >> level), -(-width >> level)
        iterations = _SMALL_ITERATIONS if max(size) <= _SMALL else _ITERATIONS
        layers = _settled(
            _Layers(_repeated(layers.subject, size), _repeated(layers.background, size)),
            _resized(picture, size),
            _resized(alpha, size),
            iterations,
        )
    return layers


def _mean(picture: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture's weighted mean colour, shape (1, 1, channels)."""
    total = weight.sum() + np.finfo(np.float32).eps
    mean: NDArray[np.float32] = (picture * weight).sum(axis=(0, 1), keepdims=True) / total
    return mean


def _settled(
    layers: _Layers, mixed: NDArray[np.float32], alpha: NDArray[np.float32], iterations: int
) -> _Layers:
    """Let neighbours agree: Jacobi iterations on the normal equations of the paper.

    With the neighbours fixed, a pixel's best colours are their mean, corrected to explain the mix.
    """
    loose = [_FLAT + np.abs(alpha - beside) for beside in _beside(alpha)]
    hold = loose[0] + loose[1] + loose[2] + loose[3]
    weights = [weight / hold for weight in loose]
    for _ in range(iterations):
        around = _Layers(_weighted(weights, layers.subject), _weighted(weights, layers.background))
        layers = around.explaining(mixed, alpha, hold)
    return layers


def _weighted(weights: list[NDArray[Any]], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weighted mean of the four neighbours."""
    mean = np.zeros_like(values)
    for weight, beside in zip(weights, _beside(values), strict=True):
        mean += weight * beside
    return mean


def _beside(values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The neighbours above, below, left and right; beyond the frame, the pixel itself."""
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]


def _clean_rows(
    colour: NDArray[Any], alpha: NDArray[Any], layers: _Layers, top: int, bottom: int
) -> None:
    """Replace the colour of the soft pixels of some rows."""
    soft = _soft(alpha[top:bottom])
    if not soft.any():
        return
    white = np.float32(np.iinfo(alpha.dtype).max)
    near = _Layers(
        enlarged_rows(layers.subject, alpha.shape, top, bottom)[soft],
        enlarged_rows(layers.background, alpha.shape, top, bottom)[soft],
    )
    rows = colour[top:bottom]
    mixed = rows[soft].astype(np.float32) / white
    share = alpha[top:bottom][soft].astype(np.float32)[:, None] / white
    exact = near.explaining(mixed, share, _NEAR)
    rows[soft] = np.rint(exact.subject * white).astype(colour.dtype)


def _resized(picture: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """The picture at (height, width), averaged where it shrinks."""
    resized = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    return resized.astype(np.float32, copy=False).reshape(*size, picture.shape[2])


def _repeated(picture: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """The picture enlarged to (height, width) by repeating its pixels."""
    resized = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_NEAREST)
    return resized.astype(np.float32, copy=False).reshape(*size, picture.shape[2])
