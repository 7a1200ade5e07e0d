"""Removal tasks and messages for the tests, short of all that they don't care about."""

from __future__ import annotations

from typing import Any

from cutaway.runware.tasks import MaskSettings, RemovalTask

UUID = "d27ab86a-a180-4276-9f35-b9d9dbbbd00e"
URL = "https://example.com/a.jpg"
MODEL = "runware:112@2"
SETTINGS = tuple(MaskSettings.__dataclass_fields__)


def a_task(**parameters: Any) -> RemovalTask:
    """A task with these parameters; mask settings may stand among them."""
    settings = {name: parameters.pop(name) for name in SETTINGS if name in parameters}
    if settings:
        parameters["settings"] = MaskSettings(**settings)
    return RemovalTask(**{"task_uuid": UUID, "image": URL, "model": MODEL} | parameters)


def a_message(**fields: Any) -> dict[str, Any]:
    """The same on the wire, in the new dialect and without a model."""
    return {"taskType": "removeBackground", "taskUUID": UUID, "inputs": {"image": URL}} | fields
