"""What of a picture goes to a service: as a rule a copy that shows what there is to see, no more.

The copy is upright, on white where the picture is transparent, in sRGB, at most as large as the
service keeps it, and without metadata: no place, no camera, no name.

Its quality was chosen by what a network makes of it (u2netp on real photos, against its matte of
the original): JPEG of full colour resolution leaves the matte closer to that than WEBP of as many
bytes, and takes a tenth of the time.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from cutaway import images
from cutaway.backends.seen import seen
from cutaway.engine.reduction import reduced
from cutaway.errors import ConnectionFailed, SourceError
from cutaway.images import Metadata, Pixels
from cutaway.options import ImageFormat
from cutaway.runware.pictures import check_address
from cutaway.sources.guard import PUBLIC_ONLY, Guard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cutaway.settings import Limits
    from cutaway.sources import Loaded

__all__ = ["LONGEST_KEPT", "Upload", "as_it_came", "reduced_copy", "upload_of"]

LONGEST_KEPT = 2048
"""The pixels a side that Runware keeps of a picture."""

_LOOKED_AT = 1024 * 1024
"""The pixels that the networks look at: a smaller picture is enlarged, and its faults with it."""
_QUALITY, _FINE = 90, 95


@dataclass(frozen=True, slots=True)
class Upload:
    """What of a picture goes to a service.

    Attributes:
        image: The bytes of a file, or a public URL where the service fetches it itself.
        size: Width and height of the picture that it is, in pixels.
        media_type: `image/jpeg`, `image/png` or `image/webp`.
    """

    image: bytes | str = field(repr=False)
    size: tuple[int, int]
    media_type: str


def upload_of(
    pixels: Pixels, original: Loaded | None, send: Literal["reduced", "original"], limits: Limits
) -> Upload:
    """What goes to a service, by the user's choice.

    Args:
        pixels: The picture.
        original: The file that it was decoded from, if it was.
        send: A reduced copy, or as much of the original as the service can be given.
        limits: What the picture was read with.
    """
    if send == "reduced":
        return reduced_copy(pixels)
    return as_it_came(pixels, original, limits)


def reduced_copy(pixels: Pixels, longest: int = LONGEST_KEPT) -> Upload:
    """A copy of at most `longest` pixels a side; a small picture isn't enlarged."""
    picture = _in_srgb(reduced(seen(pixels), longest), pixels)
    height, width = picture.shape[:2]
    quality = _FINE if width * height <= _LOOKED_AT else _QUALITY
    return _encoded(picture, quality)


def as_it_came(
    pixels: Pixels, original: Loaded | None, limits: Limits, guard: Guard = PUBLIC_ONLY
) -> Upload:
    """The file's own bytes, or its public URL, metadata and all; else a copy of full size.

    A copy is made of what a service may see otherwise than we do: another format than PNG, JPEG
    and WEBP, several frames, a turn in its metadata, CMYK, 16 bits, and transparency, which the
    service might mix into its matte or not.
    """
    shallow = pixels.depth == 8 and pixels.alpha is None  # noqa: PLR2004  (bits a channel)
    if original is None or not shallow or not images.is_plain(original.data, limits):
        return _encoded(_in_srgb(seen(pixels), pixels), _FINE)
    public = original.url is not None and _is_public(original.url, guard)
    kind = images.sniff(original.data)
    return Upload(
        original.url if public and original.url else original.data,
        (pixels.width, pixels.height),
        f"image/{kind.lower()}" if kind else "",
    )


def _in_srgb(picture: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.uint8]:
    """A copy of a picture, taken from the picture's own profile to sRGB."""
    channels = pixels.colour.shape[2]
    profile = Metadata(icc_profile=pixels.metadata.icc_profile)
    copy = Pixels(picture[..., :channels].copy() if channels == 1 else picture, metadata=profile)
    return images.srgb_pixels(copy).guide()


def _encoded(picture: NDArray[np.uint8], quality: int) -> Upload:
    file = io.BytesIO()
    height, width = picture.shape[:2]
    images.encode(
        _Whole(picture), file, format=ImageFormat.JPG, quality=quality, metadata=Metadata()
    )
    return Upload(file.getvalue(), (width, height), "image/jpeg")


def _is_public(url: str, guard: Guard) -> bool:
    """Whether anyone may fetch a URL that was fetched here, and is to see all of it."""
    if "@" in urlsplit(url).netloc:
        return False
    try:
        check_address(url, guard)
    except (ConnectionFailed, SourceError):
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """An RGB picture that is in memory already, for the encoder."""

    picture: NDArray[np.uint8]
    channels: int = 3
    depth: int = 8

    @property
    def height(self) -> int:
        return int(self.picture.shape[0])

    @property
    def width(self) -> int:
        return int(self.picture.shape[1])

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        return self.picture[top:bottom]
