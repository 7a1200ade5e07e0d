"""Bytes within the limit: what every source goes through, and how a source is named to a user."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cutaway.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cutaway.progress import Progress
    from cutaway.settings import Limits

__all__ = ["check_size", "excerpt", "gather"]


def gather(
    pieces: Iterable[bytes], what: str, limits: Limits, progress: Progress, size: int | None = None
) -> bytes:
    """Join `pieces`, telling the progress and looking for a cancellation after each.

    Args:
        pieces: Each of a bounded size; none is asked for once the limit is passed.
        what: What a user would call the source.
        limits: `max_bytes` counts.
        progress: Told the share of `size`, where that is known.
        size: Bytes announced, if any.

    Raises:
        TooLarge: more than `limits.max_bytes` are announced, or come.
        Cancelled: the caller stopped it.
    """
    check_size(size or 0, what, limits)
    joined = io.BytesIO()
    for piece in pieces:
        joined.write(piece)
        if joined.tell() > limits.max_bytes:
            raise _too_large(what, f"it has more than the {limits.max_bytes:,} bytes allowed")
        progress.advance(min(joined.tell() / size, 1.0) if size else 0.0)
    progress.advance(1.0)
    return joined.getvalue()


def check_size(size: int, what: str, limits: Limits) -> None:
    """Raise `TooLarge` if `size` bytes are more than the limit."""
    if size > limits.max_bytes:
        raise _too_large(what, f"it has {size:,} bytes, and {limits.max_bytes:,} are allowed")


def excerpt(text: str, longest: int = 60) -> str:
    """Show at most `longest` characters of a text: its end, where most is told, fit to print."""
    end = text if len(text) <= longest else f"…{text[1 - longest :]}"
    return "".join(character if character.isprintable() else "�" for character in end)


def _too_large(what: str, why: str) -> TooLarge:
    return TooLarge(
        f"{what} is too large",
        why,
        "Make it smaller, or raise the limit (--max-bytes or CUTAWAY_MAX_BYTES)",
    )
