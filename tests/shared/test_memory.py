"""How much memory a removal takes for each pixel of its picture, beyond what the model holds."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import pytest

from cutaway import Client, Settings
from tests.fakes.networks import make_network
from tests.fakes.runware_service import RunwareService
from tests.pictures import portrait

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="peak memory is read from /proc, which only Linux has"
)


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


_LARGE = Size(6000, 4000)
_MIDDLING = Size(4000, 3000)
_SMALL = Size(3000, 2000)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_an_8_bit_cutout_takes_at_most_12_bytes_a_pixel(tmp_path: Path, ending: str) -> None:
    source = _picture(tmp_path / f"photo.{ending}", _LARGE)
    assert _more_bytes(source, tmp_path / "cutout.png") <= 12 * _LARGE.pixels


def test_a_transparent_picture_takes_at_most_12_bytes_a_pixel(tmp_path: Path) -> None:
    source = _picture(tmp_path / "photo.png", _LARGE, transparent=True)
    more = _more_bytes(source, tmp_path / "cutout.png", feather=45)
    assert more <= 12 * _LARGE.pixels


def test_an_opaque_webp_takes_at_most_12_bytes_a_pixel(tmp_path: Path) -> None:
    source = _picture(tmp_path / "photo.jpg", _MIDDLING)
    more = _more_bytes(source, tmp_path / "flattened.webp", output="flattened")
    assert more <= 12 * _MIDDLING.pixels


def test_a_transparent_webp_takes_at_most_12_bytes_a_pixel(tmp_path: Path) -> None:
    source = _picture(tmp_path / "photo.jpg", _MIDDLING)
    more = _more_bytes(source, tmp_path / "cutout.webp")
    assert more <= 12 * _MIDDLING.pixels


def test_a_jpg_mask_takes_at_most_12_bytes_a_pixel(tmp_path: Path) -> None:
    source = _picture(tmp_path / "photo.jpg", _LARGE)
    more = _more_bytes(source, tmp_path / "mask.jpg", output="mask", format="jpg")
    assert more <= 12 * _LARGE.pixels


def test_a_16_bit_cutout_takes_at_most_24_bytes_a_pixel(tmp_path: Path) -> None:
    source = _picture(tmp_path / "photo.png", _MIDDLING, depth=16)
    assert _more_bytes(source, tmp_path / "cutout.png") <= 24 * _MIDDLING.pixels


def test_alpha_matting_takes_at_most_110_bytes_a_pixel(tmp_path: Path) -> None:
    source = _picture(tmp_path / "photo.jpg", _SMALL)
    more = _more_bytes(source, tmp_path / "cutout.png", alpha_matting=True)
    assert more <= 110 * _SMALL.pixels


@pytest.mark.parametrize("send", ["reduced", "original"])
def test_a_remote_cutout_takes_at_most_12_bytes_a_pixel(tmp_path: Path, send: str) -> None:
    source = _picture(tmp_path / "photo.jpg", _LARGE)
    with RunwareService() as service:
        given = {"backend": service.http_url, "runware_api_key": service.key, "send": send}
        more = _more_bytes(source, tmp_path / "cutout.png", given)
    assert more <= 12 * _LARGE.pixels


def _picture(path: Path, size: Size, *, depth: int = 8, transparent: bool = False) -> Path:
    """A file of a picture with noise in it, as a photo has."""
    small = portrait(size.width // 4, size.height // 4)
    colour = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)
    deep: NDArray[Any] = colour if depth == 8 else colour.astype(np.uint16) * np.uint16(257)
    channels = [deep[..., ::-1]] + [np.full_like(deep[..., 0], 200)] * transparent
    cv2.imwrite(str(path), np.dstack(channels), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return path


def _more_bytes(
    source: Path, target: Path, remote: dict[str, Any] | None = None, **choices: Any
) -> int:
    """What a removal adds at its peak to the memory of a process that is warm.

    Args:
        source: The picture.
        target: Where the result goes.
        remote: Settings that lead to a service; without, a network runs in that process.
        choices: Options of the removal.
    """
    small = _picture(target.with_name(f"small{source.suffix}"), Size(320, 240))
    weights = None if remote else make_network(target.with_name("network.onnx"))
    settings = remote or {"model": "u2netp"}
    spawning = multiprocessing.get_context("spawn")  # a fork would begin at this process's size
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        work = (settings, weights, small, source, target, choices)
        return pool.submit(_more_at_its_peak, *work).result()


def _more_at_its_peak(
    settings: dict[str, Any],
    weights: Path | None,
    small: Path,
    source: Path,
    target: Path,
    options: dict[str, Any],
) -> int:
    with Client(Settings.load(**settings), weights=weights) as client:
        client.remove_background(small, **options).save(target, overwrite=True)
        before = _memory("VmRSS")
        client.remove_background(source, **options).save(target, overwrite=True)
    return _memory("VmHWM") - before


def _memory(name: str) -> int:
    """A field of this process's status, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) << 10
