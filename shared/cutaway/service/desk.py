"""The life of a task, from its acceptance to its outcome.

A task is accepted once its input (or its URL) and itself are stored; a promised one, whose caller
gets an acknowledgement and no more, is on the disk by then. Its work survives the process: what is
open at the start is worked on again. Only tasks without an outcome are in memory.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from uuid import uuid4

from cutaway.errors import CutawayError, OutputError
from cutaway.service import answers, outcomes, refusals
from cutaway.service.deliveries import Pace
from cutaway.service.intake import Intake
from cutaway.service.metrics import Tally
from cutaway.service.refusals import Fault, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from cutaway.progress import Cancellation
    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.configuration import Configuration
    from cutaway.service.crew import Crew
    from cutaway.service.deliveries import Deliveries
    from cutaway.service.media import MediaStore
    from cutaway.service.metrics import Watch
    from cutaway.service.reading import Delete, Removal, Upload
    from cutaway.service.records import Records, TaskRecord
    from cutaway.service.removing import Outcome

__all__ = ["Desk"]

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)

_THREADS = 4
_SWEEP_EVERY = 5.0
_RECORDS_PATIENCE = 8.0
"""Seconds after which an outcome is written down again that the disk didn't take."""

_MOST_STARTS = 25
"""How often work on a task begins: one that ends the process each time must not do so for ever."""

_RETRY_WITHIN = (1.0, 60.0)


@dataclass(slots=True)
class _Open:
    """A task without an outcome; `ended` gets its data item, its error, or None: look it up."""

    owner: str
    image_uuid: str
    ended: asyncio.Future[dict[str, Any] | CutawayError | None]


