"""Loading the local engine before it is asked for."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from cutaway import CutawayError
from cutaway_mcp.policy import LOCAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cutaway_mcp.backends import Clients

__all__ = ["warming"]

_logger = logging.getLogger("cutaway_mcp")


@asynccontextmanager
async def warming(clients: Clients) -> AsyncIterator[None]:
    """Load the local engine while the block runs, so that the first call need not."""
    async with anyio.create_task_group() as group:
        group.start_soon(_warm_up, clients)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


async def _warm_up(clients: Clients) -> None:
    client = await to_thread.run_sync(clients.get, LOCAL)
    import numpy as np

    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[16:48, 16:48] = (160, 40, 40)
    try:
        await client.remove_background(picture)
    except CutawayError as error:
        _logger.warning("the local engine was not warmed up: %s", error)
