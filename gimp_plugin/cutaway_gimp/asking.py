"""Asking a worker what it has, as the plug-in does before it shows its dialog."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cutaway.errors import ConfigError
from cutaway_gimp.plug_in.worker_process import (
    NotInstalled,
    OtherVersion,
    Worker,
    WorkerEnded,
    WorkerRefused,
    WorkerSilent,
    command,
    environment,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway_gimp.plug_in.worker_process import Frame

__all__ = ["Answer", "ask"]

_WITHOUT_FILE = "classical"
_INSTALL = "With a Python that has Cutaway, run: cutaway gimp install"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker told of itself.

    Attributes:
        python: Which Python it runs in.
        version: Cutaway's.
        backend: The one that its settings name: local, runware or a URL.
        key_found: Whether there is a key for a service.
        models: The names of the models whose files are on this machine.
        auto: The model that it would take by itself; None if it can't tell.
    """

    python: str
    version: str
    backend: str
    key_found: bool
    models: tuple[str, ...]
    auto: str | None

    def facts(self) -> dict[str, Any]:
        """The same for JSON."""
        return asdict(self)


def ask(plug_in: Path, patience: float = 60.0) -> Answer:
    """Start the worker of an installed plug-in as the plug-in does, and have it tell of itself.

    Args:
        plug_in: The folder of the plug-in, which names the Python.
        patience: Seconds that its hello may take, and its answer as well; a model that was never
            used is hashed.

    Raises:
        ConfigError: it can't be started, doesn't answer, or answers with an error.
    """
    words = command(plug_in)
    what = f"Cutaway doesn't answer from {words[0]}"
    try:
        with Worker(words, environment(os.environ), patience) as worker:
            worker.send({"kind": "facts"})
            return _answer(words[0], worker.version, worker.receive(patience))
    except NotInstalled as error:
        raise ConfigError(what, f"it can't be started: {error}", _INSTALL) from error
    except WorkerSilent as error:
        raise ConfigError(
            what, f"it says nothing for {patience:g} seconds", "Try again, then install it anew"
        ) from error
    except WorkerEnded as error:
        raise ConfigError(what, _last_words(error), _INSTALL) from error
    except WorkerRefused as error:
        raise ConfigError(what, error.text, "See: cutaway doctor") from error
    except (OtherVersion, KeyError, TypeError) as error:
        raise ConfigError(what, "it is of another version than the plug-in", _INSTALL) from error


def _answer(python: str, version: str, frame: Frame | None) -> Answer:
    if frame is None:
        raise WorkerSilent
    told, _ = frame
    here = [model["name"] for model in told["models"] if model["installed"]]
    return Answer(
        python=python,
        version=version,
        backend=told["settings_backend"],
        key_found=told["key_found"],
        models=tuple(name for name in here if name != _WITHOUT_FILE),
        auto=next((model["name"] for model in told["models"] if model["is_auto"]), None),
    )


def _last_words(ended: WorkerEnded) -> str:
    """What tells most about why a worker ended: the last line of its log."""
    last = ended.log.rpartition("\n")[2]
    return f"it ended with {ended.code}" + (f": {last}" if last else "")
