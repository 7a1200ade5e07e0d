from __future__ import annotations

import tracemalloc
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from cutaway.compositing.edge_colours import clean_edge_colours
from cutaway.errors import Cancelled
from cutaway.progress import Cancellation, Progress
from tests.benchmarks.mattes import render
from tests.shared.engine.mattes import SHAPES, MadePicture, compose, meadow, sky, smooth, textured

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_SIZE = 240
_RENDERED = 200
_PYMATTINGS = {
    "hair on meadow": 2.583,
    "hair on leaves": 2.596,
    "fur on meadow": 2.200,
    "fur on leaves": 1.951,
    "soft blur on meadow": 3.433,
    "soft blur on leaves": 3.290,
    "motion blur on meadow": 3.822,
    "motion blur on leaves": 3.152,
    "glass on meadow": 8.370,
    "glass on leaves": 9.661,
}
"""The errors on these pictures, as `error` has it, of pymatting 1.1.16's multi-level estimation."""


def fox_on(background: NDArray[np.float64], shape: str) -> MadePicture:
    """A subject of changing colour."""
    size = len(background)
    return compose(SHAPES[shape](size), textured(size, (150, 100, 70), seed=5), background)


def eight_bit(made: MadePicture) -> NDArray[np.uint8]:
    return np.rint(made.alpha * 255).astype(np.uint8)


