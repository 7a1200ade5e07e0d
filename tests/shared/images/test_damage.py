"""No file, however damaged, gives anything but a picture or one of our errors, in little memory."""

from __future__ import annotations

import random
import struct
import sys
import tracemalloc
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cutaway.errors import InputError, TooLarge, UnreadableImage, UnsupportedFormat
from cutaway.images import decode
from cutaway.settings import Limits
from tests.shared.images import icc
from tests.shared.images.pictures import PNG_SIGNATURE, chunk, exif, noise, png, saved, tiff

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 300
SMALL = Limits(max_pixels=100_000)
_VALUES = noise(24, 31, 4)
_RGBA = Image.fromarray(_VALUES)
_RGB = _RGBA.convert("RGB")
_SAID = {"exif": exif(6), "icc_profile": icc.srgb()}

SOUND = {
    "png": saved(_RGBA, "PNG", **_SAID),
    "png of a palette": saved(_RGB.quantize(16), "PNG", transparency=3),
    "png of 16 bits": png(noise(24, 31, 4, np.uint16), colour_type=6, bits=16),
    "animated png": saved(_RGB, "PNG", save_all=True, append_images=[_RGB.rotate(90)]),
    "jpeg": saved(_RGB, "JPEG", **_SAID),
    "progressive jpeg": saved(_RGB, "JPEG", progressive=True),
    "cmyk jpeg": saved(_RGB.convert("CMYK"), "JPEG", icc_profile=b"broken"),
    "webp": saved(_RGBA, "WEBP", **_SAID),
    "lossless webp": saved(_RGBA, "WEBP", lossless=True),
    "animated webp": saved(_RGBA, "WEBP", save_all=True, append_images=[_RGBA.rotate(90)]),
    "gif": saved(_RGB, "GIF"),
    "animated gif": saved(_RGB, "GIF", save_all=True, append_images=[_RGB.rotate(30)]),
    "tiff": saved(_RGB, "TIFF", icc_profile=icc.srgb(), tiffinfo={274: 6, 271: "Maker"}),
    "lzw tiff": saved(_RGBA, "TIFF", compression="tiff_lzw"),
    "deflated tiff": saved(_RGB, "TIFF", compression="tiff_adobe_deflate"),
    "tiff of 16 bits": cv2.imencode(".tiff", _VALUES.astype(np.uint16) * 257)[1].tobytes(),
    "tiff of deep grey and alpha": tiff(noise(24, 31, 2, np.uint16), photometric=1),
    "tiff of pages": saved(_RGB, "TIFF", save_all=True, append_images=[_RGBA]),
    "bmp": saved(_RGB, "BMP"),
    "avif": saved(_RGBA, "AVIF", **_SAID),
}

# The others have a whole first picture before the cut, which is read.
SINGLE = [kind for kind in SOUND if not kind.startswith(("animated", "tiff of pages"))]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The data cut off, or with some bytes changed or left out, more often near the start."""
    if chance.random() < 0.15:
        return data[: chance.randrange(8, len(data))]
    changed = bytearray(data)
    reach = len(changed) if chance.random() < 0.5 else min(400, len(changed))
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        at = chance.randrange(8, reach)
        bit_flipped = changed[at] ^ 1 << chance.randrange(8)
        changed[at] = chance.choice([bit_flipped, chance.randrange(256), 0, 255])
    if chance.random() < 0.1:
        at = chance.randrange(8, len(changed))
        del changed[at : at + chance.randrange(1, 20)]
    return bytes(changed)


def mutated_within_chunks(data: bytes, chance: random.Random) -> bytes:
    """A PNG file with damage inside its chunks, but every checksum right, so that it gets deep."""
    bodies, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        bodies.append((data[at + 4 : at + 8], bytearray(data[at + 8 : at + 8 + length])))
        at += 12 + length
    kind, body = chance.choice(bodies)
    action = chance.random()
    if action < 0.2:
        bodies.insert(chance.randrange(1, len(bodies)), (kind, body[:]))
    elif action < 0.3:
        bodies.remove((kind, body))
    elif action < 0.4:
        del body[chance.randrange(len(body) + 1) :]
    for _ in range(chance.choice([1, 1, 2, 5])):
        body = chance.choice(bodies)[1]
        if body:
            body[chance.randrange(len(body))] = chance.choice([0, 255, chance.randrange(256)])
    return PNG_SIGNATURE + b"".join(chunk(kind, bytes(body)) for kind, body in bodies)


def outcomes(data: bytes, mutate: Callable[[bytes, random.Random], bytes]) -> Counter[str]:
    """What comes of `ROUNDS` mutations; anything but a picture and three errors is raised."""
    chance = random.Random(20_240_601)  # noqa: S311  (no secret)
    found: Counter[str] = Counter()
    for _ in range(ROUNDS):
        try:
            pixels = decode(mutate(data, chance), SMALL)
        except (TooLarge, UnreadableImage, UnsupportedFormat):
            found["refused"] += 1
        else:
            assert pixels.height * pixels.width <= SMALL.max_pixels
            found["read"] += 1
    return found


def peak_memory() -> int:
    """The most bytes this process ever had, the decoders' own included."""
    if sys.platform == "win32":
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@pytest.mark.parametrize("kind", SOUND)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(kind: str) -> None:
    assert decode(SOUND[kind], SMALL).height in {24, 31}
    before = peak_memory()

    found = outcomes(SOUND[kind], mutated)

    assert found["refused"] > ROUNDS / 20
    assert peak_memory() - before < 64 << 20


