"""From a file's bytes or a Pillow image to `Pixels`: header first, then limits, then pixels."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
from PIL import Image, ImageCms
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from cutaway.errors import TooLarge, UnreadableImage, UnsupportedFormat
from cutaway.images.directory import count_pages
from cutaway.images.header import sniff, webp_size, without_pixels
from cutaway.images.limits import check_bytes, check_pixels
from cutaway.images.metadata import quietly, read_metadata
from cutaway.images.modes import Decoded, alpha_of_key, to_arrays
from cutaway.images.opencv import decode_colour, decode_jpeg
from cutaway.images.pixels import Pixels
from cutaway.images.profiles import fits
from cutaway.images.tiff import (
    check_tiles,
    decode_deep_colour,
    decode_deep_grey_and_alpha,
    is_deep_colour,
    is_deep_grey_and_alpha,
    read_tags,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    from cutaway.errors import InputError
    from cutaway.settings import Limits

__all__ = ["decode", "from_pil", "is_plain"]

# The classes themselves: `Image.open` would apply a limit that belongs to the whole process.
_READERS: dict[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "WEBP": WebPImageFile,
    "GIF": GifImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "AVIF": AvifImageFile,
}
# All that Pillow's readers and OpenCV raise over damaged files, as seen and as read in them.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImageCms.PyCMSError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    cv2.error,
    struct.error,
    zlib.error,
)
_NOT_SUPPORTED = ("unknown pixel mode", "cannot handle", "unsupported", "not installed")
_GREY_AND_ALPHA = 4  # PNG's colour type
_OPENCV_SIDE = 1 << 20
_LYING = range(5, 9)
"""The orientations of EXIF that swap rows and columns."""


def decode(data: bytes, limits: Limits, *, shortest: int | None = None) -> Pixels:
    """Decode a PNG, JPEG, WEBP, GIF, TIFF, BMP or AVIF file's first picture, turned upright.

    Colour keeps its numbers and its ICC profile; only CMYK and LAB become sRGB. PNG and TIFF
    of 16 bits a channel stay so.

    Args:
        data: The file.
        limits: How much it may be.
        shortest: How short its shorter side may come, in pixels, where a smaller copy will do: a
            JPEG is decoded at a half, a quarter or an eighth then, in less time and memory.

    Raises:
        TooLarge: it has more bytes or pixels than allowed, which is found out before decoding.
        UnsupportedFormat: it is of a type or kind that can't be read.
        UnreadableImage: it is damaged.
    """
    check_bytes(len(data), limits)
    kind = sniff(data)
    if kind not in _READERS:
        raise _unknown(kind)
    with _reading(kind):
        found, frames = _decoded(kind, data, limits, shortest)
        return _pixels(found, _left_out(kind, frames))


def from_pil(image: Image.Image, limits: Limits) -> Pixels:
    """Take a Pillow image (of a file of many frames, the current one), turned upright.

    It is loaded if it wasn't, and not changed otherwise. Its numbers are copied.

    Raises:
        TooLarge: it has more pixels than allowed.
        UnsupportedFormat: its mode is one of 32-bit integers, or floats outside 0..1.
        UnreadableImage: it wasn't loaded, and its file is damaged.
    """
    check_pixels(*image.size, limits)
    with _reading(image.format or "picture"):
        return _pixels(_by_pillow(image), ())


def is_plain(data: bytes, limits: Limits) -> bool:
    """Whether any reader of PNG, JPEG or WEBP would see in a file just what `decode` gives.

    That is not so if it is to be turned, has several frames, or isn't grey or RGB.

    Raises:
        TooLarge: it has more pixels than allowed.
        UnreadableImage: its header is damaged.
    """
    kind = sniff(data)
    if kind not in {"PNG", "JPEG", "WEBP"}:
        return False
    with _reading(kind):
        image = _open(kind, data, limits)
        told = image
        with quietly():
            if kind == "PNG":  # in which metadata may stand after the pixels
                told = PngImageFile(io.BytesIO(without_pixels(data)))
            _, turn = read_metadata(told.info)
        return turn == 1 and getattr(image, "n_frames", 1) == 1 and image.mode != "CMYK"


@contextmanager
def _reading(kind: str) -> Iterator[None]:
    """Turn what the decoders raise into our errors."""
    try:
        yield
    except (Image.DecompressionBombError, MemoryError) as error:
        raise TooLarge(
            f"the {kind} was not read", str(error) or "memory ran out", "Make it smaller"
        ) from error
    except _DAMAGE as error:
        raise _refusal(kind, error) from error


def _refusal(kind: str, error: Exception) -> InputError:
    why = " ".join(str(error).split()) or type(error).__name__
    if any(phrase in why.lower() for phrase in _NOT_SUPPORTED):
        return UnsupportedFormat(
            f"this kind of {kind} can't be read", why, "Convert it to PNG and try again"
        )
    return UnreadableImage(f"the {kind} can't be read", why, "Get an undamaged copy")


def _unknown(kind: str | None) -> UnsupportedFormat:
    if kind:
        return UnsupportedFormat(
            f"{kind} pictures can't be read", next_step="Convert it to JPEG or PNG and try again"
        )
    return UnsupportedFormat(
        "the picture can't be read",
        "its bytes are of no known type",
        f"Give one of {', '.join(_READERS)}",
    )


def _decoded(kind: str, data: bytes, limits: Limits, shortest: int | None) -> tuple[Decoded, int]:
    """The first picture, and how many the file has."""
    if kind == "TIFF":
        return _tiff(data, limits), count_pages(data)
    image = _open(kind, data, limits)
    frames = int(getattr(image, "n_frames", 1))
    if kind == "JPEG" and image.mode in {"L", "RGB"}:
        reduction = _reduction(image.size, shortest)
        arrays = decode_jpeg(data, image.size, grey=image.mode == "L", reduction=reduction)
        whole = image.size if reduction > 1 else None
        return Decoded(arrays, *read_metadata(image.info), whole), frames
    if frames == 1 and kind == "WEBP":
        # Pillow would take 16 bytes a pixel, OpenCV takes 6.
        return Decoded(decode_colour(data, image.size, 8), *read_metadata(image.info)), frames
    if frames == 1 and kind == "PNG" and _is_colour_for_opencv(image, data):
        return _colour_png(image, data), frames
    return _by_pillow(image), frames


def _reduction(size: tuple[int, int], shortest: int | None) -> int:
    """The most that a JPEG may be reduced by: 1 (not at all), 2, 4 or 8."""
    most = min(size) // shortest if shortest else 1
    return max(one for one in (1, 2, 4, 8) if one <= max(most, 1))


def _tiff(data: bytes, limits: Limits) -> Decoded:
    tags = read_tags(data)
    if is_deep_grey_and_alpha(tags):
        return decode_deep_grey_and_alpha(tags, data, limits)
    image = _open("TIFF", data, limits)
    check_tiles(tags, *image.size)
    if is_deep_colour(image, tags):
        return decode_deep_colour(image, tags, data)
    return _by_pillow(image)


def _open(kind: str, data: bytes, limits: Limits) -> ImageFile:
    """Read the header, and hold it against the limits before memory is taken for pixels."""
    if kind == "WEBP":  # its decoder takes memory for the canvas when it is opened
        check_pixels(*webp_size(data), limits)
    with quietly():
        image = _READERS[kind](io.BytesIO(data))
    check_pixels(*image.size, limits)
    if isinstance(image, PngImageFile):
        _scale_key(image, bits=data[24])
    return image


def _scale_key(image: PngImageFile, bits: int) -> None:
    """Take a transparent grey told in 1, 2 or 4 bits to the 8 that Pillow takes the pixels to."""
    key = image.info.get("transparency")
    if image.mode in {"1", "L"} and isinstance(key, int):
        most = 2**bits - 1
        image.info["transparency"] = (key & most) * 255 // most


def _is_colour_for_opencv(image: ImageFile, data: bytes) -> bool:
    deep = data[24] > 8  # noqa: PLR2004  (bits a channel)
    return image.mode in {"RGB", "RGBA"} and (deep or max(image.size) <= _OPENCV_SIDE)


def _colour_png(image: ImageFile, data: bytes) -> Decoded:
    """By OpenCV, in half of Pillow's time; and Pillow cuts 16 bits to 8."""
    with quietly():
        metadata, turn = read_metadata(PngImageFile(io.BytesIO(without_pixels(data))).info)
    width, height, bits, colour_type = struct.unpack(">IIBB", data[16:26])
    if (width, height) != image.size:
        raise ValueError("its header is told twice")
    arrays = decode_colour(data, image.size, bits)
    if colour_type == _GREY_AND_ALPHA:
        arrays = arrays._replace(colour=arrays.colour[..., :1].copy())
    elif image.mode == "RGB":
        key = image.info.get("transparency")
        arrays = arrays._replace(alpha=alpha_of_key(arrays.colour, key))
    return Decoded(arrays, metadata, turn)


