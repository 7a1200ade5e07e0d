"""Time against size, as a picture: both axes logarithmic, each line named at its end.

Drawn with Pillow, which is here anyway, in its own font: the same on every machine, and no
environment of its own as matplotlib would need. Drawn large and made smaller, as Pillow draws
without smoothing. The card is light and its corners are transparent, for pages light and dark.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    Point = tuple[float, float]

__all__ = ["Curve", "draw"]

_WIDTH, _HEIGHT = 1640, 1000
_TIMES = 3
"""How much larger it is drawn."""
_SHADES = 256
_LEFT, _RIGHT, _TOP, _BOTTOM = 130, 1160, 170, 880
_PAPER, _GRID, _INK, _FAINT = "#fbfaf7", "#e4e1da", "#23262b", "#6d7178"
_COLOURS = {"Cutaway": "#0b6e99", "rembg": "#c4572f"}
_WIDTHS = {"plain": 3.5, "clean edges": 5.5, "alpha matting": 5.5}
_TITLE, _LABEL, _TICK = 38, 28, 26
_APART = 38
"""Between the middles of two names, at least."""
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Curve:
    """What one side needs for one task.

    Attributes:
        side: Whose it is, one of those that have a colour.
        task: What is done.
        points: Megapixels and seconds, by megapixels, at least one.
    """

    side: str
    task: str
    points: Sequence[Point]

    @property
    def colour(self) -> str:
        """That of its side."""
        return _COLOURS[self.side]

    @property
    def name(self) -> str:
        """What stands at its end, with its last figure."""
        seconds = self.points[-1][1]
        return f"{self.side}, {self.task}: {_shown(seconds)} s"


def draw(curves: Sequence[Curve], title: str, subtitle: str) -> bytes:
    """The curves as a PNG file."""
    chart = _Chart(curves)
    chart.card()
    chart.heading(title, subtitle)
    chart.grid()
    for curve in sorted(curves, key=lambda curve: curve.side, reverse=True):
        chart.line(curve)
    chart.names()
    return chart.file()


class _Chart:
    def __init__(self, curves: Sequence[Curve]) -> None:
        self._curves = curves
        self._sizes = sorted({size for curve in curves for size, _ in curve.points})
        seconds = [second for curve in curves for _, second in curve.points]
        self._least = max((mark for mark in _SECONDS if mark < min(seconds)), default=_SECONDS[0])
        self._most = min((mark for mark in _SECONDS if mark > max(seconds)), default=_SECONDS[-1])
        self._image = Image.new("RGBA", (_WIDTH * _TIMES, _HEIGHT * _TIMES))
        self._draw = ImageDraw.Draw(self._image)

    def card(self) -> None:
        box = (0, 0, _WIDTH * _TIMES - 1, _HEIGHT * _TIMES - 1)
        self._draw.rounded_rectangle(box, 24 * _TIMES, _PAPER)

    def heading(self, title: str, subtitle: str) -> None:
        self._text((60, 62), title, _TITLE, _INK, "lm")
        self._text((60, 110), subtitle, _TICK, _FAINT, "lm")

    def grid(self) -> None:
        for mark in (mark for mark in _SECONDS if self._least <= mark <= self._most):
            y = self._place((self._sizes[0], mark))[1]
            self._stroke([(_LEFT, y), (_RIGHT, y)], _GRID, 1.5)
            self._text((_LEFT - 18, y), f"{mark:g} s", _TICK, _FAINT, "rm")
        for size in self._sizes:
            x = self._place((size, self._least))[0]
            self._stroke([(x, _BOTTOM), (x, _BOTTOM + 10)], _FAINT, 1.5)
            self._text((x, _BOTTOM + 34), f"{size:g}", _TICK, _FAINT, "mm")
        middle = (_LEFT + _RIGHT) / 2
        self._text((middle, _BOTTOM + 78), "megapixels", _TICK, _FAINT, "mm")

    def line(self, curve: Curve) -> None:
        width = _WIDTHS[curve.task]
        places = [self._place(point) for point in curve.points]
        self._stroke(places, curve.colour, width)
        for place in places:
            self._dot(place, width + 2.5, curve.colour)

    def names(self) -> None:
        """Each line's name beside its end, moved up or down where two would meet."""
        ended = [(self._place(curve.points[-1]), curve) for curve in self._curves]
        ended.sort(key=lambda end: end[0][1])
        heights = _spread([y for (_, y), _ in ended])
        for ((x, y), curve), height in zip(ended, heights, strict=True):
            self._stroke([(x + 14, y), (x + 38, height)], curve.colour, 1.5)
            self._text((x + 48, height), curve.name, _LABEL, curve.colour, "lm")

    def file(self) -> bytes:
        encoded = io.BytesIO()
        small = self._image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
        small.quantize(_SHADES, Image.Quantize.FASTOCTREE).save(encoded, "PNG", optimize=True)
        return encoded.getvalue()

    def _place(self, point: Point) -> Point:
        across = _share(point[0], self._sizes[0], self._sizes[-1])
        up = _share(point[1], self._least, self._most)
        return _LEFT + 30 + across * (_RIGHT - _LEFT - 60), _BOTTOM - up * (_BOTTOM - _TOP)

    def _stroke(self, places: Sequence[Point], colour: str, width: float) -> None:
        thick = round(width * _TIMES)
        self._draw.line([_scaled(place) for place in places], colour, thick, joint="curve")

    def _dot(self, place: Point, radius: float, colour: str) -> None:
        self._draw.circle(_scaled(place), radius * _TIMES, colour, _PAPER, 2 * _TIMES)

    def _text(self, place: Point, words: str, size: int, colour: str, anchor: str) -> None:
        font = ImageFont.load_default(size * _TIMES)
        self._draw.text(_scaled(place), words, colour, font, anchor)


def _share(value: float, least: float, most: float) -> float:
    """How far between two others a number is, on a logarithmic scale."""
    return math.log(value / least) / math.log(most / least)


def _scaled(place: Point) -> Point:
    return place[0] * _TIMES, place[1] * _TIMES


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights in rising order, moved apart as little as need be around those that meet."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _first(groups[-1]) - _last(groups[-2]) < _APART:
            last = groups.pop()
            groups[-1] += last
    return [_first(group) + _APART * rank for group in groups for rank in range(len(group))]


def _first(group: Sequence[float]) -> float:
    return sum(group) / len(group) - _APART * (len(group) - 1) / 2


def _last(group: Sequence[float]) -> float:
    return _first(group) + _APART * (len(group) - 1)


def _shown(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
