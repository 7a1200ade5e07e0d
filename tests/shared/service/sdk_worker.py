"""Does one task through one of Runware's own Python clients, in that client's environment.

    python sdk_worker.py WAY URL KEY < TASK

It stands on the standard library and on that client alone. TASK is a JSON object; the last line of
what it prints is one, too.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


def main() -> None:
    """Do the task, and print what the client made of it."""
    way, url, key = sys.argv[1:]
    task = json.load(sys.stdin)
    try:
        told = {"results": asyncio.run(_WAYS[way](url, key, task))}
    except Exception as error:  # noqa: BLE001  (whatever the client raises is what is asked for)
        told = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(f"{json.dumps(told, default=str)}\n")


async def _old(url: str, key: str, task: dict[str, Any]) -> Any:
    """PyPI `runware`: a removal, with the settings if there are any."""
    from runware import (  # type: ignore[import-not-found]
        IBackgroundRemovalSettings,
        IImageBackgroundRemoval,
        Runware,
    )

    settings = task.pop("settings", None)
    client = Runware(api_key=key, url=url)
    await client.connect()
    try:
        more = {"settings": IBackgroundRemovalSettings(**settings)} if settings else {}
        asked = IImageBackgroundRemoval(**task, **more)
        return [vars(one) for one in await client.imageBackgroundRemoval(asked)]
    finally:
        await client.disconnect()


async def _old_polled(url: str, key: str, task: dict[str, Any]) -> Any:
    """PyPI `runware`: how a task stands that was sent before."""
    from runware import Runware

    client = Runware(api_key=key, url=url)
    await client.connect()
    try:
        return [
            {"kind": type(one).__name__, **vars(one)} for one in await client.getResponse(**task)
        ]
    finally:
        await client.disconnect()


async def _new(url: str, key: str, task: dict[str, Any]) -> Any:
    """PyPI `runware-sdk`: any task, by whichever transport the URL is for."""
    from runware import Runware

    way = "rest" if url.startswith("http") else "websocket"
    async with Runware(api_key=key, transport=way, http_base_url=url, ws_base_url=url) as client:
        return await client.run(task)


_WAYS = {"old": _old, "old-polled": _old_polled, "new": _new}


if __name__ == "__main__":
    main()
