"""OpenCV's own runtime, which is always here: U-2-Net runs in it, larger models may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from cutaway.engine.runtimes.answers import failed, plane
from cutaway.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cutaway.progress import Cancellation

__all__ = ["OpenCvRuntime"]


class OpenCvRuntime:
    """A network in OpenCV's runtime; see `Runtime`.

    Args:
        path: The ONNX file.

    Raises:
        RuntimeUnavailable: OpenCV can't read or can't run it; it doesn't tell which.
    """

    name = "opencv"
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
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
        try:
            self._net.setInput(picture)
            result = self._net.forward(self._output)
        except cv2.error as error:
            raise failed(error) from error
        cancellation.check()
        return plane(result)


def _natural(name: str) -> tuple[int, str]:
    """Order output names as exporters number them: the first output has the lowest number."""
    digits = "".join(filter(str.isdigit, name))
    return (int(digits) if digits else 0, name)
