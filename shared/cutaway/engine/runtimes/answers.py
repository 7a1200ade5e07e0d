"""What runtimes answer with: a plane of numbers, or a failure told in our own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cutaway.errors import EngineError, ModelDamaged, NotEnoughMemory

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["failed", "first_line", "plane", "unreadable"]

_LONGEST = 200


def plane(result: Any) -> NDArray[np.float32]:  # noqa: ANN401  (the runtimes are untyped)
    """The last two dimensions of a network's output, the first of them all: float32."""
    array = np.asarray(result, np.float32)
    if array.ndim < 2:  # noqa: PLR2004  (a plane's)
        raise failed("its output is no picture")
    first: NDArray[np.float32] = array.reshape(-1, *array.shape[-2:])[0]
    return first


def unreadable(path: Path, error: object) -> ModelDamaged:
    """The error for a file that is no network."""
    return ModelDamaged(
        f"{path} could not be loaded",
        first_line(error),
        "Get the file again, or give another one",
    )


def failed(error: object) -> EngineError:
    """The error for a run that failed."""
    if "alloc" in str(error):  # `bad_alloc`, `Failed to allocate`: each runtime has its own
        return NotEnoughMemory(
            "the memory ran out while the network ran",
            "it asked for more than there is",
            "Close other programs, or choose a smaller model, such as u2netp",
        )
    return ModelDamaged(
        "the network could not take the picture",
        first_line(error),
        "Check that the weights belong to the named model",
    )


def first_line(error: object) -> str:
    """What an error says first, without the codes and source lines that go before it."""
    lines = str(error).strip().splitlines() or ["no reason was given"]
    told = next((line for line in lines if "src/" not in line), lines[0])
    return told.rpartition(" : ")[2].strip()[:_LONGEST]
