"""`cutaway completion`: a script with which a shell completes our command lines."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes command lines.

    \b
    To have it in every new shell:
      bash   echo 'eval "$(cutaway completion bash)"' >> ~/.bashrc
      zsh    echo 'eval "$(cutaway completion zsh)"' >> ~/.zshrc
      fish   cutaway completion fish > ~/.config/fish/completions/cutaway.fish
    """  # noqa: D301  (\b is click's mark for lines to be kept as they are)
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"{shell} can't be completed")
    click.echo(script(ctx.find_root().command, {}, "cutaway", "_CUTAWAY_COMPLETE").source())
