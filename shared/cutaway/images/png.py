"""A PNG writer for pictures of any size, 8 and 16 bits, in little memory and many threads.

Each stripe of rows is filtered with numpy and deflated on its own, ending on a byte (zlib's sync
flush), so that several stripes can be worked on at a time and their outputs strung together are
one deflate stream (PNG specification, third edition; RFC 1950 and 1951).
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cutaway.images.profiles import fits
from cutaway.images.stripes import stripes
from cutaway.machine import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from types import ModuleType

    from numpy.typing import NDArray

    from cutaway.images.pixels import Metadata
    from cutaway.images.stripes import Rows

__all__ = ["write_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_SUB, _UP = 1, 2
_LEVEL = 1  # higher ones take several times as long for a few per cent
_ZLIB_HEADER = b"\x78\x01"
_RAW_DEFLATE = -15
_MAX_THREADS = 4  # by then the calling thread, which gets the rows and writes, is the slowest
_METRE = 0.0254  # in inches
_LARGEST = 2**31 - 1


class _Deflated(NamedTuple):
    filtered: NDArray[np.uint8]
    data: bytes


def write_png(
    picture: Rows,
    file: IO[bytes],
    metadata: Metadata,
    *,
    threads: int | None = None,
    library: ModuleType | None = None,
) -> None:
    """Write a picture as PNG, of its own channels and depth.

    Every row but the first is filtered by Up, and deflated fast. The bytes are the same for any
    number of threads, but not for any library: only the pixels are. Memory is that of a few stripes
    of about 1 MiB for each thread.

    Args:
        picture: Its rows are asked for in order, from the calling thread.
        file: Written to from the calling thread; what it raises passes through.
        metadata: Embedded; a profile only where it fits the channels.
        threads: How many deflate at a time; as many as there are usable cores, up to 4, if None.
        library: Deflates, by the interface of `zlib`; the fastest that is here if None.
    """
    threads = threads or min(_MAX_THREADS, usable_cores())
    library = library or _fastest_library()
    file.write(_SIGNATURE + _header(picture))
    file.writelines(_chunk(kind, body) for kind, body in _ancillary(picture, metadata))
    checksum, start = library.adler32(b""), _ZLIB_HEADER
    with ThreadPoolExecutor(threads) as pool:
        deflate = partial(_deflate, library)
        for filtered, data in _deflated_stripes(picture, pool, deflate, ahead=threads + 1):
            checksum = library.adler32(filtered.data, checksum)
            file.write(_chunk(b"IDAT", start + data))
            start = b""
    file.write(_chunk(b"IDAT", struct.pack(">I", checksum)) + _chunk(b"IEND", b""))


def _fastest_library() -> ModuleType:
    """ISA-L, which deflates five times as fast as zlib, where it is installed."""
    try:
        from isal import isal_zlib
    except ImportError:  # it isn't made for every kind of machine
        return zlib
    return isal_zlib


def _header(picture: Rows) -> bytes:
    body = struct.pack(
        ">IIBBBBB",
        picture.width,
        picture.height,
        picture.depth,
        _COLOUR_TYPES[picture.channels],
        0,  # deflate
        0,  # the five filters
        0,  # not interlaced
    )
    return _chunk(b"IHDR", body)


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)))


def _ancillary(picture: Rows, metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    profile = metadata.icc_profile
    if profile and fits(profile, picture.channels):
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)
    if metadata.dpi:
        across, down = (min(round(dpi / _METRE), _LARGEST) for dpi in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + metadata.xmp


def _deflated_stripes(
    picture: Rows, pool: ThreadPoolExecutor, deflate: Callable[..., _Deflated], ahead: int
) -> Iterator[_Deflated]:
    """The picture's stripes in order, while up to `ahead` of them are worked on."""
    pending: deque[Future[_Deflated]] = deque()
    above: NDArray[Any] | None = None
    row_bytes = picture.width * picture.channels * picture.depth // 8
    for top, bottom in stripes(picture.height, row_bytes):
        rows = picture.rows(top, bottom)
        last = bottom == picture.height
        pending.append(pool.submit(deflate, rows, above, last=last))
        above = rows[-1:].copy()
        if len(pending) == ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _deflate(
    library: ModuleType, rows: NDArray[Any], above: NDArray[Any] | None, *, last: bool
) -> _Deflated:
    filtered = _filtered(rows, above)
    compressor = library.compressobj(_LEVEL, library.DEFLATED, _RAW_DEFLATE)
    data = compressor.compress(filtered.data)
    data += compressor.flush(library.Z_FINISH if last else library.Z_SYNC_FLUSH)
    return _Deflated(filtered, data)


def _filtered(rows: NDArray[Any], above: NDArray[Any] | None) -> NDArray[np.uint8]:
    """Each row's filter type and, byte by byte, what differs from the row above.

    The picture's first row, which has none above it, tells what differs from the pixel before.
    """
    plain = _file_bytes(rows)
    filtered = np.empty((plain.shape[0], plain.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    np.subtract(plain[1:], plain[:-1], out=filtered[1:, 1:])
    if above is None:
        pixel = rows.shape[2] * rows.dtype.itemsize
        filtered[0, 0] = _SUB
        filtered[0, 1 : pixel + 1] = plain[0, :pixel]
        np.subtract(plain[0, pixel:], plain[0, :-pixel], out=filtered[0, pixel + 1 :])
    else:
        np.subtract(plain[:1], _file_bytes(above), out=filtered[:1, 1:])
    return filtered


def _file_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """The rows' bytes in PNG's order, which is big-endian: (rows, bytes)."""
    ordered = np.ascontiguousarray(rows, rows.dtype.newbyteorder(">"))
    return ordered.view(np.uint8).reshape(rows.shape[0], -1)
