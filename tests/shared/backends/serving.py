"""A fake service, the client that talks to it, and what it was sent."""

from __future__ import annotations

import base64
import io
import json
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from PIL import Image

from cutaway import Client, Settings
from tests.fakes.runware_account import picture_in
from tests.fakes.runware_faults import Answer, Hold
from tests.fakes.runware_service import RunwareService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.fakes.runware_faults import Fault
    from tests.fakes.runware_reading import Removal
    from tests.fakes.runware_service import Received

__all__ = [
    "answering",
    "cancelled_when_reached",
    "remote",
    "removals",
    "saying",
    "sent",
    "sent_picture",
    "settings_for",
]


def settings_for(service: RunwareService, **choices: Any) -> Settings:
    """Settings that lead to the fake, with its key."""
    given = {"backend": service.http_url, "runware_api_key": service.key, **choices}
    return Settings.load(**given)


@contextmanager
def remote(service: RunwareService, **choices: Any) -> Iterator[Client]:
    """A client of the fake, which lets go of all its connections at the end."""
    with Client(settings_for(service, **choices)) as client:
        yield client
    service.wait_until(lambda: not service.open_connections)


@asynccontextmanager
async def cancelled_when_reached(service: RunwareService) -> AsyncIterator[None]:
    """Hold the next answer, and cancel the block once that is waited for."""
    hold = Hold()
    service.faults.append(hold)
    async with anyio.create_task_group() as group:

        async def cancel() -> None:
            await anyio.to_thread.run_sync(hold.reached.wait)
            group.cancel_scope.cancel()

        group.start_soon(cancel)
        yield
    assert not hold.release.is_set()


def answering(picture: bytes) -> RunwareService:
    """A service that answers every removal with the same picture."""

    def cut(_: bytes, __: Removal) -> bytes:
        return picture

    return RunwareService(cut=cut)


def saying(**fields: object) -> Callable[[Received], Fault]:
    """A result with just these fields, for `RunwareService.fault_for`."""

    def fault(received: Received) -> Fault:
        item = {"taskUUID": received.task_uuid, "taskType": "removeBackground", **fields}
        return Answer(json.dumps({"data": [item]}).encode())

    return fault


def removals(service: RunwareService) -> list[dict[str, Any]]:
    """Every removal that came, as the service got it."""
    kinds = {"removeBackground", "imageBackgroundRemoval"}
    return [one.message for one in service.requests if one.task_type in kinds]


def sent(service: RunwareService) -> bytes:
    """The picture in the last removal."""
    message = removals(service)[-1]
    image: str = message["inputs"]["image"] if "inputs" in message else message["inputImage"]
    return picture_in(image)


def sent_picture(service: RunwareService) -> Image.Image:
    """The same, decoded."""
    return Image.open(io.BytesIO(sent(service)))


def base64_text(data: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(data).decode()
