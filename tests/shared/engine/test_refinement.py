from __future__ import annotations

import os
import tracemalloc

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.engine.matte import Matte
from cutaway.engine.refinement import refine
from cutaway.errors import Cancelled
from cutaway.progress import Progress, Step
from tests.benchmarks.metrics import boundary_f, mean_absolute_error
from tests.pictures import ellipse, portrait


def small_matte(truth: np.ndarray, size: int = 64) -> Matte:
    small = cv2.resize(truth, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    return Matte(small, 1.0)


def test_a_coarse_matte_takes_on_the_pictures_own_edge():
    truth = ellipse(1200, 900)
    matte = small_matte(truth)
    refined = refine(matte, portrait(1200, 900), 8, Progress()) / 255
    plain = cv2.resize(matte.alpha, (1200, 900), interpolation=cv2.INTER_LINEAR)
    assert np.abs(refined - truth).mean() < 0.2 * np.abs(plain - truth).mean()


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0), (1.0, 1)])
@pytest.mark.parametrize("depth", [8, 16])
def test_all_and_nothing_stay_exactly_that_at_either_depth(value, expected, depth):
    matte = Matte(np.full((32, 32), value, np.float32), 1.0)
    refined = refine(matte, portrait(300, 200), depth, Progress())
    assert refined.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert (refined == expected * np.iinfo(refined.dtype).max).all()


@pytest.mark.parametrize("depth", [8, 16])
def test_a_finished_matte_of_the_pictures_own_size_stays_as_it_is(depth):
    levels = np.random.default_rng(0).integers(0, 256, (200, 300))
    matte = Matte((levels / 255).astype(np.float32), 1.0)
    refined = refine(matte, portrait(300, 200), depth, Progress(), finished=True)
    np.testing.assert_array_equal(refined, levels * (1 if depth == 8 else 257))
    drawn = refine(matte, portrait(300, 200), depth, Progress())
    assert (drawn != refined).mean() > 0.5


def test_a_small_picture_gets_all_the_detail_of_a_large_matte():
    truth = ellipse(300, 300, softness=8)
    fine = cv2.resize(truth, (1024, 1024), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    refined = refine(Matte(fine.astype(np.float32), 1.0), picture, 16, Progress()) / 65535
    assert np.abs(refined - truth).max() < 0.03


def stripes_of(width: int, height: int, period: int) -> np.ndarray:
    """The true matte of upright bars, each as wide as the gaps between them."""
    row = (np.arange(width) // (period // 2) % 2).astype(np.float64)
    return np.tile(row, (height, 1))


def test_a_fine_mattes_detail_stays_where_the_picture_does_not_show_it():
    truth = stripes_of(4000, 200, 32)
    plain = np.full((200, 4000, 3), 128, np.uint8)
    fine = cv2.resize(truth, (2048, 102), interpolation=cv2.INTER_AREA).astype(np.float32)
    refined = refine(Matte(fine, 1.0), plain, 8, Progress(), finished=True) / 255
    assert np.abs(refined - truth).mean() < 0.2  # half would be no detail at all


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores can't be taken away here")
def test_the_matte_is_the_same_for_any_number_of_cores():
    cores = os.sched_getaffinity(0)
    matte, picture = small_matte(ellipse(1200, 900)), portrait(1200, 900)
    mattes = []
    try:
        for few in ({min(cores)}, cores):
            os.sched_setaffinity(0, few)
            mattes.append(refine(matte, picture, 16, Progress()).tobytes())
    finally:
        os.sched_setaffinity(0, cores)
    assert len(set(mattes)) == 1


def interpolated(alpha: np.ndarray, width: int, height: int) -> list[np.ndarray]:
    """A matte stretched by others' means: bilinear, and Lanczos as rembg does it."""
    linear = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR)
    small = PIL.Image.fromarray(np.rint(alpha * 255).astype(np.uint8))
    lanczos = small.resize((width, height), PIL.Image.Resampling.LANCZOS)
    return [linear, np.asarray(lanczos) / 255]


@pytest.mark.parametrize(("size", "side"), [(600, 320), (1800, 320), (1800, 1024)])
def test_an_edge_comes_nearer_to_the_truth_than_by_interpolation(size: int, side: int):
    truth = ellipse(size, size)
    matte = cv2.GaussianBlur(small_matte(truth, side).alpha, (0, 0), 1)  # as soft as a network's
    picture = portrait(size, size)
    refined = refine(Matte(matte.astype(np.float32), 1.0), picture, 8, Progress()) / 255
    others = interpolated(matte, size, size)
    least = min(mean_absolute_error(other, truth) for other in others)
    assert mean_absolute_error(refined, truth) < 0.7 * least
    assert boundary_f(refined, truth) >= max(boundary_f(other, truth) for other in others)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 40))
def test_every_size_of_picture_and_matte_fits(width, height, size):
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    before = picture.copy()
    matte = Matte(np.linspace(0, 1, size * size, dtype=np.float32).reshape(size, size), 1.0)
    assert refine(matte, picture, 8, Progress()).shape == (height, width)
    np.testing.assert_array_equal(picture, before)


def large_picture() -> np.ndarray:
    return cv2.resize(portrait(400, 300), (4000, 3000), interpolation=cv2.INTER_LINEAR)


def test_a_large_picture_is_refined_in_little_more_than_its_matte():
    picture = large_picture()
    matte = small_matte(ellipse(400, 300), 320)
    tracemalloc.start()
    try:
        refine(matte, picture, 8, Progress())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000 + 50_000_000  # the matte, and what does not grow with the picture


def test_it_can_be_cancelled_between_stripes():
    progress = Progress()
    seen: list[float] = []

    def cancel_after_two(step: Step) -> None:
        seen.append(step.share)
        if len(seen) == 2:
            progress.cancellation.cancel()

    progress = Progress(cancel_after_two)
    with pytest.raises(Cancelled):
        refine(small_matte(ellipse(400, 300)), large_picture(), 8, progress)
    assert len(seen) == 2
