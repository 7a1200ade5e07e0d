"""A server that has a model's file, and a store that hasn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutaway.engine.store import ModelStore
from tests.fakes.file_server import FileServer
from tests.fakes.pulling import BODY, PATH, Pulling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer() as server:
        server.put(PATH, BODY)
        yield server


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", {}, tmp_path / "home")


@pytest.fixture
def pulling(server: FileServer, store: ModelStore) -> Pulling:
    return Pulling(server, store)
