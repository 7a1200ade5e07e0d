"""Removal on this machine: which engine runs, kept warm between removals."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cutaway import catalogue
from cutaway.backends import Finding, doubts
from cutaway.backends.seen import seen
from cutaway.engine.store import ModelStore
from cutaway.errors import ModelNotInstalled, OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.engine.matte import Engine
    from cutaway.images import Pixels
    from cutaway.options import RemovalOptions
    from cutaway.progress import Progress
    from cutaway.settings import Settings
    from cutaway.sources import Loaded

__all__ = ["AUTO", "CLASSICAL", "NO_MODEL", "LocalBackend"]

AUTO = "auto"
CLASSICAL = "classical"

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

    def find_subject(
        self,
        pixels: Pixels,
        options: RemovalOptions,
        progress: Progress,
        original: Loaded | None = None,  # noqa: ARG002  (for those that send it elsewhere)
    ) -> Finding:
        """Find the subject; see `Backend`."""
        with progress.stage("finding the subject"):
            name, path = self.choose(options.model)
            matte = self._engine(name, path).find_subject(seen(pixels), progress)
        lacking = name == CLASSICAL and options.model == AUTO == self._settings.model
        warnings = (NO_MODEL,) if lacking else ()
        return Finding(matte, name, (*warnings, *doubts(matte.confidence)))

    def check(self, options: RemovalOptions) -> str:
        """Name the model that would run; see `Backend`."""
        return self.choose(options.model)[0]

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
