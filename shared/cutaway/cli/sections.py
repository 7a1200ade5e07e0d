"""Help that tells a command's options under headings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SectionedCommand"]


class SectionedCommand(click.Command):
    """A command whose many options stand in sections, in the order in which they are declared.

    Attributes:
        sections: The heading of each section by the name of the option that it begins with.
    """

    def __init__(self, *args: Any, sections: Mapping[str, str], **attributes: Any) -> None:  # noqa: ANN401  (click's own)
        super().__init__(*args, **attributes)
        self.sections = sections

    def options_by_section(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """What help tells of each option, below its section's heading."""
        told: dict[str, list[tuple[str, str]]] = {}
        heading = "Options"
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            heading = self.sections.get(param.name or "", heading)
            if record is not None and not isinstance(param, click.Argument):
                told.setdefault(heading, []).append(record)
        return told

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        for heading, records in self.options_by_section(ctx).items():
            with formatter.section(heading):
                formatter.write_dl(records)
