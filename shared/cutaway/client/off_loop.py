"""Work that blocks, done in a thread while an event loop goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.progress import Cancellation

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(work: Callable[[], T], cancellation: Cancellation) -> T:
    """Await work that looks at `cancellation`, and cancel that when the awaiting is cancelled."""
    try:
        return await to_thread.run_sync(work, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        cancellation.cancel()
        raise
