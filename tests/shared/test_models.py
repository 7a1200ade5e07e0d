from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
import pytest

from cutaway import AsyncClient, Client, ModelFacts, Settings, catalogue
from cutaway.catalogue import local
from tests.fakes.tiny_model import body_of, tiny_model

if TYPE_CHECKING:
    from pathlib import Path

BODY = body_of(3000)


def told(backend: str = "local", **settings: object) -> dict[str, ModelFacts]:
    with Client(Settings.load(**settings), backend=backend) as client:
        models = client.models()
    by_name = {model.name: model for model in models}
    assert len(by_name) == len(models)
    return by_name


def put(models_dir: Path, monkeypatch: pytest.MonkeyPatch, body: bytes = BODY) -> Path:
    """A file in the place of a model that can be here, as no test can have a real one's."""
    model = tiny_model(BODY, auto_rank=1)
    monkeypatch.setattr(local, "_MODELS", (model, *catalogue.models()))
    monkeypatch.setattr(local, "_BY_NAME", {model.name: model})
    path = models_dir / model.name / model.file
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    return models_dir


def test_every_model_for_pictures_is_told_once_wherever_it_runs() -> None:
    models = told()
    airs = [model.air for model in models.values() if model.air]
    runware = [model.air for model in catalogue.remote_models() if not model.video]
    assert sorted(airs) == sorted(runware)
    assert {name for name, model in models.items() if model.local} == {
        "classical",
        *(model.name for model in catalogue.models()),
    }
    assert all(model.local or model.remote for model in models.values())


def test_a_model_that_runs_here_and_at_runware_is_told_with_both_sides() -> None:
    model = told()["birefnet-cod"]
    assert (model.local, model.installed, model.remote) == (True, False, True)
    assert (model.air, model.slug) == ("runware:112@2", "birefnet-v1-base-cod")
    assert model.price == Decimal("0.0006")
    assert (model.licence, model.good_for) == ("MIT", "camouflaged subjects")
    assert model.size == catalogue.find("birefnet-cod").size


def test_what_only_runware_runs_has_no_file_here() -> None:
    model = told()["birefnet-matting"]
    assert (model.local, model.installed, model.remote) == (False, False, True)
    assert (model.size, model.licence) == (None, None)


@pytest.mark.parametrize("name", ["birefnet-v1-base", "bria-rmbg-v2-0", "u2net"])
def test_every_name_that_is_told_can_be_chosen(name: str) -> None:
    model = told()[name]
    found = catalogue.find_remote(model.name)
    assert found.air == model.air


def test_without_a_file_the_classical_engine_is_what_auto_takes() -> None:
    assert autos(told()) == ["classical"]


def test_an_installed_model_is_told_and_taken_by_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = told(models_dir=put(tmp_path, monkeypatch))
    assert models["tiny"].installed
    assert autos(models) == ["tiny"]
    assert autos(told(models_dir=tmp_path, model="classical")) == ["classical"]


def test_a_damaged_file_is_not_installed_and_auto_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = told(models_dir=put(tmp_path, monkeypatch, bytes(3000)))
    assert not models["tiny"].installed
    assert autos(models) == []


def test_at_runware_auto_takes_its_own_model() -> None:
    assert autos(told("runware")) == ["birefnet-cod"]
    assert autos(told("runware", model="runware:112@9")) == ["birefnet-matting"]


def autos(models: dict[str, ModelFacts]) -> list[str]:
    return [name for name, model in models.items() if model.is_auto]


def test_the_async_client_tells_the_same() -> None:
    async def ask() -> tuple[ModelFacts, ...]:
        async with AsyncClient() as client:
            return await client.models()

    assert {model.name: model for model in anyio.run(ask)} == told()
