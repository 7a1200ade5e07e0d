"""The models to choose from, wherever they run: what each is good for, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cutaway import catalogue
from cutaway.backends.local import AUTO, CLASSICAL, LocalBackend
from cutaway.engine.store import ModelStore
from cutaway.errors import CutawayError, ModelDamaged

if TYPE_CHECKING:
    from decimal import Decimal

    from cutaway.backends.runware import RunwareBackend
    from cutaway.catalogue import Model, RemoteModel
    from cutaway.settings import Settings

__all__ = ["ModelFacts", "model_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model that a removal can name.

    Attributes:
        name: What to choose it by; its AIR and its slug do as well.
        title: Its name for people.
        good_for: What to choose it for, a short phrase; empty where no one says.
        air: Runware's id of it; None where Runware doesn't have it.
        slug: Runware's readable name of it; None where Runware doesn't have it.
        local: Whether it can run on this machine, once its file is here.
        installed: Whether its file is here, whole; of the classical engine, which has none, true.
        remote: Whether Runware runs it.
        price: US dollars that Runware takes for a picture; None where it publishes none.
        licence: Its weights' licence; None where it runs at Runware only.
        size: Bytes of its file; None where it runs at Runware only.
        is_auto: Whether the client would take it for `auto` now.
    """

    name: str
    title: str
    good_for: str = ""
    air: str | None = None
    slug: str | None = None
    local: bool = False
    installed: bool = False
    remote: bool = False
    price: Decimal | None = None
    licence: str | None = None
    size: int | None = None
    is_auto: bool = False


def model_facts(
    settings: Settings, backend: LocalBackend | RunwareBackend
) -> tuple[ModelFacts, ...]:
    """Every model that works on pictures: the classical engine, local ones, Runware's own.

    Args:
        settings: Where this machine's files are; one that was never looked at is hashed.
        backend: The one that decides what `auto` takes.
    """
    store = ModelStore(settings.models_dir)
    remote = [model for model in catalogue.remote_models() if not model.video]
    twins = {model.twin: model for model in remote if model.twin}
    found = [
        _CLASSICAL,
        *(_local(model, twins.get(model.name), store) for model in catalogue.models()),
        *(_remote(model) for model in remote if not model.twin),
    ]
    auto = _auto(backend)
    return tuple(replace(model, is_auto=model.name == auto) for model in found)


_CLASSICAL = ModelFacts(
    name=CLASSICAL,
    title="Classical engine",
    good_for="plain backgrounds",
    local=True,
    installed=True,
    licence="MIT",
    size=0,
)


def _local(model: Model, twin: RemoteModel | None, store: ModelStore) -> ModelFacts:
    return ModelFacts(
        name=model.name,
        title=model.title,
        good_for=model.good_for,
        air=model.air,
        slug=model.slug,
        local=True,
        installed=_is_installed(model, store),
        remote=twin is not None,
        price=twin.price if twin else None,
        licence=model.licence,
        size=model.size,
    )


def _remote(model: RemoteModel) -> ModelFacts:
    return ModelFacts(
        name=model.slug,
        title=model.title,
        air=model.air,
        slug=model.slug,
        remote=True,
        price=model.price,
    )


def _is_installed(model: Model, store: ModelStore) -> bool:
    try:
        return store.locate(model) is not None
    except ModelDamaged:
        return False


def _auto(backend: LocalBackend | RunwareBackend) -> str | None:
    """The name of what a backend takes for `auto`; None if that fails, or is listed nowhere."""
    try:
        if isinstance(backend, LocalBackend):
            return backend.choose(AUTO)[0]
        model = backend.model(AUTO)
    except CutawayError:
        return None
    return model.twin or model.slug or None
