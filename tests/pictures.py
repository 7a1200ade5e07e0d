"""Pictures made for tests: a known subject on a known background."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_file", "ellipse", "overlap", "portrait"]


def ellipse(width: int, height: int, softness: float = 1.5) -> NDArray[np.float64]:
    """The true matte of an ellipse in the middle, 0..1, its edge `softness` pixels wide."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    radius = np.hypot((x - width / 2) / (width * 0.27), (y - height / 2) / (height * 0.33))
    distance = (1 - radius) * min(width, height) * 0.3
    matte: NDArray[np.float64] = np.clip(distance / softness + 0.5, 0, 1)
    return matte


def portrait(
    width: int = 320,
    height: int = 240,
    *,
    subject: tuple[int, int, int] = (190, 60, 40),
    background: tuple[int, int, int] = (225, 230, 235),
    seed: int = 0,
) -> NDArray[np.uint8]:
    """An ellipse of one colour on another, with shading and sensor noise: 8-bit RGB."""
    noise = np.random.default_rng(seed).normal(0, 2, (height, width, 3))
    matte = ellipse(width, height)[..., None]
    shade = np.linspace(0.85, 1.1, height)[:, None, None]
    colour = matte * np.array(subject) * shade + (1 - matte) * np.array(background)
    picture: NDArray[np.uint8] = np.clip(colour + noise, 0, 255).astype(np.uint8)
    return picture


def as_file(array: NDArray[Any], format: str = "PNG", **settings: Any) -> bytes:
    """An array as the bytes of a picture file; 16-bit RGB and RGBA only as PNG or TIFF."""
    if array.dtype == np.uint16:
        bgr = array[..., [2, 1, 0, 3][: array.shape[2]]] if array.ndim == 3 else array
        return bytes(cv2.imencode(f".{format.lower()}", np.ascontiguousarray(bgr))[1].tobytes())
    file = io.BytesIO()
    Image.fromarray(array).save(file, format, **settings)
    return file.getvalue()


def overlap(matte: NDArray[Any], truth: NDArray[Any]) -> float:
    """Intersection over union of two mattes (any scale), cut at half."""
    one, other = matte > matte.max() / 2, truth > truth.max() / 2
    return float((one & other).sum() / max(1, (one | other).sum()))
