"""`cutaway login`: a key for a remote service goes from its user into the system keyring."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cutaway.cli.display import is_terminal
from cutaway.cli.parameters import BACKEND, LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.settings import Settings

__all__ = ["account_of", "command", "service"]

_LONGEST = 10_000


def service(does: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Make the flag that names the service whose key is meant."""
    return click.option(
        "--backend",
        type=BACKEND,
        help=f"The service whose key {does}: runware, or a URL.  [default: as set, or runware]",
    )


@click.command("login")
@service("to keep")
def command(*, backend: str | None) -> None:
    """Keep a service's key in the system keyring.

    It asks for the key without showing it, or reads one line where it isn't run in a terminal:
    cutaway login < key.txt. Nothing is sent, and a key alone never uploads anything: removals stay
    on this machine until --backend or CUTAWAY_BACKEND says otherwise.

    Get a key for the Runware API at https://my.runware.ai/signup.
    """
    from cutaway.catalogue.remote import KEY_VARIABLE
    from cutaway.keys import store_key
    from cutaway.settings import Settings

    settings = Settings.load()
    account = account_of(backend, settings)
    store_key(_asked(account), account)
    click.echo(f"The key of {account} is in the system keyring now.")
    if settings.runware_api_key is not None:
        click.echo(f"cutaway: the key in {KEY_VARIABLE} or the config file wins over it", err=True)


def account_of(backend: str | None, settings: Settings) -> str:
    """Give the name under which the key of a backend is kept; of the one that is set if None.

    Raises:
        click.UsageError: it is this machine, which needs no key.
        ConfigError: it is no URL of a service.
    """
    from cutaway.runware.endpoint import RUNWARE, Endpoint

    if backend == LOCAL:
        raise click.BadParameter("this machine needs no key", param_hint="--backend")
    is_set = RUNWARE if settings.backend == LOCAL else settings.backend
    return Endpoint.parse(backend or is_set).account


def _asked(account: str) -> str:
    """The key from whoever is there to give it: a person, unseen, or a pipe."""
    if is_terminal(sys.stdin):
        key: str = click.prompt(f"Key of {account} (not shown)", hide_input=True, err=True)
        return key
    line = b"" if sys.stdin is None else sys.stdin.buffer.readline(_LONGEST)
    if not line.strip():
        raise click.UsageError("no key was given: type it in a terminal, or pipe it in")
    return line.decode("utf-8", "replace")
