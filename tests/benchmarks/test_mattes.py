"""The made pictures: what they claim to know is so."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.mattes import BACKGROUNDS, SUBJECTS, careful_trimap, render

_SIZE = 160


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_picture_has_subject_background_and_what_is_between(subject: str) -> None:
    alpha = render(subject, "meadow", _SIZE).alpha
    assert alpha.dtype == np.float32
    shares = [(alpha == 0).mean(), (alpha == 1).mean(), ((alpha > 0.02) & (alpha < 0.98)).mean()]
    assert min(shares) > 0.02


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_where_the_subject_is_opaque_the_picture_shows_its_own_colour(
    subject: str, background: str
) -> None:
    scene = render(subject, background, _SIZE)
    difference = scene.picture.astype(int) - scene.subject
    opaque, absent = scene.alpha == 1, scene.alpha == 0
    assert abs(difference[opaque]).mean() < 2  # the sensor's noise
    assert abs(difference[absent]).mean() > 20


def test_the_same_arguments_give_the_same_picture_and_others_another() -> None:
    first, again = (render("hair", "leaves", _SIZE) for _ in range(2))
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.alpha, again.alpha)
    assert not np.array_equal(first.picture, render("hair", "bricks", _SIZE).picture)


def test_hair_is_as_thick_in_a_larger_picture() -> None:
    """The share of a hair's pixels that are soft doesn't depend on the size."""
    soft = []
    for size in (_SIZE, 3 * _SIZE):
        alpha = render("hair", "meadow", size).alpha
        hair = alpha[: int(0.24 * size)]  # above the head
        soft.append(((hair > 0) & (hair < 1)).sum() / (hair > 0).sum())
    assert soft[0] == pytest.approx(soft[1], abs=0.12)
    assert min(soft) > 0.5


@pytest.mark.parametrize("reach", [0, 3])
def test_a_careful_trimap_leaves_nothing_soft_decided(reach: int) -> None:
    alpha = render("motion blur", "meadow", _SIZE).alpha
    known = careful_trimap(alpha, reach)
    assert (alpha[known == 0] == 0).all()
    assert (alpha[known == 255] == 1).all()
    soft = ((alpha > 0) & (alpha < 1)).sum()
    assert (known == 128).sum() >= soft * (1.2 if reach else 1)
