"""Files and pictures that the tests of this room make for themselves."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNGCHECK = shutil.which("pngcheck")


@dataclass(frozen=True)
class Held:
    """A picture to encode that is held as an array (height, width, channels)."""

    values: NDArray[Any]

    @property
    def height(self) -> int:
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        return int(self.values.shape[1])

    @property
    def channels(self) -> int:
        return int(self.values.shape[2])

    @property
    def depth(self) -> int:
        return int(self.values.dtype.itemsize * 8)

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        return self.values[top:bottom]


def noise(
    height: int, width: int, channels: int, dtype: type = np.uint8, seed: int = 7
) -> NDArray[Any]:
    """Random numbers over the whole range of a type."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, endpoint=True)


def faults(png: bytes) -> str:
    """What Pillow and, where it is installed, pngcheck find wrong with a PNG file."""
    with Image.open(io.BytesIO(png)) as image:
        image.verify()
    if PNGCHECK is None:
        return ""
    done = subprocess.run([PNGCHECK, "-q"], input=png, capture_output=True, check=False)
    return done.stdout.decode() or "that there is something" * bool(done.returncode)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    """An image as a file of Pillow's."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def exif(orientation: int, **named: str) -> bytes:
    """An EXIF block with its marker, with a thumbnail of its own."""
    block = Image.Exif()
    block[274] = orientation
    block[271] = named.get("make", "Maker")
    thumbnail = b"\xff\xd8 the background as it was \xff\xd9"
    first = block.tobytes()[6:]
    # Pillow writes no second directory: it is put behind the first, and linked there.
    order = "<" if first[:2] == b"II" else ">"
    (count,) = struct.unpack_from(order + "H", first, 8)
    link = 10 + 12 * count
    second = struct.pack(order + "H", 2)
    second += struct.pack(order + "HHII", 513, 4, 1, len(first) + 30)
    second += struct.pack(order + "HHII", 514, 4, 1, len(thumbnail)) + bytes(4)
    linked = first[:link] + struct.pack(order + "I", len(first)) + first[link + 4 :]
    return b"Exif\0\0" + linked + second + thumbnail


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    framed = struct.pack(">I", len(body)) + kind + body
    return framed + struct.pack(">I", zlib.crc32(kind + body))


def png(
    values: NDArray[Any],
    *,
    colour_type: int,
    bits: int,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
) -> bytes:
    """A PNG file without filters, with chunks of one's own before and after the pixels.

    Args:
        values: (height, width, channels); packed where `bits` is below 8 (one channel then).
        colour_type: PNG's own.
        bits: Of a channel.
        before: Whole chunks.
        after: Whole chunks.
    """
    height, width = values.shape[:2]
    if bits < 8:
        spread = values.reshape(height, width)[..., np.newaxis] >> np.arange(bits)[::-1] & 1
        packed = np.packbits(spread.reshape(height, -1).astype(np.uint8), axis=1)
    else:
        packed = values.astype(f">u{bits // 8}").view(np.uint8).reshape(height, -1)
    rows = np.insert(packed, 0, 0, axis=1)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *before, chunk(b"IDAT", zlib.compress(rows.tobytes()))]
    return b"".join([PNG_SIGNATURE, *parts, *after, chunk(b"IEND", b"")])


def tiff(
    values: NDArray[Any],
    *,
    photometric: int,
    order: Literal["<", ">"] = "<",
    apart: bool = False,
    tags: Sequence[tuple[int, int]] = (),
) -> bytes:
    """An uncompressed TIFF file of one strip (or, if `apart`, of one for each channel).

    Args:
        values: (height, width, channels), of any type.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, and so on.
        order: `<` little-endian, `>` big-endian.
        apart: Whether each channel has a plane of its own.
        tags: More entries, each of one short number; the same tag may come twice.
    """
    stored = values.transpose(2, 0, 1) if apart else values[np.newaxis]
    planes = [plane.astype(values.dtype.newbyteorder(order)).tobytes() for plane in stored]
    known = [(259, 1), (262, photometric), (284, 2 if apart else 1)]
    return _tiff_of(planes, values, [*known, *tags], order=order, rows_per_strip=len(values))


def deflated_tiff(
    values: NDArray[np.uint16], *, order: Literal["<", ">"], predictor: int, strip: int
) -> bytes:
    """A deflated TIFF file of grey and alpha in strips of some rows.

    Args:
        values: (height, width, 2).
        order: `<` little-endian, `>` big-endian.
        predictor: 1 none, 2 differences along the rows.
        strip: Rows in each.
    """
    stored = values
    if predictor == 2:
        stored = np.diff(values, axis=1, prepend=np.zeros_like(values[:, :1]))
    ordered = stored.astype(f"{order}u2")
    strips = [
        zlib.compress(ordered[top : top + strip].tobytes()) for top in range(0, len(values), strip)
    ]
    tags = [(259, 8), (262, 1), (284, 1), (317, predictor), (338, 2)]
    return _tiff_of(strips, values, tags, order=order, rows_per_strip=strip)


def _tiff_of(
    strips: Sequence[bytes],
    values: NDArray[Any],
    tags: Sequence[tuple[int, int]],
    *,
    order: Literal["<", ">"],
    rows_per_strip: int,
) -> bytes:
    height, width, channels = values.shape
    sample = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    sizes = [len(strip) for strip in strips]
    entries: list[tuple[int, str, Sequence[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [values.dtype.itemsize * 8] * channels),
        (273, "I", [8 + sum(sizes[:before]) for before in range(len(sizes))]),
        (277, "H", [channels]),
        (278, "I", [rows_per_strip]),
        (279, "I", sizes),
        (339, "H", [sample] * channels),
        *((tag, "H", [number]) for tag, number in tags),
    ]
    entries.sort(key=lambda entry: entry[0])
    raw = b"".join(strips)
    return _with_directory(raw + bytes(len(raw) % 2), entries, order)


def _with_directory(
    raw: bytes, entries: Sequence[tuple[int, str, Sequence[int]]], order: str
) -> bytes:
    at = 8 + len(raw)
    beyond_at = at + 2 + 12 * len(entries) + 4
    directory, beyond = struct.pack(order + "H", len(entries)), b""
    for tag, code, numbers in entries:
        body = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        if len(body) > 4:
            place = struct.pack(order + "I", beyond_at + len(beyond))
            beyond += body
        else:
            place = body.ljust(4, b"\0")
        kind = {"H": 3, "I": 4}[code]
        directory += struct.pack(order + "HHI", tag, kind, len(numbers)) + place
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return head + raw + directory + bytes(4) + beyond
