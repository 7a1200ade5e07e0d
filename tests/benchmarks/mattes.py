"""Pictures at native size whose true matte and true subject colour are known.

Each is drawn four times larger and averaged, so that its soft pixels are as a sensor would see
them, laid over a textured background, and given a sensor's noise. The same arguments give the
same picture, bit by bit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Canvas = NDArray[np.uint8]

__all__ = ["BACKGROUNDS", "SUBJECTS", "Scene", "careful_trimap", "render"]

_FINE = 4
"""How many times larger the shapes are drawn, along each side."""
_SHIFT = 4
"""Fractional bits of a drawn point's coordinates."""
_WHITE = 255
_SENSOR = 1.5
_NATIVE = 1200
"""The side, in pixels, of the pictures that the lengths below are meant for."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A composed picture and the truth about it.

    Attributes:
        name: What it is called, alone in its set.
        picture: uint8 RGB, shape (height, width, 3): the subject over the background.
        alpha: float32, shape (height, width), 0..1: the true matte.
        subject: uint8 RGB, like the picture: the subject's own colour, everywhere.
    """

    name: str
    picture: NDArray[np.uint8]
    alpha: Floats
    subject: NDArray[np.uint8]


def render(subject: str, background: str, size: int = _NATIVE) -> Scene:
    """A square picture of a subject from `SUBJECTS` on a background from `BACKGROUNDS`.

    Hairs and grain are as thick at any size: a larger picture shows a larger subject.
    """
    name = f"{subject} on {background}"
    random = np.random.default_rng(zlib.crc32(name.encode()))
    alpha = SUBJECTS[subject](size, random)
    colour = _texture(size, _COLOURS[subject], random)
    share = alpha[..., None]
    behind = BACKGROUNDS[background](size, random)
    noise = random.normal(0, _SENSOR, colour.shape).astype(np.float32)
    mixed = share * colour + (1 - share) * behind + noise
    return Scene(name, _levels(mixed), alpha, _levels(colour))


def careful_trimap(alpha: Floats, reach: int) -> NDArray[np.uint8]:
    """What a careful hand would draw: unknown up to `reach` pixels around soft pixels.

    Returns:
        uint8, like `alpha`: 0 is background, 255 subject, 128 unknown.
    """
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    some = cv2.dilate((alpha > 0).astype(np.uint8), square)
    full = cv2.erode((alpha >= 1).astype(np.uint8), square)
    return np.select([full == 1, some == 0], [255, 0], 128).astype(np.uint8)


