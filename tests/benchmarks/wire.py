"""What a remote task costs on this side, beside Runware's own clients and a bare HTTP post.

    python -m tests.benchmarks.wire [PART ...] [--tasks N] [--concurrency N] [--repeats N]

The parts are tasks, imports and recomposing; the first two if none is named. All clients send the
same picture to the same service, which answers at once and runs in a process of its own. They run
by turns, each time in a new process, and each figure is the median. Where other work shares the
cores, trust the CPU time: that of the client's process alone.

The official clients, each in an environment made on demand, are the only others: PyPI `runware`
0.5.24 (WebSocket only) and `runware-sdk` 1.8.0.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from argparse import ArgumentParser
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.benchmarks import table
from tests.benchmarks.peers import cache, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

_HERE = Path(__file__)
_OLD, _NEW = "runware==0.5.24", "runware-sdk==1.8.0"
_CLIENT = "cutaway.runware.client"
_MEGABYTE = 1e6
_TIMED_IMPORT = """\
import time
begun, worked = time.perf_counter(), time.process_time()
import {}
print(time.perf_counter() - begun, time.process_time() - worked)"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a task took, or the median of many.

    Attributes:
        cpu: Seconds of all cores together, of the client's process alone.
        wall: Seconds by the clock, all tasks' divided by their number.
        resident: Bytes of memory before the first one.
        peak: The most bytes of memory on the way.
    """

    cpu: float
    wall: float
    resident: float
    peak: float


@dataclass(frozen=True, slots=True)
class Row:
    """A client in one environment, and the way it goes."""

    name: str
    python: str
    client: str
    way: str


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part stands on.

    Attributes:
        old: The interpreter that has `runware`.
        new: The interpreter that has `runware-sdk`.
        folder: For pictures.
        tasks: How many are sent in one process.
        concurrency: How many of them at a time.
        repeats: How many processes each figure is the median of.
    """

    old: str
    new: str
    folder: Path
    tasks: int
    concurrency: int
    repeats: int

    def take(self, row: Row, url: str, picture: Path, tasks: int, concurrency: int) -> Taken:
        """Run a worker."""
        arguments = [row.client, url, str(picture), str(tasks), str(concurrency)]
        told = _output([row.python, str(_HERE.with_name("wire_worker.py")), *arguments])
        return Taken(**json.loads(told))


def main() -> None:
    """Print the parts that were asked for."""
    parts = {"tasks": _tasks, "imports": _imports, "recomposing": _recomposing}
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=200, metavar="N", help="(default: 200)")
    parser.add_argument("--concurrency", type=int, default=8, metavar="N", help="(default: 8)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="(default: 5)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(parts)}")
    with TemporaryDirectory() as folder:
        numbers = given.tasks, given.concurrency, given.repeats
        bench = Bench(_python(_OLD), _python(_NEW), Path(folder), *numbers)
        for part in given.parts or ("tasks", "imports"):
            parts[part](bench)


def _tasks(bench: Bench) -> None:
    """Wire-level tasks: a 2-megapixel JPEG as data URI in, a URL out, nothing downloaded."""
    picture = bench.folder / "two.jpg"
    cv2.imwrite(str(picture), _photo(1732, 1155), [cv2.IMWRITE_JPEG_QUALITY, 92])
    rows = _rows(bench)
    runs: dict[Row, list[Taken]] = defaultdict(list)
    with _service() as urls:
        for _ in range(bench.repeats):
            for row in rows:
                numbers = bench.tasks, bench.concurrency
                runs[row].append(bench.take(row, urls[row.way], picture, *numbers))
    medians = {row.name: _median(taken) for row, taken in runs.items()}
    size = picture.stat().st_size / _MEGABYTE
    title = f"{bench.tasks} tasks of {size:.2f} MB, {bench.concurrency} at a time"
    table.head(title, "CPU ms a task", "wall ms a task", "peak MB", "of it new")
    for name, taken in medians.items():
        memory = (f"{part / _MEGABYTE:.0f}" for part in (taken.peak, taken.peak - taken.resident))
        table.row(name, f"{taken.cpu * 1e3:.1f}", f"{taken.wall * 1e3:.1f}", *memory)
    table.head("ratio of the medians", "CPU", "wall", "peak", "goal for CPU")
    for ours, theirs, goal in _COMPARED:
        one, other = medians[ours], medians[theirs]
        pairs = ((one.cpu, other.cpu), (one.wall, other.wall), (one.peak, other.peak))
        table.row(f"{ours} / {theirs}", *(f"{part / whole:.2f}" for part, whole in pairs), goal)


def _rows(bench: Bench) -> list[Row]:
    ours, new, old = sys.executable, bench.new, bench.old
    return [
        Row("httpx, http", ours, "httpx", "http"),
        Row("cutaway, http", ours, "cutaway", "http"),
        Row("httpx async, http", ours, "httpx-async", "http"),
        Row("cutaway async, http", ours, "cutaway-async", "http"),
        Row("runware-sdk, http", new, "runware-sdk", "http"),
        Row("cutaway, websocket", ours, "cutaway", "websocket"),
        Row("cutaway async, websocket", ours, "cutaway-async", "websocket"),
        Row("runware-sdk, websocket", new, "runware-sdk", "websocket"),
        Row("runware, websocket", old, "runware", "websocket"),
        Row("runware-sdk, websocket uncompressed", new, "runware-sdk", "uncompressed"),
        Row("runware, websocket uncompressed", old, "runware", "uncompressed"),
    ]


