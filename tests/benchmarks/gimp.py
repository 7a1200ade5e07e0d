"""What the way between GIMP and the worker costs, beside a way through PNG files.

    python -m tests.benchmarks.gimp [--megapixels 24] [--repeats N]

A layer of 8-bit RGBA goes through our plug-in to a worker that does next to nothing, and comes back
as a new layer. The other way is that of plug-ins that hand a file to a program: file-png-export,
at its default compression and at 1, and then file-load-layer of a file of the same size. Both run
in one GIMP, by turns; figures are medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway_gimp.plug_in.frames import read_frame, write_frame
from tests.benchmarks import table
from tests.gimp_plugin.console import PLUG_IN, Console
from tests.gimp_plugin.workplace import installed
from tests.gimp_root import gimp_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tests.fakes.gimp_worker import ScriptedWorker

_OURS, _WORKER, _DEFAULT, _FAST, _LOAD = (
    "our plug-in, whole",
    "its worker alone",
    "file-png-export, default",
    "file-png-export, compression 1",
    "file-load-layer",
)
_ROWS = 256
_EXPORT = """
import time
from gi.repository import Gio
before = time.perf_counter()
outcome = call("file-png-export", {"image": image, "file": Gio.File.new_for_path(path), **settings})
assert outcome["status"] == "success", outcome
time.perf_counter() - before
"""
_LOAD_LAYER = """
import time
from gi.repository import Gio
before = time.perf_counter()
file = Gio.File.new_for_path(path)
outcome = call(
    "gimp-file-load-layer", {"run-mode": "NONINTERACTIVE", "image": image, "file": file}
)
assert outcome["status"] == "success", outcome
time.perf_counter() - before
"""


def main() -> None:
    """Measure, and print the table."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    height = round((arguments.megapixels * 1e6 / 1.5) ** 0.5)
    with installed(gimp_root()) as workplace, Console(workplace) as gimp:
        picture = _photo(round(height * 1.5), height)
        peaks: list[int] = []
        seconds: dict[str, list[float]] = defaultdict(list)
        worker = gimp.play({"pictures": [{"matte": "gradient"}]})
        for _ in range(arguments.repeats):
            seconds[_WORKER].append(_through_worker(worker, picture))
            for name, taken in _turn(gimp, picture, peaks):
                seconds[name].append(taken)
    _print(seconds, max(peaks) / picture[..., 0].size)


def _turn(
    gimp: Console, picture: NDArray[np.uint8], peaks: list[int]
) -> Iterator[tuple[str, float]]:
    """Each way once, on an image of its own."""
    height, width = picture.shape[:2]
    image = gimp.image(width, height)
    layer = gimp.layer(image, picture)
    with _watched(peaks):
        before = time.perf_counter()
        _ = gimp.remove(image, [layer]).made
        yield _OURS, time.perf_counter() - before
    gimp.run("image(number).delete()", number=image)
    image = gimp.image(width, height)
    gimp.layer(image, picture)
    path = gimp.workplace.inside(gimp.home / "layer.png")
    for name, settings in ((_DEFAULT, {}), (_FAST, {"compression": 1})):
        names = {"image": image, "path": path, "settings": settings}
        yield name, float(gimp.run(_EXPORT, **names))
    yield _LOAD, float(gimp.run(_LOAD_LAYER, image=image, path=path))
    gimp.run("image(number).delete()", number=image)


def _through_worker(worker: ScriptedWorker, picture: NDArray[np.uint8]) -> float:
    """The seconds that the worker takes for the same picture when we speak to it ourselves."""
    height, width = picture.shape[:2]
    before = time.perf_counter()
    script = worker.python.with_name("gimp_worker.py")
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        size = {"width": width, "height": height, "depth": 8}
        write_frame(process.stdin, {"kind": "begin", "backend": "local", "options": {}, "fill": ""})
        write_frame(process.stdin, {"kind": "picture", "name": "", "want": "cutout", **size})
        for top in range(0, height, _ROWS):
            rows = picture[top : top + _ROWS]
            header = {"kind": "rows", "top": top, "rows": len(rows)}
            write_frame(process.stdin, header, rows.tobytes())
        process.stdin.flush()
        while (frame := read_frame(process.stdout)) is not None and frame[0]["kind"] != "done":
            pass
        process.stdin.close()
    return time.perf_counter() - before


@contextmanager
def _watched(peaks: list[int]) -> Iterator[None]:
    """Note the peak memory of the plug-in's process and the worker's together, in bytes."""
    over = threading.Event()
    seen: dict[str, int] = {}

    def watch() -> None:
        while not over.wait(0.005):
            seen.update(_peaks())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    peaks.append(sum(seen.values()))


def _peaks() -> dict[str, int]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if f"{PLUG_IN}.py" in words or "cutaway_gimp.worker" in words:
                status = (folder / "status").read_text(encoding="utf-8")
                (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
                found[folder.name] = int(line.split()[1]) * 1024
        except (OSError, ValueError):
            continue  # it has just ended
    return found


def _photo(width: int, height: int) -> NDArray[np.uint8]:
    """RGBA with the detail and the noise of a photo, so that PNG has its usual work."""
    generator = np.random.default_rng(1)
    coarse = generator.integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noise = generator.integers(-3, 4, large.shape, np.int16)
    picture = np.full((height, width, 4), 255, np.uint8)
    np.clip(large + noise, 0, 255, out=picture[..., :3], casting="unsafe")
    return picture


def _print(seconds: dict[str, list[float]], bytes_a_pixel: float) -> None:
    middle = {name: statistics.median(taken) for name, taken in seconds.items()}
    table.head("way", "seconds", "times ours")
    for name, taken in middle.items():
        table.row(name, f"{taken:.2f}", f"{taken / middle[_OURS]:.1f}")
    for export in (_DEFAULT, _FAST):
        whole = middle[export] + middle[_LOAD]
        table.row(f"{export} + {_LOAD}", f"{whole:.2f}", f"{whole / middle[_OURS]:.1f}")
    table.row("ours beyond its worker", f"{middle[_OURS] - middle[_WORKER]:.2f}", "")
    table.head("memory", "bytes a pixel")
    table.row("plug-in and worker, at their peaks", f"{bytes_a_pixel:.1f}")


if __name__ == "__main__":
    main()
