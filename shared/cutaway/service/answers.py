"""What the service answers: results, acknowledgements and errors, as every known client reads them.

What the clients choke on decides the shape (each item names its task; a result and a task in work
always have an `imageUUID`; only answers to a poll have a `status`; `errors` is left out when there
are none), and `imageBackgroundRemoval` is what Runware itself calls the task in its results,
whatever the request called it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, to_json

from cutaway.catalogue.remote import remote_models
from cutaway.errors import (
    Cancelled,
    CutawayError,
    EngineError,
    InputError,
    LicenceNotAccepted,
    ModelDamaged,
    ModelNotInstalled,
    NoSubjectFound,
    NotEnoughMemory,
    OptionError,
    RuntimeUnavailable,
    SourceError,
    TooLarge,
    TransportError,
    UnknownModel,
    UnsupportedFormat,
)
from cutaway.runware.replies import excerpt
from cutaway.service.refusals import Fault, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from cutaway.runware.tasks import Dialect, OutputType, RemovalTask

__all__ = [
    "RESULT_TYPE",
    "Answer",
    "acknowledgement",
    "amount",
    "envelope",
    "error_item",
    "fault_of",
    "joined",
    "processing_item",
    "refusal_of",
    "result_item",
    "success_item",
    "written",
]

RESULT_TYPE = "imageBackgroundRemoval"
"""What a result's `taskType` says in either dialect."""

_LONGEST = 2000
"""Characters of an error's message."""

_FIELDS: Mapping[OutputType, str] = {
    "URL": "imageURL",
    "base64Data": "imageBase64Data",
    "dataURI": "imageDataURI",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one task or of a whole request.

    Attributes:
        data: The results.
        errors: What failed.
        status: The HTTP status that goes with it.
        retry_after: Seconds after which what failed may be tried again.
    """

    data: tuple[Mapping[str, Any], ...] = ()
    errors: tuple[Mapping[str, Any], ...] = ()
    status: int = 200
    retry_after: float | None = None

    @classmethod
    def failed(
        cls,
        error: CutawayError,
        *,
        task_uuid: str | None = None,
        task_type: str | None = None,
        picture: str | None = None,
        polled: bool = False,
    ) -> Answer:
        """The answer to a task that failed; see `error_item`."""
        item = error_item(
            error, task_uuid=task_uuid, task_type=task_type, picture=picture, polled=polled
        )
        fault = fault_of(error)
        return cls((), (item,), fault.status, fault.retry_after)


def joined(answers: Iterable[Answer]) -> Answer:
    """Answer all tasks of a request at once.

    If any succeeded the status is 200, else that of the first that failed.
    """
    each = list(answers)
    data = tuple(item for one in each for item in one.data)
    errors = tuple(item for one in each for item in one.errors)
    first = next((one for one in each if one.errors), None)
    if data or first is None:
        return Answer(data, errors)
    waits = [one.retry_after for one in each if one.retry_after is not None]
    return Answer((), errors, first.status, max(waits, default=None))


def envelope(
    data: Sequence[Mapping[str, Any]], errors: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Pack items as the wire has them: without `errors` where there are none."""
    return {"data": list(data), "errors": list(errors)} if errors else {"data": list(data)}


def written(message: Mapping[str, Any]) -> bytes:
    """Write a message as JSON; a picture in it takes a tenth of the standard library's time."""
    try:
        return to_json(message)
    except PydanticSerializationError:  # half of a surrogate pair, told back as it came
        return json.dumps(message, separators=(",", ":")).encode("ascii")


def acknowledgement(task: RemovalTask, dialect: Dialect) -> dict[str, Any]:
    """Say that a task was accepted, whose result is to be asked for or will be sent."""
    return {"taskType": dialect.task_type, "taskUUID": task.task_uuid}


def processing_item(task_uuid: str, image_uuid: str) -> dict[str, Any]:
    """Say that a task isn't done yet; its picture's UUID is known already."""
    return {
        "taskType": RESULT_TYPE,
        "taskUUID": task_uuid,
        "status": "processing",
        "imageUUID": image_uuid,
    }


def result_item(
    task: RemovalTask,
    image_uuid: str,
    input_uuid: str | None,
    outputs: Mapping[OutputType, str],
    cost: Decimal,
) -> dict[str, Any]:
    """Give a task's result.

    Args:
        task: What was asked for; it decides whether the cost is told.
        image_uuid: The result's name among the stored pictures.
        input_uuid: The input's.
        outputs: The result by output type: its URL, base64 or data URI.
        cost: US dollars.
    """
    item: dict[str, Any] = {
        "taskType": RESULT_TYPE,
        "taskUUID": task.task_uuid,
        "imageUUID": image_uuid,
    }
    if input_uuid is not None:
        item["inputImageUUID"] = input_uuid
    item |= {_FIELDS[kind]: value for kind, value in outputs.items()}
    return item | ({"cost": amount(cost)} if task.include_cost else {})


def amount(cost: Decimal) -> float:
    """US dollars as JSON has them: 0 is 0, not 0.0."""
    return float(cost) or 0


def success_item(result: Mapping[str, Any]) -> dict[str, Any]:
    """Give a result as the answer to a poll."""
    return {**result, "status": "success"}


def error_item(
    error: CutawayError,
    *,
    task_uuid: str | None = None,
    task_type: str | None = None,
    picture: str | None = None,
    polled: bool = False,
) -> dict[str, Any]:
    """Tell an error.

    Args:
        error: What went wrong.
        task_uuid: The task that it belongs to.
        task_type: What the request called that task.
        picture: Where that request told its picture: the parameter at fault if the picture is.
        polled: Whether it answers a poll; only then it has a `status`.
    """
    fault = fault_of(error)
    told = {
        "code": fault.code,
        "message": excerpt(str(error), _LONGEST),
        "parameter": fault.parameter or (picture if fault in _PICTURE_FAULTS else None),
        "type": fault.type,
        "allowedValues": list(fault.allowed),
        **fault.limits,
        "taskType": task_type,
        "taskUUID": task_uuid,
        "status": "error" if polled else None,
    }
    return {name: value for name, value in told.items() if value not in (None, [])}


def refusal_of(item: Mapping[str, Any], status: int = 400) -> Refusal:
    """Make an error anew from what was told of it once, to tell it again."""
    fault = Fault(
        code=item["code"],
        status=status,
        parameter=item.get("parameter"),
        type=item.get("type"),
        allowed=tuple(item.get("allowedValues", ())),
        limits={name: item[name] for name in ("min", "max") if name in item},
    )
    return Refusal(fault, item["message"].rstrip("."))


def fault_of(error: CutawayError) -> Fault:
    """What the wire tells of an error, beside its message."""
    if isinstance(error, Refusal):
        return error.fault
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), _INTERNAL)