_COMPARED = (
    ("cutaway, http", "httpx, http", "1.15"),
    ("cutaway async, http", "httpx async, http", "1.15"),
    ("cutaway async, http", "runware-sdk, http", ""),
    ("cutaway async, websocket", "runware-sdk, websocket", "0.2"),
    ("cutaway async, websocket", "runware, websocket", "0.2"),
    ("cutaway, websocket", "runware-sdk, websocket", "0.2"),
    ("cutaway, websocket", "runware, websocket", "0.2"),
    ("cutaway async, websocket", "runware-sdk, websocket uncompressed", ""),
    ("cutaway async, websocket", "runware, websocket uncompressed", ""),
)


def _imports(bench: Bench) -> None:
    """The import alone, in a new interpreter that has started."""
    ours = sys.executable
    cases = {
        "httpx": (ours, "httpx"),
        "cutaway's client": (ours, _CLIENT),
        "cutaway's client, ready for http": (ours, f"{_CLIENT}, cutaway.runware.http_transport"),
        "cutaway's client, ready for websocket": (
            ours,
            f"{_CLIENT}, cutaway.runware.websocket_transport",
        ),
        "runware 0.5.24": (bench.old, "runware"),
        "runware-sdk 1.8.0": (bench.new, "runware"),
    }
    runs: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for _ in range(2 * bench.repeats + 1):
        for name, (python, module) in cases.items():
            told = _output([python, "-c", _TIMED_IMPORT.format(module)])
            runs[name].append(tuple(map(float, told.split())))
    medians = {
        name: [statistics.median(part) for part in zip(*all_, strict=True)]
        for name, all_ in runs.items()
    }
    table.head("import", "wall ms", "CPU ms", "of httpx's, CPU", "goal")
    for name, (wall, cpu) in medians.items():
        goal = "1.5" if name.startswith("cutaway") else ""
        ratio = f"{cpu / medians['httpx'][1]:.2f}"
        table.row(name, f"{wall * 1e3:.0f}", f"{cpu * 1e3:.0f}", ratio, goal)


def _recomposing(bench: Bench) -> None:
    """A whole removal at 24 megapixels: reduce, send, fetch the result, refine, recompose."""
    picture, cutout = bench.folder / "photo.jpg", bench.folder / "cutout.png"
    cv2.imwrite(str(picture), _photo(6000, 4000))
    cv2.imwrite(str(cutout), _cut(_photo(2048, 1365)))
    rows = [
        Row("over http", sys.executable, "removal", "http"),
        Row("over websocket", sys.executable, "removal", "websocket"),
        Row("nothing but decoding", sys.executable, "decoding", "http"),
    ]
    table.head("24 megapixels, JPEG in, cutout in memory", "CPU s", "wall s", "peak MB")
    with _service(cutout) as urls:
        for row in rows:
            runs = [bench.take(row, urls[row.way], picture, 1, 1) for _ in range(bench.repeats)]
            taken = _median(runs)
            figures = f"{taken.cpu:.2f}", f"{taken.wall:.2f}", f"{taken.peak / _MEGABYTE:.0f}"
            table.row(row.name, *figures)


@contextmanager
def _service(result: Path | None = None) -> Iterator[Mapping[str, str]]:
    """The service until the block ends: its addresses by way."""
    command = [
        sys.executable,
        str(_HERE.with_name("wire_server.py")),
        *([str(result)] if result else []),
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8") as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit("the service ended: see its message above")
        yield json.loads(line)


def _python(package: str) -> str:
    """The interpreter of an environment with one package, made on demand."""
    home = cache() / package.replace("==", "-")
    made = home / "python.txt"
    if not made.is_file():
        print(f"installing {package} in {home}", file=sys.stderr)
        environment = clean_environment(home, [package], "import runware")
        made.write_text(str(environment.python), encoding="utf-8")
    return made.read_text(encoding="utf-8")


def _output(command: Sequence[str]) -> str:
    """What a command prints; its messages and failures are shown."""
    # A result's URL leads to this machine, and over WebSocket to another port than the tasks went.
    ours = {"RUNWARE_API_KEY": "benchmark", "CUTAWAY_ALLOW_PRIVATE_NETWORK": "1"}
    variables = {**os.environ, **ours}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, encoding="utf-8", env=variables, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} {Path(command[1]).name} failed: see its message above")
    return done.stdout


def _photo(width: int, height: int) -> NDArray[np.uint8]:
    """A disc before smooth colours, with a sensor's noise: BGR, the same bit by bit each time."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    waves = 9 * x + 5 * y, 7 * y - 3 * x, 9 * x * y
    smooth = np.dstack([128 + 64 * np.sin(wave) for wave in waves]).astype(np.uint8)
    middle, radius = (width // 2, height // 2), height // 3
    cv2.circle(smooth, middle, radius, (40, 60, 230), -1)
    cv2.setRNGSeed(1)
    noise = cv2.randn(np.empty(smooth.shape, np.int16), np.zeros(3), np.full(3, 12.0))
    return cv2.add(smooth, noise, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _cut(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The disc cut out."""
    height, width = photo.shape[:2]
    matte = np.zeros((height, width), np.uint8)
    cv2.circle(matte, (width // 2, height // 2), height // 3, 255, -1, cv2.LINE_AA)
    return np.dstack([photo, matte])


def _median(runs: list[Taken]) -> Taken:
    names = [field.name for field in fields(Taken)]
    return Taken(*(statistics.median(getattr(run, name) for run in runs) for name in names))


if __name__ == "__main__":
    main()
