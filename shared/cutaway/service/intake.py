"""How pictures and tasks come in: stored before anyone is told that they are."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from cutaway.errors import TimedOut
from cutaway.runware.tasks import Dialect
from cutaway.service import outcomes, refusals
from cutaway.service.media import suffix_of
from cutaway.service.records import TaskRecord
from cutaway.service.refusals import Fault, Refusal
from cutaway.sources.text import SourceKind, kind_of_sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.service.configuration import Configuration
    from cutaway.service.crew import Crew
    from cutaway.service.media import MediaStore
    from cutaway.service.reading import Removal
    from cutaway.service.records import Media, MediaKind, Records

__all__ = ["Intake"]

_FETCHES = 8
_FETCH_PATIENCE = 60.0
"""Seconds that fetching a picture may take in all."""

_LONGEST_MESSAGE = 1 << 16


class Intake:
    """Stores what comes in.

    Args:
        configuration: How long things are kept.
        records: Where tasks are written down.
        media: Where pictures are stored.
        crew: Who fetches, and knows the models.
        clock: Gives the seconds since the epoch.
    """

    def __init__(
        self,
        configuration: Configuration,
        records: Records,
        media: MediaStore,
        crew: Crew,
        clock: Callable[[], float],
    ) -> None:
        self._configuration, self._records, self._media = configuration, records, media
        self._crew, self._clock = crew, clock
        self._fetches = asyncio.Semaphore(_FETCHES)

    def accept(self, removal: Removal, owner: str, image_uuid: str, base_url: str) -> TaskRecord:
        """Store a task and its input; on return a promised one is on the disk. Blocking.

        Args:
            removal: The task; its model is named.
            owner: Whose it is.
            image_uuid: What its result will be named.
            base_url: What the URLs of its pictures are to begin with.

        Raises:
            Refusal: its UUID is taken, its input isn't there, there is no room, or it is too long.
            CutawayError: its picture or its model can't be used.
        """
        task = removal.task
        if self._records.task(task.task_uuid.lower()) is not None:
            raise refusals.conflict(task.task_uuid)
        model = self._crew.remover.check(task)
        promised = task.delivery_method == "async" or task.webhook_url is not None
        image, input_uuid = self._input(removal, durable=promised)
        message = outcomes.message(task, removal.dialect, image)
        if len(json.dumps(message)) > _LONGEST_MESSAGE:
            raise _too_long()
        record = TaskRecord(
            uuid=task.task_uuid.lower(),
            owner=owner,
            promised=promised,
            message=message,
            model=model,
            image_uuid=image_uuid,
            input_uuid=input_uuid,
            base_url=base_url,
            accepted=self._clock(),
        )
        self._records.accept(record)
        return record

    def _input(self, removal: Removal, *, durable: bool) -> tuple[str, str | None]:
        """What to write down as a task's picture: a URL, or a stored picture's UUID, told twice."""
        image, kind = removal.task.image, kind_of_sent(removal.task.image)
        if kind is SourceKind.URL:
            return image.strip(), None
        if kind is SourceKind.UUID:
            place = "inputs.image" if removal.dialect is Dialect.NEW else "inputImage"
            found = self._media.find(image.strip(), place).uuid
            return found, found
        data = self._crew.remover.fetch(image)  # inline: nothing is fetched from elsewhere
        stored = self.stored(data, "input", durable=durable).uuid
        return stored, stored

    def stored(self, data: bytes, kind: MediaKind, *, durable: bool) -> Media:
        """Store a picture for as long as one of its kind is kept. Blocking.

        Raises:
            UnsupportedFormat: it is no picture.
            Refusal: there is no room.
            OutputError: the disk is full or fails.
        """
        keep = self._configuration
        ttl = keep.keep_uploads if kind == "upload" else keep.keep
        return self._media.put(data, suffix_of(data), kind=kind, ttl=ttl, durable=durable)

    async def fetched(self, image: str) -> bytes:
        """Get the bytes of a picture that is a public URL, a data URI or base64.

        Raises:
            TimedOut: they didn't come whole in a minute.
            CutawayError: they can't be had.
        """
        async with self._fetches:
            try:
                async with asyncio.timeout(_FETCH_PATIENCE):
                    return await self._crew.fetch(image)
            except TimeoutError as error:
                raise TimedOut(
                    "the picture was not fetched",
                    f"it did not come whole in {_FETCH_PATIENCE:g} s",
                    "Upload it first, or send its bytes",
                ) from error


def _too_long() -> Refusal:
    return Refusal(
        Fault(code="maxTaskSizeExceeded", status=400, limits={"max": _LONGEST_MESSAGE}),
        "the task was not taken",
        f"its parameters have more than {_LONGEST_MESSAGE} characters",
        "Send the picture inline, and less beside it",
    )
