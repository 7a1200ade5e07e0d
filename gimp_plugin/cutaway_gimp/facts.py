"""What a dialog shows before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutaway import Client, Settings
from cutaway.errors import AuthError, ConfigError, CutawayError

if TYPE_CHECKING:
    from cutaway import ModelFacts

__all__ = ["LOCAL", "facts"]

LOCAL = "local"
_RUNWARE = "runware"


def facts() -> dict[str, Any]:
    """The frame that tells of the models, of the backend that is set, and whether its key is there.

    Raises:
        ConfigError: a setting can't be used.
    """
    settings = Settings.load()
    with Client(settings) as client:
        models = [_model(model) for model in client.models()]
    return {
        "kind": "facts",
        "settings_backend": settings.backend,
        "key_found": _key_found(settings),
        "remote_auto": _remote_auto(settings),
        "models": models,
    }


def _service(settings: Settings) -> str:
    """The service that is set, else Runware."""
    return _RUNWARE if settings.backend == LOCAL else settings.backend


def _remote_auto(settings: Settings) -> str | None:
    """The name of the model that a service is asked for by itself; None if there is none."""
    try:
        with Client(settings, backend=_service(settings)) as client:
            return next((model.name for model in client.models() if model.is_auto), None)
    except CutawayError:
        return None


def _key_found(settings: Settings) -> bool:
    """Whether nothing lacks for a service."""
    try:
        with Client(settings, backend=_service(settings)) as client:
            client.check()
    except (AuthError, ConfigError):
        return False
    except CutawayError:
        return True  # what is wrong is something else
    return True


def _model(model: ModelFacts) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "good_for": model.good_for,
        "licence": model.licence,
        "local": model.local,
        "installed": model.installed,
        "remote": model.remote,
        "price": None if model.price is None else str(model.price),
        "is_auto": model.is_auto,
    }
