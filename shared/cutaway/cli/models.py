"""`cutaway models`: which models there are, and having them on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cutaway import catalogue
from cutaway.cli.commands import FAILED
from cutaway.cli.display import table, tell_error, tell_json
from cutaway.cli.parameters import as_json, complete_model
from cutaway.errors import CutawayError, ModelDamaged, ModelNotInstalled

if TYPE_CHECKING:
    from cutaway.catalogue import Model
    from cutaway.engine.store import InstalledModel, ModelStore
    from cutaway.settings import Settings

__all__ = ["command"]

_DAMAGED = "damaged"


@click.group("models")
def command() -> None:
    """List, fetch, check and remove models.

    A NAME is a model's name, its slug or its AIR, such as runware:112@2.
    """


@command.command("list")
@as_json
def list_models(*, as_json: bool) -> None:
    """List the models that can run on this machine."""
    _, store = _shop()
    if as_json:
        tell_json([_facts(model, store) for model in catalogue.models()], indent=2)
        return
    headings = ["Name", "AIR", "Size", "Licence", "Installed", "Good for"]
    table(headings, [_row(model, store) for model in catalogue.models()])


@command.command("pull")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_model)
@click.option(
    "--accept-licence", is_flag=True, help="Accept a licence that forbids commercial use."
)
@click.pass_context
def pull_models(ctx: click.Context, names: tuple[str, ...], *, accept_licence: bool) -> None:
    """Download models, or go on with downloads that broke off."""
    from cutaway.cli.fetching import fetch, licence_accepted

    settings, _ = _shop()
    failed = False
    for model in [catalogue.find(name) for name in names]:
        try:
            accepted = accept_licence or licence_accepted(model, settings)
            installed = fetch(model, settings, accept_licence=accepted)
            click.echo(f"{model.name}: {_file(installed)}")
        except CutawayError as error:
            failed = True
            tell_error(error)
    ctx.exit(FAILED if failed else 0)


@command.command("remove")
@click.argument("name", shell_complete=complete_model)
def remove_model(name: str) -> None:
    """Delete the file of a model that Cutaway downloaded."""
    model = catalogue.find(name)
    _, store = _shop()
    place = store.place(model)
    freed = sum(path.stat().st_size for path in (place.file, place.part) if path.exists())
    removed = store.remove(model)
    left = store.locate(model)
    if not removed:
        raise _nothing_to_remove(model, left)
    click.echo(f"{model.name}: removed, {catalogue.size_text(freed)} freed")
    if left:
        click.echo(f"{model.name}: {_file(left)} is still there")


@command.command("verify")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_model)
@click.pass_context
def verify_models(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Compare files with what was published; of all installed models if none is named."""
    _, store = _shop()
    chosen = [catalogue.find(name) for name in names] or _installed(store)
    if not chosen:
        click.echo("no model is installed")
    sound = [_verify(model, store) for model in chosen]
    ctx.exit(0 if all(sound) else FAILED)


@command.command("path")
@click.argument("name", required=False, shell_complete=complete_model)
def path_of_model(name: str | None) -> None:
    """Print the path of a model's file, or of the folder of all models."""
    settings, store = _shop()
    if name is None:
        click.echo(settings.models_dir)
        return
    model = catalogue.find(name)
    installed = store.locate(model)
    if installed is None:
        raise _not_installed(model)
    click.echo(installed.path)


def _shop() -> tuple[Settings, ModelStore]:
    from cutaway.engine.store import ModelStore
    from cutaway.settings import Settings

    settings = Settings.load()
    return settings, ModelStore(settings.models_dir)


def _row(model: Model, store: ModelStore) -> list[str]:
    return [
        model.name,
        model.air or "-",
        catalogue.size_text(model.size),
        model.licence,
        _where(model, store) or "-",
        model.good_for,
    ]


def _facts(model: Model, store: ModelStore) -> dict[str, Any]:
    return {
        "name": model.name,
        "air": model.air,
        "slug": model.slug,
        "title": model.title,
        "size": model.size,
        "licence": model.licence,
        "licence_note": model.licence_note,
        "commercial": model.commercial,
        "installed": _where(model, store),
        "good_for": model.good_for,
    }


def _where(model: Model, store: ModelStore) -> str | None:
    """Whose file of the model is here: cutaway, rembg or huggingface; or that it is damaged."""
    try:
        installed = store.locate(model)
    except ModelDamaged:
        return _DAMAGED
    return installed.where if installed else None


def _installed(store: ModelStore) -> list[Model]:
    return [model for model in catalogue.models() if _where(model, store)]


def _verify(model: Model, store: ModelStore) -> bool:
    try:
        store.verify(model)
    except ModelDamaged as error:
        click.echo(f"{model.name}: damaged")
        tell_error(error)
        return False
    except ModelNotInstalled as error:
        click.echo(f"{model.name}: not installed")
        tell_error(error)
        return False
    click.echo(f"{model.name}: ok")
    return True


def _file(installed: InstalledModel) -> str:
    owner = "" if installed.where == "cutaway" else f" ({installed.where}'s)"
    return f"{installed.path}{owner}"


def _nothing_to_remove(model: Model, left: InstalledModel | None) -> CutawayError:
    if left is None:
        return _not_installed(model)
    return ModelNotInstalled(
        f"the file of {model.name} was not removed",
        f"it is {left.where}'s, at {left.path}",
        f"Remove it with {left.where}, or by hand if nothing else needs it",
    )


def _not_installed(model: Model) -> ModelNotInstalled:
    return ModelNotInstalled(
        f"the model {model.name} is not installed",
        next_step=f"Get it with: cutaway models pull {model.name}",
    )
