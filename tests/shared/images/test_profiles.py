from __future__ import annotations

import io
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageCms

from cutaway.images import Metadata, Pixels, in_profile, srgb_pixels
from cutaway.images.profiles import fits, srgb_greys, srgb_transform
from tests.shared.images import icc
from tests.shared.images.pictures import noise

RED = (200, 30, 60)
PROFILES = {
    "RGB": icc.wide_rgb(),
    "L": icc.grey(1.0),
    "CMYK": icc.cmyk(),
}


def test_a_profile_fits_pictures_of_its_own_kind_only() -> None:
    assert [fits(icc.wide_rgb(), channels) for channels in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
    assert [fits(icc.grey(2.2), channels) for channels in (1, 2, 3, 4)] == [
        True,
        True,
        False,
        False,
    ]
    assert not any(fits(icc.cmyk(), channels) for channels in (1, 2, 3, 4))
    assert not any(fits(b"", channels) for channels in (1, 2, 3, 4))


def test_a_colour_s_numbers_in_a_profile_look_like_it_there() -> None:
    wide = in_profile(RED, icc.wide_rgb())

    shown = srgb_transform(icc.wide_rgb(), "RGB")
    assert shown is not None
    assert np.abs(np.subtract(wide, RED)).max() > 20
    seen = np.asarray(shown.apply(Image.new("RGB", (1, 1), wide)))[0, 0]
    assert np.abs(seen.astype(int) - RED).max() <= 2


def test_a_colour_s_numbers_in_a_grey_profile_are_its_grey_thrice() -> None:
    linear = in_profile((128, 128, 128), icc.grey(1.0))

    assert linear == (55, 55, 55)  # (128 / 255) ** 2.2, about


@pytest.mark.parametrize("white_or_black", [(255, 255, 255), (0, 0, 0)])
@pytest.mark.parametrize("profile", [icc.srgb(), icc.wide_rgb(), icc.grey(1.8)])
def test_white_stays_white_and_black_black(
    profile: bytes, white_or_black: tuple[int, int, int]
) -> None:
    assert in_profile(white_or_black, profile) == white_or_black


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no profile", id="no profile"),
        pytest.param(icc.wide_rgb()[:200], id="cut off"),
        pytest.param(icc.cmyk(), id="cmyk"),
        pytest.param(icc.srgb(), id="srgb itself"),
    ],
)
def test_without_a_usable_profile_a_colour_keeps_its_numbers(profile: bytes | None) -> None:
    assert in_profile(RED, profile) == RED


def test_colour_is_taken_to_srgb_and_its_profile_dropped() -> None:
    colour = noise(300, 50, 3)
    pixels = Pixels(colour, metadata=Metadata(icc.wide_rgb(), exif=b"kept"), borrowed=True)

    converted = srgb_pixels(pixels)

    whole = ImageCms.profileToProfile(
        Image.fromarray(colour),
        ImageCms.ImageCmsProfile(io.BytesIO(icc.wide_rgb())),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert whole is not None
    assert np.array_equal(converted.colour, np.asarray(whole))
    assert np.array_equal(colour, noise(300, 50, 3))
    assert converted.metadata == Metadata(exif=b"kept")
    assert not converted.borrowed


def test_grey_is_taken_to_srgb_s_grey() -> None:
    pixels = Pixels(noise(6, 5, 1), metadata=Metadata(icc.grey(1.0)))

    converted = srgb_pixels(pixels)

    table = srgb_greys(icc.grey(1.0))
    assert table is not None
    assert table[[0, 55, 255]].tolist() == [0, 128, 255]
    assert np.array_equal(converted.colour, table[pixels.colour])
    assert converted.metadata.icc_profile is None


@pytest.mark.parametrize("profile", [icc.srgb(), b"broken", icc.wide_rgb()[:300]])
def test_colour_that_is_srgb_or_can_t_be_known_keeps_its_numbers_and_memory(profile: bytes) -> None:
    pixels = Pixels(noise(6, 5, 3), metadata=Metadata(profile), borrowed=True)

    converted = srgb_pixels(pixels)

    assert converted.colour is pixels.colour
    assert converted.borrowed
    assert converted.metadata.icc_profile is None


def test_16_bit_colour_keeps_its_profile() -> None:
    pixels = Pixels(noise(6, 5, 3, np.uint16), metadata=Metadata(icc.wide_rgb()))

    assert srgb_pixels(pixels) is pixels
    assert srgb_pixels(replace(pixels, metadata=Metadata())).metadata == Metadata()


@pytest.mark.parametrize("mode", PROFILES)
def test_a_damaged_profile_is_used_or_left_and_nothing_else(mode: str) -> None:
    chance = random.Random(5)  # noqa: S311  (no secret)
    results = set()
    for _ in range(20):
        damaged = bytearray(PROFILES[mode])
        for _ in range(chance.choice([1, 4, 64])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        results.add(srgb_transform(bytes(damaged), mode) is None)
        assert len(in_profile(RED, bytes(damaged))) == 3

    assert results == {True, False}
