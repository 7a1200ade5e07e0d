"""What the MCP server adds to a removal, and how soon it is there, beside a bare `mcp` server.

    python -m tests.benchmarks.mcp [PART ...] [--calls N] [--starts N]

The parts are latency, throughput and start; all if none is named. Every server is a process of its
own that is spoken to over stdio, and each figure is a median. The engine is the classical one; its
own time (finding the subject, composing, encoding the file) is told by the server's process call by
call, and what is left of the latency is the server's: protocol, checks of paths and arguments,
threads, facts, and the file's way onto the disk.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
import cv2
import numpy as np

from tests.benchmarks import table
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from mcp import Client
    from numpy.typing import NDArray

_ERAS = ("legacy", "2026-07-28")
_WORKER = ("-m", "tests.benchmarks.mcp_worker")
_PRODUCT = ("-m", "cutaway_mcp")
_WARM_UPS = 3
_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "benchmark", "version": "1"},
    },
}


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part stands on.

    Attributes:
        folder: Holds `photo.png`; the servers may use it.
        calls: How many calls a figure is the median of.
        starts: How many starts.
    """

    folder: Path
    calls: int
    starts: int

    def removal(self, number: int) -> dict[str, Any]:
        """The arguments of a call; each number has a result of its own."""
        return {
            "input": str(self.folder / "photo.png"),
            "output_path": str(self.folder / f"cutout-{number}.png"),
            "model": "classical",
            "overwrite": True,
        }


def main() -> None:
    """Print the parts that were asked for."""
    parts = {"latency": _latency, "throughput": _throughput, "start": _start}
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=40, metavar="N", help="(default: 40)")
    parser.add_argument("--starts", type=int, default=15, metavar="N", help="(default: 15)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts))
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(parts)}")
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        cv2.imwrite(str(folder / "photo.png"), _photo())
        bench = Bench(folder, given.calls, given.starts)
        for part in given.parts or parts:
            anyio.run(parts[part], bench)


async def _latency(bench: Bench) -> None:
    """A call after the other, and the engine's share of each."""
    table.head("a call over stdio, ms", "era", "whole", "the engine's", "added", "goal")
    for era in _ERAS:
        whole, engine = await _removals(bench, era)
        added = [one - other for one, other in zip(whole, engine, strict=True)]
        table.row("remove_background", era, _ms(whole), _ms(engine), _ms(added), "15")
        async with _client(era, *_WORKER, "bare", cwd=bench.folder) as client:
            bare = await _timed(partial(_nothing, client), bench.calls)
        table.row("a bare server's empty tool", era, _ms(bare), "", _ms(bare), "")


async def _removals(bench: Bench, era: str) -> tuple[list[float], list[float]]:
    """Seconds of each call, and of the engine in it."""
    told = bench.folder / "seconds.txt"
    told.unlink(missing_ok=True)
    worker = (*_WORKER, "timed", str(bench.folder), str(told))
    async with _client(era, *worker, cwd=bench.folder) as client:
        whole = await _timed(partial(_remove_numbered, client, bench), bench.calls)
    engine = [float(line) for line in told.read_text(encoding="ascii").splitlines()]
    return whole, engine[-bench.calls :]


async def _throughput(bench: Bench) -> None:
    """Calls that are open at the same time: with the engine at work, and with its work done."""
    table.head("calls a second", "era", "1 at a time", "4 at a time", "ratio")
    instant = (*_WORKER, "instant", str(bench.folder))
    for era in _ERAS:
        for name, server, calls in (
            ("remove_background", _PRODUCT, bench.calls),
            ("remove_background, the cutout ready", instant, 5 * bench.calls),
        ):
            async with _client(era, *server, cwd=bench.folder) as client:
                remove = partial(_remove_numbered, client, bench)
                rates = [await _rate(remove, calls, at_once) for at_once in (1, 4)]
            table.row(name, era, *_rates(rates))
        async with _client(era, *_WORKER, "bare", cwd=bench.folder) as client:
            nothing = partial(_nothing, client)
            rates = [await _rate(nothing, 5 * bench.calls, at_once) for at_once in (1, 4)]
        table.row("a bare server's empty tool", era, *_rates(rates))


