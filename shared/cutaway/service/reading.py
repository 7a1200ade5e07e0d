"""What a request asks for, read from its JSON; nothing is done, fetched or looked up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cutaway.errors import OptionError
from cutaway.runware.mask_settings import MASK_SETTINGS
from cutaway.runware.parameters import json_object, text, uuid
from cutaway.runware.tasks import PARAMETERS, decode
from cutaway.service import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.runware.parameters import Check
    from cutaway.runware.tasks import Dialect, RemovalTask

__all__ = [
    "MOST_TASKS",
    "TASK_TYPES",
    "Authentication",
    "Delete",
    "Ping",
    "Poll",
    "Removal",
    "Request",
    "Upload",
    "messages",
    "read",
]

MOST_TASKS = 100
"""Task objects that one request may hold."""

_MOST_VALUES = 1 << 16
"""Values in a body. Each takes about fifty times its letters in memory, and a body comes before a
key may."""

_MARKS = ",[{"
_LEGACY_MODEL = "runware:109@1"
_LONGEST_NAME = 200
"""Characters of a model's name, or of an unknown parameter's."""

_MOST_NAMES = 20
"""Unknown parameters of one task that the log may tell of."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A background to remove.

    Attributes:
        task: What it asks for; the output format is always set and nothing unknown is kept.
        dialect: The one that the request is written in.
        unknown: Names of parameters that mean nothing here, such as `routing` or `inputs.video`;
            the first 20.
    """

    task: RemovalTask
    dialect: Dialect
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Poll:
    """How does that task stand?"""

    task_uuid: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture to store: a URL, a data URI or base64."""

    task_uuid: str
    media: str = field(repr=False)
    task_type: Literal["imageUpload", "mediaStorage"]


@dataclass(frozen=True, slots=True)
class Delete:
    """A stored picture to delete, by its UUID."""

    task_uuid: str
    media: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Is anybody there?"""

    task_uuid: str | None = None


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who asks: a key, and on a WebSocket maybe an earlier session's UUID."""

    key: str | None = field(default=None, repr=False)
    session_uuid: str | None = None


Request = Removal | Poll | Upload | Delete | Ping | Authentication


def messages(body: bytes | bytearray | str) -> list[object]:
    """Take a body apart into what should be task objects: one, or an array of them.

    Raises:
        Refusal: it is no such JSON, names a parameter twice, or holds none or too many tasks.
    """
    if _most_values(body) > _MOST_VALUES:
        raise refusals.not_json(f"it holds more than {_MOST_VALUES} values")
    try:
        content: object = json.loads(body, object_pairs_hook=_object, parse_constant=_no_number)
    except RecursionError as error:
        raise refusals.not_json("it is nested too deeply") from error
    except _Unreadable as error:
        raise refusals.not_json(str(error)) from error
    except ValueError as error:
        raise refusals.not_json("it is no JSON, or was cut off") from error
    if isinstance(content, dict):
        return [content]
    if not isinstance(content, list) or not content:
        raise refusals.not_json("it is no JSON array of task objects")
    if len(content) > MOST_TASKS:
        raise refusals.too_many_tasks(MOST_TASKS)
    return [*content]


def _most_values(body: bytes | bytearray | str) -> int:
    """How many values a body holds at most, told before it is read: a mark stands before each.

    Base64 has no marks in it, so a picture counts as one.
    """
    if isinstance(body, str):
        return sum(body.count(mark) for mark in _MARKS)
    return sum(body.count(mark) for mark in _MARKS.encode())


def read(message: object) -> Request:
    """Read one task object.

    UUIDs are kept as they were sent, in any letter case.

    Raises:
        Refusal: it is none, of a kind that isn't done here, or a parameter can't be used.
    """
    if not isinstance(message, Mapping):
        raise refusals.not_json("one of its tasks is no object")
    task_type = message.get("taskType")
    reader = _READERS.get(task_type) if isinstance(task_type, str) else None
    if reader is None:
        raise refusals.unknown_task_type(TASK_TYPES)
    try:
        return reader(message)
    except OptionError as error:
        raise _refusal(error) from error


def _removal(message: Mapping[str, Any]) -> Removal:
    task, dialect = decode(message)
    if task.model is None:
        if dialect.task_type == "removeBackground" and "inputs" in message:
            raise refusals.missing_parameter("model", "it must be a model's AIR", kind="string")
        task = replace(task, model=_LEGACY_MODEL)
    if len(task.model or "") > _LONGEST_NAME:
        raise refusals.invalid_parameter("model", "it is too long", kind="string")
    known = replace(task, output_format=task.output_format or "PNG", extra={})
    return Removal(known, dialect, tuple(_named(task.extra)))


