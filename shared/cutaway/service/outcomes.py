"""A task and what came of it, as the records keep them and as the wire has them."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cutaway.runware.tasks import Dialect, RemovalTask, decode, encode
from cutaway.service import answers

if TYPE_CHECKING:
    from decimal import Decimal

    from cutaway.errors import CutawayError
    from cutaway.runware.tasks import OutputType
    from cutaway.service.media import Media, MediaStore
    from cutaway.service.reading import Delete, Upload
    from cutaway.service.records import TaskRecord
    from cutaway.service.refusals import Refusal

__all__ = [
    "deletion_item",
    "failed",
    "failure",
    "item",
    "message",
    "success",
    "task",
    "upload_item",
]


def message(task: RemovalTask, dialect: Dialect, image: str) -> dict[str, Any]:
    """Write a task down, with its picture's UUID or URL, and its model, which it must have.

    The new dialect has a word for everything, so the words are its, whichever was spoken; the
    task's type tells that.
    """
    kept = replace(task, image=image, extra={})
    return encode(kept, Dialect.NEW) | {"taskType": dialect.task_type}


def task(record: TaskRecord) -> tuple[RemovalTask, Dialect]:
    """Read a task that was written down."""
    return decode(record.message)


def success(stored: Media, mime: str) -> dict[str, Any]:
    """Write down what a task gave."""
    return {"name": stored.name, "mime": mime, "expires": stored.expires}


def failure(error: CutawayError, record: TaskRecord) -> dict[str, Any]:
    """Write down how a task failed."""
    item = answers.error_item(
        error, task_uuid=record.message["taskUUID"], task_type=record.message["taskType"]
    )
    return {"item": item, "status": answers.fault_of(error).status}


def failed(outcome: dict[str, Any]) -> Refusal:
    """Make the error anew that a task failed with."""
    error = answers.refusal_of(outcome["item"], outcome["status"])
    error.task_uuid = outcome["item"]["taskUUID"]
    return error


def item(
    record: TaskRecord, media: MediaStore, price: Decimal, data: bytes | None = None
) -> dict[str, Any]:
    """Make the data item of a task that ended well.

    Args:
        record: The task, with its outcome.
        media: Where the result is.
        price: US dollars.
        data: The result's bytes, if they are at hand.

    Raises:
        Refusal: `mediaNotFound`, the result's bytes are wanted and gone.
    """
    asked, _ = task(record)
    told = record.outcome or {}
    outputs: dict[OutputType, str] = {}
    if "URL" in asked.output_types:
        outputs["URL"] = media_url(record.base_url, told["name"])
    if set(asked.output_types) != {"URL"}:
        text = b64encode(media.needed(record.image_uuid) if data is None else data).decode("ascii")
        if "base64Data" in asked.output_types:
            outputs["base64Data"] = text
        if "dataURI" in asked.output_types:
            outputs["dataURI"] = f"data:{told['mime']};base64,{text}"
    return answers.result_item(asked, record.image_uuid, record.input_uuid, outputs, price)


def upload_item(upload: Upload, stored: Media, base_url: str) -> dict[str, Any]:
    """Make the data item of a picture that was uploaded."""
    word = "image" if upload.task_type == "imageUpload" else "media"
    return {
        "taskType": upload.task_type,
        "taskUUID": upload.task_uuid,
        f"{word}UUID": stored.uuid,
        f"{word}URL": media_url(base_url, stored.name),
    }


def deletion_item(deletion: Delete) -> dict[str, Any]:
    """Make the data item of a picture that was deleted."""
    return {
        "taskType": "mediaStorage",
        "taskUUID": deletion.task_uuid,
        "mediaUUID": deletion.media,
    }


def media_url(base_url: str, name: str) -> str:
    """Where a stored picture can be had."""
    return f"{base_url}/media/{name}"
