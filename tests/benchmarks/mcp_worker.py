"""A server for the benchmark of the MCP server, over stdio in a process of its own.

    python -m tests.benchmarks.mcp_worker bare
    python -m tests.benchmarks.mcp_worker instant FOLDER
    python -m tests.benchmarks.mcp_worker timed FOLDER FILE

`bare` is what `mcp` itself makes, with one tool that does nothing. The others are the product,
allowed to use FOLDER: `instant` with an engine that has the cutout of its first picture ready for
all others, `timed` with one that writes into FILE how many seconds each picture took it, from
opening the picture to the encoded result.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway import Cutout


def main() -> None:
    """Serve until the client leaves."""
    kind, *rest = sys.argv[1:]
    servers: dict[str, Callable[..., None]] = {
        "bare": _serve_bare,
        "instant": _serve_instant,
        "timed": _serve_timed,
    }
    servers[kind](*map(Path, rest))


def _serve_bare() -> None:
    from mcp.server import MCPServer

    server = MCPServer("bare", log_level="WARNING")

    @server.tool()
    async def nothing() -> str:
        """Do nothing."""
        return "done"

    server.run()


def _serve_instant(folder: Path) -> None:
    from cutaway import AsyncClient
    from cutaway_mcp import Policy, create_server

    class InstantClient(AsyncClient):
        ready: Cutout | None = None

        async def remove_background(self, *arguments: Any, **named: Any) -> Cutout:
            if self.ready is None:
                self.ready = await super().remove_background(*arguments, **named)
            return self.ready

    create_server(client=InstantClient(), policy=Policy(allow_dirs=(folder,))).run()


def _serve_timed(folder: Path, told: Path) -> None:
    from cutaway import AsyncClient
    from cutaway_mcp import Policy, create_server

    class TimedClient(AsyncClient):
        async def remove_background(self, *arguments: Any, **named: Any) -> Cutout:
            begun = time.perf_counter()
            cutout = await super().remove_background(*arguments, **named)
            return cast("Cutout", _TimedCutout(cutout, time.perf_counter() - begun, told))

    create_server(client=TimedClient(), policy=Policy(allow_dirs=(folder,))).run()


class _TimedCutout:
    """A cutout that tells what it took to make it and to encode it, once that is done."""

    def __init__(self, cutout: Cutout, seconds: float, told: Path) -> None:
        self._cutout = cutout
        self._seconds = seconds
        self._told = told

    def write(self, file: Any) -> None:
        begun = time.perf_counter()
        self._cutout.write(file)
        seconds = self._seconds + time.perf_counter() - begun
        with self._told.open("a", encoding="ascii") as lines:
            lines.write(f"{seconds:.6f}\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cutout, name)


if __name__ == "__main__":
    main()
