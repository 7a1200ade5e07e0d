"""Cutaway and its peers side by side: each in a process, a peer in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import venv
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "Answer",
    "Environment",
    "Estimation",
    "Process",
    "Request",
    "Seconds",
    "cache",
    "clean_environment",
    "cutaway_process",
    "estimators",
    "rembg_environment",
    "rembg_process",
    "rembg_variables",
    "timed",
]

_REMBG = "rembg[cpu,cli]==2.0.86"
_PYMATTING = "pymatting==1.1.16"
_ROOT = Path(__file__).parents[2]
_WORKER, _ESTIMATOR = "tests.benchmarks.worker", "tests.benchmarks.matting_worker"


class Seconds(NamedTuple):
    """What something took: by the clock, and of all cores together (0 where that isn't known)."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with one thing installed.

    Attributes:
        python: Its interpreter.
        packages: How many distributions it holds.
        size: The bytes of all files in its site-packages, right after the installation.
        first_import: What the first import took, in a process of its own.
    """

    python: Path
    packages: int
    size: int
    first_import: Seconds

    def command(self, name: str) -> str:
        """The path of a command that is installed there."""
        return _command(self.python, name)


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker is to do: remove the background of a file, and write the result to another.

    Where `refine` is false, Cutaway leaves the matte as the network gave it, only enlarged, which
    is what rembg always does. With `apart`, it is done so, one stage after another.
    """

    source: str
    target: str
    model: str = "u2netp"
    output: str = "cutout"
    alpha_matting: bool = False
    clean_edges: bool = False
    refine: bool = True
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Estimation:
    """What an estimator is to do: read arrays from an NPZ file, and write one to an NPY file.

    `what` is "alpha", of a `picture` and its `trimap`, or "colour", of a `picture` and its `alpha`.
    """

    what: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How that went.

    Attributes:
        found: Whether there was a subject; without one nothing was written.
        wall: Seconds from the source's path to the written result; from array to array, if it is
            an estimation.
        cpu: Seconds of all cores together meanwhile.
        resident: Bytes of memory before it; 0 where there is no /proc.
        peak: The most bytes of memory during it; 0 where there is no /proc.
        stages: What each stage took, if they were done apart: as `wall` and `cpu`.
    """

    found: bool
    wall: float
    cpu: float
    resident: int
    peak: int
    stages: dict[str, tuple[float, float]] = field(default_factory=dict)


class Process:
    """A worker that waits for requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._receive()

    def remove(self, request: Request) -> Answer:
        """Send a request and wait for the answer.

        Raises:
            SystemExit: the worker ended; it has said why on standard error.
        """
        return self._ask(request)

    def estimate(self, estimation: Estimation) -> Answer:
        """The same of an estimator."""
        return self._ask(estimation)

    def _ask(self, request: Request | Estimation) -> Answer:
        if self._process.stdin:
            self._process.stdin.write(json.dumps(asdict(request)) + "\n")
            self._process.stdin.flush()
        return Answer(**json.loads(self._receive()))

    def _receive(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"{self._process.args!r} ended: see its message above")
        return line


def cache() -> Path:
    """Where environments are kept between runs; remove the folder to have them made anew."""
    return platformdirs.user_cache_path("cutaway-benchmarks")


def rembg_environment() -> Environment:
    """The environment of rembg, made on demand: about 1 GB and some minutes."""
    return _environment("rembg-2.0.86", _REMBG, "import rembg")


def _environment(name: str, requirement: str, first: str) -> Environment:
    """An environment that is kept, made if it isn't there."""
    home = cache() / name
    facts = home / "facts.json"
    if not facts.is_file():
        print(f"installing {requirement} in {home}", file=sys.stderr)
        made = clean_environment(home, [requirement], first)
        facts.write_text(json.dumps({**asdict(made), "python": str(made.python)}), encoding="utf-8")
    values = json.loads(facts.read_text(encoding="utf-8"))
    values["python"] = Path(values["python"])
    values["first_import"] = Seconds(*values["first_import"])
    return Environment(**values)


def clean_environment(home: Path, arguments: Sequence[str], first: str) -> Environment:
    """Make an environment anew, give `arguments` to `pip install`, and run `first`, an import."""
    venv.create(home, clear=True, symlinks=os.name != "nt")
    python = Path(_command(home / ("Scripts" if os.name == "nt" else "bin") / "python", "python"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", *arguments], check=True)
    folder = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], encoding="utf-8"
    )
    files = [file for file in Path(folder.strip()).rglob("*") if file.is_file()]
    return Environment(
        python=python,
        packages=sum(file.name == "METADATA" for file in files),
        size=sum(file.stat().st_size for file in files),
        first_import=timed([str(python), "-c", first]),
    )


@contextmanager
def cutaway_process(weights: Path) -> Iterator[Process]:
    """Cutaway, as it is installed where this runs, until the block ends."""
    # Made pictures pack badly: at 16 bits they are larger than the usual limit on a file.
    variables = {**os.environ, "CUTAWAY_MAX_BYTES": str(1 << 30)}
    arguments = _WORKER, "cutaway", str(weights.resolve())
    with _running(Path(sys.executable), *arguments, variables=variables) as process:
        yield process


@contextmanager
def rembg_process(environment: Environment, weights: Path) -> Iterator[Process]:
    """The same weights in rembg, until the block ends."""
    arguments = _WORKER, "rembg", str(weights)
    with (
        rembg_variables(weights) as variables,
        _running(environment.python, *arguments, variables=variables) as process,
    ):
        yield process


@contextmanager
def estimators() -> Iterator[dict[str, Process]]:
    """Cutaway's and pymatting's alpha matting and colour estimation, until the block ends."""
    peer = _environment("pymatting-1.1.16", _PYMATTING, "import pymatting")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(_running(python, _ESTIMATOR, name, variables=os.environ))
            for name, python in {"cutaway": Path(sys.executable), "pymatting": peer.python}.items()
        }


@contextmanager
def rembg_variables(weights: Path) -> Iterator[dict[str, str]]:
    """An environment in which rembg takes these weights for its own u2netp, until the block ends.

    It looks for `u2netp.onnx` in the folder that U2NET_HOME names, and trusts what it finds.
    """
    with TemporaryDirectory() as home:
        shutil.copyfile(weights, Path(home) / "u2netp.onnx")
        yield {**os.environ, "U2NET_HOME": home}


def timed(command: Sequence[str], variables: Mapping[str, str] | None = None) -> Seconds:
    """What a command takes from start to end.

    Raises:
        SystemExit: it failed; its message is shown.
    """
    begun, worked = time.perf_counter(), _children()
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=variables, check=False
    )
    taken = Seconds(time.perf_counter() - begun, _children() - worked)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return taken


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


@contextmanager
def _running(
    python: Path, module: str, *arguments: str, variables: Mapping[str, str]
) -> Iterator[Process]:
    command = [str(python), "-m", module, *arguments]
    pipe = subprocess.PIPE
    # Leaving the block closes the input, at whose end the worker ends.
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, encoding="utf-8", env=variables, cwd=_ROOT
    ) as process:
        yield Process(process)


def _command(python: Path, name: str) -> str:
    found = shutil.which(name, path=str(python.parent))
    if found is None:
        raise SystemExit(f"there is no command {name} beside {python}: install it there")
    return found
