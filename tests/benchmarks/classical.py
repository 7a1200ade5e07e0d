"""How the classical engine does where a shadow is cast or the frame cuts the subject.

    python -m tests.benchmarks.classical [--data DIR]

The subjects of the pairs are laid on smooth backgrounds: with room around them, as they are and in
dark greys; with a shadow of known strength on the wall behind or on the ground below; and cut by
one or two sides of the frame. The share of the shadow that is kept is weighted by the shadow's
strength, where it can be seen.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway.engine.classical import ClassicalEngine
from cutaway.engine.refinement import refine
from cutaway.errors import NoSubjectFound
from cutaway.progress import Progress
from tests.benchmarks import backgrounds
from tests.benchmarks.metrics import intersection_over_union, s_measure
from tests.benchmarks.pairs import Pair, add_data_option, pairs
from tests.benchmarks.table import head, row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Shadowed", "cut_set", "dark_set", "shadowed_set"]

_BEHIND = ("white", "plain", "gradient")
_STRENGTHS = {"faint": 0.2, "middling": 0.4, "deep": 0.6}
_DARKNESS = 0.4
_SENSOR = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Shadowed:
    """A made picture with a shadow in it.

    Attributes:
        pair: The picture and its true matte.
        shadow: float64, shape (height, width): the share of the light that is taken from the
            background where it can be seen, 0..1.
    """

    pair: Pair
    shadow: Floats


def shadowed_set(background: str, strength: float, known: Iterable[Pair]) -> Iterator[Shadowed]:
    """The subject of each pair with a soft shadow, cast on the wall or on the ground by turns.

    Args:
        background: Of those in `BACKGROUNDS`.
        strength: The share of the light that the shadow takes where it is deepest.
        known: Pictures with true mattes.
    """
    for index, pair in enumerate(known):
        random = backgrounds.at_random(f"{background}/shadow", pair)
        subject = backgrounds.with_room(*backgrounds.subject_of(pair), random)
        behind = _behind(background, subject[1], random)
        shadow = strength * (_on_the_wall, _on_the_ground)[index % 2](subject[1], random)
        shaded = behind * (1 - shadow[..., None])
        made = backgrounds.pictured(pair, subject, shaded, _SENSOR, random)
        yield Shadowed(made, shadow * (1 - subject[1]))


def cut_set(background: str, sides: int, known: Iterable[Pair]) -> Iterator[Pair]:
    """The subject of each pair, a tenth to a quarter of it beyond one or two sides of the frame."""
    for pair in known:
        random = backgrounds.at_random(f"{background}/{sides} sides", pair)
        colour, truth = backgrounds.with_room(*backgrounds.subject_of(pair), random)
        box = _frame(truth, random.permutation(4)[:sides], random)
        subject = np.ascontiguousarray(colour[box]), np.ascontiguousarray(truth[box])
        behind = _behind(background, subject[1], random)
        yield backgrounds.pictured(pair, subject, behind, _SENSOR, random)


def dark_set(background: str, known: Iterable[Pair]) -> Iterator[Pair]:
    """The subject of each pair in dark greys, which a shadow might have too."""
    for pair in known:
        random = backgrounds.at_random(f"{background}/dark", pair)
        colour, truth = backgrounds.with_room(*backgrounds.subject_of(pair), random)
        grey = _DARKNESS * np.repeat(colour.mean(axis=2, keepdims=True), 3, axis=2)
        behind = _behind(background, truth, random)
        yield backgrounds.pictured(pair, (grey, truth), behind, _SENSOR, random)


def _behind(background: str, truth: Floats, random: Generator) -> Floats:
    """A background of a matte's size."""
    height, width = truth.shape
    return backgrounds.BACKGROUNDS[background](height, width, random)


