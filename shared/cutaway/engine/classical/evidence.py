"""Whether there is anything to find: noise has no structure, and shading has no outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["only_noise", "outline_step"]

_HALVINGS = 3
_FEWEST_CELLS = 4
_STRUCTURED = 3.0  # JPEG alone makes it 2.4
_NEAR = 0.016  # of the longer side, the reach of the near surrounding
_SURROUND = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32) / 8


def only_noise(rgb: NDArray[np.uint8]) -> bool:
    """Tell whether a picture is one colour, bare or under noise.

    Noise that is independent from pixel to pixel fades where pixels are averaged: its variance over
    cells of 2 x 2 is a quarter. So a picture has structure only if its averages over cells of
    8 x 8 vary by more than its fine detail promises.

    Args:
        rgb: uint8, shape (height, width, 3), at least 8 on a side.
    """
    cells = rgb.astype(np.float32)
    noise = _noise_variance(cells)
    for level in range(1, _HALVINGS + 1):
        if min(cells.shape[:2]) < 2 * _FEWEST_CELLS:
            break
        cells = _halved(cells)
        noise /= 4
        if level == 1:  # JPEG and demosaicing leave the very finest detail too smooth
            noise = np.maximum(noise, _noise_variance(cells))
    return bool(np.all(cells.var(axis=(0, 1)) <= _STRUCTURED * noise))


def outline_step(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Measure how much the colour jumps across a mask's outline.

    The difference between the mean colours just inside and just outside is taken over a near and a
    far surrounding of each point of the outline. Along slow shading it grows with the size of the
    surrounding; extrapolated to size 0, only a jump is left of it.

    Args:
        rgb: uint8, shape (height, width, 3).
        mask: bool, shape (height, width).

    Returns:
        What a quarter of the outline surpasses, as a Euclidean distance in 8-bit RGB; 0 without an
        outline.
    """
    solid = mask.astype(np.uint8)
    rim = mask & (cv2.erode(solid, np.ones((3, 3), np.uint8)) == 0)
    if not rim.any():
        return 0.0
    near = 2 * max(1, round(_NEAR * max(mask.shape))) + 1
    far = 2 * near - 1
    colours = rgb.astype(np.float32)
    change = far * _difference(colours, mask, near) - near * _difference(colours, mask, far)
    return float(np.percentile(np.linalg.norm(change[rim], axis=1), 75) / (far - near))


def _noise_variance(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Estimate the variance of independent noise in each channel from the finest detail."""
    detail = cv2.filter2D(picture, -1, _SURROUND)
    return np.asarray(np.mean(detail**2, axis=(0, 1)) / (1 + 1 / 8), np.float32)


def _halved(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average cells of 2 x 2; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    even = picture[:height, :width]
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / np.float32(4)


def _difference(
    colours: NDArray[np.float32], mask: NDArray[np.bool_], side: int
) -> NDArray[np.float32]:
    """Subtract the mean colour outside the mask from that inside, in a square around each pixel."""
    return _mean_where(colours, mask, side) - _mean_where(colours, ~mask, side)


def _mean_where(
    colours: NDArray[np.float32], chosen: NDArray[np.bool_], side: int
) -> NDArray[np.float32]:
    """Average the chosen pixels in a square around each pixel; 0 where there are none."""
    weight = chosen.astype(np.float32)[..., None]
    sums, counts = (
        cv2.boxFilter(part, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
        for part in (colours * weight, weight)
    )
    return np.asarray(sums / np.maximum(counts[..., None], 1), np.float32)
