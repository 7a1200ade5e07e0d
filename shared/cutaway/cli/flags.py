"""What the command line of `cutaway remove` says, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cutaway.cli.inputs import is_folder
from cutaway.cli.parameters import LOCAL
from cutaway.options import RemovalOptions
from cutaway.settings import Settings

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from cutaway.options import ImageFormat

__all__ = ["Flags"]

_SERVICE = {
    "backend": "--backend",
    "transport": "--transport",
    "delivery": "--delivery",
    "dialect": "--dialect",
    "send": "--send",
    "max_cost": "--max-cost",
    "timeout": "--timeout",
}
"""The flags that are settings of a service too, by their names."""

_ANSWER = {
    "answer": "--return",
    "webhook_url": "--webhook-url",
    "upload_endpoint": "--upload-endpoint",
    "ttl": "--ttl",
}
"""The flags that ask for the service's own answer."""


_TASK = {"task_uuid": "--task-uuid"}


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
    matting_megapixels: float | None
    post_process_mask: bool
    refine: bool
    feather: float | None
    clean_edges: bool
    keep_hidden_colour: bool
    drop_metadata: bool
    overwrite: bool
    backend: str | None
    transport: str | None
    delivery: str | None
    dialect: str | None
    send: str | None
    max_cost: Decimal | None
    timeout: Decimal | None
    answer: str | None
    webhook_url: str | None
    upload_endpoint: str | None
    ttl: int | None
    task_uuid: str | None
    recursive: bool
    jobs: int | None
    dry_run: bool
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
            "matting_megapixels": self.matting_megapixels,
        }
        if _given(numbers) and not self.alpha_matting:
            raise click.UsageError("the numbers for alpha matting need --alpha-matting")
        values = {
            **numbers,
            "model": self.model,
            "output": self.output,
            "background": self.background,
            "post_process_mask": self.post_process_mask,
            "alpha_matting": self.alpha_matting,
            "refine": self.refine,
            "feather": self.feather,
            "clean_edges": self.clean_edges,
            "format": format,
            "quality": self.quality,
            "keep_hidden_colour": self.keep_hidden_colour,
            "keep_metadata": not self.drop_metadata,
        }
        return RemovalOptions.parse(_given(values))

    def settings(self) -> Settings:
        """The user's settings, with what the flags say.

        Raises:
            ConfigError: a setting can't be used.
            click.UsageError: flags for a service are given, but none is to be used, or the flags
                for its own answer contradict each other.
        """
        limits = {
            "max_bytes": self.max_bytes,
            "max_pixels": self.max_pixels,
            "allow_private_network": self.allow_private_network or None,
        }
        timeout = None if self.timeout is None else float(self.timeout)
        service = {name: getattr(self, name) for name in _SERVICE} | {"timeout": timeout}
        settings = Settings.load(**_given({**limits, **service}))
        if settings.backend == LOCAL:
            self._check_local()
        self._check_answer()
        self._check_task()
        return settings

    @property
    def wants_answer(self) -> bool:
        """Whether the service's own answer is wanted, and no picture."""
        return any(getattr(self, name) is not None for name in _ANSWER)

    def _check_local(self) -> None:
        for name, flag in (_SERVICE | _ANSWER | _TASK).items():
            if name != "backend" and getattr(self, name) is not None:
                raise click.UsageError(f"{flag} needs --backend runware, or a service's URL")

    def _check_answer(self) -> None:
        if not self.wants_answer:
            return
        pictures = {
            "-o": self.out is not None,
            "--overwrite": self.overwrite,
            "--matting-megapixels": self.matting_megapixels is not None,
            "--no-refine": not self.refine,
            "--no-clean-edges": not self.clean_edges,
            "--keep-hidden-colour": self.keep_hidden_colour,
            "--drop-metadata": self.drop_metadata,
        }
        for flag, given in pictures.items():
            if given:
                raise click.UsageError(
                    f"{flag} is for pictures that come back, and the service's own answer is wanted"
                )
        if self.upload_endpoint is not None and self.several:
            raise click.UsageError("--upload-endpoint takes one picture, and there may be several")
        if self.ttl is not None and self.answer == "uuid":
            raise click.UsageError("--ttl is for the result's URL: it goes with --return url")

    def _check_task(self) -> None:
        if self.task_uuid is None:
            return
        if self.several:
            raise click.UsageError("--task-uuid is one picture's, and there may be several")
        if self.wants_answer or self.dry_run:
            raise click.UsageError("with --task-uuid the result comes back, and nothing is sent")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
