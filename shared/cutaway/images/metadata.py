"""What a file says besides its pixels, read from what Pillow found in it."""

from __future__ import annotations

import math
import re
import struct
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from cutaway.images import directory
from cutaway.images.pixels import Metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["quietly", "read_metadata"]

_EXIF_MARKER = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))([1-8])""")
_UPRIGHT = 1
# The other tags of a TIFF file's directory tell how its own pixels are stored.
_DESCRIPTIVE = (
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.Copyright,
)
# These hold places in the file they came from.
_BOUND = (IFD.Interop, IFD.MakerNote)
_DAMAGED_TAG = (
    ArithmeticError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
_FILTERS = threading.Lock()


@contextmanager
def quietly() -> Iterator[None]:
    """Keep Pillow from warning of damaged tags while the block runs.

    Such a picture is read all the same, and its reader can do nothing about it. The list of
    filters belongs to the whole process, hence the lock: two threads that change it at a time
    would leave it changed. So it is held as shortly as can be.
    """
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def read_metadata(info: Mapping[Any, Any], tags: Image.Exif | None = None) -> tuple[Metadata, int]:
    """Tell a picture's metadata, and how its pixels are still to be turned (EXIF's 1..8).

    The metadata are those of the picture turned upright. A TIFF file counts as turned by its own
    tag already, since both Pillow and OpenCV do so when they decode it. The ICC profile is told
    as it stands; whether it fits the pixels is for the caller to see.

    Args:
        info: What Pillow found in the file.
        tags: A TIFF file's own tags, which stand in for an EXIF block.
    """
    xmp = _xmp(info)
    if tags is None:
        exif = _exif(info)
        told = directory.orientation(exif) if exif else None
    else:
        exif = _descriptive(tags)
        told = _UPRIGHT if Base.Orientation in tags else None
    if told is None and xmp and (match := _XMP_ORIENTATION.search(xmp)):
        told = int(match[2])
    metadata = Metadata(
        icc_profile=_bytes(info.get("icc_profile")),
        exif=directory.upright(exif) if exif else None,
        xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if xmp else None,
        dpi=_dpi(info.get("dpi")),
    )
    return metadata, told if told and told in range(1, 9) else _UPRIGHT


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and value else None


def _exif(info: Mapping[Any, Any]) -> bytes | None:
    """The EXIF block without its marker, if it is one; ImageMagick writes it as hex text."""
    block = info.get("exif")
    if block is None and isinstance(text := info.get("Raw profile type exif"), str):
        try:
            block = bytes.fromhex("".join(text.split("\n")[3:]))
        except ValueError:
            return None
    found = (_bytes(block) or b"").removeprefix(_EXIF_MARKER).removeprefix(_EXIF_MARKER)
    return found if found.startswith((b"II*\0", b"MM\0*")) else None


def _descriptive(tags: Image.Exif) -> bytes | None:
    """An EXIF block of a TIFF file's tags that are about the picture, not about the file."""
    kept = Image.Exif()
    try:
        for tag in _DESCRIPTIVE:
            if tag in tags:
                kept[tag] = tags[tag]
        for group in (IFD.Exif, IFD.GPSInfo):
            found = {tag: value for tag, value in tags.get_ifd(group).items() if tag not in _BOUND}
            if found:
                kept[group] = found
        return kept.tobytes().removeprefix(_EXIF_MARKER) if len(kept) else None
    except _DAMAGED_TAG:
        return None  # the picture is no worse for a damaged description


def _xmp(info: Mapping[Any, Any]) -> bytes | None:
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp")
    return _bytes(packet.encode() if isinstance(packet, str) else packet)


def _dpi(value: object) -> tuple[float, float] | None:
    try:
        across, down = (float(part) for part in value)  # type: ignore[attr-defined]  # (or TypeError)
    except (ArithmeticError, TypeError, ValueError):
        return None
    usable = math.isfinite(across) and math.isfinite(down) and across > 0 and down > 0
    return (across, down) if usable else None