@pytest.mark.parametrize("kind", [kind for kind in SOUND if "png" in kind])
def test_a_png_damaged_behind_right_checksums_is_read_or_refused(kind: str) -> None:
    before = peak_memory()

    found = outcomes(SOUND[kind], mutated_within_chunks)

    assert found["refused"] > ROUNDS / 20
    assert found["read"] > ROUNDS / 20
    assert peak_memory() - before < 64 << 20


@pytest.mark.parametrize("kind", SINGLE)
def test_a_truncated_file_is_refused(kind: str) -> None:
    data = SOUND[kind]
    # A TIFF file tells its pages at the end, the others have their last pixels there.
    cuts = range(9, len(data) - 64, max(1, len(data) // 20))

    for cut in cuts:
        with pytest.raises((UnreadableImage, UnsupportedFormat)):
            decode(data[:cut], SMALL)


def bomb_webp() -> bytes:
    header = b"VP8X" + struct.pack("<I", 10) + bytes([0x10, 0, 0, 0])
    header += (16383).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", 4 + len(header)) + b"WEBP" + header


def bomb_png(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


def bomb_bmp() -> bytes:
    data = bytearray(SOUND["bmp"])
    struct.pack_into("<II", data, 18, 40_000, 40_000)
    return bytes(data)


def bomb_gif() -> bytes:
    data = bytearray(SOUND["gif"])
    struct.pack_into("<HH", data, 6, 65_535, 65_535)
    return bytes(data)


def bomb_tiff() -> bytes:
    data = tiff(noise(1, 1, 3), photometric=2)
    for tag in (256, 257):
        data = data.replace(
            struct.pack("<HHII", tag, 4, 1, 1), struct.pack("<HHII", tag, 4, 1, 40_000)
        )
    return data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bomb_png(40_000), id="png"),
        pytest.param(bomb_gif(), id="gif"),
        pytest.param(bomb_webp(), id="webp"),
        pytest.param(bomb_tiff(), id="tiff"),
        pytest.param(bomb_bmp(), id="bmp"),
    ],
)
def test_a_small_file_that_claims_to_be_huge_is_refused_before_it_is_decoded(data: bytes) -> None:
    assert len(data) < 5000

    tracemalloc.start()
    with pytest.raises(TooLarge, match="pixels, and 100,000,000 are allowed"):
        decode(data, Limits())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 1 << 20


def _text_bomb() -> bytes:
    info = PngInfo()
    info.add_text("Comment", "a" * (8 << 20), zip=True)
    return saved(_RGB, "PNG", pnginfo=info)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_text_bomb(), id="text"),
        pytest.param(saved(_RGB, "PNG", icc_profile=bytes(8 << 20)), id="profile"),
        pytest.param(
            png(
                noise(2, 2, 3),
                colour_type=2,
                bits=8,
                after=[chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(8 << 20)))],
            ),
            id="text after the pixels",
        ),
    ],
)
def test_what_unpacks_to_megabytes_beside_the_pixels_is_refused(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(UnreadableImage, match="too large"):
        decode(data, Limits())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 4 << 20


def test_a_chunk_that_claims_to_be_huge_is_refused() -> None:
    data = bytearray(png(noise(2, 2, 4), colour_type=6, bits=8))
    data[33:37] = b"\x7f\xff\xff\xff"

    with pytest.raises(UnreadableImage, match="truncated"):
        decode(bytes(data), Limits())


def test_a_tiff_that_tells_opencv_another_width_than_pillow_is_refused() -> None:
    data = tiff(noise(2, 2, 3, np.uint16), photometric=2, tags=[(256, 2)])

    with pytest.raises(UnreadableImage, match="a tag is told twice"):
        decode(data, Limits())


def test_a_png_that_tells_opencv_another_size_than_pillow_is_refused() -> None:
    other = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 2, 8, 6, 0, 0, 0))

    with pytest.raises(UnreadableImage, match="told twice"):
        decode(png(noise(2, 2, 4), colour_type=6, bits=8, before=[other]), Limits())


def test_a_tiff_of_tiles_far_larger_than_itself_is_refused() -> None:
    data = tiff(noise(2, 2, 3), photometric=2, tags=[(322, 60_000), (323, 60_000)])

    with pytest.raises(UnreadableImage, match="tiles"):
        decode(data, Limits())


def test_an_error_tells_its_cause_and_what_to_do() -> None:
    with pytest.raises(InputError) as caught:
        decode(SOUND["jpeg"][:200], SMALL)

    assert caught.value.__cause__ is not None
    assert caught.value.next_step
