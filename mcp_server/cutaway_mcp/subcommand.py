"""`cutaway mcp` is `cutaway-mcp`.

The MCP registry can only name a package, so its clients run `uvx cutaway` with arguments.
"""

from __future__ import annotations

import sys

import click

__all__ = ["mcp"]


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def mcp(arguments: tuple[str, ...]) -> None:
    """Serve AI agents: an MCP server, the same as cutaway-mcp."""
    from cutaway_mcp.command import main

    sys.exit(main(arguments))
