from __future__ import annotations

import math
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cutaway.images import decode, from_pil
from cutaway.settings import Limits
from tests.shared.images import icc
from tests.shared.images.pictures import chunk, exif, noise, png, saved, tiff

LIMITS = Limits()
RGB = Image.fromarray(noise(6, 5, 3))
XMP = b"<x:xmpmeta>a few words</x:xmpmeta>"


def make_of(block: bytes | None) -> object:
    read = Image.Exif()
    read.load(block or b"")
    return read.get(271)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_profile_exif_xmp_and_resolution_are_read(kind: str) -> None:
    options: dict[str, object] = {"icc_profile": icc.srgb(), "dpi": (300, 150)}
    if kind == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = info
    elif kind != "TIFF":
        options["xmp"] = XMP
    if kind == "TIFF":
        options["tiffinfo"] = {700: XMP, 271: "Maker", 34665: {36867: "2020:01:01 10:00:00"}}
    else:
        options["exif"] = exif(1)

    metadata = decode(saved(RGB, kind, **options), LIMITS).metadata

    assert metadata.icc_profile == icc.srgb()
    assert metadata.xmp == XMP
    assert make_of(metadata.exif) == "Maker"
    if kind in {"JPEG", "PNG", "TIFF"}:
        assert metadata.dpi == pytest.approx((300, 150), abs=0.02)


def test_a_tiff_s_exif_tells_of_the_picture_and_not_of_the_old_file() -> None:
    info = {271: "Maker", 34665: {36867: "2020:01:01 10:00:00", 37500: b"places in the file"}}

    kept = decode(saved(RGB, "TIFF", tiffinfo=info), LIMITS).metadata.exif

    read = Image.Exif()
    read.load(kept or b"")
    assert set(read) == {271, 34665}
    assert read.get_ifd(34665) == {36867: "2020:01:01 10:00:00"}


def test_threads_that_read_damaged_tags_leave_the_warning_filters_as_they_were() -> None:
    data = tiff(noise(6, 5, 3), photometric=2, tags=[(50000, 5)])
    damaged = data.replace(
        struct.pack("<HHIH", 50000, 3, 1, 5), struct.pack("<HHIH", 50000, 2, 64, 0xFFFF)
    )
    before = list(warnings.filters)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: decode(damaged, LIMITS), range(100)))

    assert list(warnings.filters) == before


def test_what_a_png_tells_after_its_pixels_is_read() -> None:
    after = [
        chunk(b"eXIf", exif(1)[6:]),
        chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + XMP),
    ]

    for bits, dtype in ((8, np.uint8), (16, np.uint16)):
        data = png(noise(3, 4, 3, dtype), colour_type=2, bits=bits, after=after)
        metadata = decode(data, LIMITS).metadata
        assert metadata.xmp == XMP
        assert make_of(metadata.exif) == "Maker"


def test_a_file_that_says_nothing_has_no_metadata() -> None:
    metadata = decode(saved(RGB, "PNG"), LIMITS).metadata

    assert (metadata.icc_profile, metadata.exif, metadata.xmp, metadata.dpi) == (None,) * 4


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"no exif at all", id="no exif"),
        pytest.param(exif(6)[:20], id="cut off"),
        pytest.param(exif(6)[:10] + b"\xff\xff\xff\xff" + exif(6)[14:], id="a place far outside"),
        pytest.param(exif(6)[:14] + b"\xff\xff" + exif(6)[16:], id="too many entries"),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_does_no_harm_to_the_picture(kind: str, block: bytes) -> None:
    pixels = decode(saved(RGB, kind, exif=b"Exif\0\0" + block.removeprefix(b"Exif\0\0")), LIMITS)

    assert pixels.colour.shape == (6, 5, 3)


def test_a_tiff_with_a_damaged_tag_is_read_without_a_warning_of_pillow_s() -> None:
    sound = tiff(noise(6, 5, 3), photometric=2, tags=[(50000, 5)])
    entry = sound.index(struct.pack("<HHIH", 50000, 3, 1, 5))
    outside = struct.pack("<HHII", 50000, 2, 64, 0xFFFFFF)  # 64 characters, far away
    damaged = sound[:entry] + outside + sound[entry + 12 :]

    assert np.array_equal(decode(damaged, LIMITS).colour, noise(6, 5, 3))


@pytest.mark.parametrize("dpi", [(0, 0), (math.nan, 1), (math.inf, 1), "300", None, (-1, -1)])
def test_a_resolution_that_makes_no_sense_is_none(dpi: object) -> None:
    image = RGB.copy()
    image.info["dpi"] = dpi

    assert from_pil(image, LIMITS).metadata.dpi is None


def test_an_imagemagick_exif_in_hex_is_read() -> None:
    block = exif(6)
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n")

    pixels = decode(saved(RGB, "PNG", pnginfo=info), LIMITS)

    assert pixels.colour.shape == (5, 6, 3)
    assert make_of(pixels.metadata.exif) == "Maker"