_INTERNAL = Fault(code="internalServerError", status=500)
_NO_MODEL = Fault(code="modelNotFound", status=404, parameter="model", type="string")
_NOT_TRANSFERRED = Fault(code="failedToTransferImage", status=400, type="string")
_BAD_PICTURE = Fault(code="invalidInputImage", status=400, type="string")
_UNUSABLE_MODEL = Fault(code="unsupportedModel", status=400, parameter="model", type="string")
_TOO_LARGE = Fault(code="maxInputImageSizeExceeded", status=400, type="string")
_NO_FORMAT = Fault(code="unsupportedInputImageFormat", status=400, type="string")
_PICTURE_FAULTS = (_NOT_TRANSFERRED, _BAD_PICTURE, _TOO_LARGE, _NO_FORMAT)
_AIRS = tuple(model.air for model in remote_models() if model.twin and not model.video)

_FAULTS: Sequence[tuple[type[CutawayError], Fault]] = (
    (
        UnknownModel,
        Fault(code="invalidModel", status=400, parameter="model", type="string", allowed=_AIRS),
    ),
    (ModelNotInstalled, _NO_MODEL),
    (ModelDamaged, _NO_MODEL),
    (LicenceNotAccepted, _UNUSABLE_MODEL),
    (RuntimeUnavailable, _UNUSABLE_MODEL),
    (NotEnoughMemory, Fault(code="noAvailableServer", status=503, retry_after=10.0)),
    (NoSubjectFound, Fault(code="noSubjectFound", status=400)),
    (EngineError, Fault(code="inferenceError", status=500)),
    (SourceError, _NOT_TRANSFERRED),
    (TransportError, _NOT_TRANSFERRED),
    (TooLarge, _TOO_LARGE),
    (UnsupportedFormat, _NO_FORMAT),
    (InputError, _BAD_PICTURE),
    (OptionError, Fault(code="incompatibleParameters", status=400)),
    (Cancelled, Fault(code="taskCancelled", status=503)),
)
"""The first that an error is decides."""