def cleaned(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    result = colour.copy()
    clean_edge_colours(result, alpha, Progress())
    return result


def error(colour: NDArray[Any], made: MadePicture, alpha: NDArray[np.uint8]) -> float:
    """Mean difference from the subject's own colour, where and as much as it shows."""
    soft = (alpha > 0) & (alpha < 255)
    difference = np.abs(colour[soft].astype(np.float64) - made.subject[soft])
    return float(np.average(difference.mean(axis=1), weights=alpha[soft]))


@pytest.mark.parametrize(
    ("shape", "background", "share"),
    [
        ("soft disc", sky, 0.35),
        ("soft disc", meadow, 0.75),  # the subject's own texture is gone where little of it shows
        ("strands", sky, 0.15),
        ("strands", meadow, 0.25),
        ("fur", sky, 0.15),
        ("fur", meadow, 0.3),
    ],
)
def test_soft_pixels_take_the_subjects_own_colour(
    shape: str, background: Callable[[int], NDArray[np.float64]], share: float
) -> None:
    made = fox_on(background(_SIZE), shape)
    alpha = eight_bit(made)
    before = error(made.rgb, made, alpha)
    assert error(cleaned(made.rgb, alpha), made, alpha) < share * before


def test_the_colours_are_nearer_to_the_truth_than_pymattings() -> None:
    ratios = []
    for name, peers in _PYMATTINGS.items():
        subject, background = name.split(" on ")
        scene = render(subject, background, _RENDERED)
        made = MadePicture(scene.picture, scene.alpha, scene.subject)
        alpha = eight_bit(made)
        ratios.append(error(cleaned(made.rgb, alpha), made, alpha) / peers)
    assert geometric_mean(ratios) < 0.9
    assert max(ratios) < 1.15  # where the background's grain is much like the subject's own


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_plain_subject_comes_out_plain_wherever_the_work_was_cut(shape: str) -> None:
    subject, background = (np.full((_SIZE, _SIZE, 3), level, np.float64) for level in (40, 220))
    made = compose(SHAPES[shape](_SIZE), subject, background)
    alpha = eight_bit(made)
    seen = alpha >= 32
    assert np.abs(cleaned(made.rgb, alpha)[seen].astype(int) - 40).max() <= 6


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_result_is_the_same_bytes_with_any_number_of_threads(threads: int) -> None:
    made = fox_on(meadow(_SIZE), "fur")
    alpha = eight_bit(made)
    expected = cleaned(made.rgb, alpha)
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        assert np.array_equal(cleaned(made.rgb, alpha), expected)
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize(("subject", "background"), [(25, 250), (235, 10)])
@pytest.mark.parametrize("fill", [0.0, 255.0])
def test_no_rim_of_the_old_background_shows_on_a_new_one(
    shape: str, subject: int, background: int, fill: float
) -> None:
    plain = [smooth(_SIZE, (level, level, level)) for level in (subject, background)]
    made = compose(SHAPES[shape](_SIZE), *plain)
    alpha = eight_bit(made)
    share = alpha[..., None] / 255

    def rim(colour: NDArray[Any]) -> NDArray[Any]:
        shown, true = (share * part + (1 - share) * fill for part in (colour, made.subject))
        return np.abs(shown - true)

    after = rim(cleaned(made.rgb, alpha))
    assert after.max() < 12
    assert after.max() < rim(made.rgb).max() / 4
    assert after.mean() < rim(made.rgb).mean() / 15


def test_full_and_empty_pixels_stay_bit_for_bit_and_alpha_too() -> None:
    made = fox_on(meadow(_SIZE), "strands")
    alpha = eight_bit(made)
    alpha[::7] = 128
    before = alpha.copy()
    result = cleaned(made.rgb, alpha)
    hard = (alpha == 0) | (alpha == 255)
    assert np.array_equal(result[hard], made.rgb[hard])
    assert not np.array_equal(result[~hard], made.rgb[~hard])
    assert np.array_equal(alpha, before)


@pytest.mark.parametrize("value", [0, 255])
def test_a_matte_without_soft_pixels_changes_nothing(value: int) -> None:
    made = fox_on(sky(64), "fur")
    assert np.array_equal(cleaned(made.rgb, np.full((64, 64), value, np.uint8)), made.rgb)


def test_sixteen_bits_come_out_as_eight_but_finer() -> None:
    made = fox_on(meadow(_SIZE), "fur")
    alpha = eight_bit(made)
    wide = cleaned(made.rgb.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257)
    assert wide.dtype == np.uint16
    narrow = cleaned(made.rgb, alpha)
    assert np.abs(wide / 257 - narrow).max() <= 1.6  # the reduced picture is rounded to 8 bits
    assert (wide % 257 != 0).any()


@pytest.mark.parametrize(("depth", "factor"), [(np.uint8, 1), (np.uint16, 257)])
def test_grey_comes_out_as_a_colour_picture_of_greys(depth: type[Any], factor: int) -> None:
    made = fox_on(meadow(_SIZE), "strands")
    grey = (made.rgb[..., :1] * np.uint16(factor)).astype(depth)
    alpha = (eight_bit(made) * np.uint16(factor)).astype(depth)
    colour = cleaned(np.repeat(grey, 3, axis=2), alpha)
    np.testing.assert_allclose(cleaned(grey, alpha).astype(np.float64), colour[..., :1], atol=1)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (9, 1), (2, 2), (1, 40_000), (40_000, 1), (33, 65)]
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("value", [1, 128, 254])
def test_any_size_is_cleaned(size: tuple[int, int], channels: int, value: int) -> None:
    colour = np.full((*size, channels), 90, np.uint8)
    result = cleaned(colour, np.full(size, value, np.uint8))
    assert np.array_equal(result, colour)


def test_only_a_bounded_amount_of_memory_is_needed() -> None:
    made = fox_on(sky(250), "soft disc")
    colour = np.tile(made.rgb, (8, 8, 1))
    alpha = np.tile(eight_bit(made), (8, 8))
    tracemalloc.start()
    try:
        clean_edge_colours(colour, alpha, Progress())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50_000_000


def test_it_can_be_stopped() -> None:
    made = fox_on(sky(96), "fur")
    cancellation = Cancellation()
    cancellation.cancel()
    colour = made.rgb.copy()
    with pytest.raises(Cancelled):
        clean_edge_colours(colour, eight_bit(made), Progress(cancellation=cancellation))
    assert np.array_equal(colour, made.rgb)
