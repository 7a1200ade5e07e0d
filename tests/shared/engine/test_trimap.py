from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cutaway.engine.trimap import post_process_mask, trimap

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_GOLDEN = np.load(Path(__file__).parents[2] / "data" / "rembg" / "golden.npz")
_NAMES = [key.removeprefix("mask/") for key in _GOLDEN.files if key.startswith("mask/")]
_TRIMAPS = [key for key in _GOLDEN.files if key.startswith("trimap/")]


@pytest.mark.parametrize("key", _TRIMAPS)
def test_a_trimap_is_rembgs(key: str) -> None:
    _, name, *setting = key.split("/")
    foreground, background, size = map(int, setting)
    mask = _GOLDEN[f"mask/{name}"]
    assert np.array_equal(trimap(mask, foreground, background, size), _GOLDEN[key])


@pytest.mark.parametrize("name", _NAMES)
def test_a_post_processed_mask_is_rembgs(name: str) -> None:
    ours, theirs = post_process_mask(_GOLDEN[f"mask/{name}"]), _GOLDEN[f"post_process/{name}"]
    # float32 and float64 may differ in a pixel that comes to 127 exactly, and in no other.
    assert np.mean(ours == theirs) >= 0.9999


def test_without_settings_a_trimap_has_the_apis_defaults() -> None:
    mask = _GOLDEN["mask/soft_blobs"]
    assert np.array_equal(trimap(mask), _GOLDEN["trimap/soft_blobs/240/10/10"])


def test_a_tall_mask_shows_no_seam_where_the_work_was_cut() -> None:
    column = np.tile(_GOLDEN["mask/soft_blobs"], (30, 1))
    turned = np.ascontiguousarray(column.T)
    assert np.array_equal(post_process_mask(column), post_process_mask(turned).T)


@pytest.mark.parametrize(("function", "limit"), [(post_process_mask, 3), (trimap, 4.1)])
def test_a_large_mask_needs_a_few_bytes_a_pixel_and_stays_as_it_was(
    function: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], limit: float
) -> None:
    mask = np.tile(_GOLDEN["mask/soft_blobs"], (20, 20))
    before = mask.copy()
    tracemalloc.start()
    try:
        function(mask)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= limit * mask.size
    assert np.array_equal(mask, before)
