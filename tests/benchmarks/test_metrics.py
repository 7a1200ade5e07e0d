"""The measures of quality, on cases small enough to be worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.benchmarks import metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEFT_HALF = np.repeat([[1.0, 1.0, 0.0, 0.0]], 4, axis=0)


def _square(left: int, side: int = 10) -> NDArray[np.float64]:
    matte = np.zeros((40, 40))
    matte[15 : 15 + side, left : left + side] = 1
    return matte


def test_a_perfect_matte_has_no_error_and_full_scores() -> None:
    tally = metrics.Tally()
    tally.add(_square(5), _square(5))
    tally.add(_LEFT_HALF, _LEFT_HALF)
    scores = tally.scores()
    assert scores.pictures == 2
    assert scores.mean_absolute_error == 0
    assert scores.intersection_over_union == 1
    assert scores.max_f == pytest.approx(1)
    assert scores.s_measure == pytest.approx(1)
    assert scores.boundary_f == 1


def test_the_mean_absolute_error_counts_half_transparency() -> None:
    error = metrics.mean_absolute_error(np.array([[0.0, 1.0]]), np.array([[0.5, 1.0]]))
    assert error == 0.25


def test_the_overlap_is_the_share_of_what_either_covers() -> None:
    one, other = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 1.0, 0.0]])
    assert metrics.intersection_over_union(one, other) == pytest.approx(1 / 3)


def test_two_empty_mattes_overlap_in_full() -> None:
    assert metrics.intersection_over_union(np.zeros((2, 2)), np.zeros((2, 2))) == 1


def test_the_f_curve_weighs_precision_over_recall() -> None:
    truth = np.array([[1.0, 1.0, 0.0, 0.0]])
    curve = metrics.f_curve(np.array([[1.0, 0.5, 0.5, 0.0]]), truth)
    one_sure_hit = 1.3 * 1 * 0.5 / (0.3 * 1 + 0.5)
    both_and_one_miss = 1.3 * (2 / 3) * 1 / (0.3 * (2 / 3) + 1)
    everything = 1.3 * 0.5 * 1 / (0.3 * 0.5 + 1)
    assert curve.shape == (256,)
    assert curve[0] == pytest.approx(one_sure_hit)
    assert curve[200] == pytest.approx(both_and_one_miss)
    assert curve[255] == pytest.approx(everything)


def test_the_best_f_takes_one_threshold_for_all_pictures() -> None:
    curves = [np.array([1.0, 0.0, 0.5]), np.array([0.0, 1.0, 0.6])]
    assert metrics.max_f(curves) == pytest.approx(0.55)


def test_an_undecided_matte_is_scored_by_its_mean_and_its_even_parts() -> None:
    # Each object's part: 2 * 0.5 / (0.5 ** 2 + 1) = 0.8; each region is as even as the truth: 1.
    undecided = np.full((4, 4), 0.5)
    assert metrics.s_measure(undecided, _LEFT_HALF) == pytest.approx((0.8 + 1) / 2)


def test_structure_punishes_what_is_spread_over_the_object() -> None:
    # Rows of 1 and 0 in both halves: mean 0.5, spread sqrt(8 / 7) / 2. The centroid cuts off the
    # last row, which is as even as the truth; the regions above it are not.
    stripes = np.repeat([[1.0], [0.0], [1.0], [0.0]], 4, axis=1)
    by_object = 1 / (1.25 + np.sqrt(8 / 7) / 2)
    assert metrics.s_measure(stripes, _LEFT_HALF) == pytest.approx((by_object + 1 / 4) / 2)


def test_a_truth_without_edges_is_scored_by_the_mean_alone() -> None:
    matte = np.array([[0.25, 0.75], [0.0, 0.0]])
    assert metrics.s_measure(matte, np.zeros((2, 2))) == 0.75
    assert metrics.s_measure(matte, np.ones((2, 2))) == 0.25


def test_an_outline_two_pixels_off_still_hits() -> None:
    assert metrics.boundary_f(_square(12), _square(10)) == 1


def test_an_outline_three_pixels_off_hits_only_where_the_sides_run_along_each_other() -> None:
    # Of each square's 36 points, 9 of the upper and 9 of the lower side are near the other's same
    # side, and one upright side comes within 2 pixels of the other's upper and lower at 4 points.
    assert metrics.boundary_f(_square(13), _square(10)) == pytest.approx((9 + 9 + 4) / 36)


def test_outlines_far_apart_score_nothing() -> None:
    assert metrics.boundary_f(_square(5), _square(25)) == 0


def test_the_frame_of_the_picture_is_no_outline() -> None:
    whole = np.ones((8, 8))
    assert metrics.boundary_f(whole, whole) == 1
    assert metrics.boundary_f(whole, _LEFT_HALF.repeat(2, axis=0).repeat(2, axis=1)) == 0
