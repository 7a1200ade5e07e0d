"""A desk with all that it stands on, real but for the removals, which a test times and scripts."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from cutaway.errors import UnknownModel
from cutaway.options import ImageFormat
from cutaway.progress import Progress
from cutaway.runware.tasks import Dialect, RemovalTask
from cutaway.service.crew import Crew
from cutaway.service.deliveries import Deliveries, Pace
from cutaway.service.desk import Desk
from cutaway.service.media import MediaStore
from cutaway.service.metrics import Watch
from cutaway.service.reading import Removal
from cutaway.service.records import Records
from cutaway.service.removing import Outcome
from cutaway.settings import Limits
from cutaway.sources.fetch import fetch
from cutaway.sources.guard import Guard
from cutaway.sources.text import base64_bytes, data_uri_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest

    from cutaway.progress import Cancellation
    from cutaway.service.configuration import Configuration
    from cutaway.service.refusals import Refusal
    from cutaway.service.removing import Remover

__all__ = [
    "BASE",
    "HERE_ONLY",
    "PICTURE",
    "PICTURE_BASE64",
    "RESULT",
    "USUAL",
    "Clock",
    "Rooms",
    "StandIn",
    "code_of",
    "done",
    "file_of",
    "had",
    "opened",
    "removal",
    "submit",
    "until",
]

BASE = "http://service.example:8585"
PICTURE = b"\x89PNG\r\n\x1a\n" + b"a picture" * 5
PICTURE_BASE64 = b64encode(PICTURE).decode()
RESULT = b"the cutout of "
HERE_ONLY = Guard(permit=lambda address: str(address) == "127.0.0.1")
USUAL = Pace()
_PATIENCE = 30.0


class Clock:
    """A time that stands still unless it is told to go on."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self._went_on = asyncio.Event()

    def __call__(self) -> float:
        return self.now

    def go(self, seconds: float) -> None:
        """Let so much time go by, which wakes who has slept enough."""
        self.now += seconds
        self._went_on.set()
        self._went_on = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time has gone by."""
        until = self.now + seconds
        while self.now < until:
            await self._went_on.wait()


@dataclass
class StandIn:
    """In the place of a remover: gives back `RESULT` and the picture.

    Attributes:
        gate: Removals wait for it; it is open unless a test clears it.
        failure: What removals raise instead, if anything.
        removed: The pictures that were worked on.
    """

    gate: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    removed: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def check(self, task: RemovalTask) -> str:
        if task.model == "nobody:1@1":
            raise UnknownModel("there is no model nobody:1@1", "", "Choose another")
        return "classical"

    def fetch(self, image: str, cancellation: Cancellation | None = None) -> bytes:
        limits = Limits(allow_private_network=True)
        if image.startswith("http"):
            return fetch(image, limits, Progress(cancellation=cancellation))
        if image.startswith("data:"):
            return data_uri_bytes(image, limits)
        return base64_bytes(image, limits)

    def remove(self, _task: RemovalTask, picture: bytes, cancellation: Cancellation) -> Outcome:
        with cancellation.interrupting(self.gate.set):
            assert self.gate.wait(_PATIENCE)
        cancellation.check()
        self.removed.append(picture)
        if self.failure is not None:
            raise self.failure
        return Outcome(
            data=RESULT + picture,
            format=ImageFormat.PNG,
            model="classical",
            warnings=(),
            seconds={"subject": 0.01},
        )

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Rooms:
    """The rooms of one run of a service."""

    desk: Desk
    records: Records
    media: MediaStore
    remover: StandIn
    watch: Watch

    async def until_done(self, task_uuid: str, owner: str = "") -> dict[str, Any]:
        """Poll a task until it isn't in work any more."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                item = await self.desk.standing(task_uuid, owner)
                if item["status"] != "processing":
                    return item
                await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(
    configuration: Configuration,
    remover: StandIn | None = None,
    pace: Pace = USUAL,
    *,
    patience: float = _PATIENCE,
) -> AsyncIterator[Rooms]:
    """Run a service without its wire, and drain it for at most `patience` seconds at the end."""
    remover = remover or StandIn()
    records = Records(configuration.folder)
    crew = Crew(cast("Remover", remover), configuration.workers)
    try:
        media, watch = MediaStore(configuration, records, pace.clock), Watch()
        deliveries = Deliveries(configuration, records, media, pace=pace, guard=HERE_ONLY)
        desk = Desk(configuration, records, media, crew, deliveries, watch, pace=pace)
        await desk.start()
        try:
            yield Rooms(desk, records, media, remover, watch)
        finally:
            await desk.drain(patience)
    finally:
        await asyncio.to_thread(crew.close)
        records.close()


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again until it is so."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110  (of the records, who tell nobody)
            await asyncio.sleep(0.005)


def removal(dialect: Dialect = Dialect.NEW, **parameters: object) -> Removal:
    """A task to remove a background, of an inline picture unless told otherwise."""
    named = {"task_uuid": str(uuid4()), "image": PICTURE_BASE64, "model": "runware:109@1"}
    task = RemovalTask(**{**named, "output_format": "PNG", **parameters})  # type: ignore[arg-type]
    return Removal(task, dialect)


async def submit(rooms: Rooms, task: Removal, owner: str = "") -> str:
    """Submit a task and give the UUID that its result will have."""
    return await rooms.desk.submit(task, owner=owner, base_url=BASE)


async def done(rooms: Rooms, task: Removal) -> dict[str, Any]:
    """Submit a synchronous task and wait for its data item."""
    await submit(rooms, task)
    return await rooms.desk.result(task.task.task_uuid)


def file_of(rooms: Rooms, item: dict[str, Any], field: str = "imageURL") -> bytes | None:
    """What one gets at an item's URL, if anything."""
    assert item[field].startswith(f"{BASE}/media/")
    path = rooms.media.path(item[field].rpartition("/")[2])
    return None if path is None else path.read_bytes()


def had(media: MediaStore, uuid: str) -> bytes:
    """The bytes of a picture, as a task gets them that names it by its UUID."""
    return media.needed(media.find(uuid).uuid)


def code_of(caught: pytest.ExceptionInfo[Refusal]) -> str:
    """What the wire calls a refusal."""
    return caught.value.fault.code
