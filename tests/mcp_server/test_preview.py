from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cutaway.errors import OptionError
from cutaway_mcp.preview import Preview, Rectangle, preview
from tests.pictures import ellipse, portrait

GREYS = {102, 153}


def decoded(seen: Preview) -> np.ndarray:
    with Image.open(io.BytesIO(seen.data)) as image:
        assert image.format == "WEBP"
        assert image.size == seen.size
        return np.asarray(image.convert("RGB")).astype(int)


def picture(width: int = 300, height: int = 200, alpha: int | None = None) -> Image.Image:
    array = portrait(width, height)
    if alpha is None:
        matte = np.rint(ellipse(width, height) * 255).astype(np.uint8)
    else:
        matte = np.full((height, width), alpha, np.uint8)
    return Image.fromarray(np.dstack([array, matte]))


@pytest.mark.parametrize(
    ("size", "seen_at"),
    [
        ((4000, 3000), (768, 576)),
        ((600, 1200), (384, 768)),
        ((768, 512), (768, 512)),
        ((500, 400), (500, 400)),
        ((300, 200), (600, 400)),
        ((10, 5), (760, 380)),
        ((5000, 1), (768, 1)),
    ],
)
def test_it_is_as_large_as_it_can_be_judged_best(size, seen_at):
    seen = preview(Image.new("RGB", size, "red"))
    assert seen.size == seen_at
    assert decoded(seen).shape[1::-1] == seen_at


def test_a_small_part_is_shown_pixel_by_pixel():
    image = Image.new("RGB", (1000, 1000), "white")
    image.putpixel((501, 500), (0, 0, 0))
    pixels = decoded(preview(image, Rectangle(500, 500, 8, 8)))
    squares = pixels.reshape(8, 96, 8, 96, 3).mean(axis=(1, 3, 4))
    assert squares[0, 1] < 20
    squares[0, 1] = 255
    assert squares.min() > 235


def test_what_is_transparent_is_a_checkerboard_between_black_and_white():
    seen = preview(picture(1500, 1000, alpha=0))
    pixels = decoded(seen)
    assert seen.transparent
    assert {int(pixels[row, column, 1]) for row in (8, 24) for column in (8, 24)} <= {
        near for grey in GREYS for near in range(grey - 3, grey + 4)
    }
    assert abs(pixels[8, 8] - pixels[8, 24]).max() > 40
    assert abs(pixels[8, 8] - pixels[24, 24]).max() < 6


def test_the_subject_is_seen_through_its_alpha():
    pixels = decoded(preview(picture(alpha=128), on="#0000ff"))
    original = portrait(300, 200).astype(float).repeat(2, axis=0).repeat(2, axis=1)
    expected = original * (128 / 255) + np.array([0, 0, 255]) * (127 / 255)
    assert np.abs(pixels - expected).mean() < 4


def test_what_is_opaque_looks_the_same_on_anything():
    image = picture(alpha=255)
    assert preview(image, on="red").data == preview(image, on="lime").data
    assert not preview(image).transparent


def test_a_part_is_transparent_only_if_something_in_it_is():
    image = picture()
    assert not preview(image, Rectangle(140, 90, 20, 20)).transparent
    assert preview(image, Rectangle(0, 0, 20, 20)).transparent


def test_the_alpha_itself_is_shown_white_where_the_subject_is():
    pixels = decoded(preview(picture(), on="alpha"))
    assert pixels[200, 300].min() > 250
    assert pixels[5, 5].max() < 5
    opaque = decoded(preview(Image.new("RGB", (30, 30)), on="alpha"))
    assert opaque.min() == 255


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_even_noise_fits(mode: str):
    noise = np.random.default_rng(0).integers(0, 256, (768, 768, len(mode)), np.uint8)
    seen = preview(Image.fromarray(noise))
    assert len(seen.data) <= 150_000
    decoded(seen)


def test_a_region_that_goes_beyond_the_picture_is_cut():
    seen = preview(picture(), Rectangle(200, 150, 500, 500))
    assert seen.region == Rectangle(200, 150, 100, 50)


@pytest.mark.parametrize("region", [Rectangle(300, 0, 10, 10), Rectangle(0, 900, 1, 1)])
def test_a_region_outside_the_picture_is_refused_with_the_pictures_size(region: Rectangle):
    with pytest.raises(OptionError, match="300 x 200"):
        preview(picture(), region)


def test_what_is_no_colour_is_refused():
    with pytest.raises(OptionError, match="no colour"):
        preview(picture(), on="chessboard")


@given(
    size=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    corner=st.tuples(st.integers(0, 1000), st.integers(0, 1000)),
    extent=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
)
def test_any_part_of_any_picture_is_shown_whole_and_within_bounds(size, corner, extent):
    image = Image.new("RGB", size)
    region = Rectangle(*corner, *extent)
    if corner[0] >= size[0] or corner[1] >= size[1]:
        with pytest.raises(OptionError):
            preview(image, region)
        return
    seen = preview(image, region)
    left, top, right, bottom = seen.region.corners
    assert (left, top) == corner
    assert right == min(size[0], corner[0] + extent[0])
    assert bottom == min(size[1], corner[1] + extent[1])
    assert 1 <= min(seen.size) <= max(seen.size) <= 768
