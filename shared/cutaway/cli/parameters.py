"""What several commands take on their command lines."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import click

from cutaway import catalogue

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["BACKEND", "LOCAL", "Amount", "as_json", "complete_model", "complete_remover"]


LOCAL = "local"
"""The backend on this machine."""


class _Backend(click.ParamType[str]):
    """Where removals run: a name, or the URL of a service."""

    name = "backend"
    _names = (LOCAL, "runware")

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002  (click's signature)
        return f"[{'|'.join(self._names)}|URL]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from cutaway.errors import ConfigError
        from cutaway.runware.endpoint import Endpoint

        if value.lower() in self._names:
            return value.lower()
        try:
            Endpoint.parse(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return value

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  (click's signature)
        param: click.Parameter,  # noqa: ARG002  (click's signature)
        incomplete: str,
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self._names if name.startswith(incomplete)]


BACKEND = _Backend()
"""The type of a flag that says where removals run."""


class Amount(click.ParamType[Decimal]):
    """A finite number, more than zero or at least zero."""

    name = "number"

    def __init__(self, *, zero: bool) -> None:
        self._zero = zero

    def convert(
        self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Read it exactly as it is written."""
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not number.is_finite() or number < 0 or not (number or self._zero):
            self.fail(f"it must be {'at least' if self._zero else 'more than'} 0", param, ctx)
        return number


as_json = click.option("--json", "as_json", is_flag=True, help="Tell it as JSON.")


def complete_model(
    ctx: click.Context,  # noqa: ARG001  (click's signature)
    param: click.Parameter,  # noqa: ARG001  (click's signature)
    incomplete: str,
) -> list[CompletionItem]:
    """Complete a model's name from the catalogue, telling what each is good for."""
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(model.name, help=model.good_for)
        for model in catalogue.models()
        if model.name.startswith(incomplete)
    ]


def complete_remover(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of whatever can remove a background, here or through a service.

    A service's ids are offered once one is begun: the readable names say more.
    """
    from click.shell_completion import CompletionItem

    remote = catalogue.remote_models()
    local = {model.name for model in catalogue.models()}
    offered = {
        "auto": "the best that is installed; through a service, its usual one",
        "classical": "no network: plain backgrounds",
        **{one.slug: f"{one.title}, through Runware" for one in remote if one.slug not in local},
        **({one.air: f"{one.title}, through Runware" for one in remote} if incomplete else {}),
    }
    wanted = [
        CompletionItem(name, help=told)
        for name, told in offered.items()
        if name.startswith(incomplete)
    ]
    return wanted + complete_model(ctx, param, incomplete)
