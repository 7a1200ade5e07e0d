"""What is sent back of a picture: a matte, or colours and what of them changed, in strips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cutaway_gimp.plug_in.frames import strip_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cutaway import Cutout
    from cutaway_gimp.pictures import Want

    Strip = tuple[int, int, bytes]

__all__ = ["strips"]


def strips(cutout: Cutout, want: Want) -> Iterator[Strip]:
    """The result as (top, rows, bytes), from top to bottom.

    Args:
        cutout: It was made with the output `cutout` if that is wanted, else `mask`.
        want: `matte`: the matte itself; `visible`: multiplied by the picture's own alpha;
            `cutout`: RGBA, then a byte for each pixel whose alpha changed (255, else 0), then one
            for each whose colour was cleaned. Of a cutout, strips without a change are left out.
    """
    if want == "cutout":
        yield from _changed(cutout)
    else:
        plane = cutout.matte if want == "matte" else cutout.array
        for top, rows in _split(cutout, plane.itemsize):
            yield top, rows, plane[top : top + rows].tobytes()


def _changed(cutout: Cutout) -> Iterator[Strip]:
    picture, matte = cutout.array, cutout.matte
    for top, rows in _split(cutout, picture.itemsize * picture.shape[2] + 2):
        strip = slice(top, top + rows)
        alpha_changed = matte[strip] < np.iinfo(matte.dtype).max
        if alpha_changed.any():
            colours, shares = picture[strip], matte[strip]
            # Under no alpha at all there was nothing to clean, and the cutout's colour is black.
            cleaned = alpha_changed & (shares > 0) & (colours[..., 3] > 0)
            if not cutout.options.clean_edges:
                cleaned[:] = False
            yield top, rows, _joined(colours, _marks(alpha_changed), _marks(cleaned))


def _marks(where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return where.view(np.uint8) * np.uint8(255)


def _joined(*arrays: NDArray[Any]) -> bytes:
    return b"".join(array.tobytes() for array in arrays)


def _split(cutout: Cutout, pixel_bytes: int) -> Iterator[tuple[int, int]]:
    """The first row of each strip, and how many it has."""
    most = strip_rows(cutout.width * pixel_bytes)
    for top in range(0, cutout.height, most):
        yield top, min(most, cutout.height - top)
