"""Subjects on the backgrounds that the classical engine promises, and pictures without subject.

Subjects are given as alpha, float64, shape (height, width), 0..1; colours are 0..255.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Subject = Callable[[int, int], NDArray[np.float64]]
    Background = Callable[[int, int], NDArray[np.float64]]


def disc(height: int, width: int) -> NDArray[np.float64]:
    """A disc in the middle with a soft edge."""
    return ellipse(height, width, 0.3 * min(height, width), 0.3 * min(height, width))


def tall_ellipse(height: int, width: int) -> NDArray[np.float64]:
    """A tall ellipse left of the middle."""
    return ellipse(height, width, 0.36 * height, 0.16 * width, across=0.38)


def blob(height: int, width: int) -> NDArray[np.float64]:
    """A shape with five lobes."""
    y, x = np.mgrid[:height, :width]
    down, right = y - 0.52 * height, x - 0.5 * width
    reach = min(height, width) * (0.27 + 0.08 * np.cos(5 * np.arctan2(down, right)))
    return _soft(reach - np.hypot(down, right))


def gear(height: int, width: int) -> NDArray[np.float64]:
    """A wheel with thirty teeth."""
    y, x = np.mgrid[:height, :width]
    down, right = y - 0.5 * height, x - 0.5 * width
    teeth = np.sign(np.cos(30 * np.arctan2(down, right)))
    return _soft(min(height, width) * (0.3 + 0.05 * teeth) - np.hypot(down, right))


def bust(height: int, width: int) -> NDArray[np.float64]:
    """A head on shoulders that the bottom of the frame cuts."""
    y = np.mgrid[:height, :width][0]
    head = ellipse(height, width, 0.18 * height, 0.1 * width)
    body = np.roll(ellipse(height, width, 0.45 * height, 0.26 * width), height // 2, axis=0)
    return np.maximum(head, np.where(y > height // 2, body, 0))


def ellipse(
    height: int, width: int, down: float, right: float, across: float = 0.5
) -> NDArray[np.float64]:
    """An ellipse with the half axes `down` and `right` in pixels, `across` the width."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot((y - 0.5 * height) / down, (x - across * width) / right)
    return _soft((1 - radius) * min(down, right))


def shadow(alpha: NDArray[np.float64], strength: float) -> NDArray[np.float64]:
    """How much light is left behind a subject that casts a soft shadow to the lower right."""
    height, width = alpha.shape
    move = np.array([[1, 0, 0.09 * width], [0, 1, 0.06 * height]])
    cast = cv2.warpAffine(alpha, move, (width, height))
    soft = cv2.GaussianBlur(cast, (0, 0), 0.015 * max(height, width))
    return np.asarray(1 - strength * soft[..., None])


def white(height: int, width: int) -> NDArray[np.float64]:
    """A white sweep, as in product shots."""
    return np.full((height, width, 3), 250.0)


def plain(height: int, width: int) -> NDArray[np.float64]:
    """A plain wall of blue grey."""
    return np.full((height, width, 3), (96.0, 110.0, 140.0))


def gradient(height: int, width: int) -> NDArray[np.float64]:
    """A grey that darkens downwards and a little sidewards, and more to the corners."""
    down, right = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    light = 225 - 70 * down - 25 * right - 60 * ((down - 0.5) ** 2 + (right - 0.5) ** 2)
    return np.repeat(light[..., None], 3, axis=2)


def uneven_green(height: int, width: int) -> NDArray[np.float64]:
    """A green screen with patches of light."""
    down, right = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    light = 1 + 0.25 * np.sin(5 * right) * np.cos(4 * down)
    return np.asarray(light[..., None] * np.array([50.0, 165.0, 70.0]))


def mosaic(height: int, width: int) -> NDArray[np.float64]:
    """Blurred tiles of all colours."""
    tiles = np.random.default_rng(2).uniform(0, 255, (height // 20, width // 20, 3))
    return np.asarray(cv2.resize(tiles, (width, height), interpolation=cv2.INTER_LINEAR))


def photographed(
    alpha: NDArray[np.float64],
    background: NDArray[np.float64],
    subject: tuple[int, int, int] = (178, 62, 40),
    noise: float = 2.5,
) -> NDArray[np.uint8]:
    """Lay a shaded subject over a background and add the noise of a sensor."""
    shade = np.linspace(1.1, 0.85, len(alpha))[:, None, None]
    mixed = background + alpha[..., None] * (shade * np.array(subject) - background)
    return exposed(mixed, noise)


def exposed(colours: NDArray[np.float64], noise: float = 0) -> NDArray[np.uint8]:
    """Turn colours into an 8-bit picture, with the noise of a sensor."""
    grain = np.random.default_rng(7).normal(0, 1, colours.shape) * noise
    return np.clip(np.round(colours + grain), 0, 255).astype(np.uint8)


def clutter(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """Bricks and balls of two colours all over the picture."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), (190, 170, 60), np.uint8)
    for _ in range(120):
        colour = [(190, 170, 60), (60, 70, 150)][int(random.integers(2))]
        x, y = int(random.integers(width)), int(random.integers(height))
        wide, high = (int(length) for length in random.integers(8, 60, 2))
        if random.random() < 0.5:
            cv2.rectangle(picture, (x, y), (x + wide, y + high), colour, -1)
        else:
            cv2.circle(picture, (x, y), wide // 2, colour, -1, cv2.LINE_AA)
    return picture


def _soft(inwards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the distance inside an outline into an alpha that fades over three pixels."""
    return np.asarray(np.clip(inwards / 3 + 0.5, 0, 1), np.float64)
