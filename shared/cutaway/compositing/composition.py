"""The original under its matte, composed stripe by stripe so that no second picture is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cutaway.images.stripes import stripes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fill", "Mask", "OnFill", "OnTransparency", "multiply_into", "share"]


@dataclass(frozen=True, slots=True)
class Fill:
    """What stands behind the subject: a value for each colour channel, 0..1, and alpha, 0..1."""

    colour: tuple[float, ...]
    alpha: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """The original's colour and the matte it is seen through.

    Attributes:
        colour: uint8 or uint16, shape (height, width, 1 or 3), not premultiplied.
        alpha: Same dtype, shape (height, width).
    """

    colour: NDArray[Any]
    alpha: NDArray[Any]

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.alpha.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.alpha.shape[1])

    @property
    def depth(self) -> int:
        """Bits in a channel: 8 or 16."""
        return int(self.alpha.dtype.itemsize) * 8


class Mask(_Picture):
    """The matte as a grey picture, white = subject."""

    @property
    def channels(self) -> int:
        """Grey."""
        return 1

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows `top` up to `bottom`, shape (rows, width, 1)."""
        return self.alpha[top:bottom, :, None]


@dataclass(frozen=True, slots=True, eq=False)
class OnTransparency(_Picture):
    """The subject with straight alpha.

    Attributes:
        keep_hidden: Whether the colour stays where nothing of it shows. Otherwise it is 0 there:
            what was removed can't be found in the file, and zeros pack smaller.
    """

    keep_hidden: bool = False

    @property
    def channels(self) -> int:
        """The colour channels and alpha."""
        return int(self.colour.shape[2]) + 1

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows `top` up to `bottom`, shape (rows, width, channels)."""
        colour, alpha = self.colour[top:bottom], self.alpha[top:bottom]
        if self.channels == 4:  # noqa: PLR2004  (RGBA; OpenCV is fastest at it so)
            whole = cv2.cvtColor(colour, cv2.COLOR_RGB2RGBA)
            cv2.insertChannel(alpha, whole, 3)
        else:
            whole = cv2.merge([colour, alpha])
        if self.keep_hidden:
            return whole
        visible = alpha if alpha.dtype == np.uint8 else (alpha > 0).view(np.uint8)
        return cv2.copyTo(whole, visible, np.zeros_like(whole))


@dataclass(frozen=True, slots=True, eq=False)
class OnFill(_Picture):
    """The subject over a fill: opaque, or with the alpha of both (Porter and Duff's over)."""

    fill: Fill

    @property
    def channels(self) -> int:
        """Colour channels, and alpha unless the fill is opaque."""
        colours = max(int(self.colour.shape[2]), len(self.fill.colour))
        return colours + (self.fill.alpha < 1)

    def rows(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows `top` up to `bottom`, shape (rows, width, channels)."""
        colour, alpha = self.colour[top:bottom], self.alpha[top:bottom]
        white = int(np.iinfo(alpha.dtype).max)
        whole: NDArray[Any] = np.empty((*alpha.shape, self.channels), alpha.dtype)
        behind = self._mixed(colour[0, :1], np.zeros_like(alpha[0, :1]))
        whole[...] = np.repeat(behind, alpha.shape[1], axis=0)
        whole = cv2.copyTo(self._alone(colour), cv2.inRange(alpha, white, white), whole)
        whole = whole.reshape(*alpha.shape, -1)  # OpenCV has no axis for a single channel
        soft = cv2.inRange(alpha, 1, white - 1) > 0
        whole[soft] = self._mixed(colour[soft], alpha[soft])
        return whole

    def _alone(self, colour: NDArray[Any]) -> NDArray[Any]:
        """Rows of the picture without a fill, in the channels that there are with it."""
        colours = self.channels - (self.fill.alpha < 1)
        if colour.shape[2] < colours:
            colour = cv2.cvtColor(colour, cv2.COLOR_GRAY2RGB)
        if colours == self.channels:
            return colour
        white = np.iinfo(self.alpha.dtype).max
        return cv2.merge([colour, np.full(colour.shape[:2], white, self.alpha.dtype)])

    def _mixed(self, colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
        """Pixels over the fill, from their colour (count, 1 or 3) and alpha (count)."""
        white = np.float32(np.iinfo(alpha.dtype).max)
        front = alpha[:, None].astype(np.float32) / white
        behind = np.float32(self.fill.alpha) * (1 - front)
        over = front + behind
        mixed = colour * front + np.array(self.fill.colour, np.float32) * white * behind
        mixed /= np.maximum(over, np.float32(1e-6))
        parts = (mixed, over * white) if self.fill.alpha < 1 else (mixed,)
        whole: NDArray[Any] = np.rint(np.concatenate(parts, axis=1)).astype(alpha.dtype)
        return whole


def share(alpha: NDArray[Any]) -> float:
    """How much of a picture its matte (uint8 or uint16) keeps, 0..1; soft pixels count in part."""
    return float(cv2.mean(alpha)[0]) / float(np.iinfo(alpha.dtype).max)


def multiply_into(alpha: NDArray[Any], other: NDArray[Any]) -> None:
    """Multiply a matte by another of its dtype (uint8 or uint16) and shape, in place, rounding."""
    white = int(np.iinfo(alpha.dtype).max)
    for top, bottom in stripes(alpha.shape[0], alpha.shape[1] * 8):
        product = alpha[top:bottom].astype(np.uint64) * other[top:bottom]
        alpha[top:bottom] = (product + white // 2) // white
