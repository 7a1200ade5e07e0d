from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.compositing.feathering import feather
from cutaway.errors import Cancelled
from cutaway.progress import Cancellation, Progress, Step
from tests.pictures import ellipse

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEPTHS = [np.uint8, np.uint16]
RADII = [1, 3.5, 20, 42, 43, 100, 1000]


def feathered(alpha: NDArray[Any], radius: float) -> NDArray[Any]:
    result = alpha.copy()
    feather(result, radius, Progress())
    return result


def half(width: int, height: int, dtype: type) -> NDArray[Any]:
    """A matte whose right half is subject."""
    matte: NDArray[Any] = np.zeros((height, width), dtype)
    matte[:, width // 2 :] = np.iinfo(dtype).max
    return matte


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("radius", RADII)
def test_an_edge_fades_as_a_gaussian_of_the_radius_by_3_5(dtype: type, radius: float):
    most = np.iinfo(dtype).max
    reach = math.ceil(5 * radius / 3.5)
    row = half(2 * reach, 1, dtype)[0] / most
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (radius / 3.5)) ** 2)
    expected = np.convolve(np.pad(row, reach, mode="edge"), bell / bell.sum(), "valid")
    result = feathered(half(2 * reach, 3, dtype), radius) / most
    assert np.abs(result - expected).max() < 0.005


@pytest.mark.parametrize("radius", RADII)
def test_every_direction_fades_alike_whatever_the_shape_of_the_picture(radius: float):
    matte = np.rint(ellipse(1500, 700) * 65535).astype(np.uint16)
    one, other = feathered(matte, radius), feathered(np.ascontiguousarray(matte.T), radius).T
    assert np.abs(one.astype(int) - other).max() < 0.002 * 65535


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("radius", RADII)
def test_no_row_shows_where_one_stripe_ends(dtype: type, radius: float):
    result = feathered(half(1200, 2000, dtype), radius)
    assert (np.ptp(result, axis=0) <= np.iinfo(dtype).max // 65535).all()


@pytest.mark.parametrize("radius", RADII)
def test_a_subject_that_the_frame_cuts_off_stays_opaque_there(radius: float):
    matte = half(4000, 50, np.uint8)
    result = feathered(matte, radius)
    np.testing.assert_array_equal(result[:, -1], 255)
    np.testing.assert_array_equal(result[:, 0], 0)


@pytest.mark.parametrize("radius", [0, 5e-324, 0.3])
def test_a_radius_too_small_to_reach_the_next_pixel_changes_nothing(radius: float):
    matte = half(50, 50, np.uint16)
    np.testing.assert_array_equal(feathered(matte, radius), matte)


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.floats(0, 1000),
    st.sampled_from(DEPTHS),
    st.integers(0, 2**32 - 1),
)
def test_any_matte_keeps_its_shape_and_its_range(
    width: int, height: int, radius: float, dtype: type, seed: int
):
    most = int(np.iinfo(dtype).max)
    matte = np.random.default_rng(seed).integers(0, most, (height, width), dtype, endpoint=True)
    result = feathered(matte, radius)
    assert (result.shape, result.dtype) == (matte.shape, matte.dtype)
    assert matte.min() <= result.max() <= matte.max()
    assert matte.min() <= result.min()


@pytest.mark.parametrize("radius", [10, 500])
def test_a_cancel_ends_it_between_two_stripes(radius: float):
    cancellation = Cancellation()
    shares: list[float] = []

    def cancel_half_way(step: Step) -> None:
        shares.append(step.share)
        if step.share >= 0.5:
            cancellation.cancel()

    progress = Progress(cancel_half_way, cancellation)
    with pytest.raises(Cancelled):
        feather(half(1024, 10_000, np.uint8), radius, progress)
    assert shares == sorted(shares)
    assert 0.5 <= shares[-1] < 0.8
