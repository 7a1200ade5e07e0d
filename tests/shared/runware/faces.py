"""The client's faces, all driven alike, so that one test holds for each."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from anyio.from_thread import start_blocking_portal
from PIL import Image

from cutaway.runware.client import AsyncRunware, Runware
from cutaway.runware.retries import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyio.from_thread import BlockingPortal

    from cutaway.runware.replies import Result
    from tests.fakes.runware_service import RunwareService

__all__ = [
    "FACES",
    "FAST",
    "TRANSPORTS",
    "Face",
    "address",
    "open_face",
    "picture",
    "still_open",
    "under_way",
]

FACES = ["waiting", "asyncio", "trio"]
TRANSPORTS = ["http", "websocket"]

FAST = Pace(
    timeout=30.0,
    first_poll=0.002,
    longest_poll=0.01,
    first_retry=0.002,
    longest_retry=0.01,
    longest_hint=0.01,
)
"""Patient, but never for long at once."""

_OURS = ("cutaway-wire", "asyncio_")


class Awaited:
    """An `AsyncRunware` whose loop runs in a thread of its own."""

    def __init__(self, client: AsyncRunware, portal: BlockingPortal) -> None:
        self._client = client
        self._portal = portal

    def submit(self, image: str | bytes, **choices: Any) -> Result:
        return self._portal.call(partial(self._client.submit, image, **choices))

    def wait_for(self, task_uuid: str, **choices: Any) -> Result:
        return self._portal.call(partial(self._client.wait_for, task_uuid, **choices))

    def upload(self, image: str | bytes, **choices: Any) -> str:
        return self._portal.call(partial(self._client.upload, image, **choices))


Face: TypeAlias = Runware | Awaited
"""What a test may do with a client, from any thread, whichever face it has."""


@contextmanager
def open_face(kind: str, key: str | None, **choices: Any) -> Iterator[Face]:
    """A client that waits, or one that awaits on `asyncio` or `trio`; closed at the end."""
    choices = {"pace": FAST, **choices}
    if kind == "waiting":
        with Runware(key, **choices) as client:
            yield client
        return
    with start_blocking_portal(kind) as portal:
        awaiting = AsyncRunware(key, **choices)
        with portal.wrap_async_context_manager(awaiting):
            yield Awaited(awaiting, portal)


def address(service: RunwareService, transport: str) -> str:
    return service.http_url if transport == "http" else service.ws_url


def picture(number: int = 0) -> bytes:
    """A PNG of one pixel; each number's is another file."""
    file = io.BytesIO()
    Image.new("RGB", (1, 1), (number >> 16, number >> 8 & 255, number & 255)).save(file, "PNG")
    return file.getvalue()


def still_open() -> list[str]:
    """What is left of clients: their threads, and tasks of asyncio that aren't done."""
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith(_OURS)]
    return threads + [task.get_name() for task in _tasks()]


def under_way() -> list[str]:
    """The pieces of work that a client does now."""
    return [task.get_name() for task in _tasks() if "Wire._do" in repr(task.get_coro())]


def _tasks() -> list[asyncio.Task[object]]:
    # A weak proxy among the objects would answer for one that is gone: so its type, not itself.
    found = [one for one in gc.get_objects() if issubclass(type(one), asyncio.Task)]
    return [task for task in found if not task.done()]
