"""Serving over stdio, until the client hangs up or a signal ends it."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from mcp.server import MCPServer

__all__ = ["INTERRUPTED", "serve"]

INTERRUPTED = 130
"""The exit status after a signal, as that of `cutaway`."""

_PARTING = 1.0
"""Seconds for calls under way to stop and to clean up; they take less."""


async def serve(server: MCPServer[Any]) -> None:
    """Serve until the client closes our stdin; Ctrl-C and SIGTERM end the process.

    The SDK's thread that reads stdin can't be stopped before the client closes that, so after a
    signal the calls are cancelled, and the process ends without that thread.
    """
    if sys.platform == "win32":  # no loop there can be told of signals
        await server.run_stdio_async()
        return
    async with anyio.create_task_group() as group:
        group.start_soon(_end_at_signal, group.cancel_scope)
        await server.run_stdio_async()
        group.cancel_scope.cancel()


async def _end_at_signal(calls: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            calls.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(_PARTING)
            os._exit(INTERRUPTED)
