"""How much memory pictures take on their way in and out, the decoders' and encoders' included."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.shared.images.pictures import png, saved

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 2000
SMALL = 30

# A process's peak as the kernel tells it: `getrusage` has the parent's in it.
_PEAK = """
import re
from pathlib import Path

def peak():
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search("VmHWM:\\s*(\\d+)", status)[1]) * 1024
"""
_DECODED = """
import sys
from cutaway.images import decode
from cutaway.settings import Limits

small, large = (Path(name).read_bytes() for name in sys.argv[1:])
decode(small, Limits())
before = peak()
decode(large, Limits())
print(peak() - before)
"""
_ENCODED = """
import io, sys
import numpy as np
from cutaway.images import Metadata, encode
from cutaway.options import ImageFormat
from tests.shared.images.pictures import Held

def written(side):
    values = np.zeros((side, side, int(sys.argv[2])), np.uint8)
    values[:] = (np.arange(side, dtype=np.uint16) >> 2).astype(np.uint8)[:, np.newaxis]
    before = peak()
    form = ImageFormat(sys.argv[1])
    encode(Held(values), io.BytesIO(), format=form, quality=95, metadata=Metadata())
    return peak() - before

written(int(sys.argv[3]))
print(written(int(sys.argv[4])))
"""

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells a process's own peak memory"
)


def bytes_a_pixel(script: str, *arguments: object) -> float:
    """What a script in a process of its own says it took, for each of the large one's pixels."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK + script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return int(done.stdout) / SIDE**2


def ramp(side: int, channels: int) -> NDArray[np.uint8]:
    across = (np.arange(side, dtype=np.uint16) >> 2).astype(np.uint8)
    return np.broadcast_to(across[:, np.newaxis], (side, side, channels)).copy()


@pytest.mark.parametrize(
    ("kind", "channels", "most"),
    [
        pytest.param("JPEG", 3, 7, id="jpeg"),
        pytest.param("PNG", 4, 9, id="png with alpha"),
        pytest.param("WEBP", 3, 7, id="webp"),
        pytest.param("deep PNG", 3, 14, id="png of 16 bits"),
    ],
)
def test_decoding_takes_few_bytes_a_pixel(
    kind: str, channels: int, most: float, tmp_path: Path
) -> None:
    files = []
    for side in (SMALL, SIDE):
        values = ramp(side, channels)
        if kind == "deep PNG":
            data = png(values.astype(np.uint16), colour_type=2, bits=16)
        else:
            data = saved(Image.fromarray(values), kind)
        files.append(tmp_path / str(side))
        files[-1].write_bytes(data)

    assert bytes_a_pixel(_DECODED, *files) < most


@pytest.mark.parametrize(
    ("form", "channels", "most"),
    [
        pytest.param("JPG", 3, 6, id="jpg"),
        pytest.param("WEBP", 3, 7, id="webp"),
        pytest.param("WEBP", 4, 7, id="webp with alpha"),
    ],
)
def test_encoding_takes_few_bytes_a_pixel(form: str, channels: int, most: float) -> None:
    assert bytes_a_pixel(_ENCODED, form, channels, SMALL, SIDE) < most
