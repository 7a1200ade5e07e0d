"""Cutaway's time and memory as shares of rembg's, with the same weights, in one table and a plot.

    python -m tests.benchmarks.performance [--repeats N] [--sizes MP ...] [--cores] [--write]

Both run by turns in the same run, at every repeat with another photo but for alpha matting. Each
figure is a median, and each share the ratio of two. Where other work shares the cores, --cores
counts their seconds instead of the clock's. --write puts the table and the plot into the README.
"""

from __future__ import annotations

import math
import re
import statistics
import sys
from argparse import ArgumentParser
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.benchmarks.bench import add_options, machine, opened
from tests.benchmarks.peers import Request, Seconds, rembg_variables, timed
from tests.benchmarks.plot import Curve, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.peers import Answer, Process

    Side = Literal["ours", "theirs"]

_ROOT = Path(__file__).parents[2]
_README = _ROOT / "README.md"
_PLOT = _ROOT / "docs" / "performance.png"
_SIZES = (1.0, 12.0, 24.0)
_BETWEEN = (2.0, 6.0)
"""Megapixels that only the plot shows."""
_SMALL = 0.1
"""Megapixels of the picture that warms a process."""
_MATTED = 12.0
"""The most megapixels that rembg is given to matte: half a minute to five, and 7 GB."""
_PATIENCE = 1.0
"""A larger one it mattes once."""
_TABLE = re.compile(r"(?<=<!-- performance -->\n).*(?=<!-- /performance -->\n)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        name: What was measured.
        shown: What the table calls it.
        goals: The shares of rembg's that are wanted at most, by megapixels.
        memory: Whether it is bytes rather than seconds.
    """

    name: str
    shown: str
    goals: dict[float, float] = field(default_factory=dict)
    memory: bool = False


_ALL_SIZES = dict.fromkeys(_SIZES, 0.7)
ROWS = (
    Row("plain", "End to end, plain", {12: 0.2, 24: 0.15}),
    Row("edges", "End to end, clean edges", {12: 0.35, 24: 0.35}),
    Row("matting", "End to end, alpha matting", {12: 0.03}),
    Row("command", "The command, newly started", {1: 0.3}),
    Row("decode", "Decode a JPEG"),
    Row("preprocess", "Shrink it for the network"),
    Row("infer", "Run the network"),
    Row("enlarge", "Enlarge its mask"),
    Row("compose", "Compose the cutout"),
    Row("encode", "Encode it as PNG"),
    Row("clean", "Compose it with clean edges"),
    Row("post-process", "Post-process the mask"),
    Row("plain memory", "Peak memory, plain", _ALL_SIZES, memory=True),
    Row("edges memory", "Peak memory, clean edges", _ALL_SIZES, memory=True),
    Row("matting memory", "Peak memory, alpha matting", {12: 0.2}, memory=True),
)
FLOOR = Row("floor", "Cutaway end to end, plain, by its floor", {12: 1.3, 24: 1.3})
_FLOOR = ("decode", "infer", "encode")


class Figures:
    """What was measured, by name, side and megapixels.

    Args:
        cores: Whether the cores' seconds count rather than the clock's.
    """

    def __init__(self, *, cores: bool = False) -> None:
        self._cores = cores
        self._taken: defaultdict[tuple[str, Side, float], list[float]] = defaultdict(list)

    def add(self, name: str, side: Side, megapixels: float, taken: Seconds) -> None:
        """Note what something took."""
        self.note(name, side, megapixels, taken.cpu if self._cores else taken.wall)

    def note(self, name: str, side: Side, megapixels: float, value: float) -> None:
        """Note a number as it is."""
        self._taken[name, side, megapixels].append(value)

    def median(self, name: str, side: Side, megapixels: float) -> float | None:
        """The median of what was noted; None if nothing was."""
        taken = self._taken.get((name, side, megapixels))
        return statistics.median(taken) if taken else None

    def medians(self, name: str, side: Side) -> list[tuple[float, float]]:
        """Megapixels and median, wherever something was noted."""
        taken = ((size, it) for (*what, size), it in self._taken.items() if what == [name, side])
        return sorted((size, statistics.median(values)) for size, values in taken)


def main() -> None:
    """Measure, print the table and what misses its goal, and write both into the README."""
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_options(parser, repeats=4)
    parser.add_argument("--sizes", type=float, nargs="+", default=_SIZES, metavar="MP")
    parser.add_argument("--cores", action="store_true", help="count the cores' seconds")
    parser.add_argument("--write", action="store_true", help="write table and plot into the README")
    given = parser.parse_args()
    figures = Figures(cores=given.cores)
    with opened(given) as bench:
        _measure(bench, figures, given.sizes)
    print(text := page(figures, given.sizes))
    print("\n".join(_misses(figures, given.sizes)) or "every goal is met", file=sys.stderr)
    if given.write:
        _PLOT.write_bytes(plot(figures))
        _README.write_text(
            _TABLE.sub(lambda _: text, _README.read_text(encoding="utf-8")), encoding="utf-8"
        )


def _measure(bench: Bench, figures: Figures, sizes: Sequence[float]) -> None:
    _memory(bench, figures, sizes)
    _removals(bench, figures, sizes)
    _commands(bench, figures, sizes)
    _matting(bench, figures, _plotted(sizes))


def _plotted(sizes: Sequence[float]) -> list[float]:
    return sorted({*sizes, *(size for size in _BETWEEN if size < max(sizes))})


def _requests(bench: Bench, megapixels: float, turn: int = 0) -> dict[str, Request]:
    """What rembg does unless told, with -dc, and with -a; Cutaway its own way to the same end."""
    plain = Request(str(bench.photo(megapixels, turn)), bench.target, refine=False)
    edges = replace(plain, refine=True, clean_edges=True)
    return {"plain": plain, "edges": edges, "matting": replace(edges, alpha_matting=True)}


def _memory(bench: Bench, figures: Figures, sizes: Sequence[float]) -> None:
    """Peaks, each in a new process that has done the same to a small picture."""
    small = _requests(bench, _SMALL)
    for megapixels, name in product(sizes, ("plain", "edges")):
        large = _requests(bench, megapixels)[name]
        for side, started in _sides(bench).items():
            _told("memory", name, side, f"{megapixels:g} MP")
            with started() as process:
                process.remove(small[name])
                figures.note(f"{name} memory", side, megapixels, process.remove(large).peak)


def _removals(bench: Bench, figures: Figures, sizes: Sequence[float]) -> None:
    """Removals in two processes that stay warm: whole, and in stages."""
    with bench.ours() as ours, bench.theirs() as theirs:
        processes: dict[Side, Process] = {"ours": ours, "theirs": theirs}
        for megapixels in (_SMALL, *_plotted(sizes)):
            # What comes first at a size, and all of the small one, only warms the processes.
            counted = Figures() if megapixels == _SMALL else figures
            requests = _requests(bench, megapixels)
            for process in processes.values():
                process.remove(requests["plain"])
            for turn in range(1 if megapixels == _SMALL else bench.repeats):
                _told("removals", f"{megapixels:g} MP", turn + 1, "of", bench.repeats)
                requests = _requests(bench, megapixels, turn)
                for name, (side, process) in product(("plain", "edges"), processes.items()):
                    counted.add(name, side, megapixels, _taken(process.remove(requests[name])))
                if megapixels in (_SMALL, *sizes):
                    for side, process in processes.items():
                        _stages(process, side, requests["plain"], megapixels, counted)


def _stages(
    process: Process, side: Side, plain: Request, megapixels: float, figures: Figures
) -> None:
    for stage, taken in process.remove(replace(plain, apart=True)).stages.items():
        figures.add(stage, side, megapixels, Seconds(*taken))


def _commands(bench: Bench, figures: Figures, sizes: Sequence[float]) -> None:
    """Both commands as they are typed, each time in a new process."""
    remove = [sys.executable, "-m", "cutaway", "remove", "--overwrite", "--quiet"]
    remove += ["--model", "u2netp", "--weights", str(bench.weights), "-o", bench.target]
    rembg = [bench.rembg.command("rembg"), "i", "-m", "u2netp"]
    with rembg_variables(bench.weights) as variables:
        for megapixels, turn in product(sizes, range(bench.repeats)):
            _told("commands", f"{megapixels:g} MP", turn + 1, "of", bench.repeats)
            source = str(bench.photo(megapixels, turn))
            commands: dict[Side, list[str]] = {
                "ours": [*remove, source],
                "theirs": [*rembg, source, bench.target],
            }
            for side, command in commands.items():
                figures.add("command", side, megapixels, timed(command, variables))


def _matting(bench: Bench, figures: Figures, sizes: Sequence[float]) -> None:
    """Alpha matting, each size in new processes, whose peaks are noted too.

    Always of the same photo: rembg needs ten times as long for some as for others.
    """
    small = _requests(bench, _SMALL)["matting"]
    for megapixels, (side, started) in product(sizes, _sides(bench).items()):
        if side == "theirs" and megapixels > _MATTED:
            continue
        once = side == "theirs" and megapixels > _PATIENCE
        large = _requests(bench, megapixels)["matting"]
        with started() as process:
            process.remove(small)
            for turn in range(1 if once else bench.repeats):
                _told("matting", side, f"{megapixels:g} MP", turn + 1)
                answer = process.remove(large)
                figures.add("matting", side, megapixels, _taken(answer))
                figures.note("matting memory", side, megapixels, answer.peak)


def _sides(bench: Bench) -> dict[Side, Callable[[], AbstractContextManager[Process]]]:
    return {"ours": bench.ours, "theirs": bench.theirs}


def _taken(answer: Answer) -> Seconds:
    return Seconds(answer.wall, answer.cpu)


def _told(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def page(figures: Figures, sizes: Sequence[float]) -> str:
    """What the README tells: the machine, and the table."""
    names = "A picture of", *(f"{size:g} MP" for size in sizes)
    lines = [f"Measured on {machine()}.", "", _line(names), f"|{'---|' * len(names)}"]
    lines += [_line([row.shown, *_cells(figures, row, sizes)]) for row in (*ROWS, FLOOR)]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(figures: Figures, row: Row, sizes: Sequence[float]) -> Iterator[str]:
    written = _bytes if row.memory else _seconds
    for size in sizes:
        share = _share(figures, row, size)
        both = " / ".join(map(written, _both(figures, row, size)))
        yield both if share is None else f"**{_digits(share)}** ({both})"


def _both(figures: Figures, row: Row, size: float) -> tuple[float | None, float | None]:
    """What is to be divided by what."""
    if row is not FLOOR:
        return figures.median(row.name, "ours", size), figures.median(row.name, "theirs", size)
    parts = [figures.median(name, "ours", size) or 0.0 for name in _FLOOR]
    return figures.median("plain", "ours", size), sum(parts) if all(parts) else None


def _share(figures: Figures, row: Row, size: float) -> float | None:
    one, other = _both(figures, row, size)
    return one / other if one and other else None


def _misses(figures: Figures, sizes: Sequence[float]) -> Iterator[str]:
    for row, size in product((*ROWS, FLOOR), sizes):
        share, goal = _share(figures, row, size), row.goals.get(size)
        if share and goal and share > goal:
            yield f"missed: {row.shown}, {size:g} MP: {share:.3f} instead of {goal}"


def _digits(number: float) -> str:
    """A number with two digits that count."""
    return f"{number:.{max(0, 1 - math.floor(math.log10(number)))}f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "not run"
    return f"{_digits(value * 1e3)} ms" if value < 0.1 else f"{_digits(value)} s"


def _bytes(value: float | None) -> str:
    return "not run" if value is None else f"{_digits(value / 1e9)} GB"


def plot(figures: Figures) -> bytes:
    """Time against megapixels, for all of it, as a PNG file."""
    tasks = {"matting": "alpha matting", "edges": "clean edges", "plain": "plain"}
    sides: dict[Side, str] = {"theirs": "rembg", "ours": "Cutaway"}
    found = []
    for (side, who), (name, task) in product(sides.items(), tasks.items()):
        found.append(Curve(who, task, figures.medians(name, side)))
    title = "Seconds for one picture, from JPEG to PNG"
    return draw(found, title, "The same u2netp weights in both; both axes logarithmic")


if __name__ == "__main__":
    main()
