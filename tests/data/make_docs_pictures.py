"""Write docs/cutout.jpg: the sample, its cutout on a checkerboard, and its mask, side by side.

    python tests/data/make_docs_pictures.py

The cutout is Cutaway's own, made without a model, as the README's first command makes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import cutaway

DOCS = Path(__file__).parents[2] / "docs"
SAMPLE, PICTURE = DOCS / "sample.jpg", DOCS / "cutout.jpg"

PANEL = (560, 420)
GAP = 16
SQUARE = 20
QUALITY = 90


def on_checkerboard(image: Image.Image) -> Image.Image:
    y, x = np.mgrid[0 : image.height, 0 : image.width] // SQUARE
    board = Image.fromarray(np.where((x + y) % 2, 255, 214).astype(np.uint8)).convert("RGBA")
    return Image.alpha_composite(board, image)


def side_by_side(panels: list[Image.Image]) -> Image.Image:
    width, height = PANEL
    whole = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height), "white")
    for number, panel in enumerate(panels):
        whole.paste(panel.convert("RGB"), (number * (width + GAP), 0))
    return whole


def main() -> None:
    cutout = cutaway.remove_background(SAMPLE, model="classical")
    original, subject, mask = Image.open(SAMPLE), cutout.image, cutout.mask
    small = [one.resize(PANEL, Image.Resampling.LANCZOS) for one in (original, subject, mask)]
    small[1] = on_checkerboard(small[1])
    side_by_side(small).save(PICTURE, quality=QUALITY)


if __name__ == "__main__":
    main()
