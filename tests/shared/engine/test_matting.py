from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from cutaway.engine.matting import estimate_alpha
from cutaway.errors import Cancelled
from cutaway.progress import Cancellation, Progress, Step
from tests.benchmarks.mattes import careful_trimap, render
from tests.shared.engine.mattes import dark_on, meadow, sky

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SIZE = 280
_RENDERED = 200
_REACH = 4
_PYMATTINGS = [
    ("hair on meadow", 1176.7, 0.0176025),
    ("hair on leaves", 440.7, 0.0036041),
    ("fur on meadow", 153.1, 0.0016302),
    ("fur on leaves", 118.5, 0.0026427),
    ("soft blur on meadow", 132.8, 0.0005837),
    ("soft blur on leaves", 134.2, 0.0009482),
    ("motion blur on meadow", 95.3, 0.0003862),
    ("motion blur on leaves", 68.0, 0.0002472),
    ("glass on meadow", 1848.0, 0.0427645),
    ("glass on leaves", 826.2, 0.014521),
]
"""The sum of the absolute and the mean of the squared errors of pymatting 1.1.16's
`estimate_alpha_cf` in the unknown band of these pictures."""


def solve(rgb: NDArray[np.uint8], trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
    return estimate_alpha(rgb, trimap, Progress())


def half_known(
    height: int, width: int, known: dict[str, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture dark above and light below, and a trimap known in its outer rows or columns.

    Where both are known, half of the pixels in between are not, and a thousand at most.
    """
    ramp = np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)
    trimap = np.full((height, width), 128, np.uint8)
    flat = trimap.reshape(-1)
    edge = max(1, flat.size // 4, flat.size // 2 - 500)
    if "first" in known:
        flat[:edge] = known["first"]
    if "last" in known:
        flat[-edge:] = known["last"]
    return np.repeat(ramp[..., None], 3, axis=2), trimap


@pytest.mark.parametrize(("name", "absolute", "square"), _PYMATTINGS)
def test_a_known_matte_is_found_as_well_as_by_pymatting(
    name: str, absolute: float, square: float
) -> None:
    subject, background = name.split(" on ")
    made = render(subject, background, _RENDERED)
    trimap = careful_trimap(made.alpha, _REACH)
    unknown = trimap == 128
    error = np.abs(solve(made.picture, trimap)[unknown] - made.alpha[unknown])
    assert error.sum() < 1.002 * absolute
    assert np.mean(error**2) < 1.002 * square


def test_what_the_trimap_knows_comes_out_exactly() -> None:
    made = dark_on(meadow(_SIZE), "strands")
    trimap = made.trimap(_REACH)
    alpha = solve(made.rgb, trimap)
    assert alpha.dtype == np.float32
    assert set(alpha[trimap == 255]) == {1}
    assert set(alpha[trimap == 0]) == {0}
    assert 0 <= alpha.min() < alpha.max() <= 1


def test_without_a_band_nothing_is_solved() -> None:
    made = dark_on(sky(64), "soft disc")
    trimap = np.where(made.alpha > 0.5, 255, 0).astype(np.uint8)
    steps: list[Step] = []
    alpha = estimate_alpha(made.rgb, trimap, Progress(steps.append))
    assert np.array_equal(alpha * 255, trimap)
    assert not steps


@pytest.mark.parametrize(("known", "expected"), [({"first": 255}, 1), ({"last": 0}, 0), ({}, 0.5)])
@pytest.mark.parametrize("size", [(40, 50), (1, 1), (1, 30)])
def test_a_band_with_one_neighbour_or_none_has_a_plain_answer(
    known: dict[str, int], expected: float, size: tuple[int, int]
) -> None:
    rgb, trimap = half_known(*size, known)
    alpha = solve(rgb, trimap)
    assert set(alpha[trimap == 128]) <= {expected}


@pytest.mark.parametrize("size", [(1, 60), (60, 1), (2, 30), (30, 2), (1, 40_000), (3, 3), (5, 4)])
def test_narrow_pictures_are_solved_between_dark_and_light(size: tuple[int, int]) -> None:
    rgb, trimap = half_known(*size, {"first": 0, "last": 255})
    alpha = solve(rgb, trimap).reshape(-1)
    assert alpha[0] == 0
    assert alpha[-1] == 1
    assert alpha[alpha.size // 3] < 0.5 < alpha[-(alpha.size // 3)]


@pytest.mark.parametrize("known", [0, 255])
def test_a_band_too_small_to_be_seen_at_the_size_that_is_solved_is_as_what_is_around(
    known: int,
) -> None:
    rgb = np.full((3000, 3000, 3), 90, np.uint8)
    trimap = np.full((3000, 3000), known, np.uint8)
    trimap[:10] = 255 - known
    trimap[900, 900] = 128
    alpha = estimate_alpha(rgb, trimap, Progress(), 0.01)
    assert alpha[900, 900] == pytest.approx(known / 255, abs=1e-3)


def test_unknown_is_whatever_is_neither_black_nor_white() -> None:
    made = dark_on(sky(96), "fur")
    trimap = made.trimap(2)
    marked = np.where(trimap == 128, 64, trimap).astype(np.uint8)
    assert np.array_equal(solve(made.rgb, marked), solve(made.rgb, trimap))


def test_a_known_strand_thinner_than_a_reduced_pixel_is_not_lost() -> None:
    rgb = np.full((600, 600, 3), 230, np.uint8)
    rgb[:, 280:320] = 30
    trimap = np.full((600, 600), 128, np.uint8)
    trimap[:, :10] = trimap[:, -10:] = 0
    trimap[:, 299:301] = 255
    alpha = solve(rgb, trimap)
    assert alpha[:, 285:315].min() > 0.9
    assert alpha[:, 340:].max() < 0.1


def test_progress_rises_and_can_be_stopped_from_inside_the_solver() -> None:
    made = dark_on(meadow(_SIZE), "strands")
    trimap = made.trimap(_REACH)
    steps: list[Step] = []
    estimate_alpha(made.rgb, trimap, Progress(steps.append))
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1

    cancellation = Cancellation()
    seen: list[Step] = []

    def stop_at_the_tenth(step: Step) -> None:
        seen.append(step)
        if len(seen) == 10:
            cancellation.cancel()

    with pytest.raises(Cancelled):
        estimate_alpha(made.rgb, trimap, Progress(stop_at_the_tenth, cancellation))
    assert len(seen) == 10


def large_picture() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Larger than what is solved at its own size: a dark disc, and a band around its edge."""
    rgb = np.random.default_rng(1).integers(190, 256, (2000, 2100, 3), dtype=np.uint8)
    cv2.circle(rgb, (1000, 950), 600, (40, 60, 30), -1)
    trimap = np.zeros(rgb.shape[:2], np.uint8)
    cv2.circle(trimap, (1000, 950), 620, (128,), -1)
    cv2.circle(trimap, (1000, 950), 570, (255,), -1)
    return rgb, trimap


def test_a_large_picture_has_its_edges_at_full_size() -> None:
    rgb, trimap = large_picture()
    alpha = solve(rgb, trimap)
    assert np.mean(np.abs(alpha - (rgb[..., 0] < 100))[trimap == 128]) < 0.01


def peak_of_solving(
    rgb: NDArray[np.uint8], trimap: NDArray[np.uint8], megapixels: float = 2.0
) -> tuple[NDArray[np.float32], int]:
    """Alpha, and how many bytes that took at most."""
    tracemalloc.start()
    try:
        alpha = estimate_alpha(rgb, trimap, Progress(), megapixels)
        return alpha, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_picture_needs_few_bytes_a_pixel() -> None:
    rgb, trimap = large_picture()
    assert peak_of_solving(rgb, trimap)[1] < 25 * trimap.size


@pytest.mark.parametrize("megapixels", [0.1, 0.5, 2])
def test_however_many_pixels_are_unknown_the_memory_follows_the_megapixels(
    megapixels: float,
) -> None:
    rgb = np.full((1500, 1500, 3), 200, np.uint8)
    rgb[:, :750] = 40
    trimap = np.full((1500, 1500), 128, np.uint8)
    trimap[:, :20], trimap[:, -20:] = 255, 0
    alpha, peak = peak_of_solving(rgb, trimap, megapixels)
    assert np.abs(alpha - (rgb[..., 0] < 100)).mean() < 0.01
    assert peak < 10 * trimap.size + megapixels * 100e6


def test_more_megapixels_find_thinner_hair() -> None:
    made = render("hair", "leaves", 400)
    trimap = careful_trimap(made.alpha, _REACH)
    errors = [
        np.abs(estimate_alpha(made.picture, trimap, Progress(), size) - made.alpha).sum()
        for size in (0.01, 0.1, 1)
    ]
    assert errors[0] > 1.2 * errors[1] > 1.2 * errors[2]


@pytest.mark.parametrize("megapixels", [2, 0.05])
def test_a_result_is_the_same_bytes_with_one_thread_or_many_and_again(megapixels: float) -> None:
    made = render("fur", "meadow", 400)
    trimap = careful_trimap(made.alpha, _REACH)
    before = cv2.getNumThreads()
    results = set()
    for threads in (1, 4, 4):
        cv2.setNumThreads(threads)
        try:
            alpha = estimate_alpha(made.picture, trimap, Progress(), megapixels)
            results.add(alpha.tobytes())
        finally:
            cv2.setNumThreads(before)
    assert len(results) == 1


def test_a_photo_is_matted_as_by_the_full_solver(test_data: Path) -> None:
    pairs = test_data / "pairs"
    rgb = cv2.imread(str(pairs / "lemur.png"), cv2.IMREAD_COLOR_RGB)
    trimap = cv2.imread(str(pairs / "lemur_trimap.png"), cv2.IMREAD_GRAYSCALE)
    mask = cv2.imread(str(pairs / "lemur_mask.png"), cv2.IMREAD_GRAYSCALE)
    assert rgb is not None
    assert trimap is not None
    assert mask is not None
    alpha = solve(rgb.astype(np.uint8), trimap.astype(np.uint8))
    unknown = (trimap > 0) & (trimap < 255)
    assert np.mean((alpha[unknown] - mask[unknown] / 255) ** 2) < 0.00001
