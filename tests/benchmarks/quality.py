"""How good the mattes are, beside rembg's with the same weights.

    python -m tests.benchmarks.quality [--data DIR] [--out FILE.md]

For each picture every method writes a mask, which is scored against the true one.
"""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.benchmarks import pairs
from tests.benchmarks.backgrounds import BACKGROUNDS, made_set
from tests.benchmarks.metrics import Tally
from tests.benchmarks.peers import Request, cutaway_process, rembg_environment, rembg_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from tests.benchmarks.metrics import Scores
    from tests.benchmarks.pairs import Pair
    from tests.benchmarks.peers import Process

    Methods = dict[str, tuple[Process, str]]

_HEAD = """\
| pictures | method | n | MAE | IoU | max F | S | BF |
|---|---|---|---|---|---|---|---|"""


def main() -> None:
    """Print the table, and write it to a file if one is given."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    pairs.add_data_option(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table there too")
    given = parser.parse_args()
    lines = list(_table(given.data))
    if given.out:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(data: Path) -> Iterator[str]:
    known, weights = pairs.pairs(data), pairs.weights(data)
    sets: dict[str, Iterable[Pair]] = {"natural": known}
    sets |= {background: made_set(background, known) for background in BACKGROUNDS}
    with ExitStack() as stack:
        ours = stack.enter_context(cutaway_process(weights))
        theirs = stack.enter_context(rembg_process(rembg_environment(), weights))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        methods = {
            "classical": (ours, "classical"),
            "u2netp, Cutaway": (ours, "u2netp"),
            "u2netp, rembg": (theirs, "u2netp"),
        }
        yield _told(_HEAD)
        for name, pictures in sets.items():
            for method, scores in _scored(pictures, methods, folder).items():
                yield _told(_row(name, method, scores))


def _scored(pictures: Iterable[Pair], methods: Methods, folder: Path) -> dict[str, Scores]:
    tallies = {method: Tally() for method in methods}
    source, target = folder / "source.png", folder / "mask.png"
    for pair in pictures:
        cv2.imwrite(str(source), cv2.cvtColor(pair.picture, cv2.COLOR_RGB2BGR))
        for method, (process, model) in methods.items():
            request = Request(str(source), str(target), model, output="mask")
            found = process.remove(request).found
            matte = _mask(target) if found else np.zeros_like(pair.truth)
            tallies[method].add(matte, pair.truth)
    return {method: tally.scores() for method, tally in tallies.items()}


def _mask(path: Path) -> NDArray[np.float64]:
    matte: NDArray[np.float64] = pairs.read_rgb(path)[..., 0] / 255.0
    return matte


def _row(name: str, method: str, scores: Scores) -> str:
    figures = (
        scores.mean_absolute_error,
        scores.intersection_over_union,
        scores.max_f,
        scores.s_measure,
        scores.boundary_f,
    )
    cells = (f"{figure:.3f}" for figure in figures)
    return f"| {name} | {method} | {scores.pictures} | {' | '.join(cells)} |"


def _told(line: str) -> str:
    print(line, flush=True)
    return line


if __name__ == "__main__":
    main()
