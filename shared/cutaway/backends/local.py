"""Removal on this machine: which engine runs, kept warm between removals."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from cutaway import catalogue
from cutaway.backends import Finding
from cutaway.engine.store import ModelStore
from cutaway.errors import ModelNotInstalled, OptionError
from cutaway.images import to_depth
from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cutaway.engine.matte import Engine
    from cutaway.images import Pixels
    from cutaway.options import RemovalOptions
    from cutaway.progress import Progress
    from cutaway.settings import Settings

__all__ = ["AUTO", "CLASSICAL", "NO_MODEL", "LocalBackend"]

AUTO = "auto"
CLASSICAL = "classical"

_SURE_FROM = 0.6
NO_MODEL = (
    "no model is installed, so the classical engine ran: good on plain backgrounds; "
    "for any background, run: cutaway models pull u2netp"
)


class LocalBackend:
    """Finds subjects with a network whose file is here, or without one.

    Args:
        settings: Where models are kept, the model that `auto` stands for, threads.
        weights: A file to use for the named model instead of the installed one; it is trusted.

    Raises:
        ModelNotInstalled: there is no such file.
    """

    name = "local"

    def __init__(self, settings: Settings, weights: Path | None = None) -> None:
        if weights is not None and not weights.is_file():
            raise ModelNotInstalled(
                f"the weights {weights} can't be used", "there is no such file", "Check the path"
            )
        self._settings = settings
        self._weights = weights
        self._store = ModelStore(settings.models_dir)
        self._lock = threading.Lock()
        self._engines: dict[str, Engine] = {}

    def find_subject(self, pixels: Pixels, options: RemovalOptions, progress: Progress) -> Finding:
        """Find the subject; see `Backend`."""
        name, path = self.choose(options.model)
        engine = self._engine(name, path)
        matte = engine.find_subject(_seen(pixels), progress)
        return Finding(matte, name, tuple(self._warnings(name, options, matte.confidence)))

    def choose(self, model: str) -> tuple[str, Path | None]:
        """The name and file of the model that would run for `model` (no file: classical).

        Raises:
            UnknownModel: no model has that name.
            ModelNotInstalled: its file is not here.
            ModelDamaged: its file is not what was published.
            LicenceNotAccepted: its licence must be accepted first.
            OptionError: weights were given without the model they belong to.
        """
        wanted = self._settings.model if model == AUTO else model
        if self._weights is not None:
            return _named_for_weights(wanted), self._weights
        if wanted == AUTO:
            best = self._store.best()
            return (best.model.name, best.path) if best else (CLASSICAL, None)
        if wanted == CLASSICAL:
            return CLASSICAL, None
        installed = self._store.require(catalogue.find(wanted))
        return installed.model.name, installed.path

    def close(self) -> None:
        """Let the loaded networks go."""
        with self._lock:
            self._engines.clear()

    def _engine(self, name: str, path: Path | None) -> Engine:
        with self._lock:
            if name not in self._engines:
                self._engines[name] = _start(name, path, self._settings.threads)
            return self._engines[name]

    def _warnings(self, name: str, options: RemovalOptions, confidence: float) -> list[str]:
        warnings = []
        if name == CLASSICAL and options.model == AUTO == self._settings.model:
            warnings.append(NO_MODEL)
        if confidence < _SURE_FROM:
            warnings.append(f"the subject is uncertain (confidence {confidence:.2f}): check it")
        return warnings


def _named_for_weights(name: str) -> str:
    if name == CLASSICAL:
        raise OptionError(
            "the weights can't be used",
            "the classical engine has none",
            "Name the model they belong to, such as u2netp",
        )
    if name == AUTO:
        raise OptionError(
            "the weights can't be used",
            "a file doesn't say which model it is",
            "Name the model too, such as u2netp",
        )
    return catalogue.find(name).name


def _start(name: str, path: Path | None, threads: int | None) -> Engine:
    if path is None:
        from cutaway.engine.classical import ClassicalEngine

        return ClassicalEngine()
    from cutaway.engine.network import NetworkEngine
    from cutaway.engine.runtimes import load_network

    return NetworkEngine(catalogue.find(name), load_network(path, threads))


def _seen(pixels: Pixels) -> NDArray[np.uint8]:
    """The picture as an engine sees it: on white where the picture itself is transparent.

    The colour under full transparency is whatever the last program left there.
    """
    guide = pixels.guide()
    if pixels.alpha is None:
        return guide
    seen = np.empty_like(guide)
    for top, bottom in stripes(pixels.height, pixels.width * 6):
        alpha = to_depth(pixels.alpha[top:bottom], 8)[..., None].astype(np.uint16)
        seen[top:bottom] = (guide[top:bottom] * alpha + 255 * (255 - alpha) + 127) // 255
    return seen
