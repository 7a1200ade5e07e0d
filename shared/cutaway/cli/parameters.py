"""What several commands take on their command lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cutaway import catalogue

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["as_json", "complete_model", "complete_remover"]

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
    """Complete the name of whatever can remove a background: a model, or what needs none."""
    from click.shell_completion import CompletionItem

    without = [
        CompletionItem("auto", help="the best that is installed"),
        CompletionItem("classical", help="no network: plain backgrounds"),
    ]
    wanted = [item for item in without if str(item.value).startswith(incomplete)]
    return wanted + complete_model(ctx, param, incomplete)
