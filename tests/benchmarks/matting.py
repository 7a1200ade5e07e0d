"""How good alpha matting and clean edge colours are, and what they cost, beside pymatting's.

    python -m tests.benchmarks.matting [PART ...] [--data DIR] [--repeats N]

The parts are alpha, colours and large; all if none is named. The peer is PyPI `pymatting` 1.1.16:
`estimate_alpha_cf` and `estimate_foreground_ml` with their defaults, in an environment made on
demand, and compiled before they are measured. Both get the same arrays by turns, and each figure is
the median. Where other work shares the cores, trust the cores' seconds.
"""

from __future__ import annotations

import statistics
from argparse import ArgumentParser
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from cutaway.engine.trimap import trimap
from tests.benchmarks import pairs, table
from tests.benchmarks.mattes import BACKGROUNDS, SUBJECTS, careful_trimap, render
from tests.benchmarks.peers import Estimation, estimators

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.benchmarks.mattes import Scene
    from tests.benchmarks.pairs import Pair
    from tests.benchmarks.peers import Answer, Process

_REACH = 6
"""Of a careful trimap, in pixels."""
_NETWORK = 320
"""The side of the mask that a rembg-like trimap is made of."""
_LARGE = 3464
"""The side of a square of 12 megapixels."""
_THOUSAND, _MEGABYTE = 1e3, 1e6
_COSTS = (
    "s (core s), Cutaway",
    "pymatting",
    "core s, ratio",
    "peak MB, Cutaway",
    "pymatting",
)
"""The columns that `_costs` fills."""


class Error(NamedTuple):
    """How far an alpha is off in the unknown band: the sum, in thousands, and the mean square."""

    absolute: float
    square: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What it took: medians.

    Attributes:
        wall: Seconds by the clock.
        cpu: Seconds of all cores together.
        peak: The most bytes of memory of the process, with all its libraries.
    """

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} ({self.cpu:.2f})"


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part stands on.

    Attributes:
        data: The folder of pictures.
        processes: "cutaway" and "pymatting".
        folder: For arrays.
        repeats: How often each figure is taken.
    """

    data: Path
    processes: dict[str, Process]
    folder: Path
    repeats: int

    def estimated(
        self, what: str, repeats: int, **arrays: NDArray[np.uint8]
    ) -> dict[str, tuple[NDArray[np.float64], Taken]]:
        """What each finds, and what that takes."""
        source = self.folder / "source.npz"
        np.savez(source, allow_pickle=False, **arrays)
        answers: dict[str, list[Answer]] = {name: [] for name in self.processes}
        for name, process in list(self.processes.items()) * repeats:
            target = str(self.folder / f"{name}.npy")
            answers[name].append(process.estimate(Estimation(what, str(source), target)))
        return {
            name: (np.load(self.folder / f"{name}.npy").astype(np.float64), _median(given))
            for name, given in answers.items()
        }


def main() -> None:
    """Print the parts that were asked for."""
    parts = {"alpha": _alpha, "colours": _colours, "large": _large}
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    pairs.add_data_option(parser)
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="(default: 3)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(parts)}")
    with _bench(given.data, given.repeats) as bench:
        for part in given.parts or parts:
            parts[part](bench)


@contextmanager
def _bench(data: Path, repeats: int) -> Iterator[Bench]:
    with TemporaryDirectory() as folder, estimators() as processes:
        yield Bench(data, processes, Path(folder), repeats)


def _alpha(bench: Bench) -> None:
    """Errors in the unknown band, and costs.

    Photos say less than made pictures: the lemur's truth was made by such a solver, the cat's by
    a network, and the others' by hand, with hard edges.
    """
    _alpha_head("alpha in the band")
    for pair in pairs.pairs(bench.data):
        by_hand = bench.data / "pairs" / f"{pair.name}_trimap.png"
        trimaps = {"a mask's": _masks_trimap(pair.truth)}
        if by_hand.exists():
            trimaps["its own"] = pairs.read_rgb(by_hand)[..., 0]
        for whose, known in trimaps.items():
            scene = pair.picture, known, pair.truth
            _alpha_row(bench, f"{pair.name}, {whose} trimap", scene, bench.repeats)
    ratios = []
    for made in _scenes():
        drawn = made.picture, careful_trimap(made.alpha, _REACH), made.alpha
        ratios.append(_alpha_row(bench, made.name, drawn, bench.repeats))
    _alpha_summary(ratios)


def _alpha_summary(ratios: list[tuple[float, ...]]) -> None:
    names = "SAD", "MSE", "core s", "peak memory"
    print("\nmade pictures, Cutaway / pymatting, geometric mean and most:")
    for name, column in zip(names, zip(*ratios, strict=True), strict=True):
        print(f"- {name}: {statistics.geometric_mean(column):.3f}, {max(column):.3f}")


def _scenes() -> Iterator[Scene]:
    return (render(subject, background) for subject, background in product(SUBJECTS, BACKGROUNDS))


def _lemur(data: Path) -> Pair:
    return next(pair for pair in pairs.pairs(data) if pair.name == "lemur")


