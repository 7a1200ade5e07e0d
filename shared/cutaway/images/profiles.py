"""ICC profiles: what they are for, and colours taken through them by Little CMS."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageCms

from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.images.pixels import Pixels

__all__ = ["fits", "in_profile", "srgb_greys", "srgb_pixels", "srgb_transform"]

_SPACES = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}
_MODES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_BROKEN = (ImageCms.PyCMSError, OSError, TypeError, ValueError)
_Colour = tuple[int, int, int]


def _mode(profile: bytes) -> str | None:
    """Pillow's mode for the numbers the profile is for (its header's bytes 16..20)."""
    return _MODES.get(profile[16:20])


def fits(profile: bytes, channels: int) -> bool:
    """Whether a profile is for pictures of that many channels: 1 or 2 grey, 3 or 4 RGB."""
    return profile[16:20] == _SPACES[channels]


def srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What takes Pillow images of `mode` (L, RGB or CMYK) in a profile to RGB images in sRGB.

    Returns:
        None where the profile is broken or for other numbers. Not to be shared by threads.
    """
    if _mode(profile) != mode:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, target, mode, "RGB", _INTENT, _FLAGS)
    except _BROKEN:
        return None


def in_profile(rgb: _Colour, profile: bytes | None) -> _Colour:
    """Tell the numbers, 0..255, that an sRGB colour has in a profile, such as a fill's.

    In a grey profile all three are the grey. The same numbers come back where there is no
    profile, where it is broken, or for neither RGB nor grey.
    """
    mode = _mode(profile) if profile else None
    if profile is None or mode not in {"L", "RGB"}:
        return rgb
    try:
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        source = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, "RGB", mode, _INTENT, _FLAGS)
        found = np.asarray(transform.apply(Image.new("RGB", (1, 1), rgb))).ravel().tolist()
    except _BROKEN:
        return rgb
    red, green, blue = found * 3 if mode == "L" else found
    return red, green, blue


def srgb_greys(profile: bytes) -> NDArray[np.uint8] | None:
    """The 256 sRGB greys for the 256 greys of a grey profile; None if it isn't one, or broken."""
    transform = srgb_transform(profile, "L")
    if transform is None:
        return None
    return _through(np.arange(256, dtype=np.uint8).reshape(256, 1, 1), transform)[:, 0, 0]


def srgb_pixels(pixels: Pixels) -> Pixels:
    """Take 8-bit pixels into sRGB and drop the profile that was needed to read them.

    16-bit pixels keep theirs, since Little CMS is reached through Pillow, which knows 8 bits
    only. RGB numbers that are sRGB's already (to 1 in 255) stay exactly as they are.
    """
    profile = pixels.metadata.icc_profile
    if profile is None or pixels.depth > 8:  # noqa: PLR2004
        return pixels
    colour = pixels.colour
    if colour.shape[2] == 1:
        greys = srgb_greys(profile)
        converted = colour if greys is None else greys[colour]
    else:
        converted = _rgb(colour, profile)
    return replace(
        pixels,
        colour=converted,
        metadata=replace(pixels.metadata, icc_profile=None),
        borrowed=pixels.borrowed and converted is colour,
    )


def _rgb(colour: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    transform = srgb_transform(profile, "RGB")
    if transform is None or _changes_nothing(transform):
        return colour
    height, width = colour.shape[:2]
    converted = np.empty_like(colour)
    for top, bottom in stripes(height, width * 4):
        converted[top:bottom] = _through(colour[top:bottom], transform)
    return converted


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a sample of all colours comes through as it was, to 1 in 255."""
    levels = np.arange(0, 256, 15).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, levels.size, 3)
    return int(cv2.absdiff(cube, _through(cube, transform)).max()) <= 1


def _through(block: NDArray[np.uint8], transform: ImageCms.ImageCmsTransform) -> NDArray[np.uint8]:
    """A block (rows, columns, 1 or 3) as a transform takes it to RGB."""
    image = Image.fromarray(block[..., 0] if block.shape[2] == 1 else block)
    return np.asarray(transform.apply(image))
