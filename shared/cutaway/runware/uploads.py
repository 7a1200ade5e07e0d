"""Storing pictures with the service, each only once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import WeakValueDictionary

from cutaway.errors import InvalidRequest, ProtocolError
from cutaway.runware.pictures import data_uri
from cutaway.runware.tasks import legacy_upload, upload

if TYPE_CHECKING:
    from cutaway.runware.replies import Result
    from cutaway.runware.wire import Courier

__all__ = ["Uploads"]

_MOST_KEPT = 1000
_TRIES = 2


class Uploads:
    """What was uploaded, by its content; used on the wire's loop alone.

    The service keeps a picture for 30 days after it was last used, so the same bytes, uploaded
    again, are the picture that is there already. Who uploads what is just being uploaded waits for
    that instead.
    """

    def __init__(self) -> None:
        self._stored: OrderedDict[bytes, str] = OrderedDict()
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._knows_media_storage = True

    async def store(self, courier: Courier, picture: str | bytes) -> str:
        """Give the UUID of a picture with the service, uploading it if need be.

        Args:
            courier: What uploads.
            picture: A file's bytes, or its data URI or base64.

        Raises:
            CutawayError: as `upload` and `data_uri` do.
        """
        digest = await asyncio.to_thread(_digest, picture)
        lock = self._locks.setdefault(digest, asyncio.Lock())
        async with lock:
            if digest not in self._stored:
                media = picture if isinstance(picture, str) else data_uri(picture)
                self._stored[digest] = await self.upload(courier, media)
                if len(self._stored) > _MOST_KEPT:
                    self._stored.popitem(last=False)
            self._stored.move_to_end(digest)
            return self._stored[digest]

    async def upload(self, courier: Courier, media: str) -> str:
        """Upload a data URI, base64 or public URL, whatever was uploaded before.

        Raises:
            ProtocolError: the service doesn't tell the picture's UUID.
            CutawayError: as `cutaway.runware.delivery.deliver` does.
        """
        for _ in range(_TRIES):
            stored = await self._delivered(courier, media)
            if stored.image_uuid is not None:
                return stored.image_uuid
        raise ProtocolError(
            "the picture was uploaded in vain",
            "the service doesn't tell its UUID",
            "Send the picture in the task itself",
        )

    def forget(self, stored: str) -> None:
        """Upload a picture anew the next time: the service doesn't have it any more."""
        for digest in [key for key, value in self._stored.items() if value == stored]:
            del self._stored[digest]

    async def _delivered(self, courier: Courier, media: str) -> Result:
        if self._knows_media_storage:
            try:
                return await courier.deliver(upload(str(uuid4()), media), "accepted")
            except InvalidRequest as error:
                if not _is_about_task_type(error):
                    raise
                self._knows_media_storage = False
        return await courier.deliver(legacy_upload(str(uuid4()), media), "accepted")


def _digest(picture: str | bytes) -> bytes:
    data = picture.encode() if isinstance(picture, str) else picture
    return sha256(data).digest()


def _is_about_task_type(error: InvalidRequest) -> bool:
    said = error.details.raw_code + error.details.parameter
    return "tasktype" in said.lower()
