"""OpenVINO: on processors, in half the time where they have bfloat16."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from cutaway.engine.runtimes.answers import failed, plane, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cutaway.progress import Cancellation

__all__ = ["OpenVinoRuntime", "version"]

Untyped: TypeAlias = Any
"""OpenVINO and what comes from it: it may be absent, and its types with it."""

_TELEMETRY = "openvino_telemetry"
_importing = threading.Lock()


class OpenVinoRuntime:
    """A network in OpenVINO, on the processor; see `Runtime`.

    Args:
        path: The ONNX file.
        threads: How many run it.
        compiled: A folder for what OpenVINO makes of the network; what other versions of it have
            left there is deleted. Nothing is kept if it can't be written to.

    Raises:
        ModelDamaged: the file is no network.
    """

    name = "openvino"
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, threads: int, compiled: Path | None = None) -> None:
        library = _library()
        core = library.Core()
        config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _precision(core),
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Pinned threads of two processes would share cores while others are idle.
            "ENABLE_CPU_PINNING": False,
        }
        if compiled and _is_ready(compiled, _number(library)):
            config["CACHE_DIR"] = str(compiled / _number(library))
        try:
            network = core.compile_model(str(path), "CPU", config)
        except RuntimeError as error:
            raise unreadable(path, error) from error
        self._request = network.create_infer_request()

    def run(self, picture: NDArray[np.float32], cancellation: Cancellation) -> NDArray[np.float32]:
        """Run the network; a cancel ends it within one layer."""
        cancellation.check()  # from here on only what comes later is noticed
        try:
            self._request.start_async([picture], share_inputs=True)
            with cancellation.interrupting(self._request.cancel):
                self._request.wait()
        except RuntimeError as error:
            cancellation.check()
            raise failed(error) from error
        return plane(self._request.get_output_tensor(0).data).copy()


def version() -> str:
    """OpenVINO's version, and the precision that it runs in here.

    Raises:
        ImportError: it isn't here, or can't be used.
    """
    library = _library()
    return f"{_number(library)} ({_precision(library.Core())})"


def _library() -> Untyped:
    with _importing, _unimportable(_TELEMETRY):
        return import_module("openvino")


@contextmanager
def _unimportable(name: str) -> Iterator[None]:
    """Hide a module: to import OpenVINO is told to its makers, if it finds what tells them."""
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # (so says the import system: absent)
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


def _number(library: Untyped) -> str:
    return str(library.__version__).partition("-")[0]


def _precision(core: Untyped) -> str:
    """What the processor is quick in, of what is good enough."""
    return "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def _is_ready(compiled: Path, number: str) -> bool:
    """Whether there is a folder to keep this version's work in, and no other version's."""
    try:
        (compiled / number).mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    for other in compiled.iterdir():
        if other.name != number:
            shutil.rmtree(other, ignore_errors=True)
    return os.access(compiled / number, os.W_OK)
