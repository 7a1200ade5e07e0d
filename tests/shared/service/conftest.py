"""What several tests of a task's life begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutaway.service.configuration import Configuration
from tests.shared.service.receiver import Receiver
from tests.shared.service.rooms import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(folder=tmp_path / "service", workers=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
def shut() -> StandIn:
    """Removals that wait until their gate is opened."""
    remover = StandIn()
    remover.gate.clear()
    return remover
