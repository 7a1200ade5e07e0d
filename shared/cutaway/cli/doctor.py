"""`cutaway doctor`: what is here, and what is wrong with it."""

from __future__ import annotations

import platform
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from cutaway import catalogue
from cutaway._version import __version__
from cutaway.cli.commands import FAILED
from cutaway.cli.display import error_facts, tell_error, tell_json
from cutaway.cli.parameters import LOCAL, as_json
from cutaway.errors import ConfigError, CutawayError, ModelDamaged, RuntimeUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.engine.store import ModelStore
    from cutaway.settings import Settings

__all__ = ["command"]

_LIBRARIES = {"numpy": "numpy", "opencv": "cv2", "pillow": "PIL"}


@click.command("doctor")
@as_json
@click.pass_context
def command(ctx: click.Context, /, *, as_json: bool) -> None:
    """Tell what is here: versions, settings, models, problems.

    Of a service's key it tells where it was found, never the key itself. Nothing is sent.

    It exits with 1 if something is wrong.
    """
    problems: list[CutawayError] = []
    facts = _machine(problems)
    facts |= _setup(problems, usable=not problems)
    if as_json:
        tell_json({**facts, "problems": [error_facts(one) for one in problems]}, indent=2)
    else:
        _tell(facts, problems)
    ctx.exit(FAILED if problems else 0)


def _tell(facts: dict[str, Any], problems: list[CutawayError]) -> None:
    for name, value in facts.items():
        parts = value if isinstance(value, dict) else {"": value}
        for part, told in (parts or {"": "none"}).items():
            click.echo(f"{f'{name} {part}'.replace('_', ' '):30}{_shown(told)}")
    for problem in problems:
        tell_error(problem)


def _shown(value: object) -> str:
    return {"True": "yes", "False": "no"}.get(str(value), str(value))


def _machine(problems: list[CutawayError]) -> dict[str, Any]:
    """What runs here; each library is really loaded, since one may be there and broken."""
    versions = {}
    for name, module in _LIBRARIES.items():
        try:
            versions[name] = str(import_module(module).__version__)
        except ImportError as error:
            versions[name] = "unusable"
            problems.append(_unusable(name, error))
    return {
        "cutaway": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **versions,
    }


def _unusable(name: str, error: ImportError) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        f"{name} can't be loaded",
        str(error),
        "Install Cutaway again: pip install --force-reinstall cutaway",
    )


def _setup(problems: list[CutawayError], *, usable: bool) -> dict[str, Any]:
    """What is set and installed; what would run only if the libraries are `usable`."""
    from cutaway.settings import Settings, config_path

    path = config_path()
    facts: dict[str, Any] = {"config": {"file": str(path), "exists": path.exists()}}
    try:
        settings = Settings.load()
    except CutawayError as error:
        problems.append(error)
        return facts
    from cutaway.engine.store import ModelStore

    facts |= {
        "models_folder": str(settings.models_dir),
        "installed": _installed(ModelStore(settings.models_dir), problems),
        "limits": settings.limits.model_dump(),
    }
    facts |= _backend(settings, problems)
    return {**facts, **_engine(settings, problems)} if usable else facts


def _installed(store: ModelStore, problems: list[CutawayError]) -> dict[str, str]:
    """The path of each model's file that is here."""
    found = {}
    for model in catalogue.models():
        try:
            installed = store.locate(model)
        except ModelDamaged as error:
            problems.append(error)
        else:
            if installed:
                found[model.name] = str(installed.path)
    return found


def _backend(settings: Settings, problems: list[CutawayError]) -> dict[str, Any]:
    """Where removals run, and whether there is a key for the service; never the key."""
    from cutaway.cli.service import no_key
    from cutaway.keys import locate_key
    from cutaway.runware.endpoint import RUNWARE, Endpoint

    local = settings.backend == LOCAL
    facts: dict[str, Any] = {"backend": LOCAL}
    try:
        endpoint = Endpoint.parse(RUNWARE if local else settings.backend, settings.transport)
        if not local:
            address, _, _ = endpoint.url.partition("?")
            facts["backend"] = {"name": endpoint.account, "url": address}
        found = locate_key(settings, endpoint.account)
    except ConfigError as error:
        if not local:
            problems.append(error)
        return {**facts, "key": f"unknown: {error.why or error.what}"}
    if not (found or local) and endpoint.account == RUNWARE:
        problems.append(no_key())
    return {**facts, "key": f"found: {found.origin}" if found else "none"}


def _engine(settings: Settings, problems: list[CutawayError]) -> dict[str, Any]:
    """What would run now, in what, and what of the machine it may use."""
    from cutaway.engine.runtimes.choice import NAMES, choose, look_for
    from cutaway.machine import free_memory, usable_cores

    cores = usable_cores()
    facts: dict[str, Any] = {
        "cores": cores,
        "threads": settings.threads or cores,
        "free_memory": free_memory(),
        "runtimes": {name: str(look_for(name)) for name in NAMES},
    }
    wanted: dict[str, Callable[[], str]] = {
        "runtime": partial(choose, settings.runtime),
        "auto": partial(_auto, settings),
    }
    for name, find in wanted.items():
        try:
            facts[name] = find()
        except CutawayError as error:
            problems.append(error)
    return facts


def _auto(settings: Settings) -> str:
    """The model that runs where none is named."""
    from cutaway.backends.local import AUTO, LocalBackend
    from cutaway.backends.runware import RunwareBackend

    if settings.backend == LOCAL:
        return LocalBackend(settings).choose(AUTO)[0]
    return RunwareBackend(settings).model(AUTO).air
