"""Made pictures whose true matte and true subject colour are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FINE = 4  # shapes are drawn this many times larger and then averaged


@dataclass(frozen=True, slots=True)
class MadePicture:
    """A composed picture and the truth about it.

    Attributes:
        rgb: uint8, shape (height, width, 3): the subject over the background.
        alpha: float32, shape (height, width), 0..1.
        subject: uint8, shape (height, width, 3): the subject's own colour, everywhere.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    subject: NDArray[np.uint8]

    def trimap(self, reach: int) -> NDArray[np.uint8]:
        """What a careful hand would draw: unknown up to `reach` pixels around soft pixels."""
        square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        some = cv2.dilate((self.alpha > 0).astype(np.uint8), square)
        full = cv2.erode((self.alpha >= 1).astype(np.uint8), square)
        return np.select([full == 1, some == 0], [255, 0], 128).astype(np.uint8)


def compose(
    alpha: NDArray[np.float32], subject: NDArray[np.float64], background: NDArray[np.float64]
) -> MadePicture:
    """Lay the subject over the background; colours are 0..255."""
    share = alpha[..., None]
    mixed = share * subject + (1 - share) * background
    return MadePicture(mixed.round().astype(np.uint8), alpha, subject.round().astype(np.uint8))


def soft_disc(size: int) -> NDArray[np.float32]:
    """A disc that fades out over a sixth of the picture, as out of focus."""
    y, x = np.mgrid[:size, :size]
    distance = np.hypot(y - size * 0.47, x - size * 0.52) / size
    alpha: NDArray[np.float64] = np.clip((0.38 - distance) * 6, 0, 1)
    return alpha.astype(np.float32)


def strands(size: int) -> NDArray[np.float32]:
    """A head with hairs one to two pixels thick blowing off it to all sides."""
    return _hairy(size, count=90, length=0.2, thickness=5)


def fur(size: int) -> NDArray[np.float32]:
    """A disc with a dense rim of short hairs, finer than a pixel."""
    return _hairy(size, count=900, length=0.07, thickness=3)


def _hairy(size: int, count: int, length: float, thickness: int) -> NDArray[np.float32]:
    generator = np.random.default_rng(11)
    side = size * _FINE
    canvas = np.zeros((side, side), np.uint8)
    middle = np.array([0.5, 0.52]) * side
    cv2.circle(canvas, (int(middle[0]), int(middle[1])), int(0.25 * side), (255,), -1)
    for angle in generator.uniform(0, 2 * np.pi, count):
        reach = np.linspace(0.24, 0.25 + length * generator.uniform(0.5, 1), 12)
        bend = angle + (reach - 0.24) * generator.normal(0, 2)
        line = middle + side * reach[:, None] * np.stack([np.cos(bend), np.sin(bend)], axis=1)
        cv2.polylines(canvas, [line.round().astype(np.int32)], False, (255,), thickness)  # noqa: FBT003
    averaged = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return (averaged / 255).astype(np.float32)


def smooth(size: int, colour: tuple[int, int, int]) -> NDArray[np.float64]:
    """A gentle gradient around a colour."""
    y, x = np.mgrid[:size, :size] / size
    shade = 0.85 + 0.2 * x - 0.15 * y
    colours: NDArray[np.float64] = shade[..., None] * np.array(colour)
    return colours.clip(0, 255)


def textured(size: int, colour: tuple[int, int, int], seed: int = 3) -> NDArray[np.float64]:
    """Blotches and grain around a colour."""
    generator = np.random.default_rng(seed)
    texture: NDArray[np.float64] = np.tile(np.array(colour, np.float64), (size, size, 1))
    for blur, strength in ((size / 24, 25), (1.2, 8)):
        grain = cv2.GaussianBlur(generator.normal(0, 1, (size, size, 3)), (0, 0), blur)
        texture += strength * grain / grain.std()
    return texture.clip(0, 255)


SHAPES = {"soft disc": soft_disc, "strands": strands, "fur": fur}


def dark_on(background: NDArray[np.float64], shape: str) -> MadePicture:
    """A dark subject of that shape on a background."""
    size = len(background)
    return compose(SHAPES[shape](size), smooth(size, (50, 30, 20)), background)


def sky(size: int) -> NDArray[np.float64]:
    """A smooth background."""
    return smooth(size, (90, 140, 190))


def meadow(size: int) -> NDArray[np.float64]:
    """A textured background."""
    return textured(size, (110, 130, 90))
