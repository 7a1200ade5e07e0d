"""A tiny model to pull, and a note of how it went."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cutaway.engine.download import Patience, pull
from cutaway.progress import Progress, Step
from tests.fakes.tiny_model import body_of, tiny_model

if TYPE_CHECKING:
    from cutaway.engine.store import InstalledModel, ModelStore
    from tests.fakes.file_server import FileServer

__all__ = ["BODY", "PATH", "SHA256", "SIZE", "TINY", "Pulling", "leave_part", "ranges"]

SIZE = 300_000
BODY = body_of(SIZE)
TINY = tiny_model(BODY)
PATH = f"/{TINY.file}"
SHA256 = TINY.sha256 or ""


class Pulling:
    """Pulls the tiny model and notes how it went."""

    def __init__(self, server: FileServer, store: ModelStore) -> None:
        self.server = server
        self.store = store
        self.shares: list[float] = []
        self.pauses: list[float] = []
        self.patience = Patience(read=20.0, pause=self.pauses.append)
        self.progress = Progress(self.note)

    def note(self, step: Step) -> None:
        self.shares.append(step.share)

    def __call__(self, **changes: Any) -> InstalledModel:
        model = replace(TINY, **changes)
        return pull(
            model,
            self.store,
            base_url=self.server.url,
            progress=self.progress,
            patience=self.patience,
        )


def ranges(server: FileServer) -> list[str | None]:
    return [request.headers.get("range") for request in server.requests]


def leave_part(store: ModelStore, body: bytes, validator: str | None = None) -> None:
    place = store.place(TINY)
    place.part.parent.mkdir(parents=True, exist_ok=True)
    place.part.write_bytes(body)
    if validator is not None:
        place.origin.write_text(json.dumps({"validator": validator}), encoding="utf-8")
