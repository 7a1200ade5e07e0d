from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cutaway.errors import InputError, TooLarge
from cutaway.images import from_array
from cutaway.settings import Limits
from tests.shared.images.pictures import noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMITS = Limits()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_channels_are_told_apart(channels: int, dtype: type) -> None:
    values = noise(4, 3, channels, dtype)

    pixels = from_array(values, LIMITS)

    colours = 1 if channels < 3 else 3
    assert np.array_equal(pixels.colour, values[..., :colours])
    if channels in {2, 4}:
        assert pixels.alpha is not None
        assert np.array_equal(pixels.alpha, values[..., -1])
    else:
        assert pixels.alpha is None


def test_a_plane_is_grey() -> None:
    values = noise(4, 3, 1)

    assert np.array_equal(from_array(values[..., 0], LIMITS).colour, values)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1), (4, 3, 3)])
def test_an_array_that_can_be_used_as_it_is_is_borrowed_even_if_read_only(
    shape: tuple[int, ...],
) -> None:
    values = np.zeros(shape, np.uint8)
    values.flags.writeable = False

    pixels = from_array(values, LIMITS)

    assert pixels.borrowed
    assert np.shares_memory(pixels.colour, values)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(noise(4, 3, 3)[:, ::2], id="strided"),
        pytest.param(noise(4, 3, 4), id="with alpha"),
        pytest.param(noise(4, 3, 3, np.uint16).astype(">u2"), id="other byte order"),
        pytest.param(np.ones((4, 3), bool), id="bool"),
        pytest.param(np.ones((4, 3), np.float32), id="float"),
    ],
)
def test_an_array_that_must_be_changed_is_copied_and_never_written_to(values: NDArray[Any]) -> None:
    before = values.copy()

    pixels = from_array(values, LIMITS)
    pixels.colour[:] = 17

    assert not pixels.borrowed
    assert pixels.colour.flags.c_contiguous
    assert np.array_equal(values, before)


def test_big_endian_numbers_keep_their_worth() -> None:
    values = noise(4, 3, 3, np.uint16)

    assert np.array_equal(from_array(values.astype(">u2"), LIMITS).colour, values)


def test_true_is_white() -> None:
    assert from_array(np.array([[True, False]]), LIMITS).colour.ravel().tolist() == [255, 0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_16_bits(dtype: type) -> None:
    values: NDArray[Any] = np.array([[0, 0.25, 0.5, 1]], dtype)

    pixels = from_array(values, LIMITS)

    assert pixels.colour.dtype == np.uint16
    assert pixels.colour.ravel().tolist() == [0, 16384, 32768, 65535]


def test_an_alpha_that_hides_nothing_is_none() -> None:
    assert from_array(np.full((4, 3, 4), 255, np.uint8), LIMITS).alpha is None
    assert from_array(np.ones((4, 3, 2), np.float32), LIMITS).alpha is None


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.zeros((4,), np.uint8), id="one dimension"),
        pytest.param(np.zeros((4, 3, 5), np.uint8), id="five channels"),
        pytest.param(np.zeros((0, 3, 3), np.uint8), id="no rows"),
        pytest.param(np.zeros((4, 3, 0), np.uint8), id="no channels"),
        pytest.param(np.zeros((1, 4, 3, 3), np.uint8), id="a batch"),
        pytest.param(np.zeros((4, 3), np.int32), id="signed"),
        pytest.param(np.zeros((4, 3), np.uint32), id="32 bits"),
        pytest.param(np.zeros((4, 3), complex), id="complex"),
        pytest.param(np.zeros((4, 3), "S3"), id="text"),
        pytest.param(np.full((4, 3), np.nan), id="not a number"),
        pytest.param(np.full((4, 3), 200.0), id="floats beyond 1"),
        pytest.param(np.full((4, 3), -0.1), id="negative floats"),
    ],
)
def test_anything_else_is_refused_saying_what_is_accepted(values: NDArray[Any]) -> None:
    with pytest.raises(InputError, match=r"uint8, uint16, bool, or floats from 0 to 1"):
        from_array(values, LIMITS)


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(TooLarge, match="3 x 4 = 12 pixels, and 11"):
        from_array(np.zeros((4, 3), np.uint8), Limits(max_pixels=11))
