from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import pytest
from PIL import Image

from cutaway.errors import TooLarge, UnsupportedFormat
from cutaway.images import Pixels, decode, sniff
from cutaway.settings import Limits
from tests.shared.images import icc
from tests.shared.images.pictures import chunk, deflated_tiff, noise, png, saved, tiff

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMITS = Limits()
RGB = noise(6, 5, 3)
RGBA = noise(6, 5, 4)
GREY = noise(6, 5, 1)
GREY_ALPHA = noise(6, 5, 2)
DEEP_RGB = noise(6, 5, 3, np.uint16)
DEEP_RGBA = noise(6, 5, 4, np.uint16)
DEEP_GREY = noise(6, 5, 1, np.uint16)
DEEP_GREY_ALPHA = noise(6, 5, 2, np.uint16)


def image_of(values: NDArray[Any]) -> Image.Image:
    return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)


def joined(pixels: Pixels) -> NDArray[Any]:
    if pixels.alpha is None:
        return pixels.colour
    return np.dstack([pixels.colour, pixels.alpha])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_a_type_is_told_from_the_bytes_and_read(kind: str) -> None:
    data = saved(image_of(RGB), kind)

    assert sniff(data) == kind
    assert decode(data, LIMITS).colour.shape == (6, 5, 3)


@pytest.mark.parametrize("data", [b"", b"BM is how this text begins", b"<svg/>", bytes(40)])
def test_bytes_of_no_known_type_are_refused(data: bytes) -> None:
    assert sniff(data) is None
    with pytest.raises(UnsupportedFormat, match="PNG, JPEG"):
        decode(data, LIMITS)


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_a_heic_is_recognised_and_refused_with_a_way_out(brand: bytes) -> None:
    data = (24).to_bytes(4, "big") + b"ftyp" + brand + bytes(4) + b"heicmiaf" + bytes(50)

    assert sniff(data) == "HEIC"
    with pytest.raises(UnsupportedFormat, match="Convert it to JPEG or PNG"):
        decode(data, LIMITS)


def test_an_avif_that_names_a_general_brand_first_is_an_avif() -> None:
    assert sniff((24).to_bytes(4, "big") + b"ftypmif1" + bytes(4) + b"avifmiaf") == "AVIF"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(saved(image_of(RGB), "PNG"), RGB, id="png rgb"),
        pytest.param(saved(image_of(RGBA), "PNG"), RGBA, id="png rgba"),
        pytest.param(saved(image_of(GREY), "PNG"), GREY, id="png grey"),
        pytest.param(
            saved(Image.fromarray(GREY_ALPHA, "LA"), "PNG"), GREY_ALPHA, id="png grey alpha"
        ),
        pytest.param(saved(image_of(RGB), "WEBP", lossless=True), RGB, id="webp rgb"),
        pytest.param(saved(image_of(RGB), "TIFF"), RGB, id="tiff rgb"),
        pytest.param(saved(image_of(RGBA), "TIFF", compression="tiff_lzw"), RGBA, id="tiff rgba"),
        pytest.param(saved(image_of(RGB), "BMP"), RGB, id="bmp rgb"),
        pytest.param(png(DEEP_GREY, colour_type=0, bits=16), DEEP_GREY, id="png grey 16"),
        pytest.param(
            png(DEEP_GREY_ALPHA, colour_type=4, bits=16), DEEP_GREY_ALPHA, id="png grey alpha 16"
        ),
        pytest.param(png(DEEP_RGB, colour_type=2, bits=16), DEEP_RGB, id="png rgb 16"),
        pytest.param(png(DEEP_RGBA, colour_type=6, bits=16), DEEP_RGBA, id="png rgba 16"),
    ],
)
def test_numbers_come_out_of_a_lossless_file_as_they_went_in(
    data: bytes, expected: NDArray[Any]
) -> None:
    pixels = decode(data, LIMITS)

    assert pixels.colour.dtype == expected.dtype
    assert pixels.colour.flags.c_contiguous
    assert np.array_equal(joined(pixels), expected)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("values", "photometric"),
    [
        pytest.param(DEEP_GREY, 1, id="grey"),
        pytest.param(DEEP_GREY_ALPHA, 1, id="grey alpha"),
        pytest.param(DEEP_RGB, 2, id="rgb"),
        pytest.param(DEEP_RGBA, 2, id="rgba"),
    ],
)
def test_a_tiff_of_16_bits_keeps_them_in_either_byte_order(
    values: NDArray[Any], photometric: int, order: Literal["<", ">"]
) -> None:
    extra = [(338, 2)] if values.shape[2] in {2, 4} else []

    pixels = decode(tiff(values, photometric=photometric, order=order, tags=extra), LIMITS)

    assert np.array_equal(joined(pixels), values)


