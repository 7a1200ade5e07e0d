"""The band's system and its solver, beside the paper's own words written out for small pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cutaway.engine.laplacian import assemble
from cutaway.errors import Cancelled
from cutaway.progress import Cancellation, Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPSILON = 1e-7


def matting_laplacian(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Equation 14 of Levin et al., window by window."""
    height, width = picture.shape[:2]
    colours = picture.reshape(-1, 3) / 255
    numbers = np.arange(height * width).reshape(height, width)
    total = np.zeros((height * width, height * width))
    for row in range(height - 2):
        for column in range(width - 2):
            window = numbers[row : row + 3, column : column + 3].ravel()
            centred = colours[window] - colours[window].mean(axis=0)
            variance = centred.T @ centred / 9 + _EPSILON / 9 * np.eye(3)
            affinity = (1 + centred @ np.linalg.solve(variance, centred.T)) / 9
            total[np.ix_(window, window)] += np.eye(9) - affinity
    return total


def solved_densely(
    picture: NDArray[np.uint8], subject: NDArray[np.bool_], background: NDArray[np.bool_]
) -> NDArray[np.float64]:
    alpha = subject.ravel().astype(np.float64)
    unknown = ~(subject | background).ravel()
    total = matting_laplacian(picture)
    right = -total[np.ix_(unknown, ~unknown)] @ alpha[~unknown]
    alpha[unknown] = np.linalg.solve(total[np.ix_(unknown, unknown)], right)
    return alpha.reshape(subject.shape)


def solved(
    picture: NDArray[np.uint8], subject: NDArray[Any], background: NDArray[Any]
) -> NDArray[np.float64]:
    inside, outside = ((known * 255).astype(np.uint8) for known in (subject, background))
    band = assemble(picture, inside, outside, lambda _: None)
    alpha = subject.astype(np.float64)
    alpha[band.rows, band.columns] = band.solve(1e-6, 200, lambda _: None)
    return alpha


def noisy(height: int, width: int) -> NDArray[np.uint8]:
    """Light over dark, with grain."""
    ramp = np.linspace(200, 60, height)[:, None, None]
    grain = np.random.default_rng(5).normal(0, 12, (height, width, 3))
    return (ramp + grain).clip(0, 255).astype(np.uint8)


def edges(height: int, width: int, depth: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Subject in the upper rows, background in the lower."""
    rows = np.arange(height)[:, None] + np.zeros(width, int)
    return rows < depth, rows >= height - depth


@pytest.mark.parametrize("size", [(3, 3), (5, 4), (9, 14), (13, 13), (24, 40)])
def test_the_solution_is_the_papers(size: tuple[int, int]) -> None:
    picture = noisy(*size)
    subject, background = edges(*size, depth=1)
    expected = solved_densely(picture, subject, background)
    np.testing.assert_allclose(solved(picture, subject, background), expected, atol=2e-3)


def test_it_is_the_papers_where_blocks_of_blocks_are_needed() -> None:
    picture = noisy(52, 44)  # 143 blocks: more than are inverted
    subject, background = edges(52, 44, depth=2)
    subject[20:30, 15:17] = True
    expected = solved_densely(picture, subject, background)
    np.testing.assert_allclose(solved(picture, subject, background), expected, atol=5e-3)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_picture_fades_evenly_from_one_side_to_the_other(value: int) -> None:
    subject, background = edges(30, 20, depth=3)
    alpha = solved(np.full((30, 20, 3), value, np.uint8), subject, background)
    np.testing.assert_allclose(alpha[:, 5:-5], alpha[:, 5:6] + np.zeros(10), atol=1e-3)
    assert (np.diff(alpha[:, 10]) <= 1e-3).all()


def test_regions_apart_are_solved_as_if_each_were_alone() -> None:
    picture = noisy(60, 200)
    subject, background = np.ones((60, 200), np.bool_), np.zeros((60, 200), np.bool_)
    background[:, 100:] = True
    subject[:, 100:] = False
    both, only = subject.copy(), subject.copy()
    both[20:40, 20:40] = both[20:40, 150:170] = only[20:40, 20:40] = False
    background[20:40, 150:170] = False
    alone = background.copy()
    alone[20:40, 150:170] = True
    np.testing.assert_allclose(
        solved(picture, both, background)[:, :100], solved(picture, only, alone)[:, :100], atol=1e-4
    )


def test_what_is_known_of_a_part_of_a_pixel_draws_it_there() -> None:
    flat = np.full((21, 21, 3), 90, np.uint8)
    subject, background = edges(21, 21, depth=2)
    leaning = subject.astype(np.float64)
    leaning[10, 5:16] = 0.9
    assert solved(flat, leaning, background)[10, 10] > solved(flat, subject, background)[10, 10]


def test_setting_up_and_solving_can_both_be_stopped() -> None:
    picture = noisy(120, 120)
    subject, background = (known.astype(np.uint8) * 255 for known in edges(120, 120, depth=5))
    cancellation = Cancellation()
    progress = Progress(cancellation=cancellation)
    band = assemble(picture, subject, background, progress.advance)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        band.solve(1e-6, 50, progress.advance)
    with pytest.raises(Cancelled):
        assemble(picture, subject, background, progress.advance)
