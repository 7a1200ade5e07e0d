"""Webhooks and uploads: what receivers get that a task names, until they take it.

A webhook gets the result's data item (or the error's) as JSON by POST, an upload endpoint the
picture's bytes by PUT. What is due stands in the records, so that nothing of it is in memory but
what is underway, and a delivery is done only after a status of 2xx: a receiver gets it at least
once, and but once unless its answer, or this process before it notes that, is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import httpx

from cutaway._version import __version__
from cutaway.errors import (
    ConfigError,
    ConnectionFailed,
    CutawayError,
    InputError,
    OutputError,
    TransportError,
)
from cutaway.service import outcomes
from cutaway.service.records import Delivery
from cutaway.service.refusals import Refusal, invalid_parameter
from cutaway.sources.guard import PUBLIC_ONLY, Guard
from cutaway.sources.pinned import AsyncPinnedTransport, addresses_of, origin, parsed, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.configuration import Configuration
    from cutaway.service.media import MediaStore
    from cutaway.service.records import DeliveryKind, Records

__all__ = ["MOST_TRIES", "Deliveries", "Pace"]

MOST_TRIES = 100
"""How often a delivery is tried before it is given up: for about a quarter of an hour."""

_FIRST_WAIT, _LONGEST_WAIT = 0.25, 8.0
_PARAMETERS: dict[DeliveryKind, str] = {"webhook": "webhookURL", "upload": "uploadEndpoint"}
_MOST_AT_ONCE = 16
_MOST_AT_ONE_RECEIVER = 4
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_HEADERS = {"User-Agent": f"cutaway/{__version__}"}

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How time goes by.

    Attributes:
        clock: Gives the seconds since the epoch.
        sleep: Waits for some seconds.
        chance: Gives a number 0..1, so that not everything is tried again at one time.
        webhook: Seconds that a receiver has for taking a result's data item.
        upload: Seconds that a receiver has for taking its bytes.
    """

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    webhook: float = 5.0
    upload: float = 60.0


class _Parcel(NamedTuple):
    """One request to make: its verb, its body, and what that is."""

    verb: str
    body: bytes
    mime: str


