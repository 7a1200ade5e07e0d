"""The subject's own colour in half-transparent pixels, where the background shone through.

A picture's pixel I is a mix of the subject's colour F and the background's B: I = aF + (1 - a)B.
Both are blurred, each weighted by how much of it is seen, and then drawn to what explains I (M.
Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021), here from a size of a few pixels
up to the full one (as in T. Germer, T. Uelwer, S. Conrad, S. Harmeling, "Fast Multi-Level
Foreground Estimation", ICPR 2020), and but for small sizes only around soft pixels.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cutaway.progress import Progress

    Floats = NDArray[np.float32]
    _Place = tuple[slice, slice]

__all__ = ["clean_edge_colours"]

_FACTOR = 4
"""Between one size and the next."""
_SMALLEST = 4
"""The longer side of the size at which it begins, at most."""
_WINDOWS, _COARSE_WINDOWS = (5, 3), (11, 7, 5, 3)
"""The sides of the blurs, at the full size and at smaller ones."""
_MARGIN = 4
"""How far around soft pixels a larger size looks into a smaller one, at most."""
_TILE = 128
"""The side of what is worked on at once, about 2 MB."""
_HOLD = np.float32(0.02)
"""The weight of staying near a colour, against that of explaining the mix."""
_BEFORE = np.float32(1e-3)
"""The weight of what was known before, against that of what is seen."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layers:
    """The colours of the subject and of the background, float32, 0..1, first axis the channels."""

    subject: Floats
    background: Floats

    def explaining(self, mixed: Floats, alpha: Floats) -> _Layers:
        """The layers nearest to these whose mix is nearest to `mixed` (least squares)."""
        through = 1 - alpha
        missing = (mixed - alpha * self.subject).astype(np.float32, copy=False)
        missing -= through * self.background
        missing /= alpha * alpha + through * through + _HOLD
        subject: Floats = alpha * missing
        subject += self.subject
        missing *= through
        missing += self.background
        np.clip(subject, 0, 1, out=subject)
        np.clip(missing, 0, 1, out=missing)
        return _Layers(subject, missing)

    def blurred(self, alpha: Floats, side: int) -> _Layers:
        """The layers around each pixel, weighted by how much of each is seen there."""
        through = 1 - alpha
        return _Layers(
            _blurred(self.subject, alpha * alpha, side),
            _blurred(self.background, through * through, side),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A picture at some size: uint8 or uint16.

    Attributes:
        colour: Shape (height, width, 1 or 3).
        alpha: Shape (height, width).
    """

    colour: NDArray[Any]
    alpha: NDArray[Any]

    def reduced(self) -> _Picture:
        """The picture at a quarter of its size, or at one pixel; what is left over is left out."""
        height, width = self.alpha.shape
        down, across = _factors(self.alpha)
        size = width // across, height // down
        used = slice(size[1] * down), slice(size[0] * across)
        colour, alpha = (
            cv2.resize(plane[used], size, interpolation=cv2.INTER_AREA)
            for plane in (self.colour, self.alpha)
        )
        return _Picture(colour.reshape(*alpha.shape, -1), alpha)

    def soft(self, place: _Place) -> NDArray[np.bool_]:
        """Which pixels there are neither opaque nor transparent."""
        alpha = self.alpha[place]
        return (alpha > 0) & (alpha < np.iinfo(alpha.dtype).max)

    def shares(self, place: _Place) -> tuple[Floats, Floats]:
        """Colour and alpha there, 0..1, the channels of the colour first."""
        white = np.float32(np.iinfo(self.alpha.dtype).max)
        colour = self.colour[place].transpose(2, 0, 1).astype(np.float32, order="C")
        return colour / white, self.alpha[place].astype(np.float32) / white

    def tiles(self, margin: int) -> Iterator[_Place]:
        """Boxes, a tile large at most, that hold all soft pixels and so many beside each."""
        height, width = self.alpha.shape
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                tile = slice(top, min(top + _TILE, height)), slice(left, min(left + _TILE, width))
                around = _around(tile, margin, self.alpha)
                soft = self.soft(around)
                if soft.any():
                    column, row, across, down = cv2.boundingRect(soft.view(np.uint8))
                    yield (
                        _part(tile[0], around[0].start + row, down, margin),
                        _part(tile[1], around[1].start + column, across, margin),
                    )


def clean_edge_colours(colour: NDArray[Any], alpha: NDArray[Any], progress: Progress) -> None:
    """Replace the colour of half-transparent pixels by the subject's own, in place.

    Pixels that are fully opaque or fully transparent stay as they are. About 2 bytes a pixel are
    needed, and a bounded rest.

    Args:
        colour: uint8 or uint16, shape (height, width, 1 or 3), not premultiplied; written to.
        alpha: Same dtype, shape (height, width); only read.
        progress: Told how far the work is; checked for cancellation between tiles.

    Raises:
        Cancelled: the caller stopped it; some of the pixels may be replaced already.
    """
    pictures = [_Picture(colour, alpha)]
    tiles = list(pictures[0].tiles(margin=0))
    if not tiles:
        return
    while max(pictures[-1].alpha.shape) > _SMALLEST:
        pictures.append(pictures[-1].reduced())
    layers = _mean(pictures[-1])
    for picture in reversed(pictures[1:]):
        progress.advance(0)
        layers = _settled(picture, layers)
    waiting: deque[tuple[_Place, NDArray[Any]]] = deque()
    for number, tile in enumerate(tiles):
        progress.advance(number / len(tiles))
        begun = tile[0].start // _TILE * _TILE
        while waiting and waiting[0][0][0].stop <= begun - _reach(_WINDOWS):  # no one looks there
            _replace(pictures[0], *waiting.popleft())
        waiting.append((tile, _own_colour(pictures[0], layers, tile)))
    for tile, own in waiting:
        _replace(pictures[0], tile, own)


def _mean(picture: _Picture) -> _Layers:
    """The mean colours of a picture's subject and background, one pixel large."""
    colour, alpha = picture.shares((slice(None), slice(None)))
    means = []
    for weight in (alpha, 1 - alpha):
        total = weight.sum() + np.finfo(np.float32).eps
        means.append((colour * weight).sum(axis=(1, 2), keepdims=True) / total)
    return _Layers(*means)


def _settled(picture: _Picture, coarse: _Layers) -> _Layers:
    """The layers of a picture wherever a larger one may need them."""
    colour, _ = picture.shares((slice(None), slice(None)))
    layers = _Layers(colour, colour.copy())
    for rows, columns in picture.tiles(margin=_MARGIN):
        near, *seen = _near(picture, coarse, (rows, columns), _COARSE_WINDOWS)
        exact = near.explaining(*seen)
        layers.subject[:, rows, columns] = exact.subject
        layers.background[:, rows, columns] = exact.background
    return layers


def _own_colour(picture: _Picture, coarse: _Layers, tile: _Place) -> NDArray[Any]:
    """The subject's colour in a tile, like the picture."""
    near, *seen = _near(picture, coarse, tile, _WINDOWS)
    own = near.explaining(*seen).subject
    own *= np.iinfo(picture.alpha.dtype).max
    return np.rint(own, out=own).astype(picture.colour.dtype).transpose(1, 2, 0)


def _replace(picture: _Picture, tile: _Place, own: NDArray[Any]) -> None:
    """Write the colour of a tile's soft pixels."""
    np.copyto(picture.colour[tile], own, where=picture.soft(tile)[..., None])


def _near(
    picture: _Picture, coarse: _Layers, tile: _Place, windows: tuple[int, ...]
) -> tuple[_Layers, Floats, Floats]:
    """What a tile's layers are near to, from those of the picture's reduced size.

    Returns:
        The layers, and what the tile has: colour and alpha.
    """
    place = _around(tile, _reach(windows), picture.alpha)
    mixed, alpha = picture.shares(place)
    factors = _factors(picture.alpha)
    layers = _Layers(
        _enlarged(coarse.subject, factors, place), _enlarged(coarse.background, factors, place)
    )
    for side in windows:
        layers = layers.explaining(mixed, alpha).blurred(alpha, side)
    rows, columns = (
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(tile, place, strict=True)
    )
    own = _Layers(layers.subject[:, rows, columns], layers.background[:, rows, columns])
    return own, mixed[:, rows, columns], alpha[rows, columns]


def _reach(windows: tuple[int, ...]) -> int:
    """How far a pixel looks."""
    return sum(side // 2 for side in windows)


def _around(tile: _Place, margin: int, picture: NDArray[Any]) -> _Place:
    """A tile and so many pixels around, up to the frame."""
    rows, columns = (
        slice(max(0, side.start - margin), min(side.stop + margin, length))
        for side, length in zip(tile, picture.shape, strict=True)
    )
    return rows, columns


def _part(side: slice, first: int, length: int, margin: int) -> slice:
    """What lies from a margin before to a margin after something, within a tile's side."""
    return slice(max(side.start, first - margin), min(side.stop, first + length + margin))


def _factors(alpha: NDArray[Any]) -> tuple[int, int]:
    """How many times smaller the next size is, down and across."""
    height, width = alpha.shape
    return min(_FACTOR, height), min(_FACTOR, width)


def _enlarged(layer: Floats, factors: tuple[int, int], place: _Place) -> Floats:
    """A part of a layer at the next larger size, by linear interpolation between pixel centres."""
    near, inner = [], []
    for side, factor, length in zip(place, factors, layer.shape[1:], strict=True):
        pixels = np.arange(side.start // factor - 1, -(-side.stop // factor) + 1)
        near.append(pixels.clip(0, length - 1))
        first = side.start % factor + factor
        inner.append(slice(first, first + side.stop - side.start))
    part = layer[:, near[0][:, None], near[1]]
    size = part.shape[2] * factors[1], part.shape[1] * factors[0]
    large = [cv2.resize(channel, size, interpolation=cv2.INTER_LINEAR) for channel in part]
    return np.stack([channel[inner[0], inner[1]] for channel in large])


def _blurred(layer: Floats, weight: Floats, side: int) -> Floats:
    """The weighted mean around each pixel; what was known before counts a little."""
    window = side, side
    mean = layer * weight
    for channel in mean:
        cv2.blur(channel, window, dst=channel)
    mean += _BEFORE * layer
    mean /= cv2.blur(weight, window) + _BEFORE
    return mean
