"""What the command line of `cutaway remove` says, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cutaway.cli.inputs import is_folder
from cutaway.options import RemovalOptions
from cutaway.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.options import ImageFormat

__all__ = ["Flags"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Each argument and flag by its name; None where the command line says nothing."""

    inputs: tuple[str, ...]
    out: str | None
    output: str
    format: str | None
    quality: int | None
    background: str | None
    model: str
    weights: Path | None
    alpha_matting: bool
    foreground_threshold: int | None
    background_threshold: int | None
    erode_size: int | None
    post_process_mask: bool
    clean_edges: bool
    drop_metadata: bool
    overwrite: bool
    recursive: bool
    jobs: int
    max_bytes: int | None
    max_pixels: int | None
    allow_private_network: bool
    as_json: bool
    quiet: bool

    @property
    def several(self) -> bool:
        """Whether there may be more than one result."""
        return len(self.inputs) > 1 or any(map(is_folder, self.inputs))

    def options(self, format: ImageFormat) -> RemovalOptions:
        """What to do with each picture.

        Raises:
            OptionError: the options don't go together.
            click.UsageError: a number for alpha matting is given without it.
        """
        numbers = {
            "alpha_matting_foreground_threshold": self.foreground_threshold,
            "alpha_matting_background_threshold": self.background_threshold,
            "alpha_matting_erode_size": self.erode_size,
        }
        if _given(numbers) and not self.alpha_matting:
            raise click.UsageError("the thresholds and the erode size need --alpha-matting")
        values = {
            **numbers,
            "model": self.model,
            "output": self.output,
            "background": self.background,
            "post_process_mask": self.post_process_mask,
            "alpha_matting": self.alpha_matting,
            "clean_edges": self.clean_edges,
            "format": format,
            "quality": self.quality,
            "keep_metadata": not self.drop_metadata,
        }
        return RemovalOptions.parse(_given(values))

    def settings(self) -> Settings:
        """The user's settings, with the limits that the flags give.

        Raises:
            ConfigError: a setting can't be used.
        """
        limits = {
            "max_bytes": self.max_bytes,
            "max_pixels": self.max_pixels,
            "allow_private_network": self.allow_private_network or None,
        }
        return Settings.load(**_given(limits))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
