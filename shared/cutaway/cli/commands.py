"""Which commands there are: each is imported when it is first needed, and no sooner."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from cutaway._version import __version__
from cutaway.errors import ConfigError, CutawayError, OptionError, UnknownModel

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["FAILED", "INTERRUPTED", "WRONG_USE", "cutaway", "tell_interrupted"]

FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130

_BUILT_IN = ("remove", "models", "serve", "login", "logout", "doctor", "completion")
_ADDED = "cutaway.commands"


class Commands(click.Group):
    """The built-in commands, then those that installed packages add.

    A package adds one through an entry point of the group `cutaway.commands`: its name is the
    command's, its object a `click.Command`.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Name them without importing any."""
        return [*_BUILT_IN, *sorted(_added().keys() - set(_BUILT_IN))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (click's signature)
        """Import one command; None if there is no such."""
        if cmd_name in _BUILT_IN:
            module = import_module(f"cutaway.cli.{cmd_name}")
            command: click.Command = module.command
            return command
        entry = _added().get(cmd_name)
        return _loaded(entry) if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them; of an added one only who adds it, as importing it may be slow."""
        rows = []
        for name in _BUILT_IN:
            command = self.get_command(ctx, name)
            rows.append((name, command.get_short_help_str(80) if command else ""))
        added = _added()
        rows += [(name, _origin(added[name])) for name in sorted(added.keys() - set(_BUILT_IN))]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  (click's signature)
        """Run a command; here end all errors of ours, and Ctrl-C."""
        try:
            return super().invoke(ctx)
        except CutawayError as error:
            from cutaway.cli.display import tell_error

            tell_error(error)
            wrong = isinstance(error, OptionError | UnknownModel)
            ctx.exit(WRONG_USE if wrong else FAILED)
        except (KeyboardInterrupt, click.Abort):
            tell_interrupted()
            ctx.exit(INTERRUPTED)


def tell_interrupted() -> None:
    """Say so, on a line of its own: the terminal has shown ^C."""
    click.echo("\ncutaway: interrupted", err=True)


def _added() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=_ADDED)}


def _origin(entry: EntryPoint) -> str:
    return f"(added by {entry.dist.name})" if entry.dist else "(added by another package)"


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the command {entry.name} can't be loaded",
            f"{entry.value}: {error}",
            "Install the package that adds it again, or remove it",
        ) from error
    if not isinstance(command, click.Command):
        raise ConfigError(
            f"the command {entry.name} can't be loaded",
            f"{entry.value} is no click command",
            "Tell the authors of the package that adds it",
        )
    return command


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all done, 1 something failed, 2 wrong use, 130 interrupted.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cutaway() -> None:
    """Remove the background of pictures at full size: on this machine, or through Runware."""
