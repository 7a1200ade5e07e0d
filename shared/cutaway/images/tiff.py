"""TIFF files of 16 bits a channel, which Pillow cuts to 8 or doesn't know."""

from __future__ import annotations

import io
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from cutaway.images.arrays import opaque_as_none
from cutaway.images.directory import repeats_a_tag
from cutaway.images.limits import check_pixels
from cutaway.images.metadata import quietly, read_metadata
from cutaway.images.modes import Arrays, Decoded
from cutaway.images.opencv import decode_colour
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    from cutaway.images.pixels import Metadata
    from cutaway.settings import Limits

__all__ = [
    "check_tiles",
    "decode_deep_colour",
    "decode_deep_grey_and_alpha",
    "is_deep_colour",
    "is_deep_grey_and_alpha",
    "read_tags",
]

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION = 256, 257, 258, 262, 274
_ACROSS, _DOWN, _UNIT, _INCHES = 282, 283, 296, 2
_PLANES, _APART = 284, 2
_TILE_WIDTH, _TILE_HEIGHT, _ROOMY = 322, 323, 1 << 22
_EXTRA, _PREMULTIPLIED = 338, (1,)
_XMP, _ICC = 700, 34675
_DEEP, _BLACK_IS_ZERO = 16, 1
_BIG = 43
_COMPRESSION, _PLAIN, _DEFLATED = 259, 1, (8, 32946)
_STRIPS, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 278, 279
_PREDICTOR, _DIFFERENCES = 317, 2
_READ = (
    *(_COMPRESSION, _STRIPS, _ROWS_PER_STRIP, _STRIP_BYTES, _PREDICTOR),
    *(_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _ACROSS, _DOWN, _UNIT, _PLANES),
    *(_TILE_WIDTH, _TILE_HEIGHT, _EXTRA, _XMP, _ICC),
)


def read_tags(data: bytes) -> dict[int, Any]:
    """What the first directory says, as far as the functions here need it."""
    file = io.BytesIO(data)
    directory = ImageFileDirectory_v2(file.read(16 if _BIG in data[2:4] else 8))
    file.seek(directory.next)
    with quietly():
        directory.load(file)
        return {tag: directory[tag] for tag in _READ if tag in directory}


def check_tiles(tags: Mapping[int, Any], width: int, height: int) -> None:
    """Raise ValueError if a picture's tiles would take far more memory than itself."""
    if tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0) > max(_ROOMY, 4 * width * height):
        raise ValueError("its tiles are far larger than itself")


def is_deep_colour(image: ImageFile, tags: Mapping[int, Any]) -> bool:
    """Whether an opened file is RGB or RGBA of 16 bits a channel."""
    return image.mode in {"RGB", "RGBA"} and _DEEP in tags.get(_BITS, ())


def decode_deep_colour(image: ImageFile, tags: Mapping[int, Any], data: bytes) -> Decoded:
    """Decode RGB or RGBA by OpenCV, which turns it by its tag as well.

    Raises:
        ValueError: it is damaged, or its channels are stored apart, which OpenCV mixes up.
    """
    if tags.get(_PLANES) == _APART:
        raise ValueError("16-bit channels stored apart are unsupported")
    if repeats_a_tag(data):
        raise ValueError("a tag is told twice")  # OpenCV heeds the first, the limits saw the last
    with quietly():
        metadata, turn = read_metadata(image.info, image.getexif())
    arrays = decode_colour(data, image.size, _DEEP)
    if image.mode == "RGB":  # a fourth channel is not an alpha then
        return Decoded(arrays._replace(alpha=None), metadata, turn)
    if tags.get(_EXTRA) == _PREMULTIPLIED:
        arrays = _straight(arrays)
    return Decoded(arrays, metadata, turn)


def is_deep_grey_and_alpha(tags: Mapping[int, Any]) -> bool:
    """Whether a file is of two channels of 16 bits, for which Pillow and OpenCV have no mode."""
    return tags.get(_BITS) == (_DEEP, _DEEP) and tags.get(_PHOTOMETRIC) == _BLACK_IS_ZERO


def decode_deep_grey_and_alpha(tags: Mapping[int, Any], data: bytes, limits: Limits) -> Decoded:
    """Decode grey with alpha, stored in strips, plain or deflated.

    Raises:
        TooLarge: it has more pixels than allowed.
        ValueError: it is damaged, or stored in another way.
    """
    width, height = tags[_WIDTH], tags[_HEIGHT]
    check_pixels(width, height, limits)
    if tags.get(_PLANES) == _APART or _STRIPS not in tags:
        raise ValueError("16-bit grey with alpha in tiles or planes is unsupported")
    if tags.get(_COMPRESSION, _PLAIN) not in {_PLAIN, *_DEFLATED}:
        raise ValueError("16-bit grey with alpha in this compression is unsupported")
    colour, alpha = np.empty((height, width, 1), np.uint16), np.empty((height, width), np.uint16)
    step = min(tags.get(_ROWS_PER_STRIP, height), height)
    places = zip(tags[_STRIPS], tags[_STRIP_BYTES], strict=True)
    for top, (place, count) in zip(range(0, height, step), places, strict=True):
        rows = min(step, height - top)
        block = _strip(tags, data[:2], data[place : place + count], (rows, width, 2))
        colour[top : top + rows], alpha[top : top + rows] = block[..., :1], block[..., 1]
    arrays = Arrays(colour, opaque_as_none(alpha))
    if tags.get(_EXTRA) == _PREMULTIPLIED:
        arrays = _straight(arrays)
    return Decoded(arrays, *_described(data, tags))


def _strip(
    tags: Mapping[int, Any], order: bytes, packed: bytes, shape: tuple[int, int, int]
) -> NDArray[np.uint16]:
    size = 2 * math.prod(shape)
    if tags.get(_COMPRESSION, _PLAIN) != _PLAIN:
        packed = zlib.decompressobj().decompress(packed, size)
    numbers = np.frombuffer(packed[:size], "<u2" if order == b"II" else ">u2").reshape(shape)
    if tags.get(_PREDICTOR) == _DIFFERENCES:
        return np.cumsum(numbers, axis=1, dtype=np.uint16)
    return numbers.astype(np.uint16)


def _described(data: bytes, tags: Mapping[int, Any]) -> tuple[Metadata, int]:
    exif = Image.Exif()
    info = {"xmp": tags.get(_XMP), "icc_profile": tags.get(_ICC)}
    if tags.get(_UNIT, _INCHES) == _INCHES:
        info["dpi"] = (tags.get(_ACROSS), tags.get(_DOWN))
    with quietly():
        exif.load(data)
        metadata, turn = read_metadata(info, exif)
    told = tags.get(_ORIENTATION, turn)
    return metadata, told if told in range(1, 9) else 1


def _straight(arrays: Arrays) -> Arrays:
    """Divide a premultiplied colour by its alpha, in place."""
    if arrays.alpha is None:
        return arrays
    height, width = arrays.alpha.shape
    for top, bottom in stripes(height, width * 12):
        colour = arrays.colour[top:bottom].astype(np.float32)
        alpha = np.maximum(arrays.alpha[top:bottom, :, np.newaxis], 1)
        arrays.colour[top:bottom] = np.minimum(np.rint(colour * 65535 / alpha), 65535)
    return arrays
