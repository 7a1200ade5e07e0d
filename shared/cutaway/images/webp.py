"""WEBP: the colour encoded by OpenCV, in far less memory than by Pillow; the rest here (RFC 9649).

At the same settings both take the same time, as both use libwebp.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.errors import OutputError
from cutaway.images.profiles import fits, srgb_greys
from cutaway.images.stripes import stripes
from cutaway.images.webp_alpha import packed_alpha

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cutaway.images.pixels import Metadata
    from cutaway.images.stripes import Rows

__all__ = ["encode_webp"]

_HEADER = 12
_FLAGS = {b"ICCP": 0x20, b"ALPH": 0x10, b"EXIF": 0x08, b"XMP ": 0x04}  # codespell:ignore alph
_BLOCK = 8
"""The side of what libwebp encodes together, in pixels; or a half of it."""


def encode_webp(
    picture: Rows, quality: int, metadata: Metadata, *, keep_hidden: bool = False
) -> bytes:
    """Encode a picture as WEBP: lossy, with a lossless alpha, 8-bit RGB or RGBA.

    Grey becomes RGB: sRGB if it has a profile, since WEBP has no place for a grey one. Memory is
    3 bytes a pixel, and as much for libwebp; with an alpha one more.

    Args:
        picture: What to encode, of 8 bits.
        quality: 20..99, of the colour.
        metadata: Embedded, but for the resolution.
        keep_hidden: Whether the colour under full transparency means something. Otherwise black is
            taken for none, and gets the colour that packs best.

    Raises:
        OutputError: libwebp can't do it.
    """
    colour, alpha = _gathered(picture, metadata.icc_profile)
    packed = None
    if alpha is not None:
        packed = packed_alpha(alpha[: picture.height, : picture.width])
        if not keep_hidden:
            _fill_hidden(colour, alpha)
        del alpha
    try:
        done, encoded = cv2.imencode(
            ".webp",
            colour[: picture.height, : picture.width],
            [cv2.IMWRITE_WEBP_QUALITY, quality],
        )
    except cv2.error as error:
        raise _failed(error.err) from error
    if not done:
        raise _failed("libwebp gave up")
    return _with_chunks(encoded.tobytes(), packed, picture, metadata)


def _failed(why: str) -> OutputError:
    return OutputError("the WEBP was not written", why, "Choose PNG")


def _gathered(
    picture: Rows, profile: bytes | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The whole picture as BGR, and its alpha if it has any, with zeros up to whole blocks."""
    height, width, channels = picture.height, picture.width, picture.channels
    sides = tuple(-(-side // _BLOCK) * _BLOCK for side in (height, width))
    colour: NDArray[np.uint8] = np.zeros((*sides, 3), np.uint8)
    alpha: NDArray[np.uint8] | None = np.zeros(sides, np.uint8) if channels in {2, 4} else None
    grey = channels in {1, 2}
    greys = srgb_greys(profile) if profile and grey else None
    for top, bottom in stripes(height, width * 4):
        rows = picture.rows(top, bottom)
        place = colour[top:bottom, :width]
        if grey:
            place[...] = rows[..., :1] if greys is None else greys[rows[..., :1]]
        else:
            swapped = cv2.COLOR_RGB2BGR if alpha is None else cv2.COLOR_RGBA2BGR
            place[...] = cv2.cvtColor(rows, swapped)
        if alpha is not None:
            alpha[top:bottom, :width] = rows[..., -1]
    return colour, alpha


def _fill_hidden(colour: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """Give black that is hidden the mean of what shows in its block, in place.

    An edge to black would cost bytes, and spoil what shows beside it.
    """
    height, width = alpha.shape
    for top, bottom in stripes(height // _BLOCK, width * _BLOCK * 4):
        rows = slice(top * _BLOCK, bottom * _BLOCK)
        blocks = (bottom - top, _BLOCK, width // _BLOCK, _BLOCK)
        colours, shares = colour[rows].reshape(*blocks, 3), alpha[rows].reshape(blocks)
        # One axis after the other: numpy takes six times as long for both at once.
        most, least = np.max(shares, axis=1), np.min(shares, axis=1)
        down, across = np.nonzero((np.max(most, axis=2) > 0) & (np.min(least, axis=2) == 0))
        block, visible = colours[down, :, across], shares[down, :, across, :, np.newaxis] > 0
        mean = (block * visible).sum(axis=(1, 2)) / visible.sum(axis=(1, 2))
        black = ~visible & ~block.any(axis=3, keepdims=True)
        filled = np.where(black, np.rint(mean)[:, np.newaxis, np.newaxis], block)
        colours[down, :, across] = filled


def _with_chunks(plain: bytes, alpha: bytes | None, picture: Rows, metadata: Metadata) -> bytes:
    """The file in its extended form, or as it is if there is nothing to tell."""
    profile = metadata.icc_profile
    profile = profile if profile and fits(profile, 3) else None
    if not (alpha or profile or metadata.exif or metadata.xmp):
        return plain
    pixels = {kind: body for kind, body in _chunks(plain) if kind != b"VP8X"}
    described = {b"EXIF": metadata.exif, b"XMP ": metadata.xmp}
    chunks = {b"ICCP": profile, b"ALPH": alpha, **pixels, **described}  # codespell:ignore alph
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
