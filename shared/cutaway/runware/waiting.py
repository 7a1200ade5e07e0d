"""Waiting for work on the wire: in a thread, or on the caller's own event loop."""

from __future__ import annotations

import concurrent.futures
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from cutaway.errors import Cancelled
from cutaway.progress import Cancellation
from cutaway.runware.delivery import afterwards

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

__all__ = ["check", "wait", "wait_async"]

T = TypeVar("T")

_SLICE = 1.0
"""Seconds at a time: on Windows a key press can't interrupt a wait, only what comes between two."""


def check(cancellation: Cancellation | None) -> None:
    """Begin nothing that is cancelled already: a message may be out before it can be stopped.

    Raises:
        Cancelled: it is.
    """
    if cancellation is not None:
        cancellation.check()


def wait(future: Future[T], cancellation: Cancellation | None, task_uuid: str | None = None) -> T:
    """Wait in this thread; whatever ends the waiting ends the work too.

    Raises:
        Cancelled: `cancellation` was cancelled, or the wire closed.
    """
    try:
        with (cancellation or Cancellation()).interrupting(lambda: _drop(future)):
            while not concurrent.futures.wait([future], _SLICE).done:
                pass
            return future.result()
    except concurrent.futures.CancelledError:
        raise _cancelled(task_uuid) from None
    finally:
        future.cancel()


async def wait_async(
    future: Future[T], cancellation: Cancellation | None, task_uuid: str | None = None
) -> T:
    """Wait on the caller's loop, asyncio's or trio's, without blocking it; else as `wait`.

    The loop's own cancellation goes through as it is.
    """
    from anyio import Event

    done, run_soon = Event(), _way_back()

    def tell(_: Future[T]) -> None:
        with suppress(RuntimeError):  # the caller's loop has ended, and no one waits
            run_soon(done.set)

    future.add_done_callback(tell)
    try:
        with (cancellation or Cancellation()).interrupting(lambda: _drop(future)):
            await done.wait()
            return future.result()
    except concurrent.futures.CancelledError:
        raise _cancelled(task_uuid) from None
    finally:
        future.cancel()


def _drop(future: Future[Any]) -> None:
    future.cancel()


def _way_back() -> Callable[[Callable[[], object]], object]:
    """Find what another thread calls to have something run on this thread's loop."""
    if "trio" in sys.modules:
        from trio.lowlevel import current_trio_token, in_trio_run

        if in_trio_run():
            return current_trio_token().run_sync_soon
    from asyncio import get_running_loop

    return get_running_loop().call_soon_threadsafe


def _cancelled(task_uuid: str | None) -> Cancelled:
    if task_uuid is None:
        return Cancelled("the upload was cancelled", next_step="Start it again if you need it")
    error = Cancelled(
        f"the task {task_uuid} was cancelled",
        next_step=afterwards(task_uuid),
    )
    error.task_uuid = task_uuid
    return error
