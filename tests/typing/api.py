"""How the public face is typed, as its users' type checkers see it; checked, never run."""

from __future__ import annotations

from decimal import Decimal
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


def looking(client: cutaway.Client) -> Image:
    """What helps to choose and to judge."""
    assert_type(client.models(), tuple[cutaway.ModelFacts, ...])
    assert_type(client.models()[0].price, Decimal | None)
    return cutaway.read_image("photo.jpg", cutaway.Limits(max_pixels=1_000_000))


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
        assert_type(await client.models(), tuple[cutaway.ModelFacts, ...])
        return await client.remove_background("photo.jpg", on_progress=on_progress)


def many(paths: list[Path]) -> None:
    """What `save` gives back is known to be in the removal."""

    def save(index: int, cutout: cutaway.Cutout) -> Path:
        return cutout.save(f"{index}.png")

    def on_progress(index: int, step: cutaway.Step) -> None:
        del index, step

    with cutaway.Client(backend="runware") as client:
        for plain in client.remove_many(paths, output="mask", jobs=2):
            assert_type(plain, cutaway.Removal[None])
            assert_type(plain.cutout, cutaway.Cutout | None)
            assert_type(plain.error, cutaway.CutawayError | None)
        for saved in client.remove_many(paths, save=save, on_progress=on_progress):
            assert_type(saved.saved, Path | None)


async def many_awaited(client: cutaway.AsyncClient) -> None:
    """The async twin yields the same."""

    def size(index: int, cutout: cutaway.Cutout) -> tuple[int, int]:
        del index
        return cutout.size

    async for removal in client.remove_many([b"..."], save=size):
        assert_type(removal, cutaway.Removal[tuple[int, int]])


def remote(client: cutaway.Client) -> Decimal | None:
    """The service's own tasks take any source, and every parameter of the wire."""
    stored = client.runware.upload("photo.jpg")
    answer = client.runware.submit(stored, model="birefnet-general", output_type="URL", ttl=600)
    assert_type(answer, cutaway.RemoteResult)
    assert_type(client.runware.wait_for(stored), cutaway.RemoteResult)
    assert_type(client.remove_background(stored).task_uuid, str | None)
    assert_type(client.prepare("photo.jpg").price, Decimal | None)
    with cutaway.Runware("key") as runware:
        assert_type(runware.submit(b"...", output_format="PNG"), cutaway.RemoteResult)
    return answer.cost


async def remote_awaited(client: cutaway.AsyncClient) -> str | None:
    """The async twins too."""
    stored = await client.runware.upload(Path("photo.jpg"))
    async with cutaway.AsyncRunware() as runware:
        return (await runware.submit(stored)).image_url
