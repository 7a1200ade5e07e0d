"""What a network costs in time and memory in each runtime that is here, and how far mattes differ.

    python -m tests.benchmarks.runtimes [--data DIR] [--weights FILE --model NAME] [--repeats N]

Each figure is of a process of its own, the times are medians. Where other work shares the cores,
trust the cores' seconds. Mattes are compared with onnxruntime's, over the pairs' pictures.
"""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from cutaway import catalogue
from cutaway.engine.network import NetworkEngine
from cutaway.engine.runtimes import load_network
from cutaway.engine.runtimes.choice import NAMES, look_for
from cutaway.errors import NoSubjectFound
from cutaway.progress import Cancellation, Progress
from tests.benchmarks import pairs, table
from tests.benchmarks.worker import memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway.engine.runtimes.choice import RuntimeName

_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a network is run.

    Attributes:
        weights: Its file.
        model: The model that it belongs to.
        runtime: What runs it.
        arena: Whether onnxruntime keeps its memory.
        compiled: Where OpenVINO keeps what it made of it.
        repeats: How often it is run.
    """

    weights: Path
    model: str
    runtime: RuntimeName
    arena: bool = True
    compiled: Path | None = None
    repeats: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What it cost: seconds, and bytes beyond what the process had before it was loaded."""

    load: float
    run: float
    core: float
    peak: int
    after: int


def main() -> None:
    """Print both tables."""
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    pairs.add_data_option(parser)
    parser.add_argument("--weights", type=Path, help="another network's file")
    parser.add_argument("--model", default="u2netp", help="the model that it belongs to")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="(default: 7)")
    given = parser.parse_args()
    weights = given.weights or pairs.weights(given.data)
    here = [name for name in NAMES if not look_for(name).fault]
    with TemporaryDirectory() as folder:
        _print_costs(_trials(here, weights, given.model, given.repeats, Path(folder)))
    _print_differences(here, weights, given.model, given.data)


def _trials(
    here: list[RuntimeName], weights: Path, model: str, repeats: int, folder: Path
) -> dict[str, Trial]:
    def trial(runtime: RuntimeName, *, arena: bool = True, compiled: Path | None = None) -> Trial:
        return Trial(
            weights=weights,
            model=model,
            runtime=runtime,
            arena=arena,
            compiled=compiled,
            repeats=repeats,
        )

    trials = {f"{name} {look_for(name)}": trial(name) for name in here}
    trials["onnxruntime, nothing kept between runs"] = trial("onnxruntime", arena=False)
    if "openvino" in here:
        trials["openvino, compiled now and kept"] = trial("openvino", compiled=folder)
        trials["openvino, compiled before"] = trial("openvino", compiled=folder)
    return trials


def _print_costs(trials: dict[str, Trial]) -> None:
    table.head("runtime", "load s", "run s", "core s", "peak MB", "kept MB")
    for name, trial in trials.items():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            cost = process.submit(measure, trial).result()
        seconds = (f"{value:.2f}" for value in (cost.load, cost.run, cost.core))
        table.row(
            name, *seconds, *(f"{value / _MEGABYTE:.0f}" for value in (cost.peak, cost.after))
        )


def measure(trial: Trial) -> Cost:
    """Load and run a network in this process, which has done neither before."""
    look_for(trial.runtime)  # importing its library is no part of loading
    size = catalogue.find(trial.model).input_size
    picture = np.random.default_rng(0).normal(size=(1, 3, size, size)).astype(np.float32)
    before = memory("VmRSS")
    begun = time.perf_counter()
    network = load_network(
        trial.weights, asked=trial.runtime, arena=trial.arena, compiled=trial.compiled
    )
    load = time.perf_counter() - begun
    runs, cores = [], []
    for _ in range(trial.repeats):
        begun, worked = time.perf_counter(), time.process_time()
        network.run(picture, Cancellation())
        runs.append(time.perf_counter() - begun)
        cores.append(time.process_time() - worked)
    run, core = statistics.median(runs), statistics.median(cores)
    return Cost(load, run, core, memory("VmHWM") - before, memory("VmRSS") - before)


def _print_differences(here: list[RuntimeName], weights: Path, model: str, data: Path) -> None:
    sets = pairs.pairs(data)
    mattes = {name: _mattes(weights, model, name, sets) for name in here}
    usual = mattes["onnxruntime"]
    table.head("runtime", "IoU", "mean difference /255", "greatest")
    for name, found in mattes.items():
        apart = [255 * np.abs(one - other) for one, other in zip(found, usual, strict=True)]
        overlap = np.mean([_overlap(one, pair) for one, pair in zip(found, sets, strict=True)])
        mean, greatest = np.mean([one.mean() for one in apart]), max(one.max() for one in apart)
        table.row(name, f"{overlap:.4f}", f"{mean:.3f}", f"{greatest:.1f}")


def _mattes(
    weights: Path, model: str, runtime: RuntimeName, sets: list[pairs.Pair]
) -> list[NDArray[np.float32]]:
    engine = NetworkEngine(catalogue.find(model), load_network(weights, asked=runtime))
    nothing = np.zeros((engine.model.input_size,) * 2, np.float32)

    def found(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            return engine.find_subject(picture, Progress()).alpha
        except NoSubjectFound:
            return nothing

    return [found(pair.picture) for pair in sets]


def _overlap(matte: NDArray[np.float32], pair: pairs.Pair) -> float:
    """Intersection over union with the truth, both cut at half."""
    rows, columns = (
        np.arange(side) * matte.shape[axis] // side for axis, side in enumerate(pair.truth.shape)
    )
    one, other = matte[rows][:, columns] > 0.5, pair.truth > 0.5
    return float((one & other).sum() / max(1, (one | other).sum()))


if __name__ == "__main__":
    main()
