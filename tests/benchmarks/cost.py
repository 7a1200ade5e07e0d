"""What Cutaway costs apart from time and memory beside rembg's (see `performance`).

    python -m tests.benchmarks.cost [PART ...] [--data DIR] [--weights FILE] [--repeats N]

The parts are start, memory and size; all if none is named. Each figure is the median. Where other
work shares the cores, trust the cores' seconds.
"""

from __future__ import annotations

import statistics
import sys
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import table
from tests.benchmarks.bench import add_options, opened
from tests.benchmarks.peers import (
    Request,
    Seconds,
    cache,
    clean_environment,
    cutaway_process,
    timed,
)
from tests.fakes.networks import make_network

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench

_ROOT = Path(__file__).parents[2]
_ALL_OF_IT = "from cutaway import Client; import cutaway.engine.network, onnxruntime"
_MEGABYTE = 1e6


def main() -> None:
    """Print the parts that were asked for."""
    parts = {"start": _start, "memory": _memory, "size": _size}
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_options(parser, repeats=5)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(parts)}")
    with opened(given) as bench:
        for part in given.parts or parts:
            parts[part](bench)


def _start(bench: Bench) -> None:
    """Starting, each in a new process."""
    python, theirs = sys.executable, str(bench.rembg.python)
    commands = {
        "import cutaway": [python, "-c", "import cutaway"],
        "import all that Cutaway removes with": [python, "-c", _ALL_OF_IT],
        "import rembg": [theirs, "-c", "import rembg"],
        "cutaway --help": [python, "-m", "cutaway", "--help"],
        "rembg --help": [bench.rembg.command("rembg"), "--help"],
    }
    taken: dict[str, list[Seconds]] = {name: [] for name in commands}
    for _ in range(bench.repeats):
        for name, command in commands.items():
            taken[name].append(timed(command))
    table.head("a new process each", "s", "core s")
    for name, runs in taken.items():
        table.row(name, *(f"{statistics.median(part):.2f}" for part in zip(*runs, strict=True)))
    first = bench.rembg.first_import
    table.row("import rembg, first after install", f"{first.wall:.2f}", f"{first.cpu:.2f}")


def _memory(bench: Bench) -> None:
    """How much more than a small picture left resident the peak of a large one's removal is.

    The stand-in is a network that needs next to nothing itself: what is more is for the pixels.
    """
    table.head("memory", "MP", "before, MB", "peak, MB", "more, bytes a pixel")
    cases = [
        ("classical", 24, 8, False),
        ("classical", 50, 8, False),
        ("stand-in", 24, 8, False),
        ("stand-in", 50, 8, False),
        ("stand-in", 24, 16, False),
        ("stand-in", 24, 8, True),
    ]
    network = make_network(bench.folder / "network.onnx")
    for who, megapixels, depth, matting in cases:
        model = "classical" if who == "classical" else "u2netp"
        small = Request(str(bench.photo(0.1, depth=depth)), bench.target, model, clean_edges=True)
        large = replace(small, source=str(bench.photo(megapixels, depth=depth)))
        with cutaway_process(network) as process:
            for request in (small, large):
                answer = process.remove(replace(request, alpha_matting=matting))
        name = f"{who}, {depth} bit{', alpha matting' if matting else ''}"
        more = (answer.peak - answer.resident) / (megapixels * 1e6)
        sizes = (f"{part / _MEGABYTE:.0f}" for part in (answer.resident, answer.peak))
        table.row(name, str(megapixels), *sizes, f"{more:.1f}")


def _size(bench: Bench) -> None:
    """What a clean install puts into site-packages."""
    constraints = _ROOT / "constraints.txt"
    limits = ["-c", str(constraints)] if constraints.exists() else []
    ours = clean_environment(cache() / "cutaway", [*limits, str(_ROOT)], _ALL_OF_IT)
    table.head("installed", "MB", "packages", "first import, s (core s)")
    for name, made in (("cutaway", ours), ("rembg[cpu,cli]", bench.rembg)):
        size = f"{made.size / _MEGABYTE:.0f}"
        first = f"{made.first_import.wall:.2f} ({made.first_import.cpu:.2f})"
        table.row(name, size, str(made.packages), first)
    table.row("ratio", f"{bench.rembg.size / ours.size:.1f}", "", "")


if __name__ == "__main__":
    main()
