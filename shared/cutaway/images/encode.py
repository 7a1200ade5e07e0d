"""Writing a picture as PNG, WEBP or JPG."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin

from cutaway.errors import OutputError
from cutaway.images.png import write_png
from cutaway.images.profiles import fits
from cutaway.images.shallow import Shallow
from cutaway.images.stripes import stripes
from cutaway.images.webp import encode_webp
from cutaway.options import ImageFormat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.images.pixels import Metadata
    from cutaway.images.stripes import Rows

__all__ = ["encode"]

_LONGEST_SIDE = {ImageFormat.WEBP: 16383, ImageFormat.JPG: 65500}
_JPEG = JpegImagePlugin.JpegImageFile.format  # from the module that knows how to write it
_SEGMENT = 65533 - 29  # what a JPEG's segment holds beside the longest of the markers
_FULL_CHROMA_FROM = 90
_EXIF_MARKER = b"Exif\0\0"


def encode(
    picture: Rows,
    file: IO[bytes],
    *,
    format: ImageFormat,
    quality: int,
    metadata: Metadata,
    keep_hidden: bool = False,
) -> None:
    """Write a picture to a file.

    PNG is lossless, of the picture's own channels and depth, and never has the whole in memory.
    WEBP is lossy with a lossless alpha, and 8-bit RGB or RGBA. JPG is 8-bit grey or RGB. These
    two take about 5 bytes a pixel.

    Args:
        picture: What to write.
        file: What it raises, such as OSError from a full disk, passes through.
        format: The file's type.
        quality: 20..99, for WEBP and JPG.
        metadata: Embedded as far as the format has a place for it: an ICC profile only where it
            fits the channels, EXIF and XMP in JPG only up to 64 KiB each, resolution not in WEBP.
        keep_hidden: Whether colour under full transparency stays as it is in WEBP too. Otherwise
            black there gives way to what packs best, and all colour goes where 8 bits are too few
            for an alpha of 16.

    Raises:
        OutputError: the picture is too long a side for the format, or has alpha and it has none.
    """
    if format is ImageFormat.PNG:
        write_png(picture, file, metadata)
        return
    _check_side(picture, format)
    shallow = Shallow(picture, keep_hidden)
    if format is ImageFormat.JPG:
        file.write(_encode_jpg(shallow, quality, metadata))
    else:
        file.write(encode_webp(shallow, quality, metadata, keep_hidden=keep_hidden))


def _check_side(picture: Rows, form: ImageFormat) -> None:
    longest = _LONGEST_SIDE[form]
    if max(picture.width, picture.height) > longest:
        raise OutputError(
            f"the {form} was not written",
            f"it can have {longest} pixels a side, and the picture is "
            f"{picture.width} x {picture.height}",
            "Choose PNG",
        )


def _encode_jpg(picture: Rows, quality: int, metadata: Metadata) -> bytes:
    if picture.channels in {2, 4}:
        raise OutputError("the JPG was not written", "it has no transparency", "Choose PNG or WEBP")
    profile = metadata.icc_profile
    options = {
        "quality": quality,
        "subsampling": "4:4:4" if quality >= _FULL_CHROMA_FROM else "4:2:0",
        "dpi": metadata.dpi and tuple(min(round(dpi), 65535) for dpi in metadata.dpi),
        "icc_profile": profile if profile and fits(profile, picture.channels) else None,
        "exif": _short_enough(metadata.exif and _EXIF_MARKER + metadata.exif),
        "xmp": _short_enough(metadata.xmp),
    }
    # Not straight to the file: Pillow's own writing would hide why a disk refused.
    encoded = io.BytesIO()
    image = _image(picture, "L" if picture.channels == 1 else "RGBX")
    try:
        image.save(encoded, _JPEG, **{name: value for name, value in options.items() if value})
    except (MemoryError, OSError, ValueError) as error:
        raise OutputError("the JPG was not written", str(error), "Choose PNG") from error
    return encoded.getvalue()


def _short_enough(block: bytes | None) -> bytes | None:
    return block if block and len(block) <= _SEGMENT else None


def _image(picture: Rows, mode: str) -> Image.Image:
    """The whole picture, 8-bit L or RGBX, as a Pillow image in the memory it is gathered in."""
    height, width, channels = picture.height, picture.width, len(mode)
    whole: NDArray[np.uint8] = np.empty((height, width, channels), np.uint8)
    for top, bottom in stripes(height, width * channels):
        rows = picture.rows(top, bottom)
        if picture.channels == channels:
            whole[top:bottom] = rows
        else:  # RGB, to which OpenCV adds a channel in a tenth of numpy's time
            cv2.cvtColor(rows, cv2.COLOR_RGB2RGBA, whole[top:bottom])
    return Image.frombuffer(mode, (width, height), whole, "raw", mode, 0, 1)
