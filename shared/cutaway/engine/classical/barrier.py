"""How hard it is to walk from the background to a pixel: the minimum barrier distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["barrier_distance"]

_PASSES = 2


def barrier_distance(values: NDArray[np.float32], seeds: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Measure how much the values must swing on the smoothest walk from a seed to each pixel.

    A walk costs the largest value met on it less the smallest, so a long slow gradient is no
    barrier but an outline is. Each channel walks for itself and the costs are summed.

    Source: Zhang et al., "Minimum Barrier Salient Object Detection at 80 FPS", ICCV 2015:
    its raster scans, made one axis at a time, a whole row or column in each step.

    Args:
        values: float32, shape (height, width, channels).
        seeds: bool, shape (height, width), True where walks may start, at least once.

    Returns:
        float32, shape (height, width), 0 on the seeds, in the unit of the values.
    """
    high = np.where(seeds[..., None], values, np.float32(np.inf))
    low = np.where(seeds[..., None], values, np.float32(-np.inf))
    turned = values.swapaxes(0, 1).copy()
    for _ in range(_PASSES):
        _sweep_both_ways(values, high, low)
        high, low = high.swapaxes(0, 1).copy(), low.swapaxes(0, 1).copy()
        _sweep_both_ways(turned, high, low)
        high, low = high.swapaxes(0, 1).copy(), low.swapaxes(0, 1).copy()
    return np.asarray(np.sum(high - low, axis=2))


def _sweep_both_ways(
    values: NDArray[np.float32], high: NDArray[np.float32], low: NDArray[np.float32]
) -> None:
    """Carry the best walks down and then up the rows, in place."""
    last = len(values) - 1
    for before, here in [
        *((row, row + 1) for row in range(last)),
        *((row, row - 1) for row in range(last, 0, -1)),
    ]:
        new_high = np.maximum(high[before], values[here])
        new_low = np.minimum(low[before], values[here])
        better = new_high - new_low < high[here] - low[here]
        np.copyto(high[here], new_high, where=better)
        np.copyto(low[here], new_low, where=better)
