"""Write golden.npz: made masks, and what rembg 2.0.86 makes of them.

The two functions below state what rembg does with scikit-image and SciPy. golden.npz was made by

    pip install numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0
    python tests/data/rembg/make_golden.py

It holds `mask/NAME`, `post_process/NAME` and `trimap/NAME/FOREGROUND/BACKGROUND/ERODE`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter  # type: ignore[import-untyped]
from skimage.morphology import disk, opening  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from numpy.typing import NDArray

ERODE_SIZES = (1, 2, 5, 10, 11)
THRESHOLDS = ((200, 60), (60, 200))
LARGEST = 255  # takes SciPy a minute on a mask


def post_process(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    blurred = gaussian_filter(opening(mask, disk(1)).astype(np.float64), sigma=2)
    return np.where(blurred < 127, 0, 255).astype(np.uint8)


def trimap(
    mask: NDArray[np.uint8], foreground: int, background: int, size: int
) -> NDArray[np.uint8]:
    square = np.ones((size, size), np.uint8)
    result = np.full(mask.shape, 128, np.uint8)
    result[binary_erosion(mask > foreground, square)] = 255
    result[binary_erosion(mask < background, square, border_value=1)] = 0
    return result


def masks() -> dict[str, NDArray[np.uint8]]:
    y, x = np.mgrid[:120, :160]
    near = np.hypot(x - 60, y - 50)
    far = np.hypot(x - 115, (y - 75) * 1.5)
    blobs = np.maximum(1 - (near - 25) / 20, 1 - (far - 20) / 15)
    strands = np.cos(x * 0.9 + y * 0.13) * np.cos(y * 0.05 + x * 0.02)
    noise = np.random.default_rng(7).normal(size=y.shape)
    shapes = {
        "soft_blobs": blobs,
        "thin_strands": strands,
        "touching_the_frame": np.where(x + 0.3 * y > 60, 1.0, 0.0),
        "steps": ((x // 16) * (y // 12) % 23) / 22,
        "checker": ((x + y) % 2).astype(np.float64),
        "tiles": ((x // 9 + y // 7) % 2).astype(np.float64),
        "noise": 0.5 + 0.3 * noise + 0.5 * (near < 40),
        "nothing": np.zeros(y.shape),
        "everything": np.ones(y.shape),
        "one_pixel": np.ones((1, 1)),
        "one_row": blobs[50:51],
        "one_column": blobs[:, 60:61],
        "two_by_three": blobs[40:42, 84:87],
        "seven_square": blobs[40:47, 84:91],
    }
    return {
        name: (np.clip(shape, 0, 1) * 255).round().astype(np.uint8)
        for name, shape in shapes.items()
    }


def main() -> None:
    arrays: dict[str, Any] = {}
    for name, mask in masks().items():
        arrays[f"mask/{name}"] = mask
        arrays[f"post_process/{name}"] = post_process(mask)
        settings = [(240, 10, size) for size in ERODE_SIZES]
        settings += [(foreground, background, 5) for foreground, background in THRESHOLDS]
        if name in {"touching_the_frame", "nothing", "one_row"}:
            settings.append((240, 10, LARGEST))
        for setting in settings:
            key = "/".join(map(str, setting))
            arrays[f"trimap/{name}/{key}"] = trimap(mask, *setting)
    np.savez_compressed(Path(__file__).with_name("golden.npz"), **arrays)


if __name__ == "__main__":
    main()
