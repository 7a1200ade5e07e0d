"""Removal on this machine: which engine runs, kept warm between removals."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cutaway import catalogue
from cutaway.backends import Finding, doubts
from cutaway.backends.seen import seen
from cutaway.engine.runtimes.choice import ACCELERATORS, choose
from cutaway.engine.store import ModelStore
from cutaway.engine.warm import WarmNetworks
from cutaway.errors import ModelNotInstalled, OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.catalogue import Model
    from cutaway.engine.matte import Matte
    from cutaway.engine.network import NetworkEngine
    from cutaway.images import Pixels
    from cutaway.options import RemovalOptions
    from cutaway.progress import Progress
    from cutaway.settings import Settings
    from cutaway.sources import Loaded

__all__ = ["AUTO", "CLASSICAL", "NO_MODEL", "LocalBackend"]

AUTO = "auto"
CLASSICAL = "classical"

_LARGE = 1_000_000_000

NO_MODEL = (
    "no model is installed, so the classical engine ran: good on plain backgrounds; "
    "for any background, run: cutaway models pull u2netp"
)


class LocalBackend:
    """Finds subjects with a network whose file is here, or without one.

    Args:
        settings: Where models are kept, the model that `auto` stands for, runtime, threads.
        weights: A file to use for the named model instead of the installed one; it is trusted.
        warm: Keeps the networks that were used last; two of them for ten minutes if None.

    Raises:
        ModelNotInstalled: there is no such file.
    """

    name = "local"

    def __init__(
        self,
        settings: Settings,
        weights: Path | None = None,
        warm: WarmNetworks | None = None,
    ) -> None:
        if weights is not None and not weights.is_file():
            raise ModelNotInstalled(
                f"the weights {weights} can't be used", "there is no such file", "Check the path"
            )
        self._settings = settings
        self._weights = weights
        self._store = ModelStore(settings.models_dir)
        self._warm = warm or WarmNetworks()

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
            if path is None:
                from cutaway.engine.classical import ClassicalEngine

                matte = ClassicalEngine().find_subject(seen(pixels), progress)
                told = [NO_MODEL] if options.model == AUTO == self._settings.model else []
            else:
                matte, told = self._seen_by_network(name, path, pixels, progress)
        return Finding(matte, name, (*told, *doubts(matte.confidence)))

    def check(self, options: RemovalOptions) -> str:
        """Name the model that would run; see `Backend`."""
        name, path = self.choose(options.model)
        if path:
            self._warm.check(name, self._memory_for(catalogue.find(name)))
        return name

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
        self._warm.close()

    def _seen_by_network(
        self, name: str, path: Path, pixels: Pixels, progress: Progress
    ) -> tuple[Matte, list[str]]:
        """What a network finds, and what the user should know about how it ran."""
        model = catalogue.find(name)
        load = partial(self._load, model, path)
        with self._warm.lent(name, load, self._memory_for(model)) as engine:
            return engine.find_subject(seen(pixels), progress), [*engine.runtime.warnings]

    def _memory_for(self, model: Model) -> int:
        """Bytes of memory that a model takes; 0 where it takes a device's own instead."""
        return 0 if choose(self._settings.runtime) in ACCELERATORS else model.memory

    def _load(self, model: Model, path: Path) -> NetworkEngine:
        from cutaway.engine.network import NetworkEngine
        from cutaway.engine.runtimes import load_network

        # OpenVINO tells files apart by path, size and second: weights that are put in the place
        # of others could be taken for those.
        compiled = None if self._weights else self._store.place(model).compiled
        network = load_network(
            path,
            self._settings.threads,
            asked=self._settings.runtime,
            arena=_keeps_arena(model),
            compiled=compiled,
        )
        return NetworkEngine(model, network)


def _keeps_arena(model: Model) -> bool:
    """Whether onnxruntime is to keep its memory from run to run.

    That saves u2netp a fifth of its time for 0.3 GB. It saves the large ones a tenth at most, for
    gigabytes that others could use between two pictures.
    """
    return model.memory < _LARGE


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
