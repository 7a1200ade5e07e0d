from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cutaway.engine.classical import ClassicalEngine
from cutaway.engine.classical.barrier import barrier_distance
from cutaway.engine.classical.confidence import confidence
from cutaway.engine.classical.connectivity import subject_likelihood
from cutaway.engine.classical.segmentation import cut_out
from cutaway.engine.classical.superpixels import Superpixels
from cutaway.errors import Cancelled, NoSubjectFound
from cutaway.progress import Progress, Step
from tests.pictures import overlap
from tests.shared.engine import classical_pictures as made

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cutaway.engine.matte import Matte


def find(rgb: NDArray[np.uint8]) -> Matte:
    return ClassicalEngine().find_subject(rgb, Progress())


def at_size_of(truth: NDArray[np.float64], matte: Matte) -> NDArray[np.float32]:
    height, width = truth.shape
    return cv2.resize(matte.alpha, (width, height)).astype(np.float32)


@pytest.mark.parametrize("subject", [made.disc, made.tall_ellipse, made.blob])
@pytest.mark.parametrize("background", [made.white, made.plain, made.gradient, made.uneven_green])
def test_a_subject_on_a_smooth_background_is_found_with_confidence(
    subject: made.Subject, background: made.Background
):
    truth = subject(480, 640)
    matte = find(made.photographed(truth, background(480, 640)))
    assert overlap(at_size_of(truth, matte), truth) > 0.94
    assert matte.confidence > 0.9


def test_a_subject_is_found_in_a_large_photograph_at_the_engines_own_size():
    truth = made.blob(1500, 2000)
    matte = find(made.photographed(truth, made.gradient(1500, 2000)))
    assert matte.alpha.shape == (300, 400)
    assert matte.alpha.dtype == np.float32
    assert overlap(at_size_of(truth, matte), truth) > 0.95


def test_the_edge_of_the_matte_is_soft_and_its_inside_and_outside_are_not():
    alpha = find(made.photographed(made.disc(300, 400), made.white(300, 400))).alpha
    assert alpha.min() == 0
    assert alpha.max() == 1
    soft = (alpha > 0) & (alpha < 1)
    assert 0.005 < soft.mean() < 0.05


def test_a_loose_speck_is_not_part_of_the_subject_and_a_glint_on_it_is():
    truth = made.disc(300, 400)
    truth[20:30, 30:40] = 1
    truth[145:155, 195:205] = 0
    alpha = find(made.photographed(truth, made.white(300, 400))).alpha
    assert alpha[25, 35] < 0.5
    assert alpha[150, 200] > 0.5


def test_fine_teeth_are_followed():
    truth = made.gear(480, 640)
    matte = find(made.photographed(truth, made.white(480, 640)))
    assert overlap(at_size_of(truth, matte), truth) > 0.97


@pytest.mark.parametrize("background", [made.white, made.plain, made.gradient, made.uneven_green])
def test_a_person_whom_the_bottom_of_the_frame_cuts_is_kept_to_the_bottom(
    background: made.Background,
):
    truth = made.bust(300, 400)
    matte = find(made.photographed(truth, background(300, 400)))
    assert overlap(at_size_of(truth, matte), truth) > 0.95
    assert matte.confidence > 0.6


def test_ground_of_another_colour_all_along_the_bottom_is_background():
    scene = made.plain(300, 400)
    scene[270:] = (90.0, 80.0, 60.0)
    truth = made.disc(300, 400)
    matte = find(made.photographed(truth, scene))
    assert overlap(at_size_of(truth, matte), truth) > 0.95


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("height", [300, 1200])
def test_a_small_faint_subject_is_still_a_subject(height: int, noise: float):
    width = height * 4 // 3
    radius = (0.03 * height * width / np.pi) ** 0.5
    truth = made.ellipse(height, width, radius, radius, across=0.42)
    picture = made.exposed(120 + 12 * np.repeat(truth[..., None], 3, axis=2), noise)
    assert overlap(at_size_of(truth, find(picture)), truth) > 0.9


