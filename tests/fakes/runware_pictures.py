"""How the fake service cuts a subject out: by how far each pixel is from the border's colour."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageStat

if TYPE_CHECKING:
    from tests.fakes.runware_reading import Removal

__all__ = ["LONGEST", "cut_out", "kept", "read_picture", "untouched"]

LONGEST = 2048
"""What the service keeps of a picture: that many pixels in width or height."""

_FROM, _TO = 24, 72
"""Distances, 0..255, up to which a pixel is background and from which it is subject."""
_PIXEL = {"JPG": "JPEG", "PNG": "PNG", "WEBP": "WEBP"}


def read_picture(picture: bytes) -> Image.Image:
    """The picture, decoded, its orientation tag left alone.

    Raises:
        OSError: it is none that Pillow can read.
    """
    image = Image.open(BytesIO(picture))
    image.load()
    return image


def kept(picture: bytes) -> bytes:
    """What the service stores of a picture: the same bytes, or a smaller one as PNG.

    Raises:
        OSError: it is none that Pillow can read.
    """
    image = read_picture(picture)
    if max(image.size) <= LONGEST:
        return picture
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.BICUBIC)
    return _written(image, "PNG", 95)


def cut_out(picture: bytes, removal: Removal) -> bytes:
    """The result of a removal, in the format that it asks for."""
    image = read_picture(picture)
    colours = image.convert("RGB")
    matte = _matte(colours)
    if "A" in image.getbands():
        matte = ImageChops.multiply(matte, image.getchannel("A"))
    if removal.settings.get("postProcessMask"):
        matte = matte.point(lambda value: 255 if value > 127 else 0)
    if removal.settings.get("returnOnlyMask"):
        return _written(matte, removal.output_format, removal.output_quality)
    colours.putalpha(matte)
    if "rgba" in removal.settings:
        *behind, alpha = removal.settings["rgba"]
        ground = Image.new("RGBA", colours.size, (*behind, round(alpha * 255)))
        colours = Image.alpha_composite(ground, colours)
    return _written(colours, removal.output_format, removal.output_quality)


def untouched(picture: bytes, removal: Removal) -> bytes:
    """One pixel at once, for tests that look at the wire alone."""
    del picture
    return _PIXELS[removal.output_format]


def _matte(colours: Image.Image) -> Image.Image:
    width, height = colours.size
    strips = [(0, 0, width, 1), (0, height - 1, width, height)]
    strips += [(0, 0, 1, height), (width - 1, 0, width, height)]
    border = Image.new("RGB", (2 * (width + height), 1))
    place = 0
    for box in strips:
        strip = colours.crop(box)
        strip = strip.transpose(Image.Transpose.ROTATE_90) if box[2] - box[0] == 1 else strip
        border.paste(strip, (place, 0))
        place += strip.width
    mean = tuple(round(value) for value in ImageStat.Stat(border).mean)
    apart = ImageChops.difference(colours, Image.new("RGB", colours.size, mean)).split()
    furthest = ImageChops.lighter(ImageChops.lighter(apart[0], apart[1]), apart[2])
    ramp = [min(255, max(0, round((d - _FROM) * 255 / (_TO - _FROM)))) for d in range(256)]
    return furthest.point(ramp)


def _written(image: Image.Image, name: str, quality: int) -> bytes:
    if name == "JPG" and image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    packed = BytesIO()
    if name == "PNG":
        image.save(packed, "PNG", compress_level=1)
    else:
        image.save(packed, _PIXEL[name], quality=quality)
    return packed.getvalue()


_PIXELS = {name: _written(Image.new("RGBA", (1, 1)), name, 95) for name in _PIXEL}