def test_a_compressed_tiff_of_16_bits_keeps_them() -> None:
    data = cv2.imencode(".tiff", DEEP_RGB[..., ::-1])[1].tobytes()

    assert np.array_equal(decode(data, LIMITS).colour, DEEP_RGB)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("strip", [1, 4, 6])
def test_a_deflated_tiff_of_deep_grey_and_alpha_keeps_its_16_bits(
    order: Literal["<", ">"], predictor: int, strip: int
) -> None:
    data = deflated_tiff(DEEP_GREY_ALPHA, order=order, predictor=predictor, strip=strip)

    assert np.array_equal(joined(decode(data, LIMITS)), DEEP_GREY_ALPHA)


def test_a_tiff_of_deep_grey_and_alpha_in_another_compression_is_refused() -> None:
    data = tiff(DEEP_GREY_ALPHA, photometric=1)
    lzw = data.replace(struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, 5))

    with pytest.raises(UnsupportedFormat, match=r"compression.*Convert it to PNG"):
        decode(lzw, LIMITS)


def test_a_16_bit_ramp_stays_a_ramp() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)

    assert np.array_equal(decode(png(ramp, colour_type=0, bits=16), LIMITS).colour, ramp)
    assert np.array_equal(decode(tiff(ramp, photometric=1), LIMITS).colour, ramp)


def test_a_16_bit_tiff_whose_white_is_zero_is_not_a_negative() -> None:
    pixels = decode(tiff(DEEP_GREY, photometric=0), LIMITS)

    assert np.array_equal(pixels.colour, 65535 - DEEP_GREY)


@pytest.mark.parametrize("values", [DEEP_GREY_ALPHA, DEEP_RGBA], ids=["grey", "rgb"])
def test_premultiplied_16_bit_colour_is_divided_by_its_alpha(values: NDArray[Any]) -> None:
    straight = values.copy()
    straight[..., -1] = np.linspace(0, 65535, 30).reshape(6, 5)
    share = straight[..., -1:] / 65535
    stored = straight.copy()
    stored[..., :-1] = np.rint(straight[..., :-1] * share)

    pixels = decode(tiff(stored, photometric=values.shape[2] // 2, tags=[(338, 1)]), LIMITS)

    assert pixels.alpha is not None
    assert np.array_equal(pixels.alpha, straight[..., -1])
    error = np.abs(pixels.colour.astype(float) - straight[..., :-1]) * share
    assert error[share[..., 0] > 0].max() <= 1  # to what 16 bits of the product could hold


def test_a_16_bit_tiff_with_a_fourth_channel_that_is_no_alpha_is_opaque() -> None:
    pixels = decode(tiff(DEEP_RGBA, photometric=2, tags=[(338, 0)]), LIMITS)

    assert pixels.alpha is None
    assert np.array_equal(pixels.colour, DEEP_RGBA[..., :3])


@pytest.mark.parametrize("values", [DEEP_RGB, DEEP_GREY_ALPHA], ids=["rgb", "grey alpha"])
def test_a_16_bit_tiff_with_its_channels_apart_is_refused_rather_than_misread(
    values: NDArray[Any],
) -> None:
    data = tiff(values, photometric=2 if values.shape[2] == 3 else 1, apart=True)

    with pytest.raises(UnsupportedFormat, match="Convert it to PNG"):
        decode(data, LIMITS)


def test_floats_from_0_to_1_become_16_bits() -> None:
    floats = np.array([[0, 0.25, 1]], np.float32)[..., np.newaxis]

    assert decode(tiff(floats, photometric=1), LIMITS).colour.ravel().tolist() == [0, 16384, 65535]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.full((2, 2, 1), 200, np.float32), id="floats beyond 1"),
        pytest.param(np.full((2, 2, 1), np.nan, np.float32), id="not numbers"),
        pytest.param(np.full((2, 2, 1), 70000, np.uint32), id="32-bit integers"),
        pytest.param(np.full((2, 2, 1), -5, np.int16), id="signed integers"),
        pytest.param(np.full((2, 2, 3), 0.5, np.float32), id="float colour"),
    ],
)
def test_numbers_of_unclear_range_are_refused_saying_what_to_convert_to(
    values: NDArray[Any],
) -> None:
    with pytest.raises(UnsupportedFormat, match="Convert it to"):
        decode(tiff(values, photometric=2 if values.shape[2] == 3 else 1), LIMITS)


