"""The settings by which some models treat the mask on the service's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cutaway.runware.parameters import Parameter, checked, colour, encoded, switch, whole

__all__ = ["MASK_SETTINGS", "MaskSettings"]

MASK_SETTINGS = {
    "rgba": Parameter("rgba", colour),
    "post_process_mask": Parameter("postProcessMask", switch),
    "return_only_mask": Parameter("returnOnlyMask", switch),
    "alpha_matting": Parameter("alphaMatting", switch),
    "alpha_matting_foreground_threshold": Parameter(
        "alphaMattingForegroundThreshold", whole(1, 255)
    ),
    "alpha_matting_background_threshold": Parameter(
        "alphaMattingBackgroundThreshold", whole(1, 255)
    ),
    "alpha_matting_erode_size": Parameter("alphaMattingErodeSize", whole(1, 255)),
}
"""Each setting's name on the wire and what it may hold, by its Python name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskSettings:
    """How the service itself treats the mask; what is None is not sent.

    Attributes:
        rgba: What to lay behind the subject: red, green and blue 0..255, alpha 0..1.
        post_process_mask: Clean the mask; the service's default is False.
        return_only_mask: Return the mask instead of the cutout; False.
        alpha_matting: Refine the edges; False. The price is then unknown.
        alpha_matting_foreground_threshold: Surely subject from here on, 1..255; 240.
        alpha_matting_background_threshold: Surely background up to here, 1..255; 10. The higher,
            the more it costs.
        alpha_matting_erode_size: Width of the band in doubt, 1..255; 10.

    Raises:
        OptionError: a value is of another type, or out of its range.
    """

    rgba: tuple[int, int, int, float] | None = None
    post_process_mask: bool | None = None
    return_only_mask: bool | None = None
    alpha_matting: bool | None = None
    alpha_matting_foreground_threshold: int | None = None
    alpha_matting_background_threshold: int | None = None
    alpha_matting_erode_size: int | None = None

    def __post_init__(self) -> None:
        for name, value in checked(MASK_SETTINGS, self.named).items():
            object.__setattr__(self, name, value)

    @property
    def named(self) -> dict[str, Any]:
        """What is set, by its Python name."""
        values = {name: getattr(self, name) for name in MASK_SETTINGS}
        return {name: value for name, value in values.items() if value is not None}

    def encode(self) -> dict[str, Any]:
        """What is set, by its name on the wire."""
        return encoded(MASK_SETTINGS, self.named)
