from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cutaway.images import Metadata, encode
from cutaway.options import ImageFormat
from tests.shared.images.pictures import Held, noise

if TYPE_CHECKING:
    from numpy.typing import NDArray


def encoded(values: NDArray[Any], *, keep_hidden: bool = False) -> bytes:
    file = io.BytesIO()
    encode(
        Held(values),
        file,
        format=ImageFormat.WEBP,
        quality=95,
        metadata=Metadata(),
        keep_hidden=keep_hidden,
    )
    return file.getvalue()


def under(alpha: NDArray[np.uint8], colour: int = 100) -> NDArray[np.uint8]:
    """A picture of one colour with that alpha."""
    return np.dstack([np.full((*alpha.shape, 3), colour, np.uint8), alpha])


def check(alpha: NDArray[np.uint8]) -> None:
    """Both of libwebp's users read an alpha back as it was."""
    data = encoded(under(alpha))
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3], alpha)
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert values is not None
    assert np.array_equal(values[..., 3], alpha)


@settings(deadline=None, max_examples=80)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    levels=st.lists(st.integers(0, 255), min_size=1, max_size=6),
    coarse=st.integers(1, 12),
    seed=st.integers(0, 9),
)
def test_an_alpha_of_any_levels_in_patches_of_any_size_reads_back_as_it_was(
    height: int, width: int, levels: list[int], coarse: int, seed: int
) -> None:
    chosen = np.random.default_rng(seed).choice(np.array(levels, np.uint8), (height, width))
    check(chosen.repeat(coarse, axis=0).repeat(coarse, axis=1)[:height, :width])


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 16383), (16383, 1), (3, 5000), (2000, 300)]
)
@pytest.mark.parametrize("level", [0, 7, 255])
def test_an_alpha_of_one_level_reads_back_as_it_was(height: int, width: int, level: int) -> None:
    check(np.full((height, width), level, np.uint8))


def test_an_alpha_of_all_levels_reads_back_as_it_was() -> None:
    check(noise(700, 600, 1)[..., 0])


def test_levels_so_rare_that_their_codes_would_be_too_long_read_back_as_they_were() -> None:
    # Steps that occur as often as Fibonacci's numbers tell, spread evenly: without a limit the
    # rarest would take 18 bits. In a single column each pixel is told by its step from the last.
    counts = [1, 1]
    while len(counts) < 19:
        counts.append(counts[-2] + counts[-1])
    steps = np.repeat(np.arange(1, 20), counts)
    place = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    ordered = steps[np.argsort(place, kind="stable")]
    check(np.cumsum(ordered).astype(np.uint8)[:, np.newaxis])


def test_a_soft_edge_is_not_half_as_large_again_as_by_libwebp() -> None:
    far = np.hypot(*np.mgrid[-400:400, -400:400]) - 300
    alpha = np.rint((0.5 - far / 20).clip(0, 1) * 255).astype(np.uint8)
    whole = cv2.imencode(".webp", under(alpha))[1]
    assert len(encoded(under(alpha))) < 1.5 * len(whole)


def test_what_shows_beside_a_hidden_edge_keeps_its_colour() -> None:
    values = under(np.zeros((64, 64), np.uint8), 230)
    values[:, 27:, 3] = 255
    values[values[..., 3] == 0] = 0

    with Image.open(io.BytesIO(encoded(values))) as image:
        rim = np.asarray(image)[:, 27:32, :3]

    assert np.abs(rim.astype(int) - 230).max() <= 2


def test_hidden_colours_that_are_not_black_stay() -> None:
    values = under(np.zeros((64, 64), np.uint8), 60)
    values[:, 27:] = 230

    with Image.open(io.BytesIO(encoded(values))) as image:
        hidden = np.asarray(image)[:, :22, :3]

    assert np.abs(hidden.astype(int) - 60).max() <= 6


@pytest.mark.parametrize("keep_hidden", [False, True])
def test_what_is_too_faint_for_eight_bits_leaves_its_colour_only_if_that_is_kept(
    *, keep_hidden: bool
) -> None:
    values = under(np.zeros((64, 64), np.uint8), 200).astype(np.uint16) * 257
    values[..., 3] = 100

    with Image.open(io.BytesIO(encoded(values, keep_hidden=keep_hidden))) as image:
        shown = np.asarray(image)

    assert not shown[..., 3].any()
    assert abs(shown[..., :3].mean() - (200 if keep_hidden else 0)) < 2
