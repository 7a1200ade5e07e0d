"""Pictures with their true mattes, where they are: they can't be shipped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from numpy.typing import NDArray

__all__ = ["Pair", "add_data_option", "pairs", "read_rgb", "scaled", "weights"]

_BESIDE_THE_PROJECT = Path(__file__).parents[3] / "shared" / "data"
_MASK = "_mask.png"
_SENSOR = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A picture and what is subject in it.

    Attributes:
        name: What it is called, alone in its set.
        picture: uint8 RGB, shape (height, width, 3).
        truth: float64, shape (height, width), 0..1.
    """

    name: str
    picture: NDArray[np.uint8]
    truth: NDArray[np.float64]


def add_data_option(parser: ArgumentParser) -> None:
    """Let a script take the folder that holds the pictures and weights."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("CUTAWAY_TEST_DATA", _BESIDE_THE_PROJECT)),
        help="folder with pairs/, rembg/ and weights/ (default: $CUTAWAY_TEST_DATA, %(default)s)",
    )


def pairs(data: Path) -> list[Pair]:
    """All pairs in the folder `pairs`, by name.

    Raises:
        SystemExit: there are none; the message says what to do.
    """
    masks = sorted((data / "pairs").glob(f"*{_MASK}"))
    if not masks:
        raise _absent(data / "pairs", "pictures with masks")
    return [_pair(mask) for mask in masks]


def weights(data: Path) -> Path:
    """The file of the genuine u2netp in half precision.

    Raises:
        SystemExit: it is not there; the message says what to do.
    """
    path = data / "weights" / "u2netp-fp16.onnx"
    if not path.is_file():
        raise _absent(path.parent, path.name)
    return path


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture file as 8-bit RGB.

    Raises:
        SystemExit: it is not there; the message says what to do.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise _absent(path.parent, path.name)
    return picture.astype(np.uint8, copy=False)


def scaled(picture: NDArray[np.uint8], megapixels: float) -> NDArray[np.uint8]:
    """A photo at another size, with the sensor noise that scaling takes away."""
    height, width = picture.shape[:2]
    scale = (megapixels * 1e6 / (height * width)) ** 0.5
    size = round(width * scale), round(height * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(picture, size, interpolation=how)
    cv2.setRNGSeed(1)
    noise = cv2.randn(np.empty(large.shape, np.int16), np.zeros(3), np.full(3, _SENSOR))
    return cv2.add(large, noise, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _pair(mask: Path) -> Pair:
    name = mask.name.removesuffix(_MASK)
    files = [mask.with_name(name + ending) for ending in (".jpg", ".png")]
    picture = read_rgb(next((file for file in files if file.is_file()), files[0]))
    truth = read_rgb(mask)[..., 0] / 255.0
    return Pair(name, picture, truth)


def _absent(folder: Path, what: str) -> SystemExit:
    return SystemExit(
        f"no {what} in {folder}: give the folder of the data with --data, "
        "or name it in CUTAWAY_TEST_DATA"
    )
