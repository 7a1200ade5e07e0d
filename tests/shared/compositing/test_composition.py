from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.compositing.composition import Fill, Mask, OnFill, OnTransparency, multiply_into

DTYPES = st.sampled_from([np.uint8, np.uint16])


def picture(seed: int, dtype: type, channels: int = 3) -> tuple[Any, Any]:
    """Random colour and alpha, with much that is fully opaque and fully transparent."""
    random = np.random.default_rng(seed)
    white = int(np.iinfo(dtype).max)
    colour: Any = random.integers(0, white + 1, (9, 7, channels)).astype(dtype)
    alpha: Any = random.choice([0, 1, white // 3, white - 1, white], (9, 7)).astype(dtype)
    return colour, alpha


def whole(view: Mask | OnFill | OnTransparency) -> Any:
    return view.rows(0, view.height)


@given(st.integers(0, 99), DTYPES, st.sampled_from([1, 3]), st.integers(1, 8))
def test_any_rows_asked_for_are_those_of_the_whole(seed, dtype, channels, cut):
    colour, alpha = picture(seed, dtype, channels)
    fills = (Fill((0.5,) * channels), Fill((1.0, 0.0, 0.25), 0.3))
    views: list[Mask | OnFill | OnTransparency] = [Mask(colour, alpha)]
    views += [OnTransparency(colour, alpha), *(OnFill(colour, alpha, fill) for fill in fills)]
    for view in views:
        full = whole(view)
        assert full.dtype == dtype
        assert full.shape == (9, 7, view.channels)
        parts = np.concatenate((view.rows(0, cut), view.rows(cut, 9)))
        np.testing.assert_array_equal(parts, full)


@given(st.integers(0, 99), DTYPES)
def test_what_shows_on_transparency_is_the_originals_own_colour_bit_for_bit(seed, dtype):
    colour, alpha = picture(seed, dtype)
    out = whole(OnTransparency(colour, alpha))
    np.testing.assert_array_equal(out[..., 3], alpha)
    np.testing.assert_array_equal(out[alpha > 0][:, :3], colour[alpha > 0])


@given(st.integers(0, 99), DTYPES)
def test_nothing_of_what_was_removed_is_left_under_full_transparency(seed, dtype):
    colour, alpha = picture(seed, dtype)
    assert not whole(OnTransparency(colour, alpha))[alpha == 0].any()


@given(st.integers(0, 99), DTYPES, st.sampled_from([1, 3]))
def test_hidden_colour_is_kept_where_it_is_asked_for(seed, dtype, channels):
    colour, alpha = picture(seed, dtype, channels)
    out = whole(OnTransparency(colour, alpha, keep_hidden=True))
    np.testing.assert_array_equal(out[..., :-1], colour)
    np.testing.assert_array_equal(out[..., -1], alpha)


@given(st.integers(0, 99), DTYPES)
def test_an_opaque_fill_shows_where_the_subject_is_not(seed, dtype):
    colour, alpha = picture(seed, dtype)
    white = np.iinfo(dtype).max
    out = whole(OnFill(colour, alpha, Fill((1.0, 0.0, 0.2))))
    assert out.shape[2] == 3
    np.testing.assert_array_equal(out[alpha == white], colour[alpha == white])
    expected = np.rint(np.array([1.0, 0.0, 0.2]) * white)
    assert np.abs(out[alpha == 0].astype(int) - expected).max(initial=0) <= 1
    exact = colour * (alpha[..., None] / white) + expected * (1 - alpha[..., None] / white)
    assert np.abs(out - exact).max() <= 1


@given(st.integers(0, 99), st.floats(0, 0.99))
def test_a_half_transparent_fill_adds_its_alpha_behind_the_subject(seed, opacity):
    colour, alpha = picture(seed, np.uint8)
    out = whole(OnFill(colour, alpha, Fill((0.0, 1.0, 0.0), opacity)))
    share = alpha / 255
    assert np.abs(out[..., 3] - 255 * (share + opacity * (1 - share))).max() <= 0.51


def test_a_colourful_fill_turns_a_grey_picture_to_colour_and_a_grey_one_does_not():
    colour, alpha = picture(1, np.uint8, 1)
    assert OnFill(colour, alpha, Fill((1.0, 0.0, 0.0))).channels == 3
    assert OnFill(colour, alpha, Fill((0.5,))).channels == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_mattes_multiply_with_rounding_in_place(dtype):
    white = int(np.iinfo(dtype).max)
    one = np.array([[0, 1, white // 2, white]], dtype)
    other = np.array([[white, white, white // 2, white]], dtype)
    expected = np.rint(one.astype(float) * other / white)
    multiply_into(one, other)
    np.testing.assert_array_equal(one, expected)
