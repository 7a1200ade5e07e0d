"""The fake service's one brain: pictures it keeps, tasks it has accepted, and what it billed."""

from __future__ import annotations

import base64
import binascii
import re
import threading
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.fakes.runware_faults import PATIENCE, FailLater, Fault, Outcome, Processing
from tests.fakes.runware_pictures import kept
from tests.fakes.runware_reading import Refusal, Removal, read_removal, read_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    Doer = Callable[[Mapping[str, Any], Fault | None], Outcome]

__all__ = ["Account", "picture_in"]

_DATA_URI = re.compile(r"data:[\w/+.-]+;base64,")
_TYPES = {"JPG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_REPLY_TYPE = "imageBackgroundRemoval"
"""The service's own name of the task in its answers, whatever the request called it."""


@dataclass(slots=True)
class _Task:
    """A task that was accepted: its result once there is one, and what polls are told first."""

    result_uuid: str
    item: Mapping[str, Any] | None = None
    polls: int = 0
    failure: FailLater | None = None


@dataclass(slots=True)
class Account:
    """What the service knows, whichever way a message came.

    Attributes:
        cut: What makes a result of a picture.
        address: The URL where a kept picture can be had, by its file name.
        pictures: All that is kept, by UUID.
        billed: What each accepted task costs, by its UUID.
        task_types: What it knows to do; a test may take some away.
        knows_unknown: Whether a poll for a task that it doesn't know gets an error instead of an
            empty answer.
    """

    cut: Callable[[bytes, Removal], bytes]
    address: Callable[[str], str]
    pictures: dict[str, bytes] = field(default_factory=dict)
    billed: dict[str, Decimal] = field(default_factory=dict)
    task_types: set[str] = field(init=False)
    knows_unknown: bool = False
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.task_types = set(self._doers)

    @property
    def _doers(self) -> dict[str, Doer]:
        return {
            "removeBackground": self._remove,
            "imageBackgroundRemoval": self._remove,
            "getResponse": self._tell,
            "mediaStorage": self._store,
            "imageUpload": self._upload,
            "ping": self._pong,
        }

    def answer(self, message: Mapping[str, Any], fault: Fault | None = None) -> Outcome:
        """Do what a message asks for."""
        try:
            return self._doer(message.get("taskType"))(message, fault)
        except Refusal as refusal:
            named = {key: message[key] for key in ("taskUUID", "taskType") if key in message}
            return Outcome((), [{**refusal.fields, **named}], 400)

    def _doer(self, kind: object) -> Doer:
        if isinstance(kind, str) and kind in self.task_types:
            return self._doers[kind]
        allowed = sorted(self.task_types)
        raise Refusal("unsupportedTaskType", f"There is no {kind}.", allowedValues=allowed)

    def keep(self, picture: bytes) -> str:
        """Keep a picture, and tell its UUID.

        Raises:
            OSError: it is none.
        """
        smaller, name = kept(picture), str(uuid.uuid4())
        with self._lock:
            self.pictures[name] = smaller
        return name

    def _remove(self, message: Mapping[str, Any], fault: Fault | None) -> Outcome:
        removal = read_removal(message)
        task = self._reserve(removal.task_uuid)
        failure = fault if isinstance(fault, FailLater) else None
        try:
            item = None if failure else self._result(removal, task.result_uuid)
        except Refusal:
            with self._lock:
                del self._tasks[removal.task_uuid]
            raise
        with self._lock:
            task.item, task.failure = item, failure
            task.polls = fault.polls if isinstance(fault, (Processing, FailLater)) else 0
            if item:
                self.billed[removal.task_uuid] = removal.price
        finished = removal.waits and item and not isinstance(fault, Processing)
        return Outcome([item if item and finished else _acknowledgement(removal.task_uuid)])

    def _reserve(self, task_uuid: str) -> _Task:
        with self._lock:
            if task_uuid in self._tasks:
                said = "This 'taskUUID' was used before."
                raise Refusal("conflictTaskUUID", said, parameter="taskUUID")
            self._tasks[task_uuid] = _Task(str(uuid.uuid4()))
            return self._tasks[task_uuid]

    def _result(self, removal: Removal, result_uuid: str) -> Mapping[str, Any]:
        source, picture = self._picture(removal.image, removal.parameter)
        result = self.cut(picture, removal)
        with self._lock:
            self.pictures[result_uuid] = result
        cost = {"cost": float(removal.price)} if removal.tells_cost else {}
        named = {"imageUUID": result_uuid, "inputImageUUID": source}
        output = self._output(removal, result_uuid)
        return {**_acknowledgement(removal.task_uuid), **named, **output, **cost}

    def _output(self, removal: Removal, result_uuid: str) -> Mapping[str, Any]:
        packed = base64.b64encode(self.pictures[result_uuid]).decode()
        ways = {
            "URL": ("imageURL", self.address(f"{result_uuid}.{removal.output_format.lower()}")),
            "base64Data": ("imageBase64Data", packed),
            "dataURI": ("imageDataURI", f"data:{_TYPES[removal.output_format]};base64,{packed}"),
        }
        return dict(ways[name] for name in removal.output_types)

    def _tell(self, message: Mapping[str, Any], fault: Fault | None) -> Outcome:
        """The state of a task; a poll may be told that it is still in the works."""
        task_uuid = read_uuid(message)
        with self._lock:
            task = self._tasks.get(task_uuid)
            if task is None:
                return self._unknown(task_uuid)
            busy = task.polls > 0 or not (task.item or task.failure)
            task.polls = max(0, task.polls - 1)
        if busy or isinstance(fault, Processing):
            state = {"status": "processing", "imageUUID": task.result_uuid}
            return Outcome([{**_acknowledgement(task_uuid), **state}])
        if task.failure:
            return _failed(task_uuid, task.failure)
        return Outcome([{**(task.item or {}), "status": "success"}])

    def _unknown(self, task_uuid: str) -> Outcome:
        if not self.knows_unknown:
            return Outcome()
        error = {"code": "taskNotFound", "message": "There is no such task.", "taskUUID": task_uuid}
        return Outcome((), [error], 404)

    def _store(self, message: Mapping[str, Any], fault: Fault | None) -> Outcome:
        del fault
        head = {"taskType": "mediaStorage", "taskUUID": read_uuid(message)}
        media = message.get("media", "")
        if message.get("operation") == "delete":
            self.pictures.pop(media, None)
            return Outcome([{**head, "mediaUUID": media}])
        if message.get("operation") != "upload":
            raise Refusal("invalidOperation", "upload or delete", parameter="operation")
        name, _ = self._picture(media, "media")
        return Outcome([{**head, "mediaUUID": name, "mediaURL": self.address(f"{name}.png")}])

    def _upload(self, message: Mapping[str, Any], fault: Fault | None) -> Outcome:
        del fault
        head = {"taskType": "imageUpload", "taskUUID": read_uuid(message)}
        name, _ = self._picture(message.get("image", ""), "image")
        return Outcome([{**head, "imageUUID": name, "imageURL": self.address(f"{name}.png")}])

    def _pong(self, message: Mapping[str, Any], fault: Fault | None) -> Outcome:
        del fault
        named = {key: message[key] for key in ("taskUUID",) if key in message}
        return Outcome([{"taskType": "ping", **named, "pong": True}])

    def _picture(self, given: str, parameter: str) -> tuple[str, bytes]:
        """The picture that a parameter names, kept: its UUID and its bytes."""
        if given in self.pictures:
            return given, self.pictures[given]
        try:
            name = self.keep(_fetched(given) if "://" in given else picture_in(given))
        except (OSError, ValueError) as problem:
            said = f"Invalid value for '{parameter}' parameter. "
            said += "Failed to transfer the provided image."
            raise Refusal("failedToTransferImage", said, parameter=parameter) from problem
        return name, self.pictures[name]


def picture_in(text: str) -> bytes:
    """The bytes in a data URI or in bare base64.

    Raises:
        ValueError: it is neither.
    """
    begin = _DATA_URI.match(text)
    try:
        return base64.b64decode(text[begin.end() if begin else 0 :], validate=True)
    except binascii.Error as problem:
        raise ValueError(text[:40]) from problem


def _fetched(url: str) -> bytes:
    if urlsplit(url).hostname not in {"127.0.0.1", "localhost"}:
        raise ValueError(url)  # A test that means a public picture would leave this machine.
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310  (loopback, see above)
        return bytes(answer.read())


def _acknowledgement(task_uuid: str) -> dict[str, Any]:
    return {"taskType": _REPLY_TYPE, "taskUUID": task_uuid}


def _failed(task_uuid: str, failure: FailLater) -> Outcome:
    error = {"code": failure.code, "message": failure.message}
    if failure.inside:
        return Outcome([{**_acknowledgement(task_uuid), "status": "error", "error": error}])
    return Outcome((), [{**error, "status": "error", "taskUUID": task_uuid}])
