"""Why the service doesn't do what it was asked to, in Runware's words and in ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cutaway.errors import CutawayError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Fault",
    "Refusal",
    "body_too_large",
    "broken",
    "conflict",
    "draining",
    "invalid_key",
    "invalid_parameter",
    "missing_key",
    "missing_parameter",
    "no_such_media",
    "no_such_task",
    "not_json",
    "queue_full",
    "storage_full",
    "timed_out",
    "too_many_of_key",
    "too_many_tasks",
    "too_slow",
    "unknown_task_type",
    "wrong_content_type",
    "wrong_host",
    "wrong_origin",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What an error says on the wire beside its message.

    Attributes:
        code: Runware's word for it, such as `conflictTaskUUID`.
        status: The HTTP status that goes with it.
        parameter: The parameter at fault, by its name on the wire.
        type: What the parameter must be, in JSON's words.
        allowed: What the parameter may hold instead.
        limits: The parameter's `min` and `max`.
        retry_after: Seconds after which it may be tried again.
    """

    code: str
    status: int
    parameter: str | None = None
    type: str | None = None
    allowed: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    retry_after: float | None = None


class Refusal(CutawayError):
    """The service doesn't do what it was asked to.

    Attributes:
        fault: What the wire tells of it.
    """

    code = "refused"

    def __init__(self, fault: Fault, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why, next_step)
        self.fault = fault


def conflict(task_uuid: str) -> Refusal:
    """Make the error for a task whose UUID another one has had."""
    return Refusal(
        Fault(code="conflictTaskUUID", status=400, parameter="taskUUID", type="string"),
        f"the taskUUID {task_uuid} is taken",
        "a task with it was accepted before",
        "Ask for its result with getResponse, or send a new task with a UUID of its own",
    )


def no_such_task(task_uuid: str) -> Refusal:
    """Make the error for a task that isn't there, isn't any more, or is another key's."""
    return Refusal(
        Fault(code="taskNotFound", status=404, parameter="taskUUID", type="string"),
        f"there is no task {task_uuid}",
        "none was accepted with this UUID, or its result has expired",
        "Check the UUID, or send the task again",
    )


def no_such_media(media_uuid: str, parameter: str | None = None) -> Refusal:
    """Make the error for a stored picture that isn't there, or isn't any more."""
    return Refusal(
        Fault(code="mediaNotFound", status=404, parameter=parameter, type="string"),
        f"there is no stored picture {media_uuid}",
        "none was stored with this UUID, or it was deleted or has expired",
        "Upload the picture again",
    )


def queue_full(retry_after: float = 2.0) -> Refusal:
    """Make the error for a task that comes while enough others wait."""
    return Refusal(
        Fault(code="rateLimitExceeded", status=429, retry_after=retry_after),
        "the task was not taken",
        "as many tasks wait as may",
        f"Try again in {retry_after:g} s",
    )


def too_many_of_key(retry_after: float = 2.0) -> Refusal:
    """Make the error for a task of a key that has as many as one may have."""
    return Refusal(
        Fault(code="rateLimitExceeded", status=429, retry_after=retry_after),
        "the task was not taken",
        "this key has as many tasks waiting or worked on as one may have",
        f"Try again in {retry_after:g} s, or when one of them is done",
    )


def storage_full() -> Refusal:
    """Make the error for a picture that there is no room for."""
    return Refusal(
        Fault(code="serviceUnavailable", status=503, retry_after=60.0),
        "the picture was not stored",
        "the service keeps as many bytes of pictures as it may",
        "Delete stored pictures, or try again when some have expired",
    )


def draining() -> Refusal:
    """Make the error for a request that comes too late, or waits, while the service is stopped."""
    return Refusal(
        Fault(code="serviceUnavailable", status=503, retry_after=5.0),
        "the request was not answered",
        "the service is being stopped",
        "Try again when it has started anew",
    )


def timed_out(task_uuid: str, seconds: float) -> Refusal:
    """Make the error for a result that wasn't there in time; its task goes on."""
    return Refusal(
        Fault(code="timeout", status=408),
        f"the task {task_uuid} was not done in {seconds:g} s",
        "it waits, or takes long, and goes on",
        "Ask for its result with getResponse, or send such tasks with deliveryMethod async",
    )


def missing_key() -> Refusal:
    """Make the error for a request without the key that the service wants."""
    return Refusal(
        Fault(code="missingApiKey", status=401, parameter="apiKey", type="string"),
        "an API key is needed",
        "this service was started with one, and the request has none",
        "Send the header Authorization: Bearer KEY, or an authentication task first",
    )


