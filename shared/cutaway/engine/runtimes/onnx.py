"""Onnxruntime: on the processor, or on a device that it can run networks on."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeAlias

from cutaway.engine.runtimes.answers import failed, first_line, plane, unreadable
from cutaway.engine.runtimes.choice import NOT_MADE_FOR_IT

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cutaway.engine.runtimes.choice import Accelerator
    from cutaway.progress import Cancellation

__all__ = ["OnnxRuntime", "fault_of"]

Untyped: TypeAlias = Any
"""Onnxruntime and what comes from it: it has no types."""

_PROCESSOR = "CPUExecutionProvider"
_NOTHING = 4

# The smallest network there is: what comes in goes out. It shows whether a device starts.
_NOTHING_TO_DO = bytes.fromhex(
    "080812003a370a100a017812017922084964656e7469747912016e5a0f0a0178"
    "120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a001011"
)


class OnnxRuntime:
    """A network in onnxruntime; see `Runtime`.

    Args:
        path: The ONNX file.
        threads: How many the processor runs it on.
        accelerator: Where to run it instead; on the processor all the same, with a warning, if
            that doesn't take the network.
        arena: Whether memory is kept from run to run.

    Raises:
        ModelDamaged: the file is no network.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        *,
        accelerator: Accelerator | None = None,
        arena: bool = True,
    ) -> None:
        import onnxruntime

        self._run_options = onnxruntime.RunOptions
        self._failures = _failures(onnxruntime)
        self.name: str = "onnxruntime"
        self.warnings: tuple[str, ...] = ()
        options = _options(onnxruntime, threads, arena=arena)
        self._session = self._open(onnxruntime, path, options, accelerator)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def run(self, picture: NDArray[np.float32], cancellation: Cancellation) -> NDArray[np.float32]:
        """Run the network; a cancel ends it within one layer."""
        run_options = self._run_options()
        run_options.log_severity_level = _NOTHING

        def terminate() -> None:
            run_options.terminate = True

        try:
            with cancellation.interrupting(terminate):
                (result,) = self._session.run([self._output], {self._input: picture}, run_options)
        except self._failures as error:
            cancellation.check()
            raise failed(error) from error
        return plane(result)

    def _open(
        self,
        onnxruntime: Untyped,
        path: Path,
        options: Untyped,
        accelerator: Accelerator | None,
    ) -> Untyped:
        """A session where it is wished, or else on the processor with a warning."""
        if accelerator:
            try:
                session = _session(onnxruntime, str(path), options, accelerator)
            except self._failures as error:
                why = first_line(error)
            else:
                if accelerator.provider in session.get_providers():
                    self.name = accelerator.name
                    return session
                why = "it gave no reason"
            self.warnings = (
                f"{accelerator.title} did not take the network, which ran on the processor: {why}",
            )
        try:
            return _session(onnxruntime, str(path), options)
        except self._failures as error:
            raise unreadable(path, error) from error


def fault_of(accelerator: Accelerator) -> str:
    """Why onnxruntime can't run networks on a device; empty if it can."""
    import onnxruntime

    if accelerator.provider not in onnxruntime.get_available_providers():
        return NOT_MADE_FOR_IT
    # What is wrong with the device is ours to tell; onnxruntime would log it in many lines.
    onnxruntime.set_default_logger_severity(_NOTHING)
    told = StringIO()
    if accelerator.name == "cuda":
        with redirect_stdout(told):  # where it would print what it misses
            onnxruntime.preload_dlls()
    try:
        options = _options(onnxruntime, 1, arena=False)
        session = _session(onnxruntime, _NOTHING_TO_DO, options, accelerator)
    except _failures(onnxruntime) as error:
        return f"it does not start: {first_line(error)}"
    if accelerator.provider in session.get_providers():
        return ""
    return f"it does not start: {first_line(told.getvalue())}"


def _options(onnxruntime: Untyped, threads: int, *, arena: bool) -> Untyped:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _NOTHING  # what goes wrong is raised, a cancel is no error
    options.enable_cpu_mem_arena = arena
    # Its plan for all layers at once takes 0.7 GB for u2netp where 0.4 will do, and saves no time.
    options.enable_mem_pattern = False
    # Threads that wait by counting take the cores from those that decode and encode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _session(
    onnxruntime: Untyped,
    network: str | bytes,
    options: Untyped,
    accelerator: Accelerator | None = None,
) -> Untyped:
    wished = [(accelerator.provider, accelerator.options)] if accelerator else []
    # Its own way to fall back prints to stdout, where results go.
    return onnxruntime.InferenceSession(
        network, options, providers=[*wished, _PROCESSOR], enable_fallback=0
    )


def _failures(onnxruntime: Untyped) -> tuple[type[Exception], ...]:
    """What onnxruntime raises: pybind classes without a common base of their own."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile")
    more = ("NotImplemented", "RuntimeException", "EPFail", "NoModel")
    return (*(getattr(state, name) for name in names + more if hasattr(state, name)), RuntimeError)