def _poll(message: Mapping[str, Any]) -> Poll:
    return Poll(_task_uuid(message))


def _image_upload(message: Mapping[str, Any]) -> Upload:
    return Upload(_task_uuid(message), text("image", message.get("image")), "imageUpload")


def _media_storage(message: Mapping[str, Any]) -> Upload | Delete:
    task_uuid, operation = _task_uuid(message), message.get("operation")
    if operation not in _OPERATIONS:
        why = f"it must be {' or '.join(_OPERATIONS)}"
        refuse = refusals.missing_parameter if operation is None else refusals.invalid_parameter
        raise refuse("operation", why, kind="string", allowed=_OPERATIONS)
    media = text("media", message.get("media"))
    if operation == "delete":
        return Delete(task_uuid, uuid("media", media))
    return Upload(task_uuid, media, "mediaStorage")


def _ping(message: Mapping[str, Any]) -> Ping:
    return Ping(_task_uuid(message) if message.get("taskUUID") is not None else None)


def _authentication(message: Mapping[str, Any]) -> Authentication:
    key, session = message.get("apiKey"), message.get("connectionSessionUUID")
    return Authentication(
        text("apiKey", key) if key is not None else None,
        uuid("connectionSessionUUID", session) if session is not None else None,
    )


def _task_uuid(message: Mapping[str, Any]) -> str:
    return uuid("taskUUID", message.get("taskUUID"))


_OPERATIONS = ("upload", "delete")
_READERS: Mapping[str, Callable[[Mapping[str, Any]], Request]] = {
    "removeBackground": _removal,
    "imageBackgroundRemoval": _removal,
    "imageUpload": _image_upload,
    "mediaStorage": _media_storage,
    "getResponse": _poll,
    "ping": _ping,
    "authentication": _authentication,
}
TASK_TYPES = tuple(_READERS)
"""Every kind of task that is done here."""


class _Rule(NamedTuple):
    """What the wire tells of a parameter that can't be used."""

    type: str
    allowed: tuple[str, ...] = ()
    limits: Mapping[str, int] = {}


def _rule(check: Check[Any]) -> _Rule:
    """A check's rule; of something that may come as a list, the rule of one."""
    [schema, *_] = check.schema.get("anyOf", [check.schema])
    ends = {"min": "minimum", "max": "maximum"}
    limits = {end: schema[name] for end, name in ends.items() if name in schema}
    return _Rule(schema["type"], tuple(schema.get("enum", ())), limits)


_CHECKS: Mapping[str, Check[Any]] = {
    **{one.wire: one.check for one in (*PARAMETERS.values(), *MASK_SETTINGS.values())},
    **dict.fromkeys(("inputs", "settings"), json_object),
    **dict.fromkeys(("inputs.image", "inputImage", "image", "media", "apiKey"), text),
    **dict.fromkeys(("taskUUID", "connectionSessionUUID"), uuid),
}
_RULES = {name: _rule(check) for name, check in _CHECKS.items()}


def _refusal(error: OptionError) -> refusals.Refusal:
    """The refusal of a parameter, which an option's error names first."""
    parameter, _, verdict = error.what.partition(" ")
    rule = _RULES.get(parameter)
    if rule is None:
        fault = refusals.Fault(code="incompatibleParameters", status=400)
        return refusals.Refusal(fault, error.what, error.why, error.next_step)
    if verdict == "is missing":
        return refusals.missing_parameter(
            parameter, error.why, kind=rule.type, allowed=rule.allowed
        )
    return refusals.invalid_parameter(
        parameter, error.why, kind=rule.type, allowed=rule.allowed, limits=rule.limits
    )


def _named(extra: Mapping[str, Any]) -> list[str]:
    """The names of what is unknown, those inside `inputs` and `settings` with their place."""
    names: list[str] = []
    for name, value in extra.items():
        inside = isinstance(value, Mapping) and name in {"inputs", "settings"}
        names += [f"{name}.{inner}" for inner in value] if inside else [name]
    return [name[:_LONGEST_NAME] for name in names[:_MOST_NAMES]]


class _Unreadable(ValueError):
    """JSON that reads differently from one reader to the next."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _Unreadable("one of its objects has a name twice")
    return values


def _no_number(_constant: str) -> None:
    raise _Unreadable("it holds a number that JSON hasn't")
