"""GIMP 2.10 for its plug-in: a real Python 2.7, in which a stand-in for GIMP plays a scene."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tests.gimp_root import Root

__all__ = ["ARGUMENTS", "SOURCE", "OldGimp", "Report", "layer"]

SOURCE = ROOT / "gimp_plugin/cutaway_gimp/plug_in_2_10" / "cutaway-remove-background-2-10.py"
ARGUMENTS = {
    "output": "new-layer",
    "backend": "local",
    "model": "classical",
    "alpha-matting": False,
    "alpha-matting-foreground-threshold": 240,
    "alpha-matting-background-threshold": 10,
    "alpha-matting-erode-size": 10,
    "post-process-mask": False,
    "clean-edges": True,
    "feather": 0.0,
}
"""The defaults, save the model, which is the one that needs no file."""

_KINDS = {1: "GRAY", 2: "GRAYA", 3: "RGB", 4: "RGBA"}
_DTYPES = {8: np.uint8, 16: np.uint16, 32: np.float32}


def layer(pixels: NDArray[Any], **facts: Any) -> dict[str, Any]:
    """A layer of a scene, called Läufer, of (height, width, channels) of any depth there is.

    Args:
        pixels: 8 or 16 bits, or floats 0..1.
        facts: More of what a scene tells of a layer; its mask as an array.
    """
    if "mask" in facts:
        facts["mask"] = _text(facts["mask"])
    told = {"name": "Läufer", "kind": _KINDS[pixels.shape[2]], "pixels": _text(pixels)}
    return {**told, **facts}


@dataclass(frozen=True)
class Report:
    """What became of a scene."""

    told: dict[str, Any]
    dtype: type

    def __getitem__(self, name: str) -> Any:
        return self.told[name]

    def layer(self, name: str) -> dict[str, Any]:
        """A layer, its pixels and its mask as arrays."""
        told = next(one for one in self["layers"] if one["name"] == name)
        shape = self["height"], self["width"]
        channels = {kind: channels for channels, kind in _KINDS.items()}[told["kind"]]
        mask = None if told["mask"] is None else self._array(told["mask"], *shape)
        return {**told, "pixels": self._array(told["pixels"], *shape, channels), "mask": mask}

    def _array(self, text: str, *shape: int) -> NDArray[Any]:
        return np.frombuffer(base64.b64decode(text), self.dtype).reshape(shape)


class OldGimp:
    """A profile with the plug-in, and the Python that runs it.

    Args:
        root: That of Python 2.7. It is run from outside, with the root's own libraries, so that
            the worker that it starts is one of ours.
        folder: Where to put things.
        python: What the installation noted; None if there was none.
    """

    def __init__(self, root: Root, folder: Path, python: str | Path | None = sys.executable):
        self._root = root.path
        self._folder = folder
        self._plug_in = Path(shutil.copy(SOURCE, folder))
        if python is not None:
            record = json.dumps({"python": str(python), "version": "0.1.0"})
            (folder / "installed.json").write_text(record, encoding="utf-8")

    def play(self, layers: Sequence[dict[str, Any]], pixels: NDArray[Any], **scene: Any) -> Report:
        """Play a scene to its end.

        Args:
            layers: From bottom to top; the first one is chosen, unless the scene says otherwise.
            pixels: Of one of them: the image is of its size, depth and colours.
            scene: What else there is to tell. Its arguments are those that differ from the usual.
        """
        process = self.start(layers, pixels, **scene)
        log, _ = process.communicate(timeout=100)
        assert process.returncode == 0, log
        report = json.loads((self._folder / "report.json").read_text(encoding="utf-8"))
        size = {"height": pixels.shape[0], "width": pixels.shape[1]}
        return Report({**report, **size, "log": log}, pixels.dtype.type)

    def registered(self) -> dict[str, Any]:
        """What the plug-in tells of itself."""
        process = self._started({})
        log, _ = process.communicate(timeout=100)
        assert process.returncode == 0, log
        told: dict[str, Any] = json.loads(
            (self._folder / "report.json").read_text(encoding="utf-8")
        )
        return told

    def start(
        self, layers: Sequence[dict[str, Any]], pixels: NDArray[Any], **scene: Any
    ) -> subprocess.Popen[str]:
        """Begin to play a scene."""
        height, width, channels = pixels.shape
        arguments = {**ARGUMENTS, **scene.pop("arguments", {})}
        usual = {
            "base": "GRAY" if channels < 3 else "RGB",
            "depth": pixels.itemsize * 8,
            "width": width,
            "height": height,
            "layers": list(layers),
            "chosen": layers[0]["name"],
        }
        return self._started({**usual, **scene, "arguments": list(arguments.values())})

    def run(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start Python 2.7 in an environment like GIMP's, in which no other Python could start."""
        folder = next((self._root / "usr/lib").glob("*-linux-gnu"))
        loader = next(folder.glob("ld-linux*"))
        environment = {
            **{name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")},
            "PYTHONHOME": str(self._root / "usr"),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests/fakes"), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": str(folder),
            "LC_ALL": "C",  # in which Python 2 can't tell what the bytes of most texts are
        }
        python = self._root / "usr/bin/python2.7"
        return subprocess.Popen(
            [loader, "--library-path", str(folder), python, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            process_group=0,
        )

    def _started(self, scene: dict[str, Any]) -> subprocess.Popen[str]:
        report = self._folder / "report.json"
        report.unlink(missing_ok=True)
        path = self._folder / "scene.json"
        path.write_text(json.dumps({**scene, "report": str(report)}), encoding="utf-8")
        return self.run(self._plug_in, path)


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
