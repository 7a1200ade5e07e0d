"""Fetching models from the command line: asking first, and with a bar."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from cutaway.cli.display import Bar, is_terminal
from cutaway.engine.download import pull
from cutaway.engine.store import ModelStore
from cutaway.errors import LicenceNotAccepted
from cutaway.progress import Progress

if TYPE_CHECKING:
    from cutaway.catalogue import Model
    from cutaway.engine.store import InstalledModel
    from cutaway.progress import Step
    from cutaway.settings import Settings

__all__ = ["fetch", "licence_accepted", "may_ask"]


def may_ask() -> bool:
    """Whether someone sits at the terminal: can be asked, and sees the question."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr) and not os.environ.get("CI")


def licence_accepted(model: Model, settings: Settings) -> bool:
    """Ask for the user's acceptance of the licence of `model`, where that is needed.

    Returns:
        Whether the user has accepted it just now.

    Raises:
        LicenceNotAccepted: it is needed, but nobody can be asked, or the answer is no.
    """
    try:
        ModelStore(settings.models_dir).licences.check(model)
    except LicenceNotAccepted as error:
        if not may_ask():
            raise
        click.echo(f"The licence of {model.name}: {error.why}", err=True)
        if not click.confirm("Do you accept it?", default=False, err=True):
            raise _declined(model) from error
        return True
    return False


def fetch(model: Model, settings: Settings, *, accept_licence: bool = False) -> InstalledModel:
    """Have `model` on this machine, showing how its download goes.

    Raises:
        CutawayError: as `cutaway.engine.download.pull`.
    """
    with Bar("bytes", model.name, model.size) as bar:

        def show(step: Step) -> None:
            bar.tell(step.share * model.size)

        return pull(
            model,
            ModelStore(settings.models_dir),
            base_url=settings.models_url,
            progress=Progress(show),
            accept_licence=accept_licence,
        )


def _declined(model: Model) -> LicenceNotAccepted:
    return LicenceNotAccepted(
        f"{model.name} was not fetched",
        "its licence was not accepted",
        "Choose another model: cutaway models list",
    )
