"""What runs a network: onnxruntime, or OpenCV's own runtime where that is absent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from cutaway.errors import ModelDamaged, RuntimeUnavailable
from cutaway.machine import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from cutaway.progress import Cancellation

__all__ = ["Runtime", "load_network"]


class Runtime(Protocol):
    """A loaded network with one picture in and the matte as its first output."""

    name: str

    def run(self, picture: NDArray[np.float32], cancellation: Cancellation) -> NDArray[np.float32]:
        """Run the network.

        Args:
            picture: float32, shape (1, 3, size, size), normalised as the network wants it.
            cancellation: Interrupts the run where the runtime can be interrupted.

        Returns:
            The raw first output, float32, shape (height, width).

        Raises:
            ModelDamaged: the network can't take this picture, so it isn't the named model.
            Cancelled: the caller stopped it.
        """
        ...


def load_network(path: Path, threads: int | None = None) -> Runtime:
    """Load an ONNX file with the best runtime that is here.

    Args:
        path: The file.
        threads: How many to run on; all usable cores if None.

    Raises:
        ModelDamaged: the file is not a network that the runtime can read.
    """
    try:
        import onnxruntime  # noqa: F401  (heavy; and it may be absent)
    except ImportError:
        return OpenCvRuntime(path)
    return OnnxRuntime(path, threads or usable_cores())


class OnnxRuntime:
    """A network in onnxruntime, on the CPU."""

    name = "onnxruntime"

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._run_options: Callable[[], Any] = onnxruntime.RunOptions
        self._failures: tuple[type[Exception], ...] = _failures(onnxruntime)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except self._failures as error:
            raise _unreadable(str(path), error) from error
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def run(self, picture: NDArray[np.float32], cancellation: Cancellation) -> NDArray[np.float32]:
        """Run the network; a cancel ends it within one layer."""
        run_options = self._run_options()

        def terminate() -> None:
            run_options.terminate = True

        try:
            with cancellation.interrupting(terminate):
                (result,) = self._session.run([self._output], {self._input: picture}, run_options)
        except self._failures as error:
            cancellation.check()
            raise _unfit(error) from error
        return _plane(result)


class OpenCvRuntime:
    """A network in OpenCV's own runtime: U-2-Net runs there, larger models may not."""

    name = "opencv"

    def __init__(self, path: Path) -> None:
        # A Net keeps its blobs between calls, so two threads must not share one.
        self._lock = threading.Lock()
        try:
            self._net = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise RuntimeUnavailable(
                f"OpenCV's runtime can't run {path.name}",
                str(error.err or error).strip(),
                "Install onnxruntime (pip install onnxruntime), or get the file again",
            ) from error
        self._output = min(self._net.getUnconnectedOutLayersNames(), key=_natural)

    def run(self, picture: NDArray[np.float32], cancellation: Cancellation) -> NDArray[np.float32]:
        """Run the network; a cancel is noticed afterwards."""
        with self._lock:
            try:
                self._net.setInput(picture)
                result = self._net.forward(self._output)
            except cv2.error as error:
                raise _unfit(error) from error
        cancellation.check()
        return _plane(result)


def _natural(name: str) -> tuple[int, str]:
    """Order output names as exporters number them: the first output has the lowest number."""
    digits = "".join(filter(str.isdigit, name))
    return (int(digits) if digits else 0, name)


def _failures(onnxruntime: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401  (an untyped module)
    """What onnxruntime raises: pybind classes without a common base of their own."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile")
    more = ("NotImplemented", "RuntimeException", "EPFail", "NoModel")
    return (*(getattr(state, name) for name in names + more if hasattr(state, name)), RuntimeError)


def _plane(result: Any) -> NDArray[np.float32]:  # noqa: ANN401  (both runtimes are untyped here)
    array = np.asarray(result, np.float32)
    if array.ndim < 2:  # noqa: PLR2004
        raise _unfit("its output is no picture")
    plane: NDArray[np.float32] = array.reshape(-1, *array.shape[-2:])[0]
    return plane


def _unreadable(path: str, error: object) -> ModelDamaged:
    return ModelDamaged(
        f"{path} could not be loaded",
        _first_line(error),
        "Get the file again, or give another one",
    )


def _unfit(error: object) -> ModelDamaged:
    return ModelDamaged(
        "the network could not take the picture",
        _first_line(error),
        "Check that the weights belong to the named model",
    )


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines() or ["no reason was given"]
    return lines[0].rpartition(" : ")[2][:200]
