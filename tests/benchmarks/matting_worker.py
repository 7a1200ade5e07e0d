"""Estimates alpha and colours on request, with Cutaway or with pymatting, in a process of its own.

    python -m tests.benchmarks.matting_worker cutaway|pymatting

It runs in the environment of the one it drives, so it stands on NumPy and on that one alone. It
answers a line when it is ready, with everything compiled, then one for each line it reads: requests
and answers are JSON objects, `peers.Estimation` and `peers.Answer`.
"""

from __future__ import annotations

import json
import sys
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.worker import measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.uint8]]
    Estimate = Callable[[], NDArray[Any]]
    Estimators = Mapping[str, Callable[[Arrays], Estimate]]

_WHITE = 255


def main() -> None:
    """Answer until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    estimators = {"cutaway": _cutaway, "pymatting": _pymatting}[sys.argv[1]]()
    for prepare in estimators.values():
        prepare(_small())()
    print(json.dumps({"ready": sys.argv[1]}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        with np.load(request["source"]) as file:
            estimate = estimators[request["what"]](dict(file))
        results: list[NDArray[Any]] = []
        answer = measured(partial(_kept, estimate, results))
        np.save(request["target"], results[0])
        print(json.dumps(answer), file=answers, flush=True)


def _kept(estimate: Estimate, results: list[NDArray[Any]]) -> bool:
    results.append(estimate())
    return True


def _small() -> dict[str, NDArray[np.uint8]]:
    """A picture to start with."""
    ramp = np.tile(np.arange(0, _WHITE, 4, dtype=np.uint8), (64, 1))
    trimap = np.select([ramp < 60, ramp > 190], [0, _WHITE], 128).astype(np.uint8)
    return {"picture": np.stack([ramp, ramp.T, ramp], axis=2), "trimap": trimap, "alpha": ramp}


def _cutaway() -> Estimators:
    from cutaway.compositing.edge_colours import clean_edge_colours
    from cutaway.engine.matting import estimate_alpha
    from cutaway.progress import Progress

    def cleaned(picture: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
        clean_edge_colours(picture, alpha, Progress())
        return picture

    return {
        "alpha": lambda given: partial(
            estimate_alpha, given["picture"], given["trimap"], Progress()
        ),
        "colour": lambda given: partial(cleaned, given["picture"], given["alpha"]),
    }


def _pymatting() -> Estimators:
    """As its own `load_image` would have it, in floating point, before it is measured."""
    from pymatting import (  # type: ignore[import-not-found]
        estimate_alpha_cf,
        estimate_foreground_ml,
    )

    warnings.simplefilter("ignore")  # it has several attempts, and tells each

    def alpha(given: Arrays) -> Estimate:
        levels = np.where(np.isin(given["trimap"], (0, _WHITE)), given["trimap"] / _WHITE, 0.5)
        return partial(estimate_alpha_cf, given["picture"] / _WHITE, levels)

    def colour(given: Arrays) -> Estimate:
        shares = given["picture"] / _WHITE, given["alpha"] / _WHITE
        return lambda: estimate_foreground_ml(*shares) * _WHITE

    return {"alpha": alpha, "colour": colour}


if __name__ == "__main__":
    main()
