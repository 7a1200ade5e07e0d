"""Plays a history to a task's life: what the service answers is scripted, the clock is a number."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cutaway.errors import CutawayError, TimedOut
from cutaway.runware.delivery import Life, Pause, Send, Until, await_result, deliver
from cutaway.runware.replies import Reply, Result, parse
from cutaway.runware.retries import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

UUID = "a770f077-f413-47de-9dac-be0b26a35da6"
TASK = {
    "taskType": "removeBackground",
    "taskUUID": UUID,
    "model": "runware:112@2",
    "inputs": {"image": "https://example.com/a.jpg"},
    "deliveryMethod": "async",
}
URL = "https://im.runware.ai/image/ii/1.png"

USUAL = Pace()
Answer = Reply | CutawayError


def reply(*results: dict[str, Any], errors: Iterable[dict[str, Any]] = (), **said: Any) -> Reply:
    """A reply of the service, read from JSON as it is in life."""
    body: dict[str, Any] = {"data": list(results)}
    if errors:
        body["errors"] = list(errors)
    read = parse(json.dumps(body), status=said.get("status"))
    return Reply(
        read.results,
        read.complaints,
        read.status,
        said.get("retry_after"),
        said.get("should_retry"),
    )


def about(uuid: str = UUID, **fields: Any) -> dict[str, Any]:
    """An item of `data` that belongs to a task."""
    return {"taskType": "imageBackgroundRemoval", "taskUUID": uuid, **fields}


def complaint(
    code: str, uuid: str | None = UUID, *, status: int | None = None, **said: Any
) -> Reply:
    """A reply that only complains; over HTTP if it has a status."""
    named = {"taskUUID": uuid} if uuid else {}
    words = {"code": code, "message": f"{code}!", **named}
    if said.pop("failed", False):
        words["status"] = "error"
    return reply(errors=[words], status=status, **said)


ACCEPTED = reply(about())
WORKING = reply(about(status="processing", imageUUID="1"))
DONE = reply(about(imageUUID="1", imageURL=URL))
EMPTY = reply()
NOT_FOUND = complaint("taskNotFound")
TAKEN = complaint("conflictTaskUUID", status=400)


@dataclass
class Story:
    """How a life went.

    Attributes:
        course: What it did, in order: `send`, `poll`, or the seconds of a pause.
        sends: What it put to the service.
        seconds: How long it took.
        oversleep: How much longer each of its pauses takes than it asks for.
        result: What it returned.
        error: What it raised.
    """

    course: list[str | float] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    seconds: float = 0.0
    oversleep: float = 0.0
    result: Result | None = None
    error: CutawayError | None = None

    @property
    def exchanges(self) -> list[str]:
        return [step for step in self.course if isinstance(step, str)]

    @property
    def pauses(self) -> list[float]:
        return [step for step in self.course if isinstance(step, float)]


def play(
    answers: Iterable[Answer],
    *,
    message: dict[str, Any] = TASK,
    pace: Pace = USUAL,
    until: Until = "output",
    draw: float = 1.0,
    oversleep: float = 0.0,
) -> Story:
    """Submit a task to a service that gives these answers."""
    story = Story(oversleep=oversleep)
    life = deliver(message, pace, lambda: story.seconds, lambda: draw, until=until)
    return told(story, life, _scripted(answers))


def play_waiting(answers: Iterable[Answer], pace: Pace = USUAL) -> Story:
    """Wait for a task with a service that gives these answers."""
    story = Story()
    return told(story, await_result(UUID, pace, lambda: story.seconds), _scripted(answers))


def told(story: Story, life: Life, service: Callable[[Send], Answer]) -> Story:
    """Drive a life to its end; only pauses and waiting in vain take time."""
    try:
        step = next(life)
        while True:
            step = _answered(story, life, step, service)
    except StopIteration as end:
        story.result = end.value
    except CutawayError as error:
        story.error = error
    return story


def _answered(
    story: Story, life: Life, step: Send | Pause, service: Callable[[Send], Answer]
) -> Send | Pause:
    if isinstance(step, Pause):
        story.course.append(step.seconds)
        story.seconds += step.seconds + story.oversleep
        return life.send(None)
    story.course.append("poll" if step.message["taskType"] == "getResponse" else "send")
    story.sends.append(step)
    answer = service(step)
    if isinstance(answer, Reply):
        return life.send(answer)
    story.seconds += step.timeout if isinstance(answer, TimedOut) else 0
    return life.throw(answer)


def _scripted(answers: Iterable[Answer]) -> Callable[[Send], Answer]:
    script = iter(answers)

    def answer(send: Send) -> Answer:
        given = next(script, None)
        assert given is not None, f"nothing more was to be asked than this: {send}"
        return given

    return answer
