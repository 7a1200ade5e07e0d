"""`cutaway logout`: a service's key leaves the system keyring."""

from __future__ import annotations

import click

from cutaway.cli.commands import FAILED
from cutaway.cli.login import account_of, service

__all__ = ["command"]


@click.command("logout")
@service("to forget")
@click.pass_context
def command(ctx: click.Context, *, backend: str | None) -> None:
    """Delete a service's key from the system keyring."""
    from cutaway.catalogue.remote import KEY_VARIABLE
    from cutaway.keys import forget_key
    from cutaway.settings import Settings

    settings = Settings.load()
    account = account_of(backend, settings)
    forgotten = forget_key(account)
    if forgotten:
        click.echo(f"The key of {account} is no longer in the system keyring.")
    else:
        click.echo(f"cutaway: the system keyring holds no key of {account}", err=True)
    if settings.runware_api_key is not None:
        click.echo(f"cutaway: a key is still in {KEY_VARIABLE} or the config file", err=True)
    ctx.exit(0 if forgotten else FAILED)
