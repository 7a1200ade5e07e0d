"""Sends many tasks through one client of the Runware API, in a process of its own.

    python wire_worker.py CLIENT URL PICTURE TASKS CONCURRENCY

It is run as a script in the environment of the client it drives, so it stands on the standard
library and on that client alone. It prints one JSON object, `wire.Taken`. The key is in
RUNWARE_API_KEY.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import sys
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    Submit = Callable[[str], None]
    SubmitLater = Callable[[str], Awaitable[None]]

_SIZE = 6000, 4000
_MODEL = "runware:112@2"
_KEY = os.environ["RUNWARE_API_KEY"]
_PROCESS = Path("/proc/self")


def main() -> None:
    """Send the tasks, after some that don't count, and tell what they took."""
    client, url, picture, tasks, concurrency = sys.argv[1:]
    packed = base64.b64encode(Path(picture).read_bytes()).decode()
    image = f"data:image/jpeg;base64,{packed}"
    given = picture if client in _OF_FILES else image
    measured = _Measured(given, int(tasks), int(concurrency))
    if client in _SYNCHRONOUS:
        with _SYNCHRONOUS[client](url) as submit:
            measured.run(submit)
    else:
        asyncio.run(measured.run_later(_ASYNCHRONOUS[client](url)))
    print(json.dumps(measured.taken))


class _Measured:
    """So many tasks with the same picture, so many at a time."""

    def __init__(self, image: str, tasks: int, concurrency: int) -> None:
        self.taken: dict[str, float] = {}
        self._image = image
        self._tasks = tasks
        self._concurrency = concurrency

    def run(self, submit: Submit) -> None:
        """Send them from threads."""

        def send(count: int) -> None:
            deque(pool.map(submit, itertools.repeat(self._image, count)), maxlen=0)

        with ThreadPoolExecutor(self._concurrency) as pool:
            send(self._concurrency)
            with self._watched():
                send(self._tasks)

    async def run_later(self, client: AbstractAsyncContextManager[SubmitLater]) -> None:
        """Send them from coroutines."""
        async with client as submit:
            await self._send_later(submit, self._concurrency)
            with self._watched():
                await self._send_later(submit, self._tasks)

    async def _send_later(self, submit: SubmitLater, count: int) -> None:
        left = iter(range(count))

        async def send() -> None:
            for _ in left:
                await submit(self._image)

        await asyncio.gather(*(send() for _ in range(self._concurrency)))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        _forget_peak()
        resident = _memory("VmRSS")
        begun, worked = time.perf_counter(), _worked()
        yield
        self.taken = {
            "wall": (time.perf_counter() - begun) / self._tasks,
            "cpu": (_worked() - worked) / self._tasks,
            "resident": resident,
            "peak": _memory("VmHWM"),
        }


@contextmanager
def _httpx(url: str) -> Iterator[Submit]:
    import httpx

    with httpx.Client(headers={"Authorization": f"Bearer {_KEY}"}) as client:
        yield lambda image: _check_answer(client.post(url, json=[_task(image)]).json())


@asynccontextmanager
async def _httpx_later(url: str) -> AsyncIterator[SubmitLater]:
    import httpx

    async def submit(image: str) -> None:
        _check_answer((await client.post(url, json=[_task(image)])).json())

    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {_KEY}"}) as client:
        yield submit


@contextmanager
def _cutaway(url: str) -> Iterator[Submit]:
    from cutaway.runware.client import Runware

    with Runware(_KEY, url=url) as client:
        yield lambda image: _check(client.submit(image, model=_MODEL, output_type="URL").image_url)


@asynccontextmanager
async def _cutaway_later(url: str) -> AsyncIterator[SubmitLater]:
    from cutaway.runware.client import AsyncRunware

    async def submit(image: str) -> None:
        _check((await client.submit(image, model=_MODEL, output_type="URL")).image_url)

    async with AsyncRunware(_KEY, url=url) as client:
        yield submit


@asynccontextmanager
async def _old_sdk(url: str) -> AsyncIterator[SubmitLater]:
    """PyPI `runware` 0.5.24: WebSocket only, and it knows no delivery method."""
    from runware import IImageBackgroundRemoval, Runware  # type: ignore[import-not-found]

    async def submit(image: str) -> None:
        asked = IImageBackgroundRemoval(inputImage=image, model=_MODEL, outputType="URL")
        _check((await client.imageBackgroundRemoval(asked))[0].imageURL)

    client = Runware(api_key=_KEY, url=url)
    await client.connect()
    try:
        yield submit
    finally:
        await client.disconnect()


@asynccontextmanager
async def _new_sdk(url: str) -> AsyncIterator[SubmitLater]:
    """PyPI `runware-sdk` 1.8.0: asked for sync, since its default polls after a second."""
    from runware import Runware

    async def submit(image: str) -> None:
        task = {**_task(image), "deliveryMethod": "sync"}
        _check((await client.run(task))[0]["imageURL"])

    way = "rest" if url.startswith("http") else "websocket"
    async with Runware(api_key=_KEY, transport=way, http_base_url=url, ws_base_url=url) as client:
        yield submit


@contextmanager
def _removal(url: str) -> Iterator[Submit]:
    from cutaway import Client

    with Client(backend=url) as client:
        yield lambda path: _check_size(client.remove_background(path).size)


@contextmanager
def _decoding(url: str) -> Iterator[Submit]:
    from PIL import Image

    def decode(path: str) -> None:
        with Image.open(path) as picture:
            _check_size(picture.convert("RGBA").size)

    del url
    yield decode


_OF_FILES = {"removal": _removal, "decoding": _decoding}
_SYNCHRONOUS = {"httpx": _httpx, "cutaway": _cutaway, **_OF_FILES}
_ASYNCHRONOUS = {
    "httpx-async": _httpx_later,
    "cutaway-async": _cutaway_later,
    "runware": _old_sdk,
    "runware-sdk": _new_sdk,
}


def _task(image: str) -> dict[str, Any]:
    return {
        "taskType": "removeBackground",
        "taskUUID": str(uuid.uuid4()),
        "model": _MODEL,
        "inputs": {"image": image},
        "outputType": "URL",
    }


def _check_answer(answer: dict[str, Any]) -> None:
    _check(answer["data"][0]["imageURL"])


def _check(url: str | None) -> None:
    if not url or not url.startswith("http://127.0.0.1:"):
        raise SystemExit(f"that is no result: {url}")


def _check_size(size: tuple[int, int]) -> None:
    if size != _SIZE:
        raise SystemExit(f"that is not the picture's size: {size}")


def _worked() -> float:
    """Seconds of all cores that this process has used, its own and the system's for it."""
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _forget_peak() -> None:
    """Let VmHWM begin again from what is resident (proc(5), clear_refs)."""
    if (_PROCESS / "clear_refs").exists():
        (_PROCESS / "clear_refs").write_text("5", encoding="utf-8")


def _memory(name: str) -> int:
    """A field of this process's status, in bytes; 0 where there is no /proc."""
    status = _PROCESS / "status"
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)


if __name__ == "__main__":
    main()
