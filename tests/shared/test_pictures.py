from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cutaway
from cutaway import Limits
from cutaway.errors import SourceError, TooLarge, UnreadableImage, UnsupportedFormat
from tests.pictures import as_file, portrait
from tests.shared.images import icc

PICTURE = portrait(48, 32)


def test_a_picture_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(as_file(PICTURE))
    image = cutaway.read_image(path)
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), PICTURE)


def test_transparency_is_kept() -> None:
    alpha = np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    image = cutaway.read_image(as_file(np.dstack([PICTURE, alpha])))
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image), np.dstack([PICTURE, alpha]))


@pytest.mark.parametrize(
    "deep",
    [
        as_file(PICTURE.astype(np.uint16) * 257),
        as_file(np.dstack([PICTURE, PICTURE[..., 0]]).astype(np.uint16) * 257),
    ],
    ids=["RGB", "RGBA"],
)
def test_sixteen_bits_become_eight(deep: bytes) -> None:
    image = np.asarray(cutaway.read_image(deep))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image[..., :3], PICTURE)


def test_a_grey_picture_becomes_rgb() -> None:
    image = cutaway.read_image(as_file(PICTURE[..., 0]))
    np.testing.assert_array_equal(np.asarray(image), np.repeat(PICTURE[..., :1], 3, axis=2))


def test_it_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = cutaway.read_image(as_file(PICTURE, exif=exif))
    np.testing.assert_array_equal(np.asarray(image), np.rot90(PICTURE, -1))


@pytest.mark.parametrize("bits", [8, 16])
def test_colours_are_taken_from_their_profile_to_srgb(bits: int) -> None:
    if bits == 8:
        data = as_file(PICTURE, icc_profile=icc.wide_rgb())
    else:
        data = with_profile(as_file(PICTURE.astype(np.uint16) * 257), icc.wide_rgb())
    shown = np.asarray(cutaway.read_image(data)).astype(int)
    assert np.abs(shown - PICTURE).max() > 10
    eight = np.asarray(cutaway.read_image(as_file(PICTURE, icc_profile=icc.wide_rgb())))
    np.testing.assert_array_equal(shown, eight)


def with_profile(png: bytes, profile: bytes) -> bytes:
    """A PNG with a profile in a chunk behind its header, which is 33 bytes in all."""
    body = b"iCCPp\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]


def test_bytes_and_pixels_are_held_against_the_limits() -> None:
    data = as_file(PICTURE)
    with pytest.raises(TooLarge, match="pixels"):
        cutaway.read_image(data, Limits(max_pixels=48 * 32 - 1))
    with pytest.raises(TooLarge, match="bytes"):
        cutaway.read_image(data, Limits(max_bytes=len(data) - 1))
    assert cutaway.read_image(data, Limits(max_pixels=48 * 32)).size == (48, 32)


def test_the_settings_own_limits_hold_where_none_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUTAWAY_MAX_PIXELS", "100")
    with pytest.raises(TooLarge):
        cutaway.read_image(as_file(PICTURE))


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormat),
        (as_file(PICTURE)[:200], UnreadableImage),
        (Path("no/such/file.png"), SourceError),
    ],
    ids=["a drawing", "half a file", "nothing"],
)
def test_what_is_no_picture_is_refused(source: bytes | Path, error: type[Exception]) -> None:
    with pytest.raises(error):
        cutaway.read_image(source)


def test_arrays_and_pillow_images_are_taken_too() -> None:
    for source in (PICTURE, Image.open(io.BytesIO(as_file(PICTURE)))):
        np.testing.assert_array_equal(np.asarray(cutaway.read_image(source)), PICTURE)