def _on_the_wall(truth: Floats, random: Generator) -> Floats:
    """The subject's shape, moved and blurred."""
    height, width = truth.shape
    right, down = random.choice([-1, 1]) * random.uniform(0.04, 0.1), random.uniform(0.02, 0.08)
    move = np.array([[1, 0, right * width], [0, 1, down * height]])
    return _blurred(cv2.warpAffine(truth, move, (width, height)), random.uniform(0.008, 0.025))


def _on_the_ground(truth: Floats, random: Generator) -> Floats:
    """The subject's shape, laid down from its foot to one side and blurred."""
    height, width = truth.shape
    foot = float(np.flatnonzero((truth > 0.5).any(axis=1))[-1])
    lean, squash = random.choice([-1, 1]) * random.uniform(0.5, 1), random.uniform(0.25, 0.5)
    lay = np.array([[1, lean, -lean * foot], [0, squash, (1 - squash) * foot]])
    return _blurred(cv2.warpAffine(truth, lay, (width, height)), random.uniform(0.008, 0.025))


def _blurred(shape: NDArray[np.generic], spread: float) -> Floats:
    """A shape with an edge as soft as a share of the picture's longer side, 1 at most."""
    soft = cv2.GaussianBlur(np.asarray(shape, np.float64), (0, 0), spread * max(shape.shape))
    return soft.astype(np.float64, copy=False)


def _frame(truth: Floats, sides: Iterable[int], random: Generator) -> tuple[slice, slice]:
    """The part of a picture that remains where some sides cut the subject."""
    left, top, wide, high = cv2.boundingRect((truth > 0.5).astype(np.uint8))
    edges = {"top": 0, "bottom": truth.shape[0], "left": 0, "right": truth.shape[1]}
    for side in sides:
        depth = random.uniform(0.1, 0.25)
        name = tuple(edges)[side]
        edges[name] = round(
            {
                "top": top + depth * high,
                "bottom": top + (1 - depth) * high,
                "left": left + depth * wide,
                "right": left + (1 - depth) * wide,
            }[name]
        )
    return slice(edges["top"], edges["bottom"]), slice(edges["left"], edges["right"])


def main() -> None:
    """Print the table."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    add_data_option(parser)
    known = pairs(parser.parse_args().data)
    head("background", "set", "n", "IoU", "S", "shadow kept")
    for background in _BEHIND:
        _print_rows(background, known)


def _print_rows(background: str, known: list[Pair]) -> None:
    made = backgrounds.made_set(background, known)
    _print_row(background, "room", [_bare(pair) for pair in made])
    dark = dark_set(background, known)
    _print_row(background, "room, dark", [_bare(pair) for pair in dark])
    for name, strength in _STRENGTHS.items():
        _print_row(background, f"{name} shadow", list(shadowed_set(background, strength, known)))
    for sides in (1, 2):
        cut = [_bare(pair) for pair in cut_set(background, sides, known)]
        _print_row(background, f"cut by {sides}", cut)


def _bare(pair: Pair) -> Shadowed:
    return Shadowed(pair, np.zeros_like(pair.truth))


def _print_row(background: str, name: str, pictures: list[Shadowed]) -> None:
    overlaps, structures, kept = [], [], []
    for each in pictures:
        matte = _found(each.pair.picture)
        overlaps.append(intersection_over_union(matte, each.pair.truth))
        structures.append(s_measure(matte, each.pair.truth))
        if each.shadow.any():
            kept.append(float((matte * each.shadow).sum() / each.shadow.sum()))
    share = f"{fmean(kept):.3f}" if kept else "-"
    figures = (f"{fmean(overlaps):.3f}", f"{fmean(structures):.3f}", share)
    row(background, name, str(len(pictures)), *figures)


def _found(picture: NDArray[np.uint8]) -> Floats:
    """The matte at the picture's size, empty where no subject is found."""
    try:
        matte = ClassicalEngine().find_subject(picture, Progress())
    except NoSubjectFound:
        return np.zeros(picture.shape[:2])
    return refine(matte, picture, 8, Progress()) / 255.0


if __name__ == "__main__":
    main()
