"""A service without its wire, made to be killed: `python -m tests.shared.service.killed FOLDER N`.

Each line of the input is how a task is to be delivered: `async`, `sync`, or `hook` and a webhook's
URL. Its UUID is told in a line of the output once it is accepted. The first N removals are done,
the others wait for ever.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.service.configuration import Configuration
from tests.shared.service.rooms import BASE, StandIn, opened, removal

if TYPE_CHECKING:
    from cutaway.progress import Cancellation
    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.removing import Outcome


class Slow(StandIn):
    """Does the first few removals, and no more."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = threading.Semaphore(count)

    def remove(self, task: RemovalTask, picture: bytes, cancellation: Cancellation) -> Outcome:
        self._left.acquire()
        return super().remove(task, picture, cancellation)


async def serve(folder: Path, done: int) -> None:
    """Accept a task for each line of the input, until killed."""
    configuration = Configuration(folder=folder, keep=3600.0)
    async with opened(configuration, Slow(done)) as rooms:
        while line := await asyncio.to_thread(sys.stdin.readline):
            way, _, url = line.strip().partition(" ")
            named = {"webhook_url": url} if way == "hook" else {"delivery_method": way}
            task = removal(**named)
            await rooms.desk.submit(task, owner="", base_url=BASE)
            sys.stdout.write(f"{task.task.task_uuid}\n")
            sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
