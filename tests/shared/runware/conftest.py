from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.runware_pictures import untouched
from tests.fakes.runware_service import RunwareService

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def service() -> Iterator[RunwareService]:
    """A service that answers at once."""
    with RunwareService(cut=untouched) as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxy_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
