from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import TooLarge, UnreadableImage, UnsupportedFormat
from cutaway.images import from_pil
from cutaway.settings import Limits
from tests.shared.images import icc
from tests.shared.images.pictures import exif, noise, saved

LIMITS = Limits()
RGB = Image.fromarray(noise(6, 5, 3))
RGBA = Image.fromarray(noise(6, 5, 4))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"])
def test_an_opaque_image_of_any_mode_is_what_pillow_shows(mode: str) -> None:
    image = RGB.convert(mode)

    pixels = from_pil(image, LIMITS)

    grey = mode in {"1", "L"}
    shown = np.asarray(image.convert("L" if grey else "RGB")).reshape(6, 5, 1 if grey else 3)
    assert np.array_equal(pixels.colour, shown)
    assert pixels.alpha is None


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_an_image_with_alpha_of_any_mode_is_what_pillow_shows(mode: str) -> None:
    if mode == "PA":
        image = RGB.convert("P")
        image.putalpha(RGBA.getchannel("A"))
    else:
        image = RGBA.convert("LA" if mode == "La" else mode).convert(mode)

    pixels = from_pil(image, LIMITS)

    grey = mode in {"LA", "La"}
    shown = np.asarray(image.convert("LA" if grey else "RGBA"))
    assert np.array_equal(pixels.colour, shown[..., :-1])
    assert pixels.alpha is not None
    assert np.array_equal(pixels.alpha, shown[..., -1])


def test_a_deep_grey_image_keeps_its_16_bits() -> None:
    values = noise(6, 5, 1, np.uint16)

    pixels = from_pil(Image.fromarray(values[..., 0]), LIMITS)

    assert np.array_equal(pixels.colour, values)


def test_floats_become_16_bits_and_other_wide_numbers_are_refused() -> None:
    half = Image.fromarray(np.full((2, 2), 0.5, np.float32))

    assert from_pil(half, LIMITS).colour.ravel().tolist() == [32768] * 4
    with pytest.raises(UnsupportedFormat, match="8 or 16 bits"):
        from_pil(Image.new("I", (2, 2), 70000), LIMITS)
    with pytest.raises(UnsupportedFormat, match="outside 0"):
        from_pil(Image.new("F", (2, 2), 1.5), LIMITS)


def test_the_image_given_is_left_as_it_was() -> None:
    image = RGB.convert("P")
    image.info["transparency"] = 3
    before, info = image.tobytes(), dict(image.info)

    pixels = from_pil(image, LIMITS)
    pixels.colour[:] = 0

    assert image.tobytes() == before
    assert image.info == info
    assert not pixels.borrowed


def test_an_image_that_was_opened_and_not_loaded_is_loaded_and_turned() -> None:
    data = saved(RGB, "PNG", exif=exif(6), icc_profile=icc.srgb(), dpi=(96, 96))

    with Image.open(io.BytesIO(data)) as image:
        pixels = from_pil(image, LIMITS)

    assert np.array_equal(pixels.colour, np.rot90(np.asarray(RGB), -1))
    assert pixels.metadata.icc_profile == icc.srgb()
    assert pixels.metadata.dpi == pytest.approx((96, 96), abs=0.02)


def test_a_tiff_that_was_opened_is_turned_once_whether_loaded_before_or_not() -> None:
    data = saved(RGB, "TIFF", tiffinfo={274: 6})

    for load_first in (False, True):
        with Image.open(io.BytesIO(data)) as image:
            if load_first:
                image.load()
            pixels = from_pil(image, LIMITS)
        assert np.array_equal(pixels.colour, np.rot90(np.asarray(RGB), -1))


def test_of_an_animation_the_frame_it_stands_at_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])

    with Image.open(io.BytesIO(data)) as image:
        image.seek(1)
        pixels = from_pil(image, LIMITS)

    assert pixels.colour[0, 0].tolist() == [0, 255, 0]
    assert pixels.warnings == ()


def test_too_many_pixels_are_refused_before_loading() -> None:
    with (
        Image.open(io.BytesIO(saved(RGB, "PNG"))) as image,
        pytest.raises(TooLarge, match="30 pixels, and 29"),
    ):
        from_pil(image, Limits(max_pixels=29))


def test_an_image_of_a_damaged_file_is_unreadable() -> None:
    data = saved(RGB, "PNG")

    with (
        Image.open(io.BytesIO(data[:-40])) as image,
        pytest.raises(UnreadableImage, match="PNG can't be read"),
    ):
        from_pil(image, LIMITS)
