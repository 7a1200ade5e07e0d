"""What a removal costs in time, memory and disk, beside rembg's with the same weights.

    python -m tests.benchmarks.cost [PART ...] [--data DIR] [--repeats N] [--sizes MP ...]

The parts are start, warm, matting, memory and size; all if none is named. Both run by turns, and
each figure is the median. Where other work shares the cores, trust the cores' seconds.
"""

from __future__ import annotations

import statistics
import sys
from argparse import ArgumentParser
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.benchmarks import pairs, table
from tests.benchmarks.peers import (
    Request,
    Seconds,
    cache,
    clean_environment,
    cutaway_process,
    rembg_environment,
    rembg_process,
    rembg_variables,
    timed,
)
from tests.fakes.networks import make_network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.benchmarks.peers import Environment, Process

_ROOT = Path(__file__).parents[2]
_PHOTOS = (
    "pairs/carvekit_cat.jpg",
    "pairs/lemur.png",
    "rembg/car-1.jpg",
    "rembg/plants-1.jpg",
)
_STAND_IN = "stand-in"
_ALL_OF_IT = "from cutaway import Client; import cutaway.engine.network, onnxruntime"
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part stands on.

    Attributes:
        data: The folder of pictures and weights.
        weights: The network that both sides run.
        rembg: Where rembg is installed.
        folder: For pictures and results.
        repeats: How often each figure is taken.
        sizes: Of the pictures of warm removals, in megapixels.
    """

    data: Path
    weights: Path
    rembg: Environment
    folder: Path
    repeats: int
    sizes: tuple[float, ...]

    def photo(self, megapixels: float, name: str = _PHOTOS[0], *, depth: int = 8) -> Path:
        """A photo scaled to a size: a JPEG, or a PNG of 16 bits."""
        path = self.folder / f"{Path(name).stem}-{megapixels:g}.{'jpg' if depth == 8 else 'png'}"
        if not path.exists():
            picture = pairs.scaled(pairs.read_rgb(self.data / name), megapixels)
            deep = picture if depth == 8 else picture.astype(np.uint16) * np.uint16(257)
            cv2.imwrite(str(path), cv2.cvtColor(deep, cv2.COLOR_RGB2BGR))
        return path

    def ours(self) -> AbstractContextManager[Process]:
        """Cutaway, waiting for requests."""
        return cutaway_process(self.weights)

    def theirs(self) -> AbstractContextManager[Process]:
        """rembg, waiting for requests."""
        return rembg_process(self.rembg, self.weights)


def main() -> None:
    """Print the parts that were asked for."""
    parts = {
        "start": _start,
        "warm": _warm,
        "matting": _matting,
        "memory": _memory,
        "size": _size,
    }
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    pairs.add_data_option(parser)
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="(default: 5)")
    parser.add_argument(
        "--sizes",
        type=float,
        nargs="+",
        default=(1, 12, 24),
        metavar="MP",
        help="megapixels of the pictures of warm removals (default: 1 12 24)",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(parts)}")
    with _bench(given.data, given.repeats, tuple(given.sizes)) as bench:
        for part in given.parts or parts:
            parts[part](bench)


@contextmanager
def _bench(data: Path, repeats: int, sizes: tuple[float, ...]) -> Iterator[Bench]:
    weights = pairs.weights(data)
    with TemporaryDirectory() as folder:
        yield Bench(data, weights, rembg_environment(), Path(folder), repeats, sizes)


def _start(bench: Bench) -> None:
    """Starting, and a whole command on one picture, each in a new process."""
    source, target = str(bench.photo(1)), str(bench.folder / "cold.png")
    python, theirs = sys.executable, str(bench.rembg.python)
    remove = [python, "-m", "cutaway", "remove", source, "-o", target, "--overwrite", "--quiet"]
    remove += ["--model", "u2netp", "--weights", str(bench.weights)]
    rembg = bench.rembg.command("rembg")
    with rembg_variables(bench.weights) as variables:
        commands = {
            "import cutaway": [python, "-c", "import cutaway"],
            "import all that Cutaway removes with": [python, "-c", _ALL_OF_IT],
            "import rembg": [theirs, "-c", "import rembg"],
            "cutaway --help": [python, "-m", "cutaway", "--help"],
            "rembg --help": [rembg, "--help"],
            "cutaway remove, 1 MP": remove,
            "rembg i, 1 MP": [rembg, "i", "-m", "u2netp", source, target],
        }
        taken: dict[str, list[Seconds]] = {name: [] for name in commands}
        for _ in range(bench.repeats):
            for name, command in commands.items():
                taken[name].append(timed(command, variables))
    table.head("a new process each", "s", "core s")
    for name, runs in taken.items():
        table.row(name, *(f"{part:.2f}" for part in _median(runs)))
    first = bench.rembg.first_import
    table.row("import rembg, first after install", f"{first.wall:.2f}", f"{first.cpu:.2f}")


def _warm(bench: Bench) -> None:
    """Removals in processes that are warm, from a JPEG to a PNG cutout.

    Cutaway cleans the edges' colours unless told not to, and rembg only if told to.
    """
    table.head("warm", "MP", "Cutaway s (core s)", "rembg s (core s)", "rembg / Cutaway")
    with bench.ours() as ours, bench.theirs() as theirs:
        for megapixels in bench.sizes:
            runs: dict[str, list[Seconds]] = defaultdict(list)
            for name in _PHOTOS:
                plain = Request(str(bench.photo(megapixels, name)), _target(bench))
                clean = replace(plain, clean_edges=True)
                for process in (ours, theirs):
                    process.remove(plain)
                for _ in range(bench.repeats):
                    runs["ours, clean"].append(_taken(ours, clean))
                    runs["theirs"].append(_taken(theirs, plain))
                    runs["ours"].append(_taken(ours, plain))
                    runs["theirs, clean"].append(_taken(theirs, clean))
                    runs["classical"].append(_taken(ours, replace(clean, model="classical")))
            size = f"{megapixels:g}"
            _compared("as they come", size, runs["ours, clean"], runs["theirs"])
            _compared("both clean the edges", size, runs["ours, clean"], runs["theirs, clean"])
            _compared("neither does", size, runs["ours"], runs["theirs"])
            _compared("classical, which cleans them", size, runs["classical"], runs["theirs"])


def _matting(bench: Bench) -> None:
    """The same with alpha matting, once each: the peer needs minutes and gigabytes."""
    table.head(
        "warm, alpha matting", "MP", "Cutaway s (core s)", "rembg s (core s)", "rembg / Cutaway"
    )
    small = Request(str(bench.photo(0.1)), _target(bench), alpha_matting=True, clean_edges=True)
    with bench.ours() as ours, bench.theirs() as theirs:
        for process in (ours, theirs):
            process.remove(small)
        for megapixels in (1, 6):
            request = replace(small, source=str(bench.photo(megapixels)))
            taken = [[_taken(process, request)] for process in (ours, theirs)]
            _compared("both clean the edges", str(megapixels), *taken)


def _memory(bench: Bench) -> None:
    """The peak of a removal, and how much that is over what a small picture left resident.

    The stand-in is a network that needs next to nothing itself: what is more is for the pixels.
    """
    table.head("memory", "MP", "before, MB", "peak, MB", "more, bytes a pixel")
    cases = [
        ("u2netp", 24, 8, False),
        ("rembg", 24, 8, False),
        ("u2netp", 50, 8, False),
        ("rembg", 50, 8, False),
        ("classical", 24, 8, False),
        ("classical", 50, 8, False),
        (_STAND_IN, 24, 8, False),
        (_STAND_IN, 50, 8, False),
        (_STAND_IN, 24, 16, False),
        (_STAND_IN, 24, 8, True),
    ]
    for who, megapixels, depth, matting in cases:
        small, large = bench.photo(0.1, depth=depth), bench.photo(megapixels, depth=depth)
        model = "classical" if who == "classical" else "u2netp"
        with _started(bench, who) as process:
            for source in (small, large):
                request = Request(str(source), _target(bench), model, clean_edges=who != "rembg")
                answer = process.remove(replace(request, alpha_matting=matting))
        name = f"{who}, {depth} bit{', alpha matting' if matting else ''}"
        more = (answer.peak - answer.resident) / (megapixels * 1e6)
        sizes = (f"{part / _MEGABYTE:.0f}" for part in (answer.resident, answer.peak))
        own = who in {"classical", _STAND_IN}
        table.row(name, str(megapixels), *sizes, f"{more:.1f}" if own else "")


def _started(bench: Bench, who: str) -> AbstractContextManager[Process]:
    if who == "rembg":
        return bench.theirs()
    if who == _STAND_IN:
        return cutaway_process(make_network(bench.folder / "network.onnx"))
    return bench.ours()


def _size(bench: Bench) -> None:
    """What a clean install puts into site-packages."""
    constraints = _ROOT / "constraints.txt"
    limits = ["-c", str(constraints)] if constraints.exists() else []
    ours = clean_environment(cache() / "cutaway", [*limits, str(_ROOT)], _ALL_OF_IT)
    table.head("installed", "MB", "packages", "first import, s (core s)")
    for name, made in (("cutaway", ours), ("rembg[cpu,cli]", bench.rembg)):
        size = f"{made.size / _MEGABYTE:.0f}"
        table.row(name, size, str(made.packages), _both(made.first_import))
    table.row("ratio", f"{bench.rembg.size / ours.size:.1f}", "", "")


def _target(bench: Bench) -> str:
    return str(bench.folder / "result.png")


def _taken(process: Process, request: Request) -> Seconds:
    answer = process.remove(request)
    return Seconds(answer.wall, answer.cpu)


def _median(runs: list[Seconds]) -> Seconds:
    return Seconds(*(statistics.median(parts) for parts in zip(*runs, strict=True)))


def _compared(name: str, size: str, ours: list[Seconds], theirs: list[Seconds]) -> None:
    one, other = _median(ours), _median(theirs)
    ratio = f"{other.wall / one.wall:.1f} ({other.cpu / one.cpu:.1f})"
    table.row(name, size, _both(one), _both(other), ratio)


def _both(seconds: Seconds) -> str:
    return f"{seconds.wall:.2f} ({seconds.cpu:.2f})"


if __name__ == "__main__":
    main()
