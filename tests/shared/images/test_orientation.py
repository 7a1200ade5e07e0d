from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.ExifTags import IFD
from PIL.PngImagePlugin import PngInfo

from cutaway.images import decode, from_pil
from cutaway.settings import Limits
from tests.shared.images.pictures import chunk, exif, noise, png, saved, tiff

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMITS = Limits()
RGB = Image.fromarray(noise(6, 5, 3))
GREY = Image.fromarray(noise(6, 5, 1)[..., 0])
DEEP = noise(6, 5, 3, np.uint16)
EIGHT = range(1, 9)
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def upright(data: bytes) -> NDArray[Any]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image))


def turned(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """By the table of EXIF 2.32, section 4.6.5.1: where row 0 and column 0 are shown."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    across = orientation in {2, 3, 6, 7}
    down = orientation in {3, 4, 7, 8}
    return values[:: -1 if down else 1, :: -1 if across else 1]


@pytest.mark.parametrize("orientation", EIGHT)
@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [
        pytest.param(RGB, "JPEG", {}, id="jpeg"),
        pytest.param(RGB, "PNG", {}, id="png"),
        pytest.param(GREY, "PNG", {}, id="grey png"),
        pytest.param(RGB, "WEBP", {"lossless": True}, id="webp"),
        pytest.param(RGB, "AVIF", {}, id="avif"),
        pytest.param(RGB.convert("RGBA"), "PNG", {}, id="alpha"),
    ],
)
def test_a_picture_is_turned_as_its_exif_says(
    image: Image.Image, kind: str, options: dict[str, object], orientation: int
) -> None:
    data = saved(image, kind, exif=exif(orientation), **options)

    pixels = decode(data, LIMITS)

    shown = upright(data)
    assert np.array_equal(pixels.colour, shown.reshape(*shown.shape[:2], -1)[..., :3])
    with Image.open(io.BytesIO(data)) as lazy:
        assert np.array_equal(from_pil(lazy, LIMITS).colour, pixels.colour)


@pytest.mark.parametrize("orientation", EIGHT)
def test_the_alpha_turns_with_the_colour(orientation: int) -> None:
    values = noise(6, 5, 4)

    pixels = decode(saved(Image.fromarray(values), "PNG", exif=exif(orientation)), LIMITS)

    assert pixels.alpha is not None
    assert np.array_equal(pixels.colour, turned(values[..., :3], orientation))
    assert np.array_equal(pixels.alpha, turned(values[..., 3], orientation))


@pytest.mark.parametrize("orientation", EIGHT)
@pytest.mark.parametrize(
    ("values", "photometric"),
    [
        pytest.param(noise(6, 5, 3), 2, id="8 bits"),
        pytest.param(DEEP, 2, id="16 bits"),
        pytest.param(DEEP[..., :1], 1, id="grey"),
        pytest.param(DEEP[..., :2], 1, id="grey and alpha"),
    ],
)
def test_a_tiff_is_turned_by_its_tag(
    values: NDArray[Any], photometric: int, orientation: int
) -> None:
    pixels = decode(tiff(values, photometric=photometric, tags=[(274, orientation)]), LIMITS)

    colours = pixels.colour.shape[2]
    assert np.array_equal(pixels.colour, turned(values[..., :colours], orientation))


@pytest.mark.parametrize("orientation", EIGHT)
def test_a_16_bit_png_is_turned_too_even_if_told_after_its_pixels(orientation: int) -> None:
    told = chunk(b"eXIf", exif(orientation)[6:])

    for places in ({"before": [told]}, {"after": [told]}):
        pixels = decode(png(DEEP, colour_type=2, bits=16, **places), LIMITS)
        assert np.array_equal(pixels.colour, turned(DEEP, orientation))


def test_an_orientation_that_only_the_xmp_tells_is_heeded_as_pillow_does() -> None:
    data = saved(RGB, "PNG", pnginfo=_with_xmp(XMP))

    pixels = decode(data, LIMITS)

    assert np.array_equal(pixels.colour, upright(data))
    assert pixels.metadata.xmp == XMP.replace(b'"6"', b'"1"')


def test_the_exif_s_word_goes_before_the_xmp_s() -> None:
    data = saved(RGB, "JPEG", exif=exif(1), xmp=XMP)

    assert decode(data, LIMITS).colour.shape == (6, 5, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_kept_exif_is_upright_and_has_no_thumbnail_of_the_background(kind: str) -> None:
    block = exif(8, make="Some maker")

    kept = decode(saved(RGB, kind, exif=block), LIMITS).metadata.exif

    assert kept is not None
    read = Image.Exif()
    read.load(kept)
    assert read[274] == 1
    assert read[271] == "Some maker"
    assert read.get_ifd(IFD.IFD1) == {}
    assert b"the background as it was" in block
    assert b"the background as it was" not in kept
    assert len(kept) == len(block) - 6  # so that a maker's own offsets stay right


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    pixels = decode(saved(RGB, "PNG", exif=exif(orientation)), LIMITS)

    assert np.array_equal(pixels.colour, np.asarray(RGB))


def _with_xmp(xmp: bytes) -> PngInfo:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return info


def test_the_builder_s_thumbnail_is_one_that_readers_find() -> None:
    block = Image.Exif()
    block.load(exif(1))

    assert set(block.get_ifd(IFD.IFD1)) == {513, 514}