def _hair(size: int, random: Generator) -> Floats:
    """A head whose hairs, one to two pixels thick, blow off to all sides."""
    canvas = _canvas(size)
    _disc(canvas, (0.5, 0.52), 0.24)
    _strands(canvas, random, count=size // 3, length=0.2, thickness=(6, 2), bend=0.5)
    return _averaged(canvas)


def _fur(size: int, random: Generator) -> Floats:
    """A body with a dense rim of short hairs, finer than a pixel at their tips."""
    canvas = _canvas(size)
    _disc(canvas, (0.5, 0.52), 0.24)
    _strands(canvas, random, count=5 * size, length=0.06, thickness=(5, 1), bend=0.15)
    return _averaged(canvas)


def _out_of_focus(size: int, random: Generator) -> Floats:
    """A thing with arms, out of focus: the blur is a disc, as of a lens."""
    canvas = _canvas(size)
    _star(canvas, random, arms=7)
    radius = size // 60
    lens = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return _blurred(_averaged(canvas), lens.astype(np.float32))


def _moving(size: int, random: Generator) -> Floats:
    """The same, moved while the shutter was open."""
    canvas = _canvas(size)
    _star(canvas, random, arms=5)
    length = size // 20
    path = np.zeros((length, length), np.uint8)
    cv2.line(path, (0, length * 3 // 4), (length - 1, length // 4), (_WHITE,), 1, cv2.LINE_AA)
    return _blurred(_averaged(canvas), path.astype(np.float32))


def _glass(size: int, random: Generator) -> Floats:
    """A glass on a solid foot: clear in the middle, denser to its rim, with bright reflections."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    across = np.abs(x - 0.5) / 0.2
    inside = _averaged(_box(size, (0.3, 0.15), (0.7, 0.7)))
    wall = 0.25 + 0.5 * across.clip(0, 1) ** 4 + 0.1 * (y - 0.15)
    solid = _averaged(_box(size, (0.26, 0.66), (0.74, 0.85)))
    shine = _canvas(size)
    for place in random.uniform(0.35, 0.65, 4):
        _disc(shine, (place, random.uniform(0.25, 0.55)), random.uniform(0.005, 0.02))
    bright = cv2.GaussianBlur(_averaged(shine), (0, 0), size / 400)
    clear: Floats = np.maximum(inside * np.maximum(wall, 0.9 * bright), solid).astype(np.float32)
    return clear


def _strands(
    canvas: Canvas,
    random: Generator,
    *,
    count: int,
    length: float,
    thickness: tuple[int, int],
    bend: float,
) -> None:
    """Hairs from the disc in the middle outwards, thinner from root to tip, drawn in place."""
    side = len(canvas)
    roots = random.uniform(0, 2 * np.pi, count)
    lengths = length * random.uniform(0.4, 1, count)
    bends = random.normal(0, bend, count)
    thick = np.linspace(*thickness, 12).round().astype(int)
    for root, long, curl in zip(roots, lengths, bends, strict=True):
        along = np.linspace(0, 1, len(thick) + 1)
        angle = root + curl * along**2 * long / 0.24
        reach = 0.235 + long * along
        points = np.stack([0.5 + reach * np.cos(angle), 0.52 + reach * np.sin(angle)], axis=1)
        fixed = (points * side * (1 << _SHIFT)).round().astype(int).tolist()
        for begin, end, width in zip(fixed, fixed[1:], thick, strict=False):
            cv2.line(canvas, begin, end, (_WHITE,), int(width), cv2.LINE_AA, _SHIFT)


def _star(canvas: Canvas, random: Generator, arms: int) -> None:
    """A disc with tapering arms, drawn in place."""
    _disc(canvas, (0.5, 0.52), 0.2)
    side = len(canvas)
    for angle in np.arange(arms) / arms * 2 * np.pi + random.uniform(0, 2 * np.pi):
        ends = [(0.1, angle - 0.6), (0.1, angle + 0.6), (random.uniform(0.3, 0.38), angle)]
        points = [(0.5 + far * np.cos(way), 0.52 + far * np.sin(way)) for far, way in ends]
        corners = (np.array(points) * side).round().astype(np.int32)
        cv2.fillPoly(canvas, [corners], (_WHITE,), cv2.LINE_AA)


def _disc(canvas: Canvas, middle: tuple[float, float], radius: float) -> None:
    side = len(canvas)
    centre = round(middle[0] * side), round(middle[1] * side)
    cv2.circle(canvas, centre, round(radius * side), (_WHITE,), -1, cv2.LINE_AA)


def _box(size: int, first: tuple[float, float], last: tuple[float, float]) -> Canvas:
    canvas = _canvas(size)
    corners = [tuple(round(part * len(canvas)) for part in corner) for corner in (first, last)]
    cv2.rectangle(canvas, corners[0], corners[1], (_WHITE,), -1)
    return canvas


def _canvas(size: int) -> Canvas:
    return np.zeros((size * _FINE, size * _FINE), np.uint8)


def _averaged(canvas: Canvas) -> Floats:
    """What was drawn, at the picture's own size, 0..1."""
    size = len(canvas) // _FINE
    averaged = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return averaged.astype(np.float32) / np.float32(_WHITE)


def _blurred(alpha: Floats, kernel: Floats) -> Floats:
    blurred = cv2.filter2D(alpha, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    sure = np.where(blurred < 1e-4, 0, np.where(blurred > 1 - 1e-4, 1, blurred))
    return sure.astype(np.float32)


def _texture(size: int, colour: tuple[int, int, int], random: Generator) -> Floats:
    """Blotches and grain around a colour."""
    texture = np.tile(np.array(colour, np.float32), (size, size, 1))
    for blur, strength in ((60.0, 18), (8.0, 6), (1.2, 4)):
        grain = random.normal(0, 1, (size, size, 3)) + 1.5 * random.normal(0, 1, (size, size, 1))
        smooth = cv2.GaussianBlur(grain.astype(np.float32), (0, 0), blur)
        texture += strength * smooth / smooth.std()
    return texture.clip(0, _WHITE)


def _meadow(size: int, random: Generator) -> Floats:
    """Grass: all fine grain."""
    return _texture(size, (115, 135, 90), random) + _grain(size, random, 1.0, 14)


def _leaves(size: int, random: Generator) -> Floats:
    """Foliage out of focus: discs of many colours one over another."""
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = (90, 120, 80)
    for _ in range(900):
        middle = tuple(random.integers(0, size, 2).tolist())
        colour = random.uniform((60, 80, 30), (210, 220, 170)).tolist()
        cv2.circle(picture, middle, int(random.uniform(8, 45)), colour, -1, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(picture, (0, 0), 3)
    return blurred.astype(np.float32, copy=False)


def _bricks(size: int, random: Generator) -> Floats:
    """A wall: straight edges between rows of bricks, each of its own red."""
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = (190, 180, 165)
    tall, wide = 36, 96
    for row in range(size // tall + 1):
        for column in range(-1, size // wide + 1):
            left, top = column * wide + row % 2 * wide // 2, row * tall
            colour = (random.uniform(0.8, 1.15) * np.array([160, 90, 70])).tolist()
            corner = left + wide - 5, top + tall - 5
            cv2.rectangle(picture, (left, top), corner, colour, -1)
    return cv2.GaussianBlur(picture, (0, 0), 0.8) + _grain(size, random, 1.5, 6)


def _grain(size: int, random: Generator, blur: float, strength: float) -> Floats:
    grey = random.normal(0, 1, (size, size, 1)).astype(np.float32)
    smooth = cv2.GaussianBlur(grey, (0, 0), blur)
    grain: Floats = (strength * smooth / smooth.std())[..., None]
    return grain


def _levels(colour: Floats) -> NDArray[np.uint8]:
    return np.rint(colour).clip(0, _WHITE).astype(np.uint8)


SUBJECTS: dict[str, Callable[[int, Generator], Floats]] = {
    "hair": _hair,
    "fur": _fur,
    "soft blur": _out_of_focus,
    "motion blur": _moving,
    "glass": _glass,
}
"""What draws each matte: float32, shape (size, size), 0..1."""

_COLOURS = {
    "hair": (60, 40, 28),
    "fur": (190, 150, 110),
    "soft blur": (70, 90, 170),
    "motion blur": (200, 60, 50),
    "glass": (225, 232, 235),
}

BACKGROUNDS: dict[str, Callable[[int, Generator], Floats]] = {
    "meadow": _meadow,
    "leaves": _leaves,
    "bricks": _bricks,
}
"""What paints each: float32 RGB of shape (size, size, 3), 0..255."""