def test_a_subject_of_half_a_percent_of_the_picture_is_found():
    truth = made.ellipse(600, 800, 28, 28, across=0.42)
    matte = find(made.photographed(truth, made.gradient(600, 800)))
    assert overlap(at_size_of(truth, matte), truth) > 0.85


@pytest.mark.parametrize("seed", range(6))
def test_two_coloured_clutter_gives_no_confidence(seed: int):
    assert find(made.clutter(300, 400, seed)).confidence < 0.6


@pytest.mark.parametrize("strength", [0.4, 0.6])
@pytest.mark.parametrize("subject", [made.disc, made.blob])
@pytest.mark.parametrize("background", [made.white, made.plain, made.gradient])
def test_the_soft_shadow_of_a_subject_is_not_part_of_it(
    subject: made.Subject, background: made.Background, strength: float
):
    truth = subject(300, 400)
    light = made.shadow(truth, strength)
    matte = find(made.photographed(truth, background(300, 400) * light))
    assert overlap(at_size_of(truth, matte), truth) > 0.94


@pytest.mark.parametrize(
    ("background", "grey"),
    [(made.white, 60), (made.white, 120), (made.white, 190), (made.gradient, 60)],
)
def test_a_flat_grey_subject_is_no_shadow(background: made.Background, grey: int):
    truth = made.blob(300, 400)
    matte = find(made.photographed(truth, background(300, 400), (grey, grey, grey)))
    assert overlap(at_size_of(truth, matte), truth) > 0.94


@pytest.mark.parametrize("background", [made.white, made.plain, made.gradient])
def test_a_subject_that_the_top_or_a_side_of_a_smooth_picture_cuts_is_kept_whole(
    background: made.Background,
):
    upright = made.bust(300, 400)
    for truth in (upright[::-1], upright.T):
        matte = find(made.photographed(truth, background(*truth.shape)))
        assert overlap(at_size_of(truth, matte), truth) > 0.94


