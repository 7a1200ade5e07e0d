"""A picture small enough for a model's eyes, with what is transparent made visible.

Models that look at pictures see no alpha, take few pixels in, and count each of them; clients cut
or refuse results of a megabyte.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.errors import OptionError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ALPHA", "CHECKERBOARD", "Preview", "Rectangle", "preview"]

CHECKERBOARD = "checkerboard"
ALPHA = "alpha"

_LONGEST = 768
_MOST_BYTES = 150_000
"""Bytes of a file, so that its base64 is within 200,000."""

_SQUARE = 16
_GREYS = (102, 153)
"""Of the checkerboard: between black and white, which both are common in subjects."""

_QUALITIES = (90, 80, 65, 50, 35)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom; the last two just outside."""
        return self.left, self.top, self.left + self.width, self.top + self.height


@dataclass(frozen=True, slots=True)
class Preview:
    """A WEBP file, and what it shows.

    Attributes:
        data: The file, at most 150,000 bytes.
        size: Its width and height, at most 768 each.
        region: The part of the original that it shows.
        transparent: Whether some of the original, within that part, is transparent.
    """

    data: bytes
    size: tuple[int, int]
    region: Rectangle
    transparent: bool


def preview(image: Image, region: Rectangle | None = None, on: str = CHECKERBOARD) -> Preview:
    """Show a picture, or a part of it.

    What is larger than 768 pixels is reduced; what is at most half as large is enlarged by a whole
    number, each pixel a square, so that a small part can be judged pixel by pixel.

    Args:
        image: Mode RGB or RGBA.
        region: The part to show; the whole if None. What lies outside the picture is left out.
        on: What to lay behind it: `checkerboard`, or a colour as CSS writes it; or `alpha` to show
            the alpha itself as a grey picture, white = subject.

    Raises:
        OptionError: the region lies outside the picture, or `on` is no colour.
    """
    behind = _colour(on)
    part = _within(region, image.size)
    shown = _scaled(image.crop(part.corners) if region else image)
    alpha = shown.getchannel("A") if shown.mode == "RGBA" else None
    transparent = alpha is not None and alpha.getextrema() != (255, 255)
    flat = _alpha_of(shown) if on == ALPHA else _laid_on(shown, behind)
    data, size = _small_file(flat)
    return Preview(data, size, part, transparent)


def _colour(on: str) -> tuple[int, int, int] | None:
    """The colour that is asked for; None for the checkerboard and the alpha."""
    if on in {CHECKERBOARD, ALPHA}:
        return None
    from PIL import ImageColor

    try:
        red, green, blue, *_ = ImageColor.getrgb(on)
    except ValueError as error:
        raise OptionError(
            "on can't be used",
            "it is no colour",
            "Give checkerboard, alpha, or a colour such as #00ff00 or white",
        ) from error
    return red, green, blue


def _within(region: Rectangle | None, size: tuple[int, int]) -> Rectangle:
    if region is None:
        return Rectangle(0, 0, *size)
    left, top, right, bottom = region.corners
    left, top = max(left, 0), max(top, 0)
    width, height = min(right, size[0]) - left, min(bottom, size[1]) - top
    if width < 1 or height < 1:
        raise OptionError(
            "the region can't be shown",
            f"none of it is within the picture, which is {size[0]} x {size[1]} pixels",
            "Give left, top, width and height in pixels of the picture",
        )
    return Rectangle(left, top, width, height)


def _scaled(image: Image) -> Image:
    from PIL.Image import Resampling

    factor = _LONGEST // max(image.size)
    if factor == 1:
        return image
    if factor:
        larger = image.width * factor, image.height * factor
        return image.resize(larger, Resampling.NEAREST)
    return _reduced(image, _LONGEST)


def _reduced(image: Image, longest: int) -> Image:
    """The picture with its longer side as given; Pillow weighs colours by their alpha itself."""
    from PIL.Image import Resampling

    scale = longest / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Resampling.LANCZOS, reducing_gap=2.0)


def _alpha_of(image: Image) -> Image:
    import PIL.Image

    if image.mode == "RGBA":
        return image.getchannel("A").convert("RGB")
    return PIL.Image.new("RGB", image.size, "white")


def _laid_on(image: Image, colour: tuple[int, int, int] | None) -> Image:
    import PIL.Image

    if image.mode != "RGBA":
        return image
    if colour is None:
        behind = _checkerboard(image.size)
    else:
        behind = PIL.Image.new("RGB", image.size, colour)
    behind.paste(image, mask=image.getchannel("A"))
    return behind


def _checkerboard(size: tuple[int, int]) -> Image:
    import PIL.Image

    columns, rows = (-(-side // _SQUARE) for side in size)
    squares = bytes(_GREYS[(row + column) % 2] for row in range(rows) for column in range(columns))
    small = PIL.Image.frombytes("L", (columns, rows), squares)
    large = small.resize((columns * _SQUARE, rows * _SQUARE), PIL.Image.Resampling.NEAREST)
    return large.crop((0, 0, *size)).convert("RGB")


def _small_file(image: Image) -> tuple[bytes, tuple[int, int]]:
    """The first attempt that is small enough, and its size; one of a few pixels always is."""
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            image.save(file, "WEBP", quality=quality)
            if file.tell() <= _MOST_BYTES:
                return file.getvalue(), image.size
        image = _reduced(image, max(image.size) * 3 // 4)
