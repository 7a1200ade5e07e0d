"""What can be told before there is a picture."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
import pytest

from cutaway import AsyncClient, Client, RemovalOptions, Settings
from cutaway.errors import (
    AuthError,
    ConfigError,
    CostRefused,
    ModelNotInstalled,
    OptionError,
    TooLarge,
    UnknownModel,
)
from tests.fakes.networks import make_network
from tests.fakes.runware_service import RunwareService
from tests.shared.backends.serving import remote

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.keyring_store import KeyringStore


def test_the_model_that_would_run_is_named(tmp_path: Path):
    weights = make_network(tmp_path / "network.onnx")
    with Client() as client, Client(weights=weights) as own:
        assert client.check() == "classical"
        assert own.check(model="u2netp") == "u2netp"
        with pytest.raises(OptionError, match="Name the model too"):
            own.check()


def test_a_model_that_cannot_run_here_is_told():
    with Client() as client:
        with pytest.raises(ModelNotInstalled, match="cutaway models pull u2netp"):
            client.check(model="u2netp")
        with pytest.raises(UnknownModel, match="u2netp"):
            client.check(RemovalOptions(model="u2netpp"))
        with pytest.raises(OptionError, match="feather"):
            client.check(feather=-1)


def test_a_size_beyond_the_limit_is_told():
    with Client(Settings.load(max_pixels=100)) as client:
        client.check(size=(10, 10))
        with pytest.raises(TooLarge, match="11 x 10"):
            client.check(size=(11, 10))


def test_a_service_is_not_asked_and_its_model_is_named_by_its_air():
    with RunwareService() as service:
        with remote(service) as client:
            assert client.check() == "runware:112@2"
            assert client.check(model="birefnet-portrait") == "runware:112@10"
            with pytest.raises(UnknownModel, match="classical"):
                client.check(model="classical")
        with remote(service, max_cost=Decimal("0.0001")) as client, pytest.raises(CostRefused):
            client.check()
        assert not service.requests
        assert not service.connections


def test_runware_needs_a_key_from_somewhere(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
):
    with Client(backend="runware") as client, pytest.raises(AuthError, match="cutaway login"):
        client.check()
    keyring_store.put("runware", "a key")
    with Client(backend="runware") as client, pytest.raises(ConfigError, match="a key"):
        client.check()
    monkeypatch.setenv("RUNWARE_API_KEY", "a-key")
    with Client(backend="runware") as client:
        assert client.check() == "runware:112@2"


def test_the_async_client_tells_the_same():
    async def ask() -> str:
        async with AsyncClient() as client:
            with pytest.raises(TooLarge):
                await client.check(size=(100_000, 100_000))
            return await client.check(RemovalOptions(model="auto"), feather=3)

    assert anyio.run(ask) == "classical"
