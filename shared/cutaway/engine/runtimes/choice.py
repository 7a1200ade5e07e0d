"""Which runtime runs a network: what is asked for, what is here, and what that comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Literal, get_args

from cutaway.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ACCELERATORS",
    "NAMES",
    "NOT_MADE_FOR_IT",
    "Accelerator",
    "Asked",
    "Found",
    "RuntimeName",
    "choose",
    "look_for",
]

RuntimeName = Literal["cuda", "directml", "openvino", "onnxruntime", "opencv", "coreml"]
Asked = Literal["auto", RuntimeName]

NAMES: tuple[RuntimeName, ...] = get_args(RuntimeName)
"""Every runtime."""

# Not CoreML, in whose compiler BiRefNet has hung (github.com/ZhengPeng7/BiRefNet/issues/101).
_USUAL: tuple[RuntimeName, ...] = ("cuda", "directml", "openvino", "onnxruntime", "opencv")


NOT_MADE_FOR_IT = "this onnxruntime is not made for it"
_ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A device that onnxruntime can run networks on.

    Attributes:
        name: The runtime's name for it.
        title: Its name for people.
        provider: Onnxruntime's name for it.
        options: What onnxruntime is to do with it.
        package: The package that brings it in onnxruntime's place; none if onnxruntime has it.
    """

    name: RuntimeName
    title: str
    provider: str
    options: dict[str, str] = field(default_factory=dict)
    package: str = ""


ACCELERATORS: dict[RuntimeName, Accelerator] = {
    one.name: one
    for one in (
        Accelerator("cuda", "CUDA", "CUDAExecutionProvider", package="onnxruntime-gpu"),
        Accelerator("directml", "DirectML", "DmlExecutionProvider", package="onnxruntime-directml"),
        # It is the compiler for the Neural Engine that hangs, so that one is left out.
        Accelerator(
            "coreml",
            "CoreML",
            "CoreMLExecutionProvider",
            {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"},
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Found:
    """What came of looking for a runtime.

    Attributes:
        version: Its version, and what else there is to know of it; empty if it can't be used.
        fault: Why it can't; empty if it can.
    """

    version: str = ""
    fault: str = ""

    def __str__(self) -> str:
        return self.version or self.fault


@cache
def look_for(name: RuntimeName) -> Found:
    """Look whether a runtime can be used here, once in a process."""
    if name in ACCELERATORS:
        return _look_for_device(ACCELERATORS[name])
    try:
        return Found(_version(name))
    except ModuleNotFoundError as error:
        return Found(fault=_ABSENT if error.name == name else f"unusable ({error})")
    except ImportError as error:
        return Found(fault=f"unusable ({error})")


def choose(asked: Asked, look: Callable[[RuntimeName], Found] = look_for) -> RuntimeName:
    """The runtime that networks run in.

    Args:
        asked: Its name, or `auto` for the best that is here.
        look: Tells what is here.

    Raises:
        RuntimeUnavailable: the one that is asked for can't be used.
    """
    if asked == "auto":
        return next(name for name in _USUAL if not look(name).fault)
    found = look(asked)
    if found.fault:
        raise RuntimeUnavailable(
            f"the runtime {asked} can't be used", found.fault, _advice(asked, found)
        )
    return asked


def _version(name: RuntimeName) -> str:
    """The version of a library, and what else there is to know; it is really imported."""
    if name == "openvino":
        from cutaway.engine.runtimes.openvino import version

        return version()
    return str(import_module("cv2" if name == "opencv" else name).__version__)


def _look_for_device(accelerator: Accelerator) -> Found:
    library = look_for("onnxruntime")
    if library.fault:
        return Found(fault=f"onnxruntime is {library.fault}")
    from cutaway.engine.runtimes.onnx import fault_of

    fault = fault_of(accelerator)
    return Found(fault=fault) if fault else library


def _advice(name: RuntimeName, found: Found) -> str:
    otherwise = "set CUTAWAY_RUNTIME to auto"
    if found.fault == _ABSENT:
        package = "'cutaway[openvino]'" if name == "openvino" else name
        return f"Install it (pip install {package}), or {otherwise}"
    if found.fault == NOT_MADE_FOR_IT and ACCELERATORS[name].package:
        return f"Put {ACCELERATORS[name].package} in onnxruntime's place, or {otherwise}"
    return f"Mend that, or {otherwise}"