def _masks_trimap(truth: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What rembg would make of a network's mask of that."""
    height, width = truth.shape
    mask = (truth * 255).astype(np.uint8)
    small = cv2.resize(mask, (_NETWORK, _NETWORK), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LANCZOS4)
    return trimap(large.astype(np.uint8, copy=False))


def _alpha_head(name: str) -> None:
    table.head(
        name,
        "unknown, k",
        "SAD / 1000, Cutaway",
        "pymatting",
        "ratio",
        "MSE, Cutaway",
        "pymatting",
        "ratio",
        *_COSTS,
    )


def _alpha_row(
    bench: Bench,
    name: str,
    scene: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64] | NDArray[np.float32]],
    repeats: int,
) -> tuple[float, ...]:
    """Print what both find of a picture, its trimap and its truth.

    Returns:
        Cutaway's share of pymatting's: of both errors, of time, and of memory.
    """
    picture, known, truth = scene
    unknown = (known > 0) & (known < 255)
    found = bench.estimated("alpha", repeats, picture=picture, trimap=known)
    errors, taken = {}, {}
    for who, (alpha, cost) in found.items():
        errors[who] = _error(alpha[unknown] - truth[unknown])
        taken[who] = cost
    ours, theirs = (errors[who] for who in ("cutaway", "pymatting"))
    mine, peers = (taken[who] for who in ("cutaway", "pymatting"))
    ratios = (
        ours.absolute / theirs.absolute,
        ours.square / theirs.square,
        mine.cpu / peers.cpu,
        mine.peak / peers.peak,
    )
    table.row(
        name,
        f"{np.count_nonzero(unknown) / _THOUSAND:.0f}",
        f"{ours.absolute:.3f}",
        f"{theirs.absolute:.3f}",
        f"{ratios[0]:.4f}",
        f"{ours.square:.6f}",
        f"{theirs.square:.6f}",
        f"{ratios[1]:.4f}",
        *_costs(mine, peers),
    )
    return ratios


def _costs(mine: Taken, peers: Taken) -> Iterator[str]:
    """What both took, for a row of the table."""
    yield from (str(mine), str(peers), f"{mine.cpu / peers.cpu:.3f}")
    yield from (f"{taken.peak / _MEGABYTE:.0f}" for taken in (mine, peers))


def _error(difference: NDArray[np.float64]) -> Error:
    return Error(float(np.abs(difference).sum()) / _THOUSAND, float(np.mean(difference**2)))


def _colours(bench: Bench) -> None:
    """Errors of the subject's colour in soft pixels, as much as it shows there, and costs."""
    _colour_head("clean edge colours")
    ratios = [_colour_row(bench, scene, bench.repeats) for scene in _scenes()]
    means = [f"{statistics.geometric_mean(column):.3f}" for column in zip(*ratios, strict=True)]
    table.row("geometric mean", "", "", "", means[0], "", "", means[1])


def _colour_head(name: str) -> None:
    table.head(
        name,
        "error before",
        "Cutaway",
        "pymatting",
        "ratio",
        *_COSTS,
    )


def _colour_row(bench: Bench, scene: Scene, repeats: int) -> tuple[float, float]:
    """Print what both find; returned are Cutaway's shares of pymatting's error and time.

    An error is the mean difference of a colour's levels, 0..255, weighted by alpha: what would be
    seen on any background.
    """
    alpha = np.rint(scene.alpha * 255).astype(np.uint8)
    soft = (alpha > 0) & (alpha < 255)
    found = bench.estimated("colour", repeats, picture=scene.picture, alpha=alpha)

    def error(colour: NDArray[np.float64]) -> float:
        difference = np.abs(np.rint(colour[soft]) - scene.subject[soft]).mean(axis=1)
        return float(np.average(difference, weights=alpha[soft]))

    (own, mine), (other, peers) = found["cutaway"], found["pymatting"]
    ours, theirs = error(own), error(other)
    table.row(
        scene.name,
        f"{error(scene.picture.astype(np.float64)):.2f}",
        f"{ours:.2f}",
        f"{theirs:.2f}",
        f"{ours / theirs:.2f}",
        *_costs(mine, peers),
    )
    return ours / theirs, mine.cpu / peers.cpu


def _large(bench: Bench) -> None:
    """Both at 12 megapixels, alpha once each: the peer needs minutes and gigabytes."""
    lemur = _lemur(bench.data)
    picture = pairs.scaled(lemur.picture, 12)
    size = picture.shape[1::-1]
    truth = cv2.resize(lemur.truth, size, interpolation=cv2.INTER_CUBIC).clip(0, 1)
    known = _masks_trimap(truth)
    _alpha_head("alpha at 12 MP")
    _alpha_row(bench, "lemur enlarged, a mask's trimap", (picture, known, truth), repeats=1)
    fur = render("fur", "leaves", _LARGE)
    trimap_of_fur = careful_trimap(fur.alpha, _REACH)
    _alpha_row(bench, fur.name, (fur.picture, trimap_of_fur, fur.alpha), repeats=1)
    _colour_head("clean edge colours at 12 MP")
    _colour_row(bench, fur, bench.repeats)


def _median(answers: list[Answer]) -> Taken:
    return Taken(
        statistics.median(answer.wall for answer in answers),
        statistics.median(answer.cpu for answer in answers),
        statistics.median(answer.peak for answer in answers),
    )


if __name__ == "__main__":
    main()
