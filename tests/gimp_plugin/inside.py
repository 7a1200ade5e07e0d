"""The plug-in's own modules, run in GIMP with a worker's answer that is made here.

So every bit of the answer is known, and a whole image format is tried in a few milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tests.gimp_plugin.console import Console

    Strip = tuple[int, int, bytes]

_MODULES = """
if folder not in sys.path:
    sys.path.insert(0, folder)
from cutaway_gimp.plug_in.layers import Picture, Refused, chosen_layers
from cutaway_gimp.plug_in.outputs import start_result
from cutaway_gimp.plug_in.placing import place
"""
_REFUSED = """
try:
    {}
    said = None
except Refused as refusal:
    said = str(refusal)
said
"""
_SENT = """
picture = Picture(item(number))
rows = [pixels for top, count, pixels in picture.rows()]
facts = picture.width, picture.height, picture.depth
picture.close()
[*facts, b"".join(rows)]
"""
_PLACE = """
picture = Picture(item(number))
result = start_result(item(number), output, picture)
for top, rows, payload in strips:
    result.write(top, rows, payload)
result.finish()
picture.close()
place(item(number).get_image(), [result], fill)
"""


def run(gimp: Console, code: str, **names: object) -> Any:
    """Run code in GIMP that has the plug-in's modules at hand."""
    folder = gimp.workplace.inside(gimp.plug_in)
    return gimp.run(_MODULES + code, folder=folder, **names)


def refusal(gimp: Console, line: str, **names: object) -> str:
    """What the person is told when a line of code is refused, as it must be."""
    said = run(gimp, _REFUSED.format(line), **names)
    assert said is not None
    return str(said)


def sent(gimp: Console, layer: int) -> NDArray[Any]:
    """What the worker is sent of a layer: (height, width, 4) of uint8 or uint16."""
    width, height, depth, pixels = run(gimp, _SENT, number=layer)
    return np.frombuffer(pixels, f"u{depth // 8}").reshape(height, width, 4)


def place(
    gimp: Console,
    layer: int,
    output: str,
    strips: Sequence[Strip],
    fill: tuple[int, int, int, float] | None = None,
) -> list[int]:
    """Make an output of a layer from the worker's strips; the ids of what was made."""
    return list(run(gimp, _PLACE, number=layer, output=output, strips=strips, fill=fill))


def coverage(values: NDArray[Any], rows: int = 7) -> list[Strip]:
    """Strips of a matte, (height, width), as the worker sends them but lower."""
    tops = range(0, len(values), rows)
    return [
        (top, len(values[top : top + rows]), values[top : top + rows].tobytes()) for top in tops
    ]


def cutout(
    pixels: NDArray[Any],
    alpha_changes: NDArray[np.bool_],
    colour_changes: NDArray[np.bool_] | None = None,
    rows: int = 7,
) -> list[Strip]:
    """Strips of a cutout, (height, width, 4), without those where no alpha changes."""
    if colour_changes is None:
        colour_changes = np.zeros_like(alpha_changes)
    strips = []
    for top in range(0, len(pixels), rows):
        part = slice(top, top + rows)
        if alpha_changes[part].any():
            planes = [np.uint8(255) * where[part] for where in (alpha_changes, colour_changes)]
            payload = b"".join(each.tobytes() for each in (pixels[part], *planes))
            strips.append((top, len(pixels[part]), payload))
    return strips
