"""What the service answers, read without believing more of it than must be.

An answer is a JSON object with `data` (results), with `errors` or `error` (complaints), or with
both. What belongs to a task is told by its UUID alone: `taskType` may be that of either dialect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from reprlib import Repr
from typing import TYPE_CHECKING, Any, overload

from cutaway.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Complaint", "Reply", "Result", "concealed", "excerpt", "parse"]

_MEDIA = ("image", "media", "video")
"""What the names of a result's fields begin with: `imageURL`, `mediaURL` and so on."""

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_DATA_URI = re.compile(r"data:", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{64}")
"""How base64 of any picture begins, and no URL does: an address has a colon sooner."""

_HEAD = 2048
"""How far into a web page its title is looked for."""

_FAILED = 400
"""The HTTP status from which on a request has failed."""

_SHOWN = 120
"""Characters of a value that a repr shows."""

_CONCEALED = "[key]"

_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxlong = _BRIEF.maxother = _SHOWN


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """One item of the service's `data`.

    Attributes:
        fields: The item as JSON gave it, with what is unknown.
    """

    fields: Mapping[str, Any]

    @property
    def task_uuid(self) -> str | None:
        """The task that it belongs to."""
        return _text_in(self.fields, "taskUUID")

    @property
    def task_type(self) -> str | None:
        """What the service calls the task: not always what the request said."""
        return _text_in(self.fields, "taskType")

    @property
    def image_uuid(self) -> str | None:
        """The picture's UUID with the service; a picture that isn't finished may have one too."""
        return _text_in(self.fields, "imageUUID", "mediaUUID")

    @property
    def image_url(self) -> str | None:
        """Where the picture can be had, for a while."""
        place = self._place
        return None if place is None or _is_data_uri(place) or _is_base64(place) else place

    @property
    def image_base64(self) -> str | None:
        """The picture in base64; some services put that where its URL belongs."""
        given = _text_in(self.fields, "imageBase64Data", "mediaBase64Data")
        if given is None and self._place is not None and _is_base64(self._place):
            return self._place
        return given

    @property
    def image_data_uri(self) -> str | None:
        """The picture as a data URI; some services put that where its URL belongs."""
        given = _text_in(self.fields, "imageDataURI", "mediaDataURI")
        if given is None and self._place is not None and _is_data_uri(self._place):
            return self._place
        return given

    @property
    def input_image_uuid(self) -> str | None:
        """The UUID under which the service keeps the picture it was given."""
        return _text_in(self.fields, "inputImageUUID")

    @property
    def cost(self) -> Decimal | None:
        """What it cost in US dollars, if told: the very number of the answer, to 15 digits."""
        return _money(self.fields.get("cost"))

    @property
    def status(self) -> str | None:
        """`processing` or `success` in the answer to a poll; None in most others."""
        return _text_in(self.fields, "status")

    @property
    def has_output(self) -> bool:
        """Whether the task is done: a picture is there, or the service says that it succeeded.

        A UUID alone is no output: a task in work has one too.
        """
        if self.status == "success":
            return True
        endings = ("URL", "Base64Data", "DataURI")
        return any(_text_in(self.fields, f"{one}{end}") for one in _MEDIA for end in endings)

    @property
    def _place(self) -> str | None:
        return _text_in(self.fields, "imageURL", "mediaURL")

    def __repr__(self) -> str:
        return f"Result({_shown(self.fields)})"


@dataclass(frozen=True, slots=True, repr=False)
class Complaint:
    """One error that the service tells.

    Attributes:
        code: The service's own word for it, such as `invalidApiKey`; empty if it gave none.
        message: Its own words.
        parameter: The parameter at fault; several are joined by a comma.
        type: What the parameter should be.
        task_uuid: The task that it belongs to; None if it belongs to the whole request.
        task_type: What the service calls that task.
        documentation: A page about it.
        allowed_values: What the parameter may hold.
        status: `error`, or an HTTP status, where the complaint itself tells one.
        fields: The complaint as JSON gave it.
    """

    code: str = ""
    message: str = ""
    parameter: str = ""
    type: str = ""
    task_uuid: str | None = None
    task_type: str | None = None
    documentation: str = ""
    allowed_values: tuple[str, ...] = ()
    status: int | str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        told = {"code": self.code, "message": self.message, "parameter": self.parameter}
        about = {"task_uuid": self.task_uuid, "status": self.status}
        return f"Complaint({_shown({k: v for k, v in (told | about).items() if v})})"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the service.

    Attributes:
        results: What it gave.
        complaints: What it complained about.
        status: The HTTP status that it came with; None on a WebSocket.
        retry_after: Seconds after which to try again, if it said.
        should_retry: Whether to try again at all, if it said.
    """

    results: tuple[Result, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    status: int | None = None
    retry_after: float | None = None
    should_retry: bool | None = None

    def of(self, task_uuid: str) -> Reply:
        """What of it belongs to one task, with the complaints that name no task."""
        wanted = task_uuid.lower()
        return Reply(
            tuple(one for one in self.results if (one.task_uuid or "").lower() == wanted),
            tuple(one for one in self.complaints if (one.task_uuid or wanted).lower() == wanted),
            self.status,
            self.retry_after,
            self.should_retry,
        )


def parse(
    body: bytes | str, *, status: int | None = None, content_type: str | None = None
) -> Reply:
    """Read an answer.

    `data` may be an array, one object or null, and an item of it with an `error` of its own, or
    with the status `error`, is a complaint. Complaints may be `errors` (an array, or one) or
    `error`; an empty one is none. NaN and infinities, which JSON has not, are read as null. With
    an HTTP status of 400 or more there is always a complaint, whatever the body.

    Args:
        body: The answer, JSON whatever its type is said to be; bytes in UTF-8, 16 or 32.
        status: The HTTP status that it came with.
        content_type: What it is said to be: told in an error, not judged.

    Raises:
        ProtocolError: it is no JSON, was cut off, or is no answer of this API.
    """
    answer, fault = _read(body)
    reply = _reply(answer, status) if fault is None else Reply(status=status)
    if status is not None and status >= _FAILED and not (reply.results or reply.complaints):
        return replace(reply, complaints=(_bare_complaint(answer, body, status),))
    if fault is not None:
        raise _unreadable(fault, body, status, content_type) from fault
    return reply


@overload
def concealed(text: bytes, secret: str | None) -> bytes: ...
@overload
def concealed(text: str, secret: str | None) -> str: ...
def concealed(text: bytes | str, secret: str | None) -> bytes | str:
    """A text from elsewhere without the key, which a service may tell back in what it says."""
    if not secret:
        return text
    if isinstance(text, bytes):
        return text.replace(secret.encode(), _CONCEALED.encode())
    return text.replace(secret, _CONCEALED)


def excerpt(text: bytes | str, limit: int = 160) -> str:
    """The beginning of a text from elsewhere, fit to be shown: one line, printable, bounded."""
    head = text[: 4 * limit]
    words = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
    plain = " ".join("".join(one if one.isprintable() else " " for one in words).split())
    if len(plain) <= limit and len(head) == len(text):
        return plain
    return f"{plain[: limit - 1].rstrip()}…"


def _reply(answer: Mapping[str, Any], status: int | None) -> Reply:
    items = _items(answer)
    complaints = [*_complaints(answer, "errors")]
    results = []
    for item in items:
        failures = [*_failures(item)]
        complaints += failures
        result = Result(item)
        if result.has_output or not failures:
            results.append(result)
    told = {_gist(one) for one in complaints}
    complaints += [one for one in _complaints(answer, "error") if _gist(one) not in told]
    return Reply(tuple(results), tuple(complaints), status)


def _read(body: bytes | str) -> tuple[Any, Exception | None]:
    """The JSON of an answer, and what is wrong with it, if anything."""
    try:
        answer = json.loads(body, parse_constant=_nothing)
    except (ValueError, RecursionError) as error:
        return None, error
    problem = _misshape(answer)
    return answer, _Misshapen(problem) if problem else None


def _misshape(answer: object) -> str:
    """Why an answer is none of this API; empty if it is one."""
    if not isinstance(answer, Mapping):
        return "it is no object"
    if not {"data", "errors", "error"} & answer.keys():
        return "it has neither data nor errors"
    if not all(isinstance(item, Mapping) for item in _items(answer)):
        return "its data are no objects"
    return ""


def _items(answer: Mapping[str, Any]) -> list[Any]:
    data = answer.get("data")
    if data is None:
        return []
    return data if isinstance(data, list) else [data]


def _failures(item: Mapping[str, Any]) -> Iterator[Complaint]:
    """What an item of `data` says went wrong with it."""
    told = [*_complaints(item, "error"), *_complaints(item, "errors")]
    if not told and item.get("status") == "error":
        told = [_complaint(item, item)]
    yield from told


def _complaints(around: Mapping[str, Any], name: str) -> Iterator[Complaint]:
    said = around.get(name)
    for one in said if isinstance(said, list) else [said]:
        if one:
            yield _complaint(one, around)


def _complaint(said: object, around: Mapping[str, Any]) -> Complaint:
    """Read a complaint; what it doesn't say of its task stands around it, if anywhere."""
    fields = said if isinstance(said, Mapping) else {"message": said}
    status = fields.get("status", around.get("status"))
    return Complaint(
        code=_words(fields.get("code")),
        message=_words(fields.get("message")),
        parameter=_words(fields.get("parameter")),
        type=_words(fields.get("type")),
        task_uuid=_text_in(fields, "taskUUID") or _text_in(around, "taskUUID"),
        task_type=_text_in(fields, "taskType") or _text_in(around, "taskType"),
        documentation=_words(fields.get("documentation")),
        allowed_values=_each(fields.get("allowedValues")),
        status=status if isinstance(status, (int, str)) and not isinstance(status, bool) else None,
        fields=fields,
    )


def _gist(complaint: Complaint) -> tuple[str, str, str]:
    return complaint.code, complaint.message, complaint.parameter


def _text_in(fields: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that holds a text."""
    values = (fields.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)


def _words(value: object) -> str:
    return ", ".join(_each(value))


def _each(value: object) -> tuple[str, ...]:
    """Each of the values that are there, in words; nothing for null."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(one if isinstance(one, str) else _BRIEF.repr(one) for one in values)


def _money(value: object) -> Decimal | None:
    """A number as the answer had it: up to 15 digits, that is a float's shortest text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    amount = Decimal(repr(value))
    return amount if amount.is_finite() else None


def _is_data_uri(text: str) -> bool:
    return _DATA_URI.match(text) is not None


def _is_base64(text: str) -> bool:
    return _BASE64.match(text) is not None


class _Misshapen(ValueError):
    """JSON that is no answer of this API."""


def _nothing(_constant: str) -> None:
    """Stand for NaN and infinities."""


def _bare_complaint(answer: object, body: bytes | str, status: int) -> Complaint:
    """What an HTTP status says, where the body is no answer of this API."""
    if isinstance(answer, Mapping) and _text_in(answer, "message", "code"):
        return _complaint(answer, answer)
    return Complaint(message=_page_title(body) or excerpt(body), status=status)


def _page_title(body: bytes | str) -> str:
    head = body[:_HEAD].decode("utf-8", "replace") if isinstance(body, bytes) else body[:_HEAD]
    title = _TITLE.search(head)
    return excerpt(title[1]) if title else ""


def _reason(body: bytes | str, fault: Exception) -> str:
    if isinstance(fault, _Misshapen):
        return str(fault)
    if isinstance(fault, RecursionError):
        return "it is nested too deeply"
    head = excerpt(body)
    if not head:
        return "it is empty"
    return "it is a web page" if head.startswith("<") else "it is no JSON, or was cut off"


def _unreadable(
    fault: Exception, body: bytes | str, status: int | None, content_type: str | None
) -> ProtocolError:
    why, head = _reason(body, fault), excerpt(body)
    origin = [] if status is None else [f"status {status}"]
    if content_type:
        origin.append(excerpt(content_type))
    if origin:
        why += f" ({', '.join(origin)})"
    if head:
        why += f": {head}"
    return ProtocolError(
        "the service's answer can't be understood",
        why,
        "Check that the address is that of a Runware API; if it is, try again later",
    )


def _shown(fields: Mapping[str, Any]) -> str:
    pairs = [f"{excerpt(name, 40)}={_brief(fields[name])}" for name in list(fields)[:20]]
    return ", ".join(pairs + ["…"] * (len(fields) > len(pairs)))


def _brief(value: object) -> str:
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"<{len(value)} characters>"
    return _BRIEF.repr(value)
