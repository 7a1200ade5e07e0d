"""How the public face is typed, as its users' type checkers see it; checked, never run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import cutaway

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

result = cutaway.remove_background("photo.jpg", output="mask")
assert_type(result, cutaway.Cutout)
assert_type(result.size, tuple[int, int])
assert_type(result.bounding_box, cutaway.Box | None)
assert_type(result.save("out.png"), Path)
assert_type(result.to_bytes(format="WEBP"), bytes)


on_white = cutaway.RemovalOptions(output="flattened", background="#ffffff", format="JPG")
assert_type(on_white.background, cutaway.Colour | None)


def wrapped(source: cutaway.Source) -> cutaway.Cutout:
    """A source of any kind is passed on."""
    return cutaway.remove_background(source, on_white, background=(255, 255, 255), quality=80)


def pictures(cutout: cutaway.Cutout) -> tuple[Image, NDArray[Any]]:
    """A result for Pillow and for numpy."""
    return cutout.image, cutout.array


def blocking(array: NDArray[Any], image: Image) -> float:
    """Every kind of source is accepted."""
    with cutaway.Client(cutaway.Settings.load(), weights=Path("u2netp.onnx")) as client:
        for source in (array, image, b"...", Path("photo.jpg"), "https://example.com/photo.jpg"):
            client.remove_background(source, cutaway.RemovalOptions(alpha_matting=True))
        assert_type(client.settings, cutaway.Settings)
        return client.remove_background(array).confidence


async def awaiting(cancellation: cutaway.Cancellation) -> cutaway.Cutout:
    """The async twin gives the same result."""

    def on_progress(step: cutaway.Step) -> None:
        if step.share == 1 and step.stage == "decoding":
            cancellation.cancel()

    async with cutaway.AsyncClient() as client:
        return await client.remove_background("photo.jpg", on_progress=on_progress)