def invalid_key() -> Refusal:
    """Make the error for a key that isn't the service's."""
    return Refusal(
        Fault(code="invalidApiKey", status=401, parameter="apiKey", type="string"),
        "the API key is invalid",
        "it isn't the one that this service was started with",
        "Ask whoever runs the service for the key",
    )


def unknown_task_type(allowed: Sequence[str]) -> Refusal:
    """Make the error for a task of a kind that the service doesn't do."""
    fault = Fault(
        code="unsupportedTaskType",
        status=400,
        parameter="taskType",
        type="string",
        allowed=tuple(allowed),
    )
    return Refusal(
        fault,
        "taskType can't be used",
        f"it must be one of {', '.join(allowed)}",
        "Change it and try again",
    )


def invalid_parameter(
    parameter: str,
    why: str,
    *,
    kind: str | None = None,
    allowed: Sequence[str] = (),
    limits: Mapping[str, int] | None = None,
) -> Refusal:
    """Make the error for a parameter, by its name on the wire, that holds what it can't."""
    fault = Fault(
        code=f"invalid{_in_camels(parameter)}",
        status=400,
        parameter=parameter,
        type=kind,
        allowed=tuple(allowed),
        limits=limits or {},
    )
    return Refusal(fault, f"{parameter} can't be used", why, "Change it and try again")


def missing_parameter(
    parameter: str, why: str, *, kind: str | None = None, allowed: Sequence[str] = ()
) -> Refusal:
    """Make the error for a parameter, by its name on the wire, that a task can't do without."""
    fault = Fault(
        code=f"missing{_in_camels(parameter)}",
        status=400,
        parameter=parameter,
        type=kind,
        allowed=tuple(allowed),
    )
    return Refusal(fault, f"{parameter} is missing", why, "Give it and try again")


def not_json(why: str) -> Refusal:
    """Make the error for a body that is no JSON array of objects."""
    return Refusal(
        Fault(code="invalidJSON", status=400),
        "the request can't be read",
        why,
        "Send a JSON array of task objects",
    )


def too_many_tasks(most: int) -> Refusal:
    """Make the error for a request with more tasks than one may hold."""
    return Refusal(
        Fault(code="maxTasksExceeded", status=400, limits={"max": most}),
        "the request was not taken",
        f"it holds more than {most} tasks",
        "Send them in several requests",
    )


def body_too_large(most: int) -> Refusal:
    """Make the error for a body of more bytes than the service takes."""
    return Refusal(
        Fault(code="maxBodySizeExceeded", status=413, limits={"max": most}),
        "the request was not taken",
        f"its body has more than {most} bytes",
        "Send a smaller picture, or its URL",
    )


def too_slow() -> Refusal:
    """Make the error for a body that comes too slowly."""
    return Refusal(
        Fault(code="timeout", status=408),
        "the request was not taken",
        "its body came too slowly",
        "Try again over a faster connection, or send a URL of the picture",
    )


def broken() -> Refusal:
    """Make the error for a defect of the service, of which the wire tells nothing more."""
    return Refusal(
        Fault(code="internalServerError", status=500),
        "the service failed",
        "it met an error that its log tells about",
        "Try again, and tell whoever runs the service if it goes on",
    )


def wrong_content_type() -> Refusal:
    """Make the error for a body that isn't said to be JSON."""
    return Refusal(
        Fault(code="unsupportedContentType", status=415, allowed=("application/json",)),
        "the request was not taken",
        "its Content-Type isn't application/json",
        "Send the header Content-Type: application/json",
    )


def wrong_host() -> Refusal:
    """Make the error for a request to a name that isn't the service's."""
    return Refusal(
        Fault(code="invalidHost", status=421),
        "the request was not taken",
        "its Host header names neither this machine nor the service's public URL, and without a "
        "key any web page could have sent it",
        "Use the address that the service shows, or start it with --public-url or with a key",
    )


def wrong_origin() -> Refusal:
    """Make the error for a WebSocket that a web page of somebody else opens."""
    return Refusal(
        Fault(code="forbidden", status=403),
        "the connection was not taken",
        "a web page of another origin opens it, and the service was started without a key",
        "Start the service with a key",
    )


def _in_camels(parameter: str) -> str:
    """`inputs.image` as `InputsImage`: how Runware's codes name a parameter."""
    return "".join(part[:1].upper() + part[1:] for part in parameter.split("."))