def _by_pillow(image: Image.Image) -> Decoded:
    warns = isinstance(image, (PngImageFile, TiffImageFile))  # of what stands after the pixels
    with quietly() if warns else nullcontext():
        image.load()
        tags = image.getexif() if isinstance(image, TiffImageFile) else None
        metadata, turn = read_metadata(image.info, tags)
    return Decoded(to_arrays(image, metadata.icc_profile), metadata, turn)


def _left_out(kind: str, frames: int) -> tuple[str, ...]:
    if frames <= 1:
        return ()
    what = "pages" if kind == "TIFF" else "frames"
    return (f"it has {frames} {what}: the first was read, and {frames - 1} left out",)


def _pixels(found: Decoded, warnings: tuple[str, ...]) -> Pixels:
    (colour, alpha, converted, doubts), metadata, turn, whole = found
    warnings += doubts
    profile = metadata.icc_profile
    if profile and (converted or not fits(profile, colour.shape[2])):
        metadata = replace(metadata, icc_profile=None)
        if not converted:
            warnings += ("its ICC profile is not for its kind of pixels and was left out",)
    return Pixels(
        _turned(colour, turn),
        None if alpha is None else _turned(alpha, turn),
        metadata,
        warnings=warnings,
        copy_of=(whole[1], whole[0]) if whole and turn in _LYING else whole,
    )


def _turned(values: NDArray[Any], turn: int) -> NDArray[Any]:
    """The values as EXIF's orientation (1..8) wants them shown."""
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(turn)
    shape = values.shape
    if turn in _LYING:
        values = cv2.transpose(values)
        shape = (shape[1], shape[0], *shape[2:])
        if flip is not None:
            cv2.flip(values, flip, values)
    elif flip is not None:
        values = cv2.flip(values, flip)
    return values.reshape(shape)