class Deliveries:
    """Brings receivers what is theirs, in the background, from `start` to `stop`.

    Args:
        configuration: `allow_private_network` and `price` count.
        records: Where it stands what is due.
        media: Where the pictures are.
        pace: How time goes by.
        guard: Decides which addresses may be connected to, unless private networks are allowed.
    """

    def __init__(
        self,
        configuration: Configuration,
        records: Records,
        media: MediaStore,
        *,
        pace: Pace = Pace(),
        guard: Guard = PUBLIC_ONLY,
    ) -> None:
        self._price, self._records, self._media = configuration.price, records, media
        self._pace = pace
        self._guard = None if configuration.allow_private_network else guard
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="deliveries")
        self._names = ThreadPoolExecutor(2, thread_name_prefix="names")
        self._news = asyncio.Event()
        self._underway: dict[asyncio.Task[None], Delivery] = {}
        self._dispatcher: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None

    async def check(self, task: RemovalTask) -> None:
        """Make sure that a task's receivers may be connected to, as far as can be told now.

        Raises:
            Refusal: a receiver's URL is none, or leads to an address that is not public.
        """
        for kind, url in _receivers(task).items():
            try:
                address = parsed(url)
                if self._guard is not None:
                    with suppress(TransportError):  # no answer from DNS now may be one later
                        await asyncio.get_running_loop().run_in_executor(
                            self._names, addresses_of, self._guard, address
                        )
            except InputError as error:
                raise invalid_parameter(_PARAMETERS[kind], error.why, kind="string") from error

    def planned(self, task: RemovalTask, *, succeeded: bool) -> list[Delivery]:
        """What a task's receivers are to get once it has ended; an error is no upload."""
        return [
            Delivery(
                task=task.task_uuid.lower(),
                kind=kind,
                url=url,
                receiver=origin(parsed(url)),
                due=self._pace.clock(),
            )
            for kind, url in _receivers(task).items()
            if succeeded or kind == "webhook"
        ]

    async def start(self) -> None:
        """Begin, with what an earlier run left over.

        Raises:
            ConfigError: no connection can be prepared.
        """
        self._client = _client(self._guard)
        self._dispatcher = asyncio.create_task(self._dispatch())

    def notice(self) -> None:
        """Look at once for what is due."""
        self._news.set()

    async def stop(self, patience: float = 0.0) -> None:
        """End, after waiting for what is underway; what isn't done by then is left to a later run.

        Args:
            patience: Seconds to wait.
        """
        if self._dispatcher is not None:
            await _cancelled([self._dispatcher])
        if self._underway:
            await asyncio.wait(self._underway, timeout=patience)
        await _cancelled(list(self._underway))
        if self._client is not None:
            await self._client.aclose()
        self._threads.shutdown()
        self._names.shutdown(wait=False, cancel_futures=True)

    async def _dispatch(self) -> None:
        while True:
            self._news.clear()
            try:
                rest = await self._send_what_is_due()
            except CutawayError as error:  # of the records; they may be usable later
                _log.error("deliveries are held up: %s", error)
                rest = _LONGEST_WAIT
            await self._rest(rest)

    async def _send_what_is_due(self) -> float | None:
        """Begin what can be begun, and give the seconds until more is due."""
        now = self._pace.clock()
        while True:
            due, later = await self._in_thread(self._look, now, list(self._underway.values()))
            begun = [delivery for delivery in due if self._begin(delivery)]
            if len(begun) == len(due):  # else others may stand behind those of a busy receiver
                return None if later is None else max(0.0, later - now)

    def _look(self, now: float, underway: list[Delivery]) -> tuple[list[Delivery], float | None]:
        """What may be begun now, and when more is due. Blocking."""
        counted = Counter(delivery.receiver for delivery in underway)
        due = self._records.due(
            now,
            _MOST_AT_ONCE - len(underway),
            underway=[delivery.id for delivery in underway],
            busy=[name for name, count in counted.items() if count >= _MOST_AT_ONE_RECEIVER],
        )
        return due, self._records.next_due(after=now)

    def _begin(self, delivery: Delivery) -> bool:
        """Begin a delivery, unless its receiver is busy."""
        others = [one for one in self._underway.values() if one.receiver == delivery.receiver]
        if len(others) >= _MOST_AT_ONE_RECEIVER:
            return False
        task = asyncio.create_task(self._deliver(delivery))
        self._underway[task] = delivery
        task.add_done_callback(self._ended)
        return True

    async def _rest(self, seconds: float | None) -> None:
        """Wait for news, or until more is due."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._news.wait())]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self._pace.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(waits)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._underway[task]
        self._news.set()

    async def _deliver(self, delivery: Delivery) -> None:
        """Try once, and note what came of it."""
        # A try may fail in ways nobody thought of; none may end the deliveries or repeat at once.
        [failure] = await asyncio.gather(self._hand_over(delivery), return_exceptions=True)
        tries = delivery.tries + 1
        if failure is None:
            await self._note(self._records.settle, delivery.id)
        elif isinstance(failure, (Refusal, InputError)) or tries >= MOST_TRIES:
            _tell(logging.ERROR, "delivery given up", delivery, failure)
            await self._note(self._records.settle, delivery.id)
        else:
            _tell(logging.WARNING, "delivery failed", delivery, failure)
            wait = min(_FIRST_WAIT * 2**delivery.tries, _LONGEST_WAIT)
            due = self._pace.clock() + wait * (0.75 + self._pace.chance() / 2)
            await self._note(self._records.put_off, delivery.id, due)

    async def _hand_over(self, delivery: Delivery) -> None:
        """Make the request; it is an error unless the receiver takes the delivery."""
        parcel = await self._in_thread(self._packed, delivery)
        if parcel is None:
            return
        assert self._client is not None  # noqa: S101  (it is there from the start)
        patience = self._pace.webhook if delivery.kind == "webhook" else self._pace.upload
        async with (
            asyncio.timeout(patience),
            self._client.stream(
                parcel.verb,
                delivery.url,
                content=parcel.body,
                headers={"Content-Type": parcel.mime},
            ) as response,
        ):
            self._client.cookies.clear()  # of somebody else, and there may be many
            if not response.is_success:
                raise ConnectionFailed(f"the receiver answered with status {response.status_code}")

    def _packed(self, delivery: Delivery) -> _Parcel | None:
        """What to send; None if the task is forgotten."""
        record = self._records.task(delivery.task)
        if record is None or record.outcome is None:
            return None
        if delivery.kind == "upload":
            return _Parcel("PUT", self._media.needed(record.image_uuid), record.outcome["mime"])
        if record.state == "error":
            item = record.outcome["item"]
        else:
            item = outcomes.item(record, self._media, self._price)
        return _Parcel("POST", json.dumps(item).encode(), "application/json")

    async def _note(self, write: Callable[..., None], *values: float) -> None:
        """Write down what came of a delivery, which is underway until that is done."""
        while True:
            try:
                await self._in_thread(write, *values)
            except OutputError as error:
                _log.error("deliveries are held up: %s", error)
                await self._pace.sleep(_LONGEST_WAIT)
            else:
                return

    async def _in_thread(self, work: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *values, **named))


def _client(guard: Guard | None) -> httpx.AsyncClient:
    try:
        transport = None if guard is None else AsyncPinnedTransport(guard)
        return httpx.AsyncClient(transport=transport, headers=_HEADERS, timeout=_TIMEOUT)
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise ConfigError(
            "webhooks can't be sent",
            str(error),
            "Check the proxy and certificate variables of the environment",
        ) from error


def _receivers(task: RemovalTask) -> dict[DeliveryKind, str]:
    named: dict[DeliveryKind, str | None] = {
        "webhook": task.webhook_url,
        "upload": task.upload_endpoint,
    }
    return {kind: url for kind, url in named.items() if url is not None}


def _tell(level: int, event: str, delivery: Delivery, failure: object) -> None:
    """Log a failed try, without the URL's query, where receivers have their tokens."""
    facts = {
        "taskUUID": delivery.task,
        "kind": delivery.kind,
        "receiver": shown(parsed(delivery.url)),
        "tries": delivery.tries + 1,
        "why": str(failure) or type(failure).__name__,
    }
    _log.log(level, event, extra={"facts": facts})


async def _cancelled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
