"""A whole service, from the first socket to the last answer."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cutaway.backends.local import LocalBackend
from cutaway.client.models import model_facts
from cutaway.service.app import Application
from cutaway.service.crew import Crew
from cutaway.service.deliveries import Deliveries
from cutaway.service.desk import Desk
from cutaway.service.hosting import FAREWELL, Host, listening
from cutaway.service.media import MediaStore
from cutaway.service.metrics import Watch
from cutaway.service.records import Records
from cutaway.service.removing import Remover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from cutaway.client.models import ModelFacts
    from cutaway.service.configuration import Configuration
    from cutaway.service.hosting import Addresses
    from cutaway.settings import Settings

__all__ = ["serve"]

_DRAIN = 120.0
"""Seconds that work under way may take once the service is told to stop."""


async def serve(
    configuration: Configuration,
    settings: Settings,
    announce: Callable[[Addresses], None],
) -> None:
    """Serve until SIGTERM or SIGINT (Ctrl-C), then finish what is under way.

    A second signal ends the process at once; signals are listened to in the main thread only.
    Being cancelled ends the service, too, without waiting for what is under way.

    Args:
        configuration: How the service runs.
        settings: Where models are, and how they run.
        announce: Called once, when requests are taken.

    Raises:
        ConfigError: it can't listen there, or must not without a key.
        CutawayError: its folder can't be used.
    """
    with ExitStack() as stack:
        sockets = listening(configuration)
        for one in sockets:
            stack.callback(one.close)
        stop = stack.enter_context(_stopped())
        parts = _Parts(configuration, settings, stack)
        await parts.desk.start()
        host = Host(configuration, parts.application.asgi, sockets, announce)
        running = asyncio.create_task(host.run_here())
        drain = 0.0
        try:
            await _first(running, asyncio.create_task(stop.wait()))
            drain = _DRAIN
        finally:
            await parts.desk.drain(drain)
            await parts.application.sockets.settle(min(drain, FAREWELL))
            host.should_exit = True
            await running


async def _first(running: asyncio.Task[None], stopping: asyncio.Task[bool]) -> None:
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()


class _Parts:
    """What a service is made of; it is put away as `stack` unwinds."""

    def __init__(
        self,
        configuration: Configuration,
        settings: Settings,
        stack: ExitStack,
    ) -> None:
        records = Records(configuration.folder)
        stack.callback(records.close)
        media = MediaStore(configuration, records)
        crew = Crew(Remover(configuration, settings), configuration.workers)
        stack.callback(crew.close)
        watch = Watch()
        deliveries = Deliveries(configuration, records, media)
        self.desk = Desk(configuration, records, media, crew, deliveries, watch)

        def models() -> Sequence[ModelFacts]:
            return model_facts(settings, LocalBackend(settings))

        self.application = Application(
            configuration,
            self.desk,
            media,
            watch,
            check=crew.remover.check,
            models=models,
        )


@contextmanager
def _stopped() -> Iterator[asyncio.Event]:
    """Have an event set by the first signal to stop; the second ends the process."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if told:
            os._exit(128 + number)
        told.append(number)
        loop.call_soon_threadsafe(event.set)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield event
    finally:
        for number, handler in before:
            signal.signal(number, handler)
