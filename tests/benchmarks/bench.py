"""What Cutaway and rembg are measured on: the same photos at any size, and the same weights."""

from __future__ import annotations

import os
import platform
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cutaway import catalogue
from cutaway.engine.store import ModelStore
from cutaway.errors import ModelNotInstalled
from cutaway.machine import usable_cores
from cutaway.settings import Settings
from tests.benchmarks import pairs
from tests.benchmarks.peers import cutaway_process, rembg_environment, rembg_process

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tests.benchmarks.peers import Environment, Process

__all__ = ["Bench", "add_options", "machine", "opened"]

_PHOTOS = (
    "pairs/carvekit_cat.jpg",
    "rembg/plants-1.jpg",
    "pairs/lemur.png",
    "rembg/car-1.jpg",
)
_SAMPLE = Path(__file__).parents[2] / "docs" / "sample.jpg"
_GIGABYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Bench:
    """What every measurement stands on.

    Attributes:
        photos: Their files, at least one.
        weights: The network that both sides run.
        rembg: Where rembg is installed.
        folder: For pictures and results.
        repeats: How often each figure is taken.
    """

    photos: tuple[Path, ...]
    weights: Path
    rembg: Environment
    folder: Path
    repeats: int

    def photo(self, megapixels: float, turn: int = 0, *, depth: int = 8) -> Path:
        """A photo scaled to a size, at every turn another: a JPEG, or a PNG of 16 bits."""
        photo = self.photos[turn % len(self.photos)]
        ending = "jpg" if depth == 8 else "png"
        path = self.folder / f"{photo.stem}-{megapixels:g}.{ending}"
        if not path.exists():
            picture = pairs.scaled(pairs.read_rgb(photo), megapixels)
            deep = picture if depth == 8 else picture.astype(np.uint16) * np.uint16(257)
            cv2.imwrite(str(path), cv2.cvtColor(deep, cv2.COLOR_RGB2BGR))
        return path

    @property
    def target(self) -> str:
        """Where results go."""
        return str(self.folder / "result.png")

    def ours(self) -> AbstractContextManager[Process]:
        """Cutaway, waiting for requests."""
        return cutaway_process(self.weights)

    def theirs(self) -> AbstractContextManager[Process]:
        """rembg, waiting for requests."""
        return rembg_process(self.rembg, self.weights)


def add_options(parser: ArgumentParser, repeats: int) -> None:
    """Let a script take photos, weights and the number of repeats."""
    pairs.add_data_option(parser)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="u2netp as ONNX (default: that of the data, or else the installed one)",
    )
    parser.add_argument(
        "--repeats", type=int, default=repeats, metavar="N", help=f"(default: {repeats})"
    )


@contextmanager
def opened(given: Namespace) -> Iterator[Bench]:
    """A bench of what was given, until the block ends; without data the photo is our sample."""
    photos = tuple(given.data / name for name in _PHOTOS if (given.data / name).is_file())
    weights = _weights(given).resolve()
    with TemporaryDirectory() as folder:
        yield Bench(photos or (_SAMPLE,), weights, rembg_environment(), Path(folder), given.repeats)


def _weights(given: Namespace) -> Path:
    if given.weights:
        return Path(given.weights)
    if (given.data / "weights").is_dir():
        return pairs.weights(given.data)
    try:
        store = ModelStore(Settings.load().models_dir)
        return store.require(catalogue.find("u2netp")).path
    except ModelNotInstalled as error:
        raise SystemExit(f"{error} (or give its file with --weights)") from error


def machine() -> str:
    """This machine in a few words: processor, cores, memory, system, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIGABYTE
    return (
        f"{_processor()}, {usable_cores()} cores, {memory:.0f} GB of memory, {_system()}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    named = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)
