"""What runs a network: onnxruntime, OpenVINO or OpenCV's own runtime, behind one face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cutaway.engine.runtimes.choice import ACCELERATORS, choose
from cutaway.machine import usable_cores

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cutaway.engine.runtimes.choice import Asked
    from cutaway.progress import Cancellation

__all__ = ["Runtime", "load_network"]


class Runtime(Protocol):
    """A loaded network with one picture in and the matte as its first output.

    One picture at a time: whoever shares it among threads sees to that.

    Attributes:
        name: What really runs it, as `choice.RuntimeName` has it.
        warnings: What the user should know about that.
    """

    name: str
    warnings: tuple[str, ...]

    def run(self, picture: NDArray[np.float32], cancellation: Cancellation) -> NDArray[np.float32]:
        """Run the network.

        Args:
            picture: float32, shape (1, 3, size, size), normalised as the network wants it.
            cancellation: Interrupts the run where the runtime can be interrupted.

        Returns:
            The raw first output, float32, shape (height, width).

        Raises:
            ModelDamaged: the network can't take this picture, so it isn't the named model.
            NotEnoughMemory: the memory ran out.
            Cancelled: the caller stopped it.
        """
        ...


def load_network(
    path: Path,
    threads: int | None = None,
    *,
    asked: Asked = "auto",
    arena: bool = True,
    compiled: Path | None = None,
) -> Runtime:
    """Load an ONNX file with the runtime that is asked for, or the best that is here.

    Args:
        path: The file.
        threads: How many to run on; all usable cores if None.
        asked: A runtime's name, or `auto`.
        arena: Whether onnxruntime keeps the memory of a run for the next one: quicker, for as much
            memory as a run needs. OpenVINO always does, the others never.
        compiled: A folder where OpenVINO may keep what it made of the network, to load it sooner:
            for a file that is never another.

    Raises:
        ModelDamaged: the file is not a network that the runtime can read.
        RuntimeUnavailable: the runtime that is asked for isn't here, or can't run this network.
    """
    name = choose(asked)
    threads = threads or usable_cores()
    if name == "opencv":
        from cutaway.engine.runtimes.opencv import OpenCvRuntime

        return OpenCvRuntime(path)
    if name == "openvino":
        from cutaway.engine.runtimes.openvino import OpenVinoRuntime

        return OpenVinoRuntime(path, threads, compiled)
    from cutaway.engine.runtimes.onnx import OnnxRuntime

    return OnnxRuntime(path, threads, accelerator=ACCELERATORS.get(name), arena=arena)