def test_a_palette_with_one_transparent_entry_becomes_colour_and_alpha() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])

    for kind in ("PNG", "GIF"):
        pixels = decode(saved(image, kind, transparency=1), LIMITS)
        assert pixels.colour.tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]
        assert pixels.alpha is not None
        assert pixels.alpha.tolist() == [[255, 0, 255]]


def test_a_palette_with_an_alpha_for_each_entry_becomes_colour_and_alpha() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])

    pixels = decode(saved(image, "PNG", transparency=bytes([5, 100])), LIMITS)

    assert pixels.colour.tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]
    assert pixels.alpha is not None
    assert pixels.alpha.tolist() == [[5, 100, 255]]


def test_black_and_white_becomes_grey() -> None:
    pixels = decode(saved(Image.fromarray(np.eye(3, dtype=bool)), "PNG"), LIMITS)

    assert pixels.colour[..., 0].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


@pytest.mark.parametrize(
    ("bits", "colour_type", "key", "transparent"),
    [
        pytest.param(1, 0, (1,), [255], id="1 bit"),
        pytest.param(2, 0, (2,), [170], id="2 bits"),
        pytest.param(4, 0, (7,), [119], id="4 bits"),
        pytest.param(8, 0, (7,), [7], id="8 bits"),
        pytest.param(16, 0, (700,), [700], id="16 bits"),
        pytest.param(8, 2, (7, 8, 9), [7, 8, 9], id="rgb"),
        pytest.param(16, 2, (700, 8, 9), [700, 8, 9], id="rgb 16"),
    ],
)
def test_a_png_s_key_colour_is_transparent_and_no_other(
    bits: int, colour_type: int, key: tuple[int, ...], transparent: list[int]
) -> None:
    dtype = np.uint16 if bits == 16 else np.uint8
    values = np.zeros((2, 2, len(key)), dtype)
    values[1, 1] = key
    values[0, 1, 0] = key[0] - 1 or key[0] - 1  # one less in the first channel: opaque
    told = chunk(b"tRNS", b"".join(part.to_bytes(2, "big") for part in key))

    pixels = decode(png(values, colour_type=colour_type, bits=bits, before=[told]), LIMITS)

    assert pixels.colour[1, 1].tolist() == transparent
    assert pixels.alpha is not None
    opaque = 65535 if bits == 16 else 255
    assert pixels.alpha.tolist() == [[opaque, opaque], [opaque, 0]]


@pytest.mark.parametrize(
    ("colour_type", "key", "transparent"), [(0, [0x0107], [7]), (2, [0x0107, 8, 9], [7, 8, 9])]
)
def test_of_a_key_colour_told_in_more_bits_than_it_has_the_low_ones_count(
    colour_type: int, key: list[int], transparent: list[int]
) -> None:
    told = chunk(b"tRNS", b"".join(part.to_bytes(2, "big") for part in key))
    values = np.array([[transparent, [8] * len(key)]], np.uint8)

    pixels = decode(png(values, colour_type=colour_type, bits=8, before=[told]), LIMITS)

    assert pixels.alpha is not None
    assert pixels.alpha.tolist() == [[0, 255]]


def test_an_alpha_that_hides_nothing_is_none() -> None:
    opaque = RGBA.copy()
    opaque[..., 3] = 255

    assert decode(saved(image_of(opaque), "PNG"), LIMITS).alpha is None
    assert decode(saved(image_of(opaque), "WEBP", lossless=True), LIMITS).alpha is None


def test_a_transparent_webp_keeps_its_colours_and_alpha() -> None:
    data = saved(image_of(RGBA), "WEBP", lossless=True, exact=True)

    assert np.array_equal(joined(decode(data, LIMITS)), RGBA)


def test_a_lossy_webp_looks_as_pillow_shows_it() -> None:
    data = saved(image_of(RGB), "WEBP", quality=60)

    with Image.open(io.BytesIO(data)) as image:
        shown = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode(data, LIMITS).colour, shown)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_of_many_frames_the_first_is_read_and_the_rest_are_told_of(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]

    pixels = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]), LIMITS)

    assert pixels.colour.shape == (8, 8, 3)
    assert np.abs(pixels.colour.astype(int) - [255, 0, 0]).max() <= 3
    what = "pages" if kind == "TIFF" else "frames"
    assert pixels.warnings == (f"it has 3 {what}: the first was read, and 2 left out",)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    ("shortest", "size"), [(301, (801, 601)), (300, (401, 301)), (151, (401, 301)), (75, (101, 76))]
)
def test_a_jpeg_comes_as_a_smaller_copy_where_that_will_do(
    mode: str, shortest: int, size: tuple[int, int]
) -> None:
    ramp = Image.linear_gradient("L").resize((801, 601)).convert(mode)
    data = saved(ramp, "JPEG", quality=95)
    copy = decode(data, LIMITS, shortest=shortest)
    assert (copy.width, copy.height) == size
    assert copy.size == (801, 601)
    whole = decode(data, LIMITS)
    assert whole.size == (whole.width, whole.height) == (801, 601)
    expected = cv2.resize(whole.guide(), size, interpolation=cv2.INTER_AREA)
    assert np.abs(copy.guide().astype(int) - expected).max() < 8


