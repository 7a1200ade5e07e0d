"""What is done for one task object, without a wire."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from base64 import b64encode
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cutaway.service.configuration import Configuration
from cutaway.service.handling import Caller, Handler
from tests.shared.service.hosted import removal
from tests.shared.service.rooms import BASE, PICTURE, StandIn, opened, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
LARGE = 2 << 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
async def test_tasks_that_wait_keep_no_picture_in_memory(tmp_path: Path) -> None:
    remover = StandIn()
    remover.gate.clear()
    async with opened(Configuration(folder=tmp_path, workers=1), remover) as rooms:
        handler = Handler(rooms.desk, remover.check, Decimal(0))

        def sent() -> list[object]:
            picture = b64encode(PICTURE + bytes(LARGE)).decode()
            return list(json.loads(json.dumps([removal(inputs={"image": picture})])))

        waiting = [asyncio.create_task(handler.answers(sent(), Caller("", BASE))) for _ in range(6)]
        await until(lambda: len(rooms.records.open_tasks()) == 6)
        assert not any(task.done() for task in waiting)
        await until(lambda: tracemalloc.get_traced_memory()[0] < 2.5 * LARGE)  # one is worked on
        remover.gate.set()
        answers = [answer for [answer] in await asyncio.gather(*waiting)]

    assert all(answer.data for answer in answers)