async def _start(bench: Bench) -> None:
    """From the process's start to the answer to initialize; the servers start by turns."""
    servers = {
        "mcp's own MCPServer, bare": (*_WORKER, "bare"),
        "cutaway-mcp": _PRODUCT,
    }
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(bench.starts):
        for name, arguments in servers.items():
            taken[name].append(_answered(arguments, bench.folder))
    bare = statistics.median(taken["mcp's own MCPServer, bare"])
    table.head("process start to answered initialize", "ms", "of the bare one's", "goal")
    for name, seconds in taken.items():
        ratio = f"{statistics.median(seconds) / bare:.2f}"
        table.row(name, _ms(seconds), ratio, "1.2, and 1500 ms" if name == "cutaway-mcp" else "")


def _answered(arguments: Sequence[str], cwd: Path) -> float:
    """Seconds until a new process has answered."""
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        process.stdin.write(json.dumps(_HELLO) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        seconds = time.perf_counter() - begun
        process.stdin.close()
    if "result" not in json.loads(line or "{}"):
        raise SystemExit(f"{arguments} did not answer: {line}")
    return seconds


@asynccontextmanager
async def _client(era: str, *arguments: str, cwd: Path) -> AsyncIterator[Client]:
    """A client of a server in a process of its own."""
    from mcp import Client, StdioServerParameters

    server = StdioServerParameters(
        command=sys.executable, args=list(arguments), env=_environment(), cwd=cwd
    )
    async with Client(server, mode=era) as client:
        yield client


async def _remove(client: Client, arguments: dict[str, Any]) -> None:
    result = await client.call_tool("remove_background", arguments)
    if result.is_error:
        raise SystemExit(f"a call failed: {result.content}")


async def _remove_numbered(client: Client, bench: Bench, number: int) -> None:
    await _remove(client, bench.removal(number))


async def _nothing(client: Client, _: int) -> None:
    await client.call_tool("nothing", {})


async def _timed(call: Callable[[int], Awaitable[object]], calls: int) -> list[float]:
    """Seconds of each call, after some that don't count."""
    seconds = []
    for number in range(_WARM_UPS + calls):
        begun = time.perf_counter()
        await call(number)
        seconds.append(time.perf_counter() - begun)
    return seconds[_WARM_UPS:]


async def _rate(call: Callable[[int], Awaitable[object]], calls: int, at_once: int) -> float:
    """Calls a second, after some that don't count."""
    for number in range(_WARM_UPS):
        await call(number)
    left = iter(range(calls))

    async def work() -> None:
        for number in left:
            await call(number)

    begun = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(work)
    return calls / (time.perf_counter() - begun)


def _environment() -> dict[str, str]:
    """Ours, without what may change where or how a picture is worked on."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CUTAWAY_")}
    return {**ours, "PYTHONPATH": str(ROOT)}


def _photo() -> NDArray[np.uint8]:
    """A disc on a plain ground with a sensor's noise: BGR, the same bit by bit each time."""
    smooth = np.full((240, 320, 3), 225, np.uint8)
    cv2.circle(smooth, (160, 120), 70, (40, 60, 190), -1, cv2.LINE_AA)
    cv2.setRNGSeed(1)
    noise = cv2.randn(np.empty(smooth.shape, np.int16), np.zeros(3), np.full(3, 2.0))
    return cv2.add(smooth, noise, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _ms(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.1f}"


def _rates(rates: Sequence[float]) -> list[str]:
    one, four = rates
    return [f"{one:.1f}", f"{four:.1f}", f"{four / one:.2f}"]


if __name__ == "__main__":
    main()