def test_a_smaller_copy_is_turned_upright_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.linear_gradient("L").resize((800, 600)), "JPEG", exif=exif)
    copy = decode(data, LIMITS, shortest=300)
    assert (copy.width, copy.height) == (300, 400)
    assert copy.size == (600, 800)


def test_of_a_camera_s_pair_of_jpegs_the_first_is_read_without_a_word() -> None:
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")

    pixels = decode(saved(first, "MPO", save_all=True, append_images=[second]), LIMITS)

    assert pixels.colour[0, 0].tolist() == [254, 0, 0]
    assert pixels.warnings == ()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile_to_srgb(kind: str) -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    options = {"quality": 100} if kind == "JPEG" else {}

    pixels = decode(saved(cyan, kind, icc_profile=icc.cmyk(), **options), LIMITS)

    assert np.abs(pixels.colour[0, 0].astype(int) - [0, 102, 177]).max() <= 2
    assert pixels.metadata.icc_profile is None
    assert pixels.warnings == ()


@pytest.mark.parametrize(
    ("profile", "lack"), [(None, "has no ICC profile"), (b"broken", "has a broken ICC profile")]
)
def test_cmyk_without_a_usable_profile_is_converted_plainly_and_told_of(
    profile: bytes | None, lack: str
) -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))

    pixels = decode(saved(cyan, "TIFF", icc_profile=profile), LIMITS)

    assert pixels.colour[0, 0].tolist() == [0, 255, 255]
    assert pixels.warnings == (f"it is CMYK and {lack}, so its colours are a guess",)


def test_lab_becomes_srgb() -> None:
    red = (112, 192, 157)  # CIE L 44, a 64, b 29

    pixels = decode(saved(Image.new("LAB", (2, 2), red), "TIFF"), LIMITS)

    assert np.abs(pixels.colour[0, 0].astype(int) - [200, 30, 60]).max() <= 3


@pytest.mark.parametrize(
    ("values", "profile"),
    [
        pytest.param(RGB, icc.wide_rgb(), id="rgb"),
        pytest.param(GREY, icc.grey(1.0), id="grey"),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_profile_is_kept_and_the_numbers_with_it(
    values: NDArray[Any], profile: bytes, kind: str
) -> None:
    plain = decode(saved(image_of(values), kind), LIMITS)

    pixels = decode(saved(image_of(values), kind, icc_profile=profile), LIMITS)

    assert pixels.metadata.icc_profile == profile
    assert np.array_equal(pixels.colour, plain.colour)


def test_a_profile_for_another_kind_of_pixels_is_left_out_and_told_of() -> None:
    pixels = decode(saved(image_of(GREY), "JPEG", icc_profile=icc.wide_rgb()), LIMITS)

    assert pixels.metadata.icc_profile is None
    assert pixels.warnings == ("its ICC profile is not for its kind of pixels and was left out",)


def test_a_file_of_too_many_bytes_is_refused_with_the_figures() -> None:
    data = saved(image_of(RGB), "PNG")

    with pytest.raises(TooLarge, match=rf"{len(data)} bytes, and 50 .*CUTAWAY_MAX_BYTES"):
        decode(data, Limits(max_bytes=50))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_a_picture_of_too_many_pixels_is_refused_with_the_figures(kind: str) -> None:
    data = saved(image_of(RGB), kind)

    with pytest.raises(TooLarge, match=r"5 x 6 = 30 pixels, and 29 .*--max-pixels or CUTAWAY_MAX"):
        decode(data, Limits(max_pixels=29))
    assert decode(data, Limits(max_pixels=30)).width == 5


def test_a_16_bit_tiff_of_too_many_pixels_is_refused_of_either_kind() -> None:
    for values, photometric in ((DEEP_RGB, 2), (DEEP_GREY_ALPHA, 1)):
        with pytest.raises(TooLarge, match="30 pixels, and 29"):
            decode(tiff(values, photometric=photometric), Limits(max_pixels=29))
