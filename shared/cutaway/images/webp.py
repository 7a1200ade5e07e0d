"""WEBP, encoded by OpenCV in far less memory than by Pillow, and its metadata (RFC 9649)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.errors import OutputError
from cutaway.images.pixels import to_depth
from cutaway.images.profiles import fits, srgb_greys
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cutaway.images.pixels import Metadata
    from cutaway.images.stripes import Rows

__all__ = ["encode_webp"]

_HEADER = 12
_FLAGS = {b"ICCP": 0x20, b"ALPH": 0x10, b"EXIF": 0x08, b"XMP ": 0x04}  # codespell:ignore alph


def encode_webp(picture: Rows, quality: int, metadata: Metadata) -> bytes:
    """Encode a picture as WEBP: lossy, with a lossless alpha, 8-bit RGB or RGBA.

    Grey becomes RGB: sRGB if it has a profile, since WEBP has no place for a grey one. Memory is
    3 bytes a pixel, and as much for libwebp; with an alpha 4, and 27 for libwebp.

    Raises:
        OutputError: libwebp can't do it.
    """
    whole = _gathered(picture, metadata.icc_profile)
    try:
        done, encoded = cv2.imencode(".webp", whole, [cv2.IMWRITE_WEBP_QUALITY, quality])
    except cv2.error as error:
        raise _failed(error.err) from error
    if not done:
        raise _failed("libwebp gave up")
    return _with_metadata(encoded.tobytes(), picture, metadata)


def _failed(why: str) -> OutputError:
    return OutputError("the WEBP was not written", why, "Choose PNG")


def _gathered(picture: Rows, profile: bytes | None) -> NDArray[np.uint8]:
    """The whole picture as BGR or BGRA."""
    height, width, channels = picture.height, picture.width, picture.channels
    grey = channels in {1, 2}
    greys = srgb_greys(profile) if profile and grey else None
    whole: NDArray[np.uint8] = np.empty((height, width, 3 + (channels in {2, 4})), np.uint8)
    for top, bottom in stripes(height, whole[0].size):
        rows = to_depth(picture.rows(top, bottom), 8)
        if grey:
            level = rows[..., :1] if greys is None else greys[rows[..., :1]]
            whole[top:bottom, :, :3] = level
        else:
            whole[top:bottom, :, :3] = rows[..., 2::-1]
        if channels in {2, 4}:
            whole[top:bottom, :, 3] = rows[..., -1]
    return whole


def _with_metadata(plain: bytes, picture: Rows, metadata: Metadata) -> bytes:
    """The file in its extended form, or as it is if there is nothing to tell."""
    profile = metadata.icc_profile
    profile = profile if profile and fits(profile, 3) else None
    if not (profile or metadata.exif or metadata.xmp):
        return plain
    pixels = {kind: body for kind, body in _chunks(plain) if kind != b"VP8X"}
    chunks = {b"ICCP": profile, **pixels, b"EXIF": metadata.exif, b"XMP ": metadata.xmp}
    flags = sum(flag for kind, flag in _FLAGS.items() if chunks.get(kind))
    sides = [(side - 1).to_bytes(3, "little") for side in (picture.width, picture.height)]
    header = _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + b"".join(sides))
    parts = [b"WEBP", header, *(_chunk(kind, body) for kind, body in chunks.items() if body)]
    return b"".join([b"RIFF", struct.pack("<I", sum(map(len, parts))), *parts])


def _chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _HEADER
    while at < len(file):
        kind, length = struct.unpack_from("<4sI", file, at)
        yield kind, file[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(body)) + body + bytes(len(body) % 2)
