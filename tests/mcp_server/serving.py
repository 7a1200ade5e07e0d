"""The real server as a process that serves HTTP, and who speaks to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_TOLD = "cutaway-mcp listens on "

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
HEADERS = {"Accept": "application/json, text/event-stream"}


@dataclass
class HttpServer:
    """A running server.

    Attributes:
        url: Where it is.
        process: The process.
        told: Its lines on stderr so far.
    """

    url: str
    process: subprocess.Popen[str]
    told: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.url.split("/")[2]

    def post(self, body: object = INITIALIZE, **headers: str) -> httpx2.Response:
        """Post a message; an underscore in a header's name stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.post(self.url, json=body, headers=HEADERS | named, timeout=30)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; gives the exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def serving(*command: str, cwd: Path, **environment: str) -> Iterator[HttpServer]:
    """Start `python COMMAND`, which serves HTTP; it is stopped at the end, if it still runs."""
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr
        told: list[str] = []
        for line in process.stderr:
            told.append(line)
            if line.startswith(_TOLD):
                break
        else:
            raise AssertionError(f"it never listened: {''.join(told)}")
        reader = threading.Thread(target=lambda: told.extend(process.stderr or ()))
        reader.start()
        try:
            yield HttpServer(told[-1].removeprefix(_TOLD).strip(), process, told)
        finally:
            process.kill()
            reader.join()


@asynccontextmanager
async def connected(
    server: HttpServer, era: str, token: str | None = None
) -> AsyncIterator[Client]:
    """An MCP client of the server, with a token if there is one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport: Any = streamable_http_client(server.url, http_client=http)
        async with Client(transport, mode=era) as client:
            yield client
