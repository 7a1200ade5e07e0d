"""Pictures from any source: to work on, and to look at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from cutaway import images, sources
from cutaway.progress import Progress
from cutaway.settings import Settings

if TYPE_CHECKING:
    from cutaway.client.synchronous import Source
    from cutaway.images import Pixels
    from cutaway.settings import Limits
    from cutaway.sources import Loaded

__all__ = ["Submitted", "open_picture", "read_image"]


@dataclass(frozen=True, slots=True)
class Submitted:
    """A picture that was sent to a service before, and its task there.

    With it for a source, a removal takes the result of that task, and sends nothing again: for a
    removal that was given up while the task went on, and may be billed.

    Attributes:
        source: The picture, as it was given then.
        task_uuid: The task, as the error told it.
    """

    source: Source = field(repr=False)
    task_uuid: str


def open_picture(
    source: Source, limits: Limits, progress: Progress, *, shortest: int | None = None
) -> tuple[Pixels, Loaded | None]:
    """The picture, and the file that it was decoded from, if it was.

    Where a smaller copy of it will do, `shortest` says how small, as `images.decode` takes it.

    Raises:
        InputError: it can't be had, is larger than the limits, or can't be read.
        TransportError: its URL can't be reached.
        Cancelled: the caller stopped it.
    """
    if isinstance(source, np.ndarray):
        with progress.stage("decoding"):
            return images.from_array(source, limits), None
    if isinstance(source, PIL.Image.Image):
        with progress.stage("decoding"):
            return images.from_pil(source, limits), None
    with progress.stage("reading"):
        loaded = sources.read(source, limits, progress)
    with progress.stage("decoding"):
        return images.decode(loaded.data, limits, shortest=shortest), loaded


def read_image(source: Source, limits: Limits | None = None) -> PIL.Image.Image:
    """Read a picture to look at it: any file, as plain as Pillow's own pictures can be.

    Args:
        source: As `Client.remove_background` takes it, but for the UUID of a stored picture.
        limits: How much it may be, found out before it is decoded; those of the settings if None.

    Returns:
        Mode RGB, or RGBA if some of it is transparent; upright, 8 bits a channel, in sRGB.

    Raises:
        InputError: it can't be had, is larger than the limits, or can't be read.
        TransportError: its URL can't be reached.
    """
    pixels, _ = open_picture(source, limits or Settings.load().limits, Progress())
    plain = images.srgb_pixels(replace(pixels, colour=images.to_depth(pixels.colour, 8)))
    if plain.alpha is None:
        return PIL.Image.fromarray(plain.guide())
    return PIL.Image.fromarray(np.dstack([plain.guide(), images.to_depth(plain.alpha, 8)]))
