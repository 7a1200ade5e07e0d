from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.engine.guided import apply_rows, coefficients

if TYPE_CHECKING:
    from numpy.typing import NDArray


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


def unit(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return picture.astype(np.float32) / np.float32(255)


def ramp(height: int, width: int) -> NDArray[np.float32]:
    return np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)


@settings(deadline=None, max_examples=60)
@given(
    small=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    large=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    cuts=st.sets(st.integers(1, 39)),
)
def test_a_row_is_the_same_whichever_rows_are_asked_for(
    small: tuple[int, int], large: tuple[int, int], cuts: set[int]
) -> None:
    height, width = large
    guide = noise(height, width)
    fitted = coefficients(noise(*small, seed=1), ramp(*small), 2, 1e-4)
    borders = [0, *sorted(cut for cut in cuts if cut < height), height]
    stripes = [apply_rows(fitted, guide, top, bottom) for top, bottom in pairwise(borders)]
    assert np.array_equal(np.concatenate(stripes), apply_rows(fitted, guide, 0, height))


@pytest.mark.parametrize("width", [100, 3000])
def test_coefficients_do_not_show_where_the_work_was_cut(width: int) -> None:
    # 3000 x 60 is fitted in several blocks, its upper half alone in other ones.
    guide, matte = noise(60, width), ramp(60, width)
    whole = coefficients(guide, matte, 3, 1e-4)
    upper = coefficients(guide[:36], matte[:36], 3, 1e-4)
    np.testing.assert_allclose(whole[:30], upper[:30], atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("epsilon", [1e-7, 1e-2])
def test_a_constant_matte_stays_constant(value: float, epsilon: float) -> None:
    fitted = coefficients(noise(20, 30), np.full((20, 30), value, np.float32), 2, epsilon)
    matte = apply_rows(fitted, noise(55, 70, seed=2), 0, 55)
    np.testing.assert_allclose(matte, value, atol=1e-5)


def test_a_matte_that_is_linear_in_the_colour_is_found_again_at_full_size() -> None:
    slopes = np.array([0.2, 0.5, 0.1], np.float32)
    small, large = noise(24, 24), noise(96, 96, seed=3)
    fitted = coefficients(small, (unit(small) @ slopes).astype(np.float32), 4, 1e-7)
    expected = unit(large) @ slopes
    np.testing.assert_allclose(apply_rows(fitted, large, 0, 96), expected, atol=1e-3)


@pytest.mark.parametrize("subject", [(255, 255, 255), (200, 60, 30)])
def test_a_small_blurred_matte_takes_on_the_sharp_edge_of_the_picture(
    subject: tuple[int, int, int],
) -> None:
    large = np.zeros((128, 128, 3), np.uint8)
    large[:, 70:] = subject
    small = large[::4, ::4]
    slope = np.clip((np.arange(32) - 14) / 7, 0, 1)
    blurred = np.tile(slope, (32, 1)).astype(np.float32)
    matte = apply_rows(coefficients(small, blurred, 6, 1e-5), large, 0, 128)
    assert matte[:, 70].min() - matte[:, 69].max() > 0.55
    assert matte[:, :44].max() < 0.05
    assert matte[:, 100:].min() > 0.95


def test_half_a_pixel_is_not_lost_between_sizes() -> None:
    # Flat colour leaves the intercept alone: plain linear interpolation between pixel centres.
    matte = np.array([[0, 1]], np.float32)
    fitted = coefficients(np.zeros((1, 2, 3), np.uint8), matte, 0, 1e-4)
    stretched = apply_rows(fitted, np.zeros((1, 8, 3), np.uint8), 0, 1)
    expected = [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]
    np.testing.assert_allclose(stretched[0], expected, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (50_000, 1), (2, 3)])
@pytest.mark.parametrize("small", [(1, 1), (1, 7), (7, 1), (9, 9)])
def test_any_size_can_be_made_of_any_other(size: tuple[int, int], small: tuple[int, int]) -> None:
    fitted = coefficients(noise(*small), np.ones(small, np.float32), 5, 1e-4)
    matte = apply_rows(fitted, noise(*size), 0, size[0])
    assert matte.shape == size
    np.testing.assert_allclose(matte, 1, atol=1e-5)


def test_a_grey_guide_has_a_definite_answer() -> None:
    grey = np.repeat(noise(40, 40)[..., :1], 3, axis=2)
    matte = unit(grey)[..., 0]
    np.testing.assert_allclose(
        apply_rows(coefficients(grey, matte, 3, 1e-7), grey, 0, 40), matte, atol=1e-3
    )
