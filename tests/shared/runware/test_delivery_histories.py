"""Random histories: whatever the network and the service do, a task is paid once, and ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cutaway.errors import (
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    ProtocolError,
    RateLimited,
    ServerFault,
    TimedOut,
)
from cutaway.runware.delivery import Pause, deliver
from cutaway.runware.replies import Reply
from cutaway.runware.retries import Pace
from tests.shared.runware.playing import (
    ACCEPTED,
    DONE,
    EMPTY,
    NOT_FOUND,
    TAKEN,
    TASK,
    UUID,
    WORKING,
    Story,
    complaint,
    reply,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.runware.delivery import Send
    from tests.shared.runware.playing import Answer

FAILED = complaint("inferenceError", status=200)
UNKNOWN = [EMPTY, NOT_FOUND, complaint("taskFailedOrNotFound", status=404)]


def lost() -> ConnectionLost:
    return ConnectionLost("it broke", next_step="Try again")


def late() -> TimedOut:
    return TimedOut("no answer", next_step="Try again")


def garbled() -> ProtocolError:
    return ProtocolError("a web page", next_step="Look at it")


def unreachable() -> ConnectionFailed:
    return ConnectionFailed("no line", next_step="Look at the cable")


DOUBTS: dict[str, Callable[[], Answer]] = {
    "lost": lost,
    "late": late,
    "garbled": garbled,
    "503": lambda: complaint("serviceUnavailable", status=503),
    "408": lambda: reply(status=408),
    "fault": lambda: complaint("internalServerError"),
    "thrown": lambda: ServerFault("it fell over", next_step="Try again"),
}
REFUSALS: dict[str, Callable[[], Answer]] = {
    "unreachable": unreachable,
    "429": lambda: complaint("rateLimitExceeded", None, status=429, retry_after=2.0),
}
FATES = st.sampled_from(
    ["well", "at once", "taken and empty", *REFUSALS]
    + [f"{when} {doubt}" for when in ("before", "after") for doubt in DOUBTS]
)
POLL_FATES = st.sampled_from(["well", *REFUSALS, "lost", "late", "503", "408", "thrown"])


@dataclass
class Service:
    """A service with a bad line. It bills each task object that it takes.

    Attributes:
        fates: What befalls the task objects, in order; then all goes well.
        poll_fates: What befalls the polls.
        work: How many polls find a task still in work.
        fails: Whether the task fails in the end.
        unknown: What it says of a task that it doesn't have.
        knows_uuids: Whether it refuses a UUID that it has had; if not, it would bill again.
    """

    fates: list[str]
    poll_fates: list[str]
    work: int = 2
    fails: bool = False
    unknown: Reply = EMPTY
    knows_uuids: bool = True
    billed: int = 0
    heard: list[str] = field(default_factory=list)

    def __call__(self, send: Send) -> Answer:
        assert send.timeout > 0
        assert send.message["taskUUID"] == UUID
        if send.message["taskType"] == "getResponse":
            return self._asked(self.poll_fates.pop(0) if self.poll_fates else "well")
        assert send.message is TASK
        return self._given(self.fates.pop(0) if self.fates else "well")

    @property
    def is_running_or_done(self) -> bool:
        return self.billed > 0 and not self.fails

    def _given(self, fate: str) -> Answer:
        self.heard.append("refusal" if fate in REFUSALS else "task")
        if fate in REFUSALS:
            return REFUSALS[fate]()
        when, _, doubt = fate.partition(" ")
        if when == "before":
            return DOUBTS[doubt]()
        answer = self._taken(fate)
        return DOUBTS[doubt]() if when == "after" else answer

    def _taken(self, fate: str) -> Answer:
        if self.billed and self.knows_uuids:
            return TAKEN
        self.billed += 1
        if fate == "taken and empty":
            return EMPTY
        return ACCEPTED if fate != "at once" else FAILED if self.fails else DONE

    def _asked(self, fate: str) -> Answer:
        if fate != "well":
            return (REFUSALS | DOUBTS)[fate]()
        if not self.billed:
            self.heard.append("unknown")
            return self.unknown
        self.work -= 1
        return WORKING if self.work >= 0 else FAILED if self.fails else DONE


SERVICES = st.builds(
    Service,
    fates=st.lists(FATES, max_size=12),
    poll_fates=st.lists(POLL_FATES, max_size=20),
    work=st.integers(0, 40),
    fails=st.booleans(),
    unknown=st.sampled_from(UNKNOWN),
    knows_uuids=st.booleans(),
)
PACES = st.builds(
    Pace, timeout=st.floats(0.5, 2000), answer=st.floats(1, 200), sends=st.integers(1, 12)
)
DRAWS = st.floats(0, 1, exclude_max=True)


def play(service: Service, pace: Pace, draw: float = 0.5) -> Story:
    story = Story()
    return told(story, deliver(TASK, pace, lambda: story.seconds, lambda: draw), service)


@given(SERVICES, PACES, DRAWS)
@example(Service(["after lost", "well"], ["lost", "well"], knows_uuids=False), Pace(), 0.0)
def test_no_history_has_a_task_billed_twice(service: Service, pace: Pace, draw: float):
    play(service, pace, draw)
    assert service.billed <= 1


@given(SERVICES, PACES, DRAWS)
def test_between_two_sendings_the_service_refused_the_task_or_did_not_know_it(
    service: Service, pace: Pace, draw: float
):
    play(service, pace, draw)
    sendings = [at for at, word in enumerate(service.heard) if word in {"task", "refusal"}]
    for earlier, later in pairwise(sendings):
        assert {"refusal", "unknown"} & set(service.heard[earlier:later])
    assert len(sendings) <= pace.sends


@given(SERVICES, PACES, DRAWS)
def test_every_history_ends_within_the_deadline(service: Service, pace: Pace, draw: float):
    story = play(service, pace, draw)
    assert (story.result is None) != (story.error is None)
    assert story.seconds <= pace.timeout * (1 + 1e-9)
    assert all(pause >= 0 for pause in story.pauses)


@given(SERVICES, PACES, DRAWS)
def test_an_error_names_the_task_and_tells_if_it_may_go_on(
    service: Service, pace: Pace, draw: float
):
    error = play(service, pace, draw).error
    if error is not None:
        assert error.task_uuid == UUID
        assert (f"wait_for('{UUID}')" in error.next_step) or not service.is_running_or_done


@given(
    st.builds(
        Service,
        fates=st.lists(FATES, max_size=4),
        poll_fates=st.lists(POLL_FATES, max_size=6),
        work=st.integers(0, 10),
        unknown=st.sampled_from(UNKNOWN),
        knows_uuids=st.booleans(),
    ),
    DRAWS,
)
def test_a_task_comes_through_any_trouble_that_ends(service: Service, draw: float):
    story = play(service, Pace(timeout=5000), draw)
    assert story.result is not None
    assert story.result.has_output
    assert service.billed == 1


@given(
    st.builds(Service, fates=st.lists(FATES, max_size=4), poll_fates=st.lists(POLL_FATES)),
    st.sets(st.integers(1, 12)),
    DRAWS,
)
def test_answers_that_come_twice_or_too_late_keep_no_result_back(
    service: Service, late_ones: set[int], draw: float
):
    answers: list[Answer] = [EMPTY]

    def line(send: Send) -> Answer:
        answers.append(service(send))
        is_late = len(answers) - 1 in late_ones and isinstance(answers[-2], Reply)
        return answers[-2 if is_late else -1]

    story = Story()
    life = deliver(TASK, Pace(timeout=5000), lambda: story.seconds, lambda: draw)
    assert told(story, life, line).result is not None


@given(SERVICES, PACES, DRAWS, st.integers(0, 30))
def test_a_cancelled_task_stops_at_once_wherever_it_is(
    service: Service, pace: Pace, draw: float, when: int
):
    life = deliver(TASK, pace, lambda: 0.0, lambda: draw)
    step = next(life)
    stop = Cancelled("stop")
    try:
        for _ in range(when):
            answer = None if isinstance(step, Pause) else service(step)
            step = life.throw(answer) if isinstance(answer, Exception) else life.send(answer)
    except Exception:  # noqa: BLE001  (it ended before, in whatever way)
        assume(False)  # noqa: FBT003  (there is no other word for it)
    with pytest.raises(Cancelled) as caught:
        life.throw(stop)
    assert caught.value is stop
    assert stop.task_uuid == UUID


@given(st.lists(st.sampled_from(sorted(REFUSALS)), min_size=1), PACES, DRAWS)
def test_a_task_that_never_got_there_ends_with_the_refusal_itself(
    refusals: list[str], pace: Pace, draw: float
):
    service = Service([*refusals, *["unreachable"] * 2000], [])
    error = play(service, pace, draw).error
    assert isinstance(error, (ConnectionFailed, RateLimited))
    assert not isinstance(error, ConnectionLost)
