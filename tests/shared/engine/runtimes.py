"""The runtimes that networks are tested in, and a look at when they run."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from cutaway.progress import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RUNTIMES", "Watched", "needs_openvino"]

needs_openvino = pytest.mark.skipif(
    find_spec("openvino") is None,
    reason="OpenVINO is not installed: pip install -c constraints.txt openvino",
)

RUNTIMES = ("onnxruntime", "opencv", pytest.param("openvino", marks=needs_openvino))


class Watched(Cancellation):
    """A cancellation that tells when there is something to interrupt.

    Attributes:
        runs: Set from then on.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs = threading.Event()

    def cancel_once_it_runs(self) -> None:
        """Cancel from another thread as soon as there is something to interrupt."""

        def cancel() -> None:
            self.runs.wait()
            self.cancel()

        threading.Thread(target=cancel, daemon=True).start()

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        with super().interrupting(interrupt):
            self.runs.set()
            yield
