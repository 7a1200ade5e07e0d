"""The result of a removal: pictures of it, files of it, and facts about it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np
import PIL.Image

from cutaway import images
from cutaway.compositing.composition import Fill, Mask, OnFill, OnTransparency, share
from cutaway.errors import OptionError
from cutaway.files import write_atomically
from cutaway.images import Metadata, Shallow, profiles, stripes
from cutaway.options import ImageFormat, Output, RemovalOptions

if TYPE_CHECKING:
    import os
    from decimal import Decimal

    from numpy.typing import NDArray

    from cutaway.images import Rows

__all__ = ["Box", "Cutout"]

_VISIBLE = 10 / 255


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left and top are inside, right and bottom just outside."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """The original's own pixels under a new alpha, seen as the options ask.

    Of a picture that a service has stored, the original is the service's own copy.

    Attributes:
        options: What it was made with.
        model: The name of the model that found the subject.
        backend: Where it was found.
        confidence: How sure the model is of the subject, 0..1.
        warnings: What the user should know about the result.
        seconds: Time spent in each stage, by name, in order.
        name: What the source is called, if it has a name.
        cost: What it cost in US dollars; None if it cost nothing, or the service didn't say.
        task_uuid: The remote task it came from; None if it was made on this machine.
    """

    options: RemovalOptions
    model: str
    backend: str
    confidence: float
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    name: str | None
    cost: Decimal | None
    task_uuid: str | None
    _colour: NDArray[Any] = field(repr=False)
    _alpha: NDArray[Any] = field(repr=False)
    _matte: NDArray[Any] = field(repr=False)
    _metadata: Metadata = field(repr=False)

    @property
    def width(self) -> int:
        """Columns: always the original's."""
        return int(self._alpha.shape[1])

    @property
    def height(self) -> int:
        """Rows: always the original's."""
        return int(self._alpha.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def depth(self) -> int:
        """Bits in a channel, the original's: 8 or 16."""
        return int(self._alpha.dtype.itemsize) * 8

    @property
    def subject_share(self) -> float:
        """How much of the picture is subject, 0..1 (half-transparent pixels count by half)."""
        return share(self._alpha)

    @property
    def soft_edge_share(self) -> float:
        """How much of the picture is half-transparent, neither subject nor background, 0..1."""
        soft = cv2.inRange(self._alpha, 1, int(np.iinfo(self._alpha.dtype).max) - 1)
        return cv2.countNonZero(soft) / soft.size

    @property
    def bounding_box(self) -> Box | None:
        """The smallest box around all that is visible of the subject; None if nothing is."""
        least = _VISIBLE * float(np.iinfo(self._alpha.dtype).max)
        visible = (self._alpha > least).view(np.uint8)
        left, top, width, height = cv2.boundingRect(visible)
        return Box(left, top, left + width, top + height) if width else None

    @property
    def array(self) -> NDArray[Any]:
        """The picture at the original's depth.

        uint8 or uint16; a cutout has shape (height, width, 4), or 2 channels for a grey original;
        a mask (height, width); a flattened picture (height, width, 3), or 1 channel if all grey.
        """
        whole = _whole(self._view())
        return whole[..., 0] if self.options.output is Output.MASK else whole

    @property
    def matte(self) -> NDArray[Any]:
        """How much of each pixel is subject, whatever the original's own transparency.

        uint8 or uint16, shape (height, width), over the full range; read-only. The alpha of a
        cutout is this, multiplied by the original's own.
        """
        matte = self._matte.view()
        matte.flags.writeable = False
        return matte

    @property
    def image(self) -> PIL.Image.Image:
        """The picture for Pillow, at 8 bits (Pillow has no deeper colour)."""
        return _pillow(Shallow(self._view(), self.options.keep_hidden_colour))

    @property
    def mask(self) -> PIL.Image.Image:
        """The matte as a grey 8-bit picture for Pillow, white = subject."""
        return _pillow(Shallow(Mask(self._colour, self._alpha)))

    def save(
        self, path: str | os.PathLike[str], *, format: str | None = None, overwrite: bool = False
    ) -> Path:
        """Write the picture to a file, whole or not at all.

        Args:
            path: Where to; its ending chooses the format, else the options do.
            format: PNG, WEBP or JPG, whatever the ending says.
            overwrite: Whether a file that is there already may be replaced.

        Returns:
            The path that was written.

        Raises:
            OptionError: the format can't hold the picture (a JPG has no transparency).
            OutputExists: there is a file already.
            OutputError: it could not be written.
        """
        target = Path(path)
        chosen = format or _told_by(target)
        with write_atomically(target, overwrite=overwrite) as file:
            self.write(file, format=chosen)
        return target

    def write(self, file: BinaryIO, *, format: str | None = None) -> None:
        """Write the picture to an open binary file; `format` as in `save`.

        Raises:
            OptionError: the format can't hold the picture.
        """
        options = self.options.but({"format": format} if format else {})
        view = self._view()
        images.encode(
            view,
            file,
            format=options.format,
            quality=options.quality,
            metadata=self._metadata,
            keep_hidden=options.keep_hidden_colour,
        )

    def to_bytes(self, *, format: str | None = None) -> bytes:
        """The picture as the bytes of a file; `format` as in `save`."""
        file = io.BytesIO()
        self.write(file, format=format)
        return file.getvalue()

    def facts(self) -> dict[str, Any]:
        """What is known about the result, ready for JSON."""
        box = self.bounding_box
        return {
            "width": self.width,
            "height": self.height,
            "depth": self.depth,
            "output": self.options.output.value,
            "model": self.model,
            "backend": self.backend,
            "confidence": round(self.confidence, 3),
            "subject_share": round(self.subject_share, 4),
            "soft_edge_share": round(self.soft_edge_share, 4),
            "bounding_box": [box.left, box.top, box.right, box.bottom] if box else None,
            "cost": None if self.cost is None else float(self.cost),
            "task_uuid": self.task_uuid,
            "seconds": {stage: round(taken, 3) for stage, taken in self.seconds.items()},
            "warnings": list(self.warnings),
        }

    def _view(self) -> Mask | OnFill | OnTransparency:
        if self.options.output is Output.MASK:
            return Mask(self._colour, self._alpha)
        fill = self.options.fill
        if fill is None:
            keep_hidden = self.options.keep_hidden_colour
            return OnTransparency(self._colour, self._alpha, keep_hidden)
        grey = self._colour.shape[2] == 1
        if grey and not fill.neutral:  # a grey profile has no numbers for it
            rgb = fill.rgb
        else:
            rgb = profiles.in_profile(fill.rgb, self._metadata.icc_profile)
        levels = tuple(part / 255 for part in (rgb[:1] if grey and fill.neutral else rgb))
        return OnFill(self._colour, self._alpha, Fill(levels, fill.alpha))


def _whole(view: Rows) -> NDArray[Any]:
    """A picture in memory of its own, gathered stripe by stripe."""
    dtype = np.uint8 if view.depth == 8 else np.uint16  # noqa: PLR2004  (the other depth is 16)
    whole = np.empty((view.height, view.width, view.channels), dtype)
    for top, bottom in stripes(view.height, whole[:1].nbytes):
        whole[top:bottom] = view.rows(top, bottom)
    return whole


def _pillow(view: Shallow) -> PIL.Image.Image:
    whole = _whole(view)
    return PIL.Image.fromarray(whole[..., 0] if view.channels == 1 else whole)


def _told_by(target: Path) -> ImageFormat | None:
    """The format that a file name's ending tells, if it tells any.

    Raises:
        OptionError: it tells one that we don't write.
    """
    ending = target.suffix.lower()
    format = ImageFormat.of_suffix(ending)
    if format is None and ending in PIL.Image.registered_extensions():
        raise OptionError(
            f"{target.name} can't be written",
            f"{ending} is no format for results",
            "End it with .png, .webp or .jpg, or name the format",
        )
    return format
