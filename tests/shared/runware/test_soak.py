"""Many tasks through much trouble: each ends once, and none is paid twice."""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from cutaway.errors import CutawayError, ServerFault
from cutaway.runware.replies import Result
from cutaway.runware.retries import Pace
from tests.fakes.runware_faults import (
    Answer,
    Close,
    Drop,
    DropMidAnswer,
    FailLater,
    Fault,
    Forget,
    OutOfOrder,
    Processing,
    Refuse,
    ReplayOnResume,
    Throttle,
    Twice,
)
from tests.fakes.runware_pictures import untouched
from tests.fakes.runware_service import Received, RunwareService
from tests.shared.runware.faces import address, open_face, picture, still_open

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS = 500
AT_ONCE = 16
FAULTS = (
    Drop(),
    Drop(accepted=True),
    DropMidAnswer(),
    Close(1001),
    Close(1012, accepted=True),
    ReplayOnResume(),
    Twice(),
    OutOfOrder(),
    Forget(),
    Processing(2),
    FailLater(),
    FailLater(inside=True),
    Throttle(),
    Refuse(503),
    Refuse(500, "internalServerError", accepted=True),
    Refuse(503, named=False),
    Answer(b"<html>Bad gateway</html>", 502, "text/html"),
    Answer(b'{"data": [{"taskType": "imageBackgr', accepted=True),
)
IMPATIENT = Pace(
    timeout=60.0,
    answer=1.0,
    acknowledgement=1.0,
    first_poll=0.002,
    longest_poll=0.05,
    first_retry=0.002,
    longest_retry=0.05,
    longest_hint=0.05,
    sends=20,
    unreadable=20,
)


def one_in_ten(seed: int, failing: set[str]) -> Callable[[Received], Fault | None]:
    """Draw what goes wrong with a message; `failing` collects the tasks that are made to fail."""
    lots = random.Random(seed)  # noqa: S311  (chance that can be repeated)

    def draw(received: Received) -> Fault | None:
        if received.task_type in {"authentication", "ping"} or lots.random() >= 0.1:
            return None
        fault = lots.choice(FAULTS)
        if isinstance(fault, FailLater) and received.task_type == "removeBackground":
            failing.add(received.task_uuid)
        return fault

    return draw


@pytest.mark.parametrize(
    ("transport", "face"),
    [
        pytest.param("http", "waiting", id="http"),
        pytest.param("websocket", "asyncio", id="websocket"),
    ],
)
def test_every_task_ends_once_and_is_billed_at_most_once(transport: str, face: str) -> None:
    failing: set[str] = set()
    names = [str(uuid.uuid4()) for _ in range(TASKS)]
    with RunwareService(cut=untouched) as service:
        service.fault_for = one_in_ten(3, failing)
        with (
            open_face(face, service.key, url=address(service, transport), pace=IMPATIENT) as client,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):

            def outcome(number: int) -> Result | CutawayError:
                try:
                    return client.submit(picture(number), task_uuid=names[number])
                except CutawayError as error:
                    return error

            outcomes = dict(zip(names, pool.map(outcome, range(TASKS)), strict=True))
        service.wait_until(lambda: not service.open_connections)
    assert still_open() == []

    done = {name for name, what in outcomes.items() if isinstance(what, Result) and what.has_output}
    failed = {name: what for name, what in outcomes.items() if isinstance(what, CutawayError)}
    assert len(outcomes) == TASKS
    assert done | failed.keys() == set(names)
    assert {type(error) for error in failed.values()} <= {ServerFault}
    assert failed.keys() <= failing
    assert done == service.billed.keys()

    uuids_of = defaultdict(set)
    for received in service.requests:
        if received.task_type == "removeBackground":
            uuids_of[received.message["inputs"]["image"]].add(received.task_uuid)
    assert Counter(map(len, uuids_of.values())) == {1: TASKS}
