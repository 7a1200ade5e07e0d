"""What a client is told while a picture is worked on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from cutaway import Step

    Send = Callable[[float, float, str], Awaitable[None]]

__all__ = ["INTERVAL", "Telling", "telling"]

INTERVAL = 1.0
"""Seconds after which something is told again, be there news or not."""

_TOTAL = 100.0
_LEAST = 0.01
_STAGES = {
    "waiting": (0.0, 2.0),
    "reading": (2.0, 8.0),
    "decoding": (8.0, 15.0),
    "preparing": (15.0, 20.0),
    "finding the subject": (15.0, 70.0),
    "waiting for the service": (20.0, 60.0),
    "downloading": (60.0, 68.0),
    "reading the answer": (68.0, 70.0),
    "refining": (70.0, 80.0),
    "post-processing": (80.0, 82.0),
    "matting": (82.0, 90.0),
    "cleaning edges": (90.0, 94.0),
    "writing": (94.0, 100.0),
}
"""Where each stage of the core begins and ends on the whole way, in percent."""


class Telling:
    """Takes the steps of the work, and tells of them no more often than is of use.

    The told values rise strictly, whatever the steps are, and stay below 100 until the end.

    Args:
        send: Takes the value, the total and a message.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._news = anyio.Event()
        self._stage = "waiting"
        self._value = 0.0
        self._told = -1.0

    def step(self, step: Step) -> None:
        """Take a step; call it from the event loop."""
        begin, end = _STAGES.get(step.stage, (self._value, self._value))
        self._value = max(self._value, begin + (end - begin) * step.share)
        if step.stage != self._stage:
            self._stage = step.stage
            self._news.set()

    async def keep_telling(self) -> None:
        """Tell of each new stage at once, and at least every `INTERVAL` seconds of the running."""
        while True:
            self._news = anyio.Event()
            await self._tell()
            with anyio.move_on_after(INTERVAL):
                await self._news.wait()

    async def _tell(self) -> None:
        # The work may be silent for long: half of a hundredth nearer to the end is still more.
        floor = self._told + min(_LEAST, (_TOTAL - self._told) / 200)
        self._told = max(floor, min(self._value, _TOTAL - 1))
        await self._send(round(self._told, 6), _TOTAL, self._stage)


@asynccontextmanager
async def telling(send: Send) -> AsyncIterator[Telling]:
    """Tell a client of the steps that come while the block runs."""
    teller = Telling(send)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(teller.keep_telling)
            yield teller
            group.cancel_scope.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the block's own: telling never fails
