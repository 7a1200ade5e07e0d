"""A real `cutaway serve` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Service", "new_uuid", "served"]

_PATIENCE = 60.0
"""Seconds after which anything that waits gives up, so that a failing test can't hang."""


@dataclass(slots=True)
class Service:
    """A service that runs.

    Attributes:
        http: Where its API is.
        websocket: Where its API is, for WebSockets.
        page: Where its web page is.
        ready: All that its ready line tells.
        process: It.
        folder: Its data folder.
        key: What callers need, if it was started with one.
    """

    http: str
    websocket: str
    page: str
    ready: Mapping[str, Any]
    process: subprocess.Popen[str]
    folder: Path
    key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What a request needs to be let in."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    def post(self, *messages: Mapping[str, Any], **more: Any) -> httpx.Response:
        """Send task objects."""
        headers = {**self.headers, **more.pop("headers", {})}
        # The environment's proxies have no way to this machine.
        with httpx.Client(trust_env=False, timeout=_PATIENCE, headers=headers) as client:
            return client.post(self.http, json=list(messages), **more)

    def item(self, message: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Send one task object that must succeed, and give its data item."""
        response = self.post(message, **more)
        assert response.status_code == httpx.codes.OK, response.text
        answer = response.json()
        assert answer.keys() == {"data"}, response.text
        [item] = answer["data"]
        return dict(item)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Fetch a page, or a picture by its URL."""
        url = path if "://" in path else self.page + path.removeprefix("/")
        with httpx.Client(trust_env=False, timeout=_PATIENCE) as client:
            return client.get(url, **more)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal, and give its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(_PATIENCE)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(_PATIENCE)


@contextmanager
def served(
    folder: Path,
    *flags: str,
    models: Path | None = None,
    key: str | None = None,
    variables: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[Service]:
    """Serve on a free port until the block ends.

    Args:
        folder: For its data; what an earlier service left in it is taken up.
        flags: More of the command line.
        models: The folder of its models; an empty one if None, so that `--allow-fallback` takes
            the classical engine.
        key: What callers need.
        variables: More of the environment.
        log: Where its log goes; otherwise nobody sees it, unless it doesn't start.
    """
    command = [sys.executable, "-m", "cutaway", "serve", "--port", "0", "--json"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CUTAWAY_")},
        "CUTAWAY_MODELS_DIR": str(models or folder / "models"),
        "PYTHONWARNDEFAULTENCODING": "",
        **({"CUTAWAY_SERVE_API_KEY": key} if key is not None else {}),
        **(variables or {}),
    }
    with (
        log.open("a+b") if log else TemporaryFile() as errors,
        subprocess.Popen(
            [*command, "--data-dir", str(folder / "data"), *flags],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                process.wait(_PATIENCE)
                errors.seek(0)
                raise RuntimeError(errors.read().decode("utf-8", "replace"))
            told = json.loads(line)
            where = told["http"], told["websocket"], told["page"]
            yield Service(*where, told, process, folder / "data", key or told.get("key"))
        finally:
            process.kill()


def new_uuid() -> str:
    """A task's name that none has had."""
    return str(uuid4())
