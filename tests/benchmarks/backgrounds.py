"""Test sets that are made: the subjects of the pairs, on backgrounds of known kinds.

The same pairs give the same pictures, bit by bit.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.benchmarks.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Background = Callable[[int, int, Generator], Floats]

__all__ = ["BACKGROUNDS", "at_random", "made_set", "pictured", "subject_of", "with_room"]

_LONGEST = 360
"""The longer side of a subject, in pixels."""
_ROOM = 1.6
"""A picture's sides, in those of its subject."""
_SENSOR = 1.5
_GRAIN = 14.0
_GREEN = (45.0, 170.0, 75.0)


def made_set(background: str, pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The subject of each pair, alone on a background named in `BACKGROUNDS`."""
    for pair in pairs:
        random = at_random(background, pair)
        colour, truth = with_room(*subject_of(pair), random)
        height, width = truth.shape
        behind = BACKGROUNDS[background](height, width, random)
        yield pictured(pair, (colour, truth), behind, _NOISE.get(background, _SENSOR), random)


def at_random(what: str, pair: Pair) -> Generator:
    """Chances that are the same for the same set and pair."""
    return np.random.default_rng(zlib.crc32(f"{what}/{pair.name}".encode()))


def pictured(
    pair: Pair, subject: tuple[Floats, Floats], behind: Floats, noise: float, random: Generator
) -> Pair:
    """A subject's colour and matte before a background of its size, with a sensor's noise."""
    colour, truth = subject
    matte = truth[..., None]
    picture = matte * colour + (1 - matte) * behind
    picture += random.normal(0, noise, picture.shape)
    return Pair(pair.name, np.rint(picture).clip(0, 255).astype(np.uint8), truth)


def subject_of(pair: Pair) -> tuple[Floats, Floats]:
    """The subject cropped by its mask, its edge softened: colour and matte."""
    left, top, width, height = cv2.boundingRect((pair.truth > 0.5).astype(np.uint8))
    box = slice(top, top + height), slice(left, left + width)
    scale = _LONGEST / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    colour = cv2.resize(pair.picture[box], size, interpolation=how)
    matte = cv2.resize(pair.truth[box], size, interpolation=how)
    # What its own background left in the edge would be neither subject nor the new background.
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    inner = cv2.erode(matte, disk, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    soft = cv2.GaussianBlur(inner, (0, 0), 1.0, borderType=cv2.BORDER_CONSTANT)
    return colour.astype(np.float64), soft.astype(np.float64, copy=False)


def with_room(colour: Floats, matte: Floats, random: Generator) -> tuple[Floats, Floats]:
    """A subject somewhere near the middle of a picture with room around it."""
    height, width = matte.shape
    tall, wide = round(height * _ROOM), round(width * _ROOM)
    top = round((tall - height) * random.uniform(0.3, 0.7))
    left = round((wide - width) * random.uniform(0.3, 0.7))
    around = ((top, tall - height - top), (left, wide - width - left))
    return np.pad(colour, (*around, (0, 0))), np.pad(matte, around)


def _white(height: int, width: int, random: Generator) -> Floats:  # noqa: ARG001  (a Background)
    return np.full((height, width, 3), 255.0)


def _plain(height: int, width: int, random: Generator) -> Floats:
    return np.broadcast_to(random.uniform(30, 225, 3), (height, width, 3))


def _gradient(height: int, width: int, random: Generator) -> Floats:
    """Grey light from one side, and a lens that darkens the corners."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = random.uniform(0, 2 * np.pi)
    first, last = random.uniform(100, 160), random.uniform(190, 240)
    ramp = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2)
    light = first + (last - first) * (ramp + 1) / 2
    vignette = 1 - 0.2 * (x * x + y * y)
    return np.repeat((light * vignette)[..., None], 3, axis=2)


def _rough(height: int, width: int, random: Generator) -> Floats:
    """A plain colour with blotches, as of plaster or felt."""
    return _plain(height, width, random) + 8 * _blotches(height, width, 6, random)


def _green(height: int, width: int, random: Generator) -> Floats:
    """A green screen, lit unevenly."""
    light = 1 + 0.12 * _blotches(height, width, max(height, width) / 5, random)
    screen: Floats = light * np.array(_GREEN)
    return screen


def _blotches(height: int, width: int, size: float, random: Generator) -> Floats:
    """Smooth random ups and downs around 0 with a spread of 1, shape (height, width, 1)."""
    rough = random.normal(size=(height, width))
    smooth = cv2.GaussianBlur(rough, (0, 0), size, borderType=cv2.BORDER_REFLECT)
    values = smooth.astype(np.float64, copy=False)
    even: Floats = (values - values.mean()) / values.std()
    return even[..., None]


BACKGROUNDS: dict[str, Background] = {
    "white": _white,
    "plain": _plain,
    "gradient": _gradient,
    "noisy": _rough,
    "green": _green,
}
"""What makes each kind: float64 RGB of shape (height, width, 3), 0..255, and no sensor noise."""

_NOISE = {"white": 0.0, "noisy": _GRAIN}
