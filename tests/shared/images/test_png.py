from __future__ import annotations

import io
import os
import sys
import tracemalloc
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cutaway.images import Metadata, encode
from cutaway.images.png import write_png
from cutaway.options import ImageFormat
from tests.shared.images import icc
from tests.shared.images.pictures import PNGCHECK, Held, exif, faults, noise

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

METADATA = Metadata(
    icc_profile=icc.wide_rgb(), exif=exif(1)[6:], xmp="<x>é</x>".encode(), dpi=(300, 72)
)


@pytest.fixture(params=["zlib", "isal.isal_zlib"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Each library that deflates, where it is installed."""
    return cast("ModuleType", pytest.importorskip(request.param))


def written(
    values: NDArray[Any],
    metadata: Metadata | None = None,
    threads: int = 2,
    library: ModuleType | None = None,
) -> bytes:
    file = io.BytesIO()
    write_png(Held(values), file, metadata or Metadata(), threads=threads, library=library)
    assert faults(file.getvalue()) == ""
    return file.getvalue()


def read_by_opencv(data: bytes, channels: int) -> NDArray[Any]:
    """OpenCV has no grey with alpha: it gives the grey three times."""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert values is not None
    values = values.reshape(*values.shape[:2], -1)
    order = {1: [0], 2: [0, 3], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    return values[..., order]


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.integers(1, 4),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 5),
)
def test_any_picture_reads_back_as_it_was(
    height: int, width: int, channels: int, dtype: type, threads: int, seed: int
) -> None:
    values = noise(height, width, channels, dtype, seed)

    data = written(values, threads=threads)

    assert np.array_equal(read_by_opencv(data, channels), values)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == (width, height)
        if dtype is np.uint8:
            assert np.array_equal(np.asarray(image).reshape(values.shape), values)


@pytest.mark.parametrize(
    ("height", "width", "channels", "dtype"),
    [
        pytest.param(3_000_000, 1, 1, np.uint8, id="tall"),
        pytest.param(1, 3_000_000, 3, np.uint8, id="wide"),
        pytest.param(1, 1, 4, np.uint16, id="a pixel"),
        pytest.param(1200, 1100, 4, np.uint8, id="many stripes"),
        pytest.param(700, 900, 1, np.uint16, id="many deep stripes"),
    ],
)
def test_a_picture_of_any_shape_reads_back_as_it_was(
    height: int, width: int, channels: int, dtype: type, library: ModuleType
) -> None:
    values = noise(height, width, channels, dtype)
    values[height // 3 :] >>= 3

    with Image.open(io.BytesIO(written(values, library=library))) as image:
        read = np.asarray(image).reshape(height, width, -1)

    if (channels, dtype) == (4, np.uint16):  # Pillow cuts these to 8 bits
        values = (values >> 8).astype(np.uint8)
    assert np.array_equal(read, values)


def test_the_bytes_are_the_same_for_any_number_of_threads(library: ModuleType) -> None:
    values = noise(1200, 1100, 4)

    assert len({written(values, METADATA, threads, library) for threads in (1, 2, 5)}) == 1


def test_a_png_is_written_where_only_zlib_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    values = noise(40, 50, 4)
    monkeypatch.setitem(sys.modules, "isal", None)  # so that importing it fails

    assert written(values) == written(values, library=zlib)


def test_the_metadata_read_back_as_they_were() -> None:
    with Image.open(io.BytesIO(written(noise(6, 5, 4), METADATA))) as image:
        assert image.info["icc_profile"] == METADATA.icc_profile
        assert image.info["exif"] == b"Exif\0\0" + (METADATA.exif or b"")
        assert image.info["xmp"] == METADATA.xmp
        assert image.info["dpi"] == pytest.approx((300, 72), abs=0.02)


@pytest.mark.parametrize(
    ("channels", "profile", "kept"),
    [
        (1, icc.grey(2.2), True),
        (2, icc.grey(2.2), True),
        (3, icc.grey(2.2), False),
        (4, icc.wide_rgb(), True),
        (1, icc.wide_rgb(), False),
        (3, icc.cmyk(), False),
    ],
)
def test_a_profile_is_embedded_only_where_it_fits(
    channels: int, profile: bytes, *, kept: bool
) -> None:
    with Image.open(io.BytesIO(written(noise(6, 5, channels), Metadata(profile)))) as image:
        assert ("icc_profile" in image.info) is kept


@pytest.mark.skipif(PNGCHECK is None, reason="pngcheck is not installed: apt install pngcheck")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pngcheck_finds_nothing_wrong(channels: int, dtype: type, library: ModuleType) -> None:
    values = noise(600, 500, channels, dtype)

    assert faults(written(values, METADATA, library=library)) == ""


def test_the_pixel_data_are_one_zlib_stream(library: ModuleType) -> None:
    values = noise(1200, 1100, 4)
    data, at, stream = written(values, library=library), 8, b""
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        )
        stream += body if kind == b"IDAT" else b""
        at += 12 + length

    assert len(zlib.decompress(stream)) == 1200 * (1 + 1100 * 4)


@dataclass(frozen=True)
class Composed:
    """A picture whose rows exist only while they are asked for."""

    height: int
    width: int
    channels: int = 4
    depth: int = 8

    def rows(self, top: int, bottom: int) -> NDArray[np.uint8]:
        across = np.arange(self.width * self.channels) * 7 & 0xFF
        values = (np.arange(top, bottom)[:, np.newaxis] + across).astype(np.uint8)
        return values.reshape(bottom - top, self.width, self.channels)


class Nowhere(io.BytesIO):
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


def test_a_picture_far_larger_than_the_memory_taken_is_written() -> None:
    picture = Composed(5000, 5000)  # 100 MB

    tracemalloc.start()
    write_png(picture, Nowhere(), Metadata(), threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 40 << 20


class FullDisk(Nowhere):
    """A file on a disk with no more than some bytes left."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def write(self, data: Any) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise OSError(28, os.strerror(28))
        return len(data)


@pytest.mark.parametrize("form", ImageFormat)
@pytest.mark.parametrize("left", [0, 100_000])
def test_a_full_disk_s_error_comes_through_as_it_is(form: ImageFormat, left: int) -> None:
    picture = Held(noise(700, 700, 3))

    with pytest.raises(OSError, match="No space left") as caught:
        encode(picture, FullDisk(left), format=form, quality=95, metadata=Metadata())

    assert caught.value.errno == 28


def test_a_picture_that_stops_being_composed_stops_the_writing() -> None:
    class Stopped(Composed):
        def rows(self, top: int, bottom: int) -> NDArray[np.uint8]:
            if top > 1000:
                raise InterruptedError
            return super().rows(top, bottom)

    with pytest.raises(InterruptedError):
        write_png(Stopped(2000, 2000), Nowhere(), Metadata(), threads=2)
