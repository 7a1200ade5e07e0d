"""A folder to work in, and pictures that need no network."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.fakes.networks import make_network
from tests.fakes.runware_service import RunwareService
from tests.pictures import as_file, portrait
from tests.shared.cli.running import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.shared.cli.running import Command, Words


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A small subject on a plain background, as a JPG file's bytes."""
    return as_file(portrait(96, 72), "JPEG")


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Words:
    """Flags for a network that finds the subject in a few milliseconds, by its colour."""
    weights = make_network(tmp_path_factory.mktemp("weights") / "quick.onnx")
    return ("--weights", str(weights), "--model", "u2netp")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(folder: Path, picture: bytes) -> Path:
    """`photo.jpg` in the working folder."""
    path = folder / "photo.jpg"
    path.write_bytes(picture)
    return path


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunwareService]:
    """A service that is the backend, and whose key is set."""
    with RunwareService() as service:
        monkeypatch.setenv("CUTAWAY_BACKEND", service.http_url)
        monkeypatch.setenv("RUNWARE_API_KEY", service.key)
        yield service


@pytest.fixture
def remote(service: RunwareService) -> Command:
    """The command with that service as the backend; it never shows the key."""

    def run(*arguments: str | Path, data: bytes | None = None) -> Result:
        done = cli(*arguments, data=data)
        assert service.key not in done.output
        return done

    return run


@pytest.fixture
def ctrl_c() -> Iterator[int]:
    """The signal of Ctrl-C, which processes that are started meanwhile do listen to.

    A shell starts what is in the background deaf to it, and children inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.SIGINT
    signal.signal(signal.SIGINT, before)