class Desk:
    """Takes tasks in, has them worked on, and tells how they stand. It lives on one event loop.

    Args:
        configuration: The bounds, and how long things are kept.
        records: What must not be forgotten.
        media: The stored pictures.
        crew: Who works; the desk bounds what waits for it.
        deliveries: Who brings results to webhooks; started and stopped by the desk.
        watch: Who counts.
        pace: How time goes by.
    """

    def __init__(  # noqa: PLR0913  (the rooms that it joins)
        self,
        configuration: Configuration,
        records: Records,
        media: MediaStore,
        crew: Crew,
        deliveries: Deliveries,
        watch: Watch,
        *,
        pace: Pace = Pace(),  # noqa: B008  (it can't change)
    ) -> None:
        self._configuration, self._records, self._media = configuration, records, media
        self._crew, self._deliveries, self._watch, self._pace = crew, deliveries, watch, pace
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="desk")
        self._intake = Intake(configuration, records, media, crew, pace.clock)
        self._open: dict[str, _Open] = {}
        self._underway: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._counting = threading.Lock()
        self._at_work = self._uploads = 0
        self._typical = 1.0
        self._taking = self._ended = False
        watch.follow(lambda: len(self._open))

    @property
    def ready(self) -> bool:
        """Whether tasks are taken."""
        return self._taking

    @property
    def depth(self) -> int:
        """How many tasks wait for a worker."""
        return max(0, len(self._open) - self._at_work)

    async def start(self) -> None:
        """Begin: with the tasks and deliveries that an earlier run left open.

        Raises:
            ConfigError: no connection can be prepared for deliveries.
            OutputError: the records can't be used.
        """
        for record in await self._in_thread(self._left_open):
            self._begin(record, self._opened(record.owner, record.image_uuid))
        await self._deliveries.start()
        self._sweeper = asyncio.create_task(self._sweep())
        self._taking = True

    async def drain(self, patience: float) -> None:
        """End: take nothing more, and wait for what is open; the next start goes on with the rest.

        Args:
            patience: Seconds to wait.
        """
        self._taking = False
        until = time.monotonic() + patience
        while self._underway and (left := until - time.monotonic()) > 0:
            await asyncio.wait(self._underway, timeout=left)
        ending: list[asyncio.Task[None]] = [*self._underway]
        ending += [self._sweeper] if self._sweeper else []
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._deliveries.stop(max(0.0, until - time.monotonic()))
        self._ended = True
        await asyncio.to_thread(self._threads.shutdown)

    async def submit(self, removal: Removal, *, owner: str, base_url: str) -> str:
        """Accept a task; if it is asynchronous or has a webhook, it is on the disk then.

        Args:
            removal: The task; its model is named.
            owner: Whose it is.
            base_url: What the URLs of its pictures are to begin with.

        Returns:
            The UUID that its result will have.

        Raises:
            Refusal: it can't be taken, or not now.
            CutawayError: its picture or its model can't be used.
        """
        key = removal.task.task_uuid.lower()
        self._admit(removal.task, owner)
        self._open[key] = opened = self._opened(owner, str(uuid4()))
        accepting = self._spawn(self._accept(key, removal, opened, base_url))
        # A caller who goes away meanwhile must not leave the records and the desk at odds.
        await asyncio.wait([accepting])
        if accepting.cancelled():
            raise refusals.draining()
        accepting.result()
        return opened.image_uuid

    async def result(self, task_uuid: str) -> dict[str, Any]:
        """Wait for a task of this run and give its data item.

        Raises:
            Refusal: `timeout`, it takes longer than a caller waits; it goes on.
            CutawayError: what it failed with.
        """
        opened = self._open.get(task_uuid.lower())
        if opened is not None:
            patience = self._configuration.sync_patience
            await asyncio.wait([opened.ended], timeout=patience)
            if not opened.ended.done():
                raise refusals.timed_out(task_uuid, patience)
            end = opened.ended.result()
            if isinstance(end, CutawayError):
                raise end
            if end is not None:
                return end
        return await self._in_thread(self._told, task_uuid, None)

    async def standing(self, task_uuid: str, owner: str) -> dict[str, Any]:
        """Tell how a task stands, as the answer to a poll.

        Raises:
            Refusal: there is no such task of this owner, or no longer; or it failed.
        """
        opened = self._open.get(task_uuid.lower())
        if opened is None:
            return answers.success_item(await self._in_thread(self._told, task_uuid, owner))
        if opened.owner != owner:
            raise refusals.no_such_task(task_uuid)
        return answers.processing_item(task_uuid, opened.image_uuid)

    async def upload(self, upload: Upload, *, base_url: str) -> dict[str, Any]:
        """Store a picture, and give the data item that tells where: to whom it is told may use it.

        Raises:
            CutawayError: it can't be had, is no picture, or there is no room.
        """
        if not self._taking:
            raise refusals.draining()
        if self._uploads >= self._configuration.max_queue:
            raise refusals.queue_full(self._retry_after())
        self._uploads += 1
        try:
            data = await self._intake.fetched(upload.media)
            stored = await self._in_thread(self._intake.stored, data, "upload", durable=True)
        finally:
            self._uploads -= 1
        return outcomes.upload_item(upload, stored, base_url)

    async def delete(self, deletion: Delete) -> dict[str, Any]:
        """Delete a stored picture, and give the data item that says so.

        Raises:
            Refusal: there is none, or no longer.
        """
        await self._in_thread(self._media.delete, deletion.media)
        return outcomes.deletion_item(deletion)

    # Taking in

    def _admit(self, task: RemovalTask, owner: str) -> None:
        """Refuse a task that is one too many, or whose UUID is taken."""
        if not self._taking:
            raise refusals.draining()
        if task.task_uuid.lower() in self._open:
            raise refusals.conflict(task.task_uuid)
        if self.depth >= self._configuration.max_queue:
            raise refusals.queue_full(self._retry_after())
        if not owner:  # without a key there is nobody to be told from another
            return
        of_owner = sum(opened.owner == owner for opened in self._open.values())
        if of_owner >= self._configuration.per_key:
            raise refusals.too_many_of_key(self._retry_after())

    def _retry_after(self) -> float:
        """Seconds after which a place may be free, by how fast tasks were done lately."""
        low, high = _RETRY_WITHIN
        return float(round(min(max(self._typical, low), high)))

    async def _accept(self, key: str, removal: Removal, opened: _Open, base_url: str) -> None:
        accepted = False
        try:
            await self._deliveries.check(removal.task)
            record = await self._in_thread(
                self._intake.accept, removal, opened.owner, opened.image_uuid, base_url
            )
            accepted = True
        finally:
            if not accepted:
                del self._open[key]
        self._watch.accepted(record.model)
        self._begin(record, opened)

    def _left_open(self) -> list[TaskRecord]:
        """Tidy up after the last run, and give the tasks that are to be done again. Blocking."""
        self._media.sweep_strays()
        self._swept()
        again = []
        for record in self._records.open_tasks():
            if record.promised:
                again.append(record)
            else:
                self._write_failure(record, _interrupted())
        return again

    # Working

    def _opened(self, owner: str, image_uuid: str) -> _Open:
        return _Open(owner, image_uuid, asyncio.get_running_loop().create_future())

    def _begin(self, record: TaskRecord, opened: _Open) -> None:
        self._open[record.uuid] = opened
        self._spawn(self._carry_out(record, opened))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._underway.add(task)
        task.add_done_callback(self._underway.discard)
        return task

    async def _carry_out(self, record: TaskRecord, opened: _Open) -> None:
        """Do a task, and give it an outcome whatever happens but the end of the service."""
        tally = Tally()
        end: dict[str, Any] | BaseException | None
        try:
            # Nothing that a removal raises, foreseen or not, may leave the task without an outcome.
            [end] = await asyncio.gather(self._done(record, tally), return_exceptions=True)
            if isinstance(end, BaseException):
                end = _foreseen(end)
                await self._fail(record, end)
        except asyncio.CancelledError:
            opened.ended.set_result(refusals.draining())
            raise
        finally:
            del self._open[record.uuid]
        opened.ended.set_result(end)
        self._deliveries.notice()
        self._count(record, tally, end)

    async def _done(self, record: TaskRecord, tally: Tally) -> dict[str, Any] | None:
        """Do a task, write down what it gave, and give its data item if its caller waits."""
        task, _ = outcomes.task(record)
        if record.input_uuid is None:
            with tally.stage("fetching"):
                data = await self._intake.fetched(task.image)
            with tally.stage("storing"):
                durable = record.promised
                stored = await self._in_thread(self._intake.stored, data, "input", durable=durable)
            del data
            record = replace(record, input_uuid=stored.uuid)
        result = await self._crew.work(partial(self._removed, record, task, tally))
        tally.seconds |= result.seconds
        tally.model, tally.bytes_out = result.model, len(result.data)
        with tally.stage("storing"):
            return await self._in_thread(self._write_success, record, task, result)

    def _removed(
        self, record: TaskRecord, task: RemovalTask, tally: Tally, cancellation: Cancellation
    ) -> Outcome:
        """Do a task whose input is stored. Blocking, in one of the crew's threads."""
        with self._working():
            starts = self._records.begin(record.uuid, record.input_uuid)
            if starts > _MOST_STARTS:
                raise _ends_the_service()
            picture = self._media.needed(record.input_uuid or "")
            tally.bytes_in = len(picture)
            try:
                return self._crew.remover.remove(task, picture, cancellation)
            except OutputError as error:  # nothing is written by then: the format can't hold it
                why = f"{error.what}: {error.why}"
                raise refusals.invalid_parameter("outputFormat", why, kind="string") from error

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._counting:
            self._at_work += 1
        try:
            yield
        finally:
            with self._counting:
                self._at_work -= 1

    def _write_success(
        self, record: TaskRecord, task: RemovalTask, result: Outcome
    ) -> dict[str, Any] | None:
        keep = self._configuration.keep
        stored = self._media.put(
            result.data,
            result.suffix,
            kind="result",
            ttl=min(task.ttl or keep, keep),
            durable=record.promised,
            uuid=record.image_uuid,
        )
        told = outcomes.success(stored, result.mime)
        self._records.finish(
            record.uuid,
            "success",
            told,
            expires=self._pace.clock() + keep,
            deliveries=self._deliveries.planned(task, succeeded=True),
            durable=record.promised,
        )
        if record.promised:
            return None
        ended = replace(record, state="success", outcome=told)
        return outcomes.item(ended, self._media, self._configuration.price, result.data)

    async def _fail(self, record: TaskRecord, error: CutawayError) -> None:
        """Write down that a task failed, as soon as the disk takes it; until then it is open."""
        while True:
            try:
                await self._in_thread(self._write_failure, record, error)
            except OutputError as trouble:
                _log.error("an outcome can't be written down: %s", trouble)
                await self._pace.sleep(_RECORDS_PATIENCE)
            else:
                return

    def _write_failure(self, record: TaskRecord, error: CutawayError) -> None:
        task, _ = outcomes.task(record)
        self._records.finish(
            record.uuid,
            "error",
            outcomes.failure(error, record),
            expires=self._pace.clock() + self._configuration.keep,
            deliveries=self._deliveries.planned(task, succeeded=False),
            durable=record.promised,
        )

    def _count(self, record: TaskRecord, tally: Tally, end: object) -> None:
        total = tally.close()
        self._typical += 0.1 * (total - self._typical)
        self._watch.finished(
            task_uuid=record.message["taskUUID"],
            model=tally.model or record.model,
            outcome=answers.fault_of(end).code if isinstance(end, CutawayError) else "success",
            seconds=tally.seconds,
            bytes_in=tally.bytes_in,
            bytes_out=tally.bytes_out,
        )

    # Telling and tidying

    def _told(self, task_uuid: str, owner: str | None) -> dict[str, Any]:
        """The data item of a task that has its outcome; of any owner if None. Blocking."""
        record = self._records.task(task_uuid.lower())
        if record is None or owner not in {record.owner, None}:
            raise refusals.no_such_task(task_uuid)
        if record.outcome is None:  # the next run goes on with it
            raise refusals.draining()
        if record.state == "error":
            raise outcomes.failed(record.outcome)
        try:
            self._media.find(record.image_uuid)
            return outcomes.item(record, self._media, self._configuration.price)
        except Refusal as error:  # the result has expired before the task
            raise refusals.no_such_task(task_uuid) from error

    async def _sweep(self) -> None:
        """Remove what has expired, every few seconds."""
        while True:
            await self._pace.sleep(_SWEEP_EVERY)
            try:
                await self._in_thread(self._swept)
            except OutputError as error:
                _log.error("what expired can't be removed: %s", error)

    def _swept(self) -> None:
        self._media.sweep()
        self._records.forget_tasks(self._pace.clock())

    async def _in_thread(self, work: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
        if self._ended:
            raise refusals.draining()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *values, **named))


def _foreseen(error: BaseException) -> CutawayError:
    """The error itself if it is one of ours; a defect is told to whoever runs the service."""
    if isinstance(error, CutawayError):
        return error
    _log.error("a task failed in a way that nobody thought of", exc_info=error)
    return refusals.broken()


def _interrupted() -> Refusal:
    return Refusal(
        Fault(code="taskFailedOrNotFound", status=404),
        "the task was not done",
        "the service stopped while it was worked on, and its caller with it",
        "Send it again with another UUID, or with deliveryMethod async to have it outlive that",
    )


def _ends_the_service() -> Refusal:
    return Refusal(
        Fault(code="taskFailed", status=500),
        "the task was given up",
        f"the service ended {_MOST_STARTS} times while it was worked on",
        "Send a smaller picture, or choose another model",
    )
