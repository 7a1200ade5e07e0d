from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import OutputError
from cutaway.images import Metadata, decode, encode
from cutaway.options import ImageFormat
from cutaway.settings import Limits
from tests.shared.images import icc
from tests.shared.images.pictures import Held, exif, noise

if TYPE_CHECKING:
    from numpy.typing import NDArray


def odd_exif() -> bytes:
    block = Image.Exif()
    block[271] = "Maker"
    plain = block.tobytes().removeprefix(b"Exif\0\0")
    return plain + bytes(1 - len(plain) % 2)


# EXIF and XMP are of odd lengths, which WEBP must fill up.
METADATA = Metadata(icc.wide_rgb(), odd_exif(), b"<x>odd</x>!", dpi=(300.2, 72))
COLOURS = np.dstack(np.meshgrid(np.arange(0, 240, 5), np.arange(0, 240, 5), [128])).reshape(
    48, 48, 3
)
SMOOTH = COLOURS.astype(np.uint8)


def encoded(
    values: NDArray[Any], form: ImageFormat, metadata: Metadata | None = None, quality: int = 95
) -> bytes:
    file = io.BytesIO()
    encode(Held(values), file, format=form, quality=quality, metadata=metadata or Metadata())
    return file.getvalue()


@pytest.mark.parametrize("form", ImageFormat)
def test_a_picture_is_written_in_the_format_asked_for(form: ImageFormat) -> None:
    data = encoded(SMOOTH, form)

    with Image.open(io.BytesIO(data)) as image:
        assert image.format == {"JPG": "JPEG"}.get(form, form)
        assert image.mode == "RGB"
        assert np.abs(np.asarray(image).astype(int) - SMOOTH).max() <= 12


@pytest.mark.parametrize("form", ImageFormat)
def test_16_bit_rows_are_reduced_for_all_but_png(form: ImageFormat) -> None:
    deep = SMOOTH.astype(np.uint16) * 257

    pixels = decode(encoded(deep, form), Limits())

    assert pixels.depth == (16 if form is ImageFormat.PNG else 8)
    if form is not ImageFormat.PNG:
        assert encoded(deep, form) == encoded(SMOOTH, form)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_webp_s_alpha_is_exact_and_its_colours_near(channels: int) -> None:
    colours = SMOOTH if channels == 4 else SMOOTH[..., :1]
    values = np.dstack([colours, noise(48, 48, 1)])

    pixels = decode(encoded(values, ImageFormat.WEBP), Limits())

    assert pixels.alpha is not None
    assert np.array_equal(pixels.alpha, values[..., -1])
    seen = pixels.alpha > 0
    assert np.abs(pixels.colour.astype(int) - colours)[seen].max() <= 24


def test_a_grey_webp_is_grey() -> None:
    pixels = decode(encoded(SMOOTH[..., :1], ImageFormat.WEBP), Limits())

    assert pixels.colour.shape == (48, 48, 3)
    assert np.abs(pixels.colour.astype(int) - SMOOTH[..., :1]).max() <= 4


def test_a_grey_webp_is_as_light_as_its_profile_says() -> None:
    values = np.full((16, 16, 1), 55, np.uint8)

    data = encoded(values, ImageFormat.WEBP, Metadata(icc.grey(1.0)))

    pixels = decode(data, Limits())
    assert pixels.metadata.icc_profile is None
    assert np.abs(pixels.colour.astype(int) - 128).max() <= 1


def test_a_grey_jpg_has_one_channel_and_its_own_profile() -> None:
    pixels = decode(encoded(SMOOTH[..., :1], ImageFormat.JPG, Metadata(icc.grey(2.2))), Limits())

    assert pixels.colour.shape == (48, 48, 1)
    assert pixels.metadata.icc_profile == icc.grey(2.2)


@pytest.mark.parametrize("form", ImageFormat)
def test_the_metadata_come_back(form: ImageFormat) -> None:
    metadata = decode(encoded(SMOOTH, form, METADATA), Limits()).metadata

    assert metadata.icc_profile == METADATA.icc_profile
    assert metadata.xmp == METADATA.xmp
    assert metadata.exif == METADATA.exif
    if form is not ImageFormat.WEBP:  # which has no place for it but EXIF
        assert metadata.dpi == pytest.approx((300, 72), abs=0.3)


@pytest.mark.parametrize("form", ImageFormat)
def test_without_metadata_none_are_written(form: ImageFormat) -> None:
    assert decode(encoded(SMOOTH, form), Limits()).metadata == Metadata()


def test_a_jpg_without_room_for_its_metadata_is_written_without_them() -> None:
    long = Metadata(exif=exif(1)[6:] + bytes(70_000), xmp=b"x" * 70_000)

    assert decode(encoded(SMOOTH, ImageFormat.JPG, long), Limits()).metadata == Metadata()


@pytest.mark.parametrize("form", [ImageFormat.WEBP, ImageFormat.JPG])
def test_quality_makes_the_file_larger(form: ImageFormat) -> None:
    values = noise(64, 64, 3)

    sizes = [len(encoded(values, form, quality=quality)) for quality in (20, 60, 99)]

    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    ("form", "height", "width", "longest"),
    [
        (ImageFormat.WEBP, 1, 16_384, "16383"),
        (ImageFormat.WEBP, 16_384, 1, "16383"),
        (ImageFormat.JPG, 1, 65_501, "65500"),
    ],
)
def test_a_picture_too_long_for_a_format_is_refused_with_a_way_out(
    form: ImageFormat, height: int, width: int, longest: str
) -> None:
    with pytest.raises(OutputError, match=rf"{longest} pixels a side.*Choose PNG"):
        encoded(np.zeros((height, width, 3), np.uint8), form)


@pytest.mark.parametrize(("form", "width"), [(ImageFormat.WEBP, 16_383), (ImageFormat.JPG, 65_500)])
def test_a_picture_as_long_as_a_format_can_hold_is_written(form: ImageFormat, width: int) -> None:
    assert decode(encoded(np.zeros((1, width, 3), np.uint8), form), Limits()).width == width


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_in_a_jpg_is_refused_with_a_way_out(channels: int) -> None:
    with pytest.raises(OutputError, match="Choose PNG or WEBP"):
        encoded(noise(4, 4, channels), ImageFormat.JPG)
