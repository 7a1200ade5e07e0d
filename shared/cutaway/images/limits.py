"""The limits on a picture, checked before memory is taken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutaway.errors import TooLarge

if TYPE_CHECKING:
    from cutaway.settings import Limits

__all__ = ["check_bytes", "check_pixels"]


def check_bytes(count: int, limits: Limits) -> None:
    """Raise `TooLarge` if a file has more than `limits.max_bytes`."""
    if count > limits.max_bytes:
        raise TooLarge(
            "the picture was not read",
            f"it has {count:,} bytes, and {limits.max_bytes:,} are allowed",
            "If you trust it, raise the limit with --max-bytes or CUTAWAY_MAX_BYTES",
        )


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Raise `TooLarge` if a picture has more than `limits.max_pixels`."""
    if width * height > limits.max_pixels:
        raise TooLarge(
            "the picture was not read",
            f"it is {width} x {height} = {width * height:,} pixels, "
            f"and {limits.max_pixels:,} are allowed",
            "If you trust it, raise the limit with --max-pixels or CUTAWAY_MAX_PIXELS",
        )
