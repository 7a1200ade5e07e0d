"""What the tests of the server share: both eras of the protocol, and a folder with a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pictures import as_file, portrait

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the server runs on."""
    return "asyncio"


@pytest.fixture(params=["legacy", "2026-07-28"])
def era(request: pytest.FixtureRequest) -> str:
    """How a client speaks: with a handshake (2025-11-25), or stateless."""
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An allowed folder, with a small picture in it: `cat.png`."""
    allowed = (tmp_path / "allowed").resolve()
    allowed.mkdir()
    (allowed / "cat.png").write_bytes(as_file(portrait(160, 120)))
    return allowed
