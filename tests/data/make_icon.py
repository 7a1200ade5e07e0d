"""Write mcp_server/icon.png: the sample on a rounded tile, with half of its background cut away.

    python tests/data/make_icon.py

The cutout is Cutaway's own, made without a model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import cutaway

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "sample.jpg"
ICON = ROOT / "mcp_server" / "icon.png"

TILE = (280, 40, 1430, 1190)  # the sample's square around its subject: left, top, right, bottom
SIZE = 512
SQUARE = 64
CORNER = 112
SMOOTHING = 4


def checkerboard() -> Image.Image:
    y, x = np.mgrid[0:SIZE, 0:SIZE] // SQUARE
    return Image.fromarray(np.where((x + y) % 2, 255, 214).astype(np.uint8)).convert("RGBA")


def drawn(shape: str, points: list[tuple[int, int]], **more: int) -> Image.Image:
    """A smooth mask, white inside the shape."""
    mask = Image.new("L", (SIZE * SMOOTHING, SIZE * SMOOTHING))
    larger = [(x * SMOOTHING, y * SMOOTHING) for x, y in points]
    getattr(ImageDraw.Draw(mask), shape)(larger, fill=255, **more)
    return mask.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def main() -> None:
    subject = cutaway.remove_background(SAMPLE, model="classical").image
    tile, subject = (
        picture.convert("RGBA").crop(TILE).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
        for picture in (Image.open(SAMPLE), subject)
    )
    cut_away = Image.alpha_composite(checkerboard(), subject)
    right = drawn("polygon", [(SIZE * 5 // 8, 0), (SIZE, 0), (SIZE, SIZE), (SIZE * 3 // 8, SIZE)])
    tile.paste(cut_away, mask=right)
    tile.putalpha(drawn("rounded_rectangle", [(0, 0), (SIZE, SIZE)], radius=CORNER * SMOOTHING))
    tile.save(ICON, optimize=True)


if __name__ == "__main__":
    main()
