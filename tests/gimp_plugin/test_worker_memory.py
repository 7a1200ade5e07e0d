"""How much memory a layer takes in the worker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest

from tests.gimp_plugin.plug_in_end import PlugInEnd, layer
from tests.pictures import portrait

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="peak memory is read from /proc, which only Linux has"
)

WIDTH, HEIGHT = 6000, 4000


def test_a_half_transparent_8_bit_layer_takes_at_most_12_bytes_a_pixel() -> None:
    small = portrait(WIDTH // 4, HEIGHT // 4)
    large: NDArray[Any] = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    with PlugInEnd() as plug_in:
        plug_in.begin(model="classical", feather=45)
        assert plug_in.remove(layer(portrait()), "cutout").end == {"kind": "done"}
        before = memory(plug_in, "VmRSS")
        assert plug_in.remove(layer(large, 200), "cutout").end == {"kind": "done"}
        assert memory(plug_in, "VmHWM") - before <= 12 * WIDTH * HEIGHT


def memory(plug_in: PlugInEnd, name: str) -> int:
    """A field of the worker's status, in bytes."""
    status = Path(f"/proc/{plug_in.process.pid}/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) << 10
