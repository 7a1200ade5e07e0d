from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cutaway import catalogue
from tests.mcp_server.calling import call, facts_of, in_memory

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def listed(era: str, folder: Path, **policy: Any) -> dict[str, Any]:
    async with in_memory(era, folder, **policy) as client:
        return facts_of(await call(client, "list_models"))


async def test_it_tells_what_is_here_and_how_to_get_the_rest(era: str, folder: Path) -> None:
    facts = await listed(era, folder)
    models = {model["name"]: model for model in facts["models"]}
    assert set(models) == {"classical", *(model.name for model in catalogue.models())}
    assert (facts["backend"], facts["auto"]) == ("local", "classical")
    assert models["classical"]["installed"]
    assert models["birefnet-portrait"] == {
        "name": "birefnet-portrait",
        "good_for": "portraits, hair and hands",
        "installed": False,
        "licence": "MIT",
        "megabytes": 973,
    }
    assert any("cutaway models pull" in note for note in facts["notes"])


async def test_what_the_operator_has_not_allowed_is_not_offered(era: str, folder: Path) -> None:
    facts = await listed(era, folder)
    assert facts["backends"] == ["local"]
    assert not any("remote" in model or "price" in model for model in facts["models"])
    assert any("--allow-backend runware" in note for note in facts["notes"])


async def test_runwares_models_come_with_their_price(era: str, folder: Path) -> None:
    facts = await listed(era, folder, allow_backends=frozenset({"runware"}))
    models = {model["name"]: model for model in facts["models"]}
    assert facts["backends"] == ["local", "runware"]
    assert models["birefnet-cod"]["remote"] == "runware:112@2"
    assert models["birefnet-cod"]["price"] == 0.0006
    assert models["birefnet-matting"] == {
        "name": "birefnet-matting",
        "good_for": "BiRefNet Matting",
        "remote": "runware:112@9",
        "price": 0.0006,
    }
    assert not any("left out" in note for note in facts["notes"])


async def test_without_a_network_nothing_remote_is_offered(era: str, folder: Path) -> None:
    facts = await listed(era, folder, allow_backends=frozenset({"runware"}), network=False)
    assert not any("remote" in model for model in facts["models"])


async def test_where_a_service_is_the_usual_backend_its_own_default_is_told(
    era: str, folder: Path
) -> None:
    facts = await listed(era, folder, backend="runware")
    assert (facts["backend"], facts["auto"]) == ("runware", "birefnet-cod")


async def test_the_whole_list_stays_short(era: str, folder: Path) -> None:
    async with in_memory(era, folder, allow_backends=frozenset({"runware"})) as client:
        (block,) = (await call(client, "list_models")).content
    assert len(block.model_dump_json()) < 4000