def disagreeing(truth: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.roll(truth, truth.shape[1] // 3, axis=1).astype(np.float32)


def test_confidence_is_high_only_where_cues_outline_and_border_all_speak_for_the_mask():
    truth = made.disc(300, 400)
    mask, cues = truth > 0.5, [truth.astype(np.float32)] * 3
    easy = made.photographed(truth, made.white(300, 400))
    busy = made.photographed(truth, made.clutter(300, 400, seed=0).astype(np.float64))
    lying = np.ones((300, 400), bool)
    lying[:, 200:] = False
    halves = made.exposed(np.where(lying[..., None], 40.0, np.full(3, 200.0)))

    assert confidence(easy, mask, cues) > 0.9
    assert confidence(busy, mask, cues) < 0.75
    assert confidence(easy, mask, [*cues[:2], disagreeing(truth)]) < 0.8
    assert confidence(halves, lying, [lying.astype(np.float32)]) == pytest.approx(0.5, abs=0.05)


def test_a_walk_round_a_wall_costs_nothing_and_one_through_it_costs_its_height():
    ground = np.zeros((40, 40, 2), np.float32)
    ground[10:30, [10, 29]] = ground[[10, 29], 10:30] = (3, 5)
    seeds = np.zeros((40, 40), bool)
    seeds[:, 0] = True
    assert barrier_distance(ground, seeds)[20, 20] == 8
    ground[20, 29] = 0
    assert barrier_distance(ground, seeds)[20, 20] == 0


def test_a_walk_up_a_slope_costs_its_rise_once():
    slope = np.repeat(np.arange(30, dtype=np.float32)[:, None, None], 20, axis=1)
    seeds = np.zeros((30, 20), bool)
    seeds[0] = True
    np.testing.assert_array_equal(barrier_distance(slope, seeds)[:, 7], np.arange(30))


def test_patches_on_a_slope_across_the_picture_are_background_and_an_island_on_it_is_not():
    row, column = np.indices((9, 9))
    lightness = 8.0 * (row + column)
    lightness[4, 3] = 115
    colours = np.pad(lightness.reshape(81, 1), ((0, 0), (0, 2)))
    centres = np.stack([row.ravel(), column.ravel()], axis=1).astype(np.float64)
    border = np.pad(np.zeros((7, 7), bool), 1, constant_values=True)
    patches = Superpixels(np.arange(81).reshape(9, 9), colours, centres)
    likelihood = subject_likelihood(patches, border).reshape(9, 9)
    slope = np.delete(likelihood.ravel(), 4 * 9 + 3)
    assert slope.max() < 0.25 * likelihood[4, 3]


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_the_cut_does_not_depend_on_what_was_drawn_at_random_before(draws: int):
    truth = made.disc(200, 260)
    picture = made.photographed(truth, made.mosaic(200, 260))
    cv2.setRNGSeed(0)
    first = cut_out(picture, truth.astype(np.float32))
    cv2.setRNGSeed(100 * draws)
    np.testing.assert_array_equal(cut_out(picture, truth.astype(np.float32)), first)


def ramp(height: int, width: int, axis: int) -> NDArray[np.float64]:
    return np.asarray(np.indices((height, width))[axis] / (height, width)[axis])


def grey(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.repeat(values[..., None], 3, axis=2)


def noise(height: int, width: int, channels: int) -> NDArray[np.float64]:
    return np.random.default_rng(3).uniform(0, 255, (height, width, channels)) * np.ones(3)


BLANK = {
    "black": np.zeros((300, 400, 3)),
    "white": np.full((300, 400, 3), 255.0),
    "one colour": np.full((240, 320, 3), (20.0, 90.0, 200.0)),
    "one colour, large": np.full((1200, 1600, 3), (20.0, 90.0, 200.0)),
    "gradient sideways": grey(255 * ramp(300, 400, 1)),
    "gradient down, small": grey(255 * ramp(64, 64, 0)),
    "gradient of two colours": np.stack(
        [255 * ramp(500, 700, 0), 255 * ramp(500, 700, 1), 255 - 255 * ramp(500, 700, 0)], axis=2
    ),
    "gradient round the middle": grey(
        250 - 250 * np.hypot(ramp(300, 400, 0) - 0.5, ramp(300, 400, 1) - 0.5)
    ),
    "vignette": grey(240 - 200 * ((ramp(300, 400, 0) - 0.5) ** 2 + (ramp(300, 400, 1) - 0.5) ** 2)),
    "noise": noise(300, 400, 3),
    "noise, grey": noise(320, 320, 1),
    "noise, small": noise(40, 40, 3),
    "noise, large": noise(1000, 1200, 3),
    "noise of two values": np.where(noise(300, 300, 1) < 128, 0.0, 255.0),
}


@pytest.mark.parametrize("name", BLANK)
def test_a_picture_with_nothing_in_it_has_no_subject(name: str):
    with pytest.raises(NoSubjectFound) as refusal:
        find(made.exposed(BLANK[name]))
    assert refusal.value.why
    assert refusal.value.next_step


@pytest.mark.parametrize("name", ["white", "one colour", "gradient sideways", "vignette"])
def test_sensor_noise_does_not_turn_nothing_into_a_subject(name: str):
    with pytest.raises(NoSubjectFound):
        find(made.exposed(BLANK[name], noise=3))


@pytest.mark.parametrize("quality", [50, 80, 95])
@pytest.mark.parametrize("spread", [12, 80])
def test_compressed_noise_has_no_subject(spread: float, quality: int):
    grain = made.exposed(np.full((300, 400, 3), 120.0), noise=spread)
    _, file = cv2.imencode(".jpg", grain, [cv2.IMWRITE_JPEG_QUALITY, quality])
    picture = cv2.imdecode(file, cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    with pytest.raises(NoSubjectFound):
        find(picture.astype(np.uint8))


def checked(height: int, width: int) -> NDArray[np.uint8]:
    cells = np.indices((height, width)).sum(axis=0) // 3 % 2 * 255.0
    return made.exposed(grey(cells))


def dot(height: int, width: int) -> NDArray[np.uint8]:
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[height // 2, width // 2] = 0
    return picture


def halves(height: int, width: int) -> NDArray[np.uint8]:
    picture = np.full((height, width, 3), (200, 60, 30), np.uint8)
    picture[:, width // 2 :] = (20, 60, 130)
    return picture


def framed(height: int, width: int) -> NDArray[np.uint8]:
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[2:-2, 2:-2] = (10, 20, 30)
    return picture


def noisy(height: int, width: int) -> NDArray[np.uint8]:
    return made.exposed(noise(height, width, 3))


def discs(height: int, width: int) -> NDArray[np.uint8]:
    return made.photographed(made.disc(height, width), made.plain(height, width))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([checked, dot, halves, framed, noisy, discs]),
    st.one_of(
        st.tuples(st.integers(1, 90), st.integers(1, 90)),
        st.tuples(st.integers(1, 40), st.integers(400, 5000)),
        st.tuples(st.integers(400, 5000), st.integers(1, 40)),
    ),
)
@example(halves, (1, 1))
@example(halves, (1, 2))
@example(halves, (2, 2))
@example(halves, (1, 5000))
@example(halves, (5000, 1))
@example(discs, (16, 16))
@example(discs, (16, 5000))
@example(framed, (33, 971))
def test_a_picture_of_any_size_gives_a_matte_or_no_subject(draw, size: tuple[int, int]):
    picture = draw(*size)
    try:
        matte = find(picture)
    except NoSubjectFound:
        return
    assert matte.alpha.ndim == 2
    assert matte.alpha.min() >= 0
    assert matte.alpha.max() <= 1
    assert 0 <= matte.confidence <= 1


@pytest.mark.parametrize("size", [(24, 24), (32, 400), (1200, 40), (64, 2000)])
def test_a_tiny_or_narrow_picture_with_a_plain_subject_has_a_subject(size: tuple[int, int]):
    truth = made.disc(*size)
    matte = find(made.photographed(truth, made.plain(*size)))
    assert overlap(at_size_of(truth, matte), truth) > 0.6


def test_the_same_picture_gives_the_same_bytes_whatever_ran_before_and_in_any_thread():
    picture = made.photographed(made.disc(200, 260), made.mosaic(200, 260))
    first = find(picture)
    cv2.setRNGSeed(12345)
    with ThreadPoolExecutor(2) as pool:
        others = [find(picture), *pool.map(find, [picture] * 2)]
    for other in others:
        assert other.alpha.tobytes() == first.alpha.tobytes()
        assert other.confidence == first.confidence


def test_the_picture_may_be_read_only_and_a_view_and_is_never_written_to():
    picture = made.photographed(made.blob(200, 300), made.white(200, 300))
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    mirrored.setflags(write=False)
    view = find(mirrored[:, ::-1])
    assert view.alpha.tobytes() == find(picture).alpha.tobytes()
    np.testing.assert_array_equal(mirrored[:, ::-1], picture)


def test_progress_only_grows_and_stays_within_the_stage():
    steps: list[Step] = []
    picture = made.photographed(made.disc(200, 300), made.white(200, 300))
    ClassicalEngine().find_subject(picture, Progress(steps.append))
    shares = [step.share for step in steps]
    assert len(shares) >= 4
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] <= 1


@pytest.mark.parametrize("reports", range(5))
def test_cancelling_stops_the_work_at_its_next_step(reports: int):
    told: list[Step] = []

    def report(step: Step) -> None:
        told.append(step)
        if len(told) == reports:
            progress.cancellation.cancel()

    progress = Progress(report)
    if reports == 0:
        progress.cancellation.cancel()
    with pytest.raises(Cancelled):
        ClassicalEngine().find_subject(made.clutter(200, 300, seed=0), progress)
    assert len(told) == reports


def test_natural_photographs_are_cut_out_as_well_as_measured(test_data: Path):
    scores = []
    for mask in sorted((test_data / "pairs").glob("ecssd_*_mask.png")):
        photo = cv2.imread(str(mask).replace("_mask.png", ".jpg"), cv2.IMREAD_COLOR_RGB)
        truth = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
        assert photo is not None
        assert truth is not None
        matte = find(photo.astype(np.uint8))
        scores.append(overlap(at_size_of(truth.astype(np.float64), matte), truth))
    assert len(scores) >= 10
    assert np.mean(scores) > 0.53
