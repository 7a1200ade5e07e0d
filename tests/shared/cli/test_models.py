from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cutaway import catalogue
from cutaway.catalogue import local
from tests.fakes.file_server import FileServer
from tests.fakes.tiny_model import body_of, tiny_model
from tests.shared.cli.running import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUTAWAY_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A mirror that serves a file of u2netp's name and length, but not its bytes."""
    with FileServer() as server:
        model = catalogue.find("u2netp")
        server.put(f"/{model.file}", bytes(model.size))
        monkeypatch.setenv("CUTAWAY_MODELS_URL", f"{server.url}/")
        yield server


@pytest.fixture
def tiny(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bytes of the only model of the catalogue, as no test can have a real one's."""
    body = body_of(5000)
    model = tiny_model(body)
    monkeypatch.setattr(local, "_MODELS", (model,))
    monkeypatch.setattr(local, "_BY_NAME", {model.name: model})
    server.put(f"/{model.file}", body)
    return body


def put(models_dir: Path, name: str, body: bytes = b"not it") -> Path:
    """A file of ours in the place of a model."""
    path = models_dir / name / catalogue.find(name).file
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    return path


def listed() -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in json.loads(cli("models", "list", "--json").stdout)}


def test_the_list_tells_each_model_with_its_licence() -> None:
    told = cli("models", "list").stdout.splitlines()
    assert told[0].split() == ["Name", "AIR", "Size", "Licence", "Installed", "Good", "for"]
    assert len(told) == 1 + len(catalogue.models())
    (row,) = (line for line in told if line.startswith("birefnet-cod "))
    assert row.split()[1:6] == ["runware:112@2", "973", "MB", "MIT", "-"]
    assert row.rstrip().endswith("camouflaged subjects")


def test_the_list_as_json_tells_what_is_installed(models_dir: Path) -> None:
    put(models_dir, "u2netp")
    told = listed()
    assert told["u2netp"]["installed"] == "damaged"
    assert told["u2net"]["installed"] is None
    assert told["u2net"]["air"] == "runware:109@1"
    assert told["bria-rmbg"]["commercial"] is False


@pytest.mark.usefixtures("models_dir")
def test_a_download_of_other_bytes_is_thrown_away(server: FileServer) -> None:
    done = cli("models", "pull", "u2netp")
    assert done.exit_code == 1
    assert "not the published file of u2netp: its SHA-256 is " in done.stderr
    assert server.requests
    assert listed()["u2netp"]["installed"] is None


@pytest.mark.usefixtures("models_dir")
def test_of_several_models_each_is_tried(server: FileServer) -> None:
    done = cli("models", "pull", "silueta", "U2NETP")
    assert done.exit_code == 1
    assert [request.path for request in server.requests] == ["/silueta.onnx", "/u2netp.onnx"]
    assert done.stderr.count("cutaway: ") == 2


def test_an_unknown_model_stops_before_any_download(server: FileServer) -> None:
    done = cli("models", "pull", "u2netp", "u2nett")
    assert done.exit_code == 2
    assert "there is no model u2nett" in done.stderr
    assert server.requests == []


@pytest.mark.usefixtures("models_dir")
def test_a_restricted_licence_must_be_accepted(server: FileServer) -> None:
    refused = cli("models", "pull", "bria-rmbg")
    assert refused.exit_code == 1
    assert "non-commercial" in refused.stderr
    assert "models pull bria-rmbg --accept-licence" in refused.stderr
    assert server.requests == []


@pytest.mark.usefixtures("models_dir")
def test_a_licence_that_was_accepted_is_not_asked_about_again(server: FileServer) -> None:
    cli("models", "pull", "bria-rmbg", "--accept-licence")
    cli("models", "pull", "bria-rmbg")
    assert [request.path for request in server.requests] == ["/bria-rmbg-2.0.onnx"] * 2


def test_removing_a_model_tells_what_was_freed(models_dir: Path) -> None:
    path = put(models_dir, "u2netp", bytes(5000))
    done = cli("models", "remove", "u2netp")
    assert (done.exit_code, done.stdout) == (0, "u2netp: removed, 5.0 kB freed\n")
    assert not path.exists()


@pytest.mark.usefixtures("models_dir")
def test_removing_what_is_not_there_fails() -> None:
    done = cli("models", "remove", "u2netp")
    assert done.exit_code == 1
    assert "the model u2netp is not installed" in done.stderr


def test_verifying_finds_a_damaged_file(models_dir: Path) -> None:
    put(models_dir, "u2netp")
    done = cli("models", "verify")
    assert (done.exit_code, done.stdout) == (1, "u2netp: damaged\n")
    assert "Get it again with: cutaway models pull u2netp." in done.stderr


@pytest.mark.usefixtures("models_dir")
def test_verifying_nothing_is_fine_but_a_named_model_must_be_there() -> None:
    assert cli("models", "verify").stdout == "no model is installed\n"
    assert cli("models", "verify").exit_code == 0
    assert cli("models", "verify", "u2netp").exit_code == 1


def test_the_path_of_the_folder_and_of_a_model(models_dir: Path) -> None:
    assert cli("models", "path").stdout == f"{models_dir}\n"
    missing = cli("models", "path", "u2netp")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "models pull u2netp" in missing.stderr


def test_a_model_is_fetched_verified_found_and_removed(models_dir: Path, tiny: bytes) -> None:
    path = models_dir / "tiny" / "Tiny-epoch_1.onnx"
    pulled = cli("models", "pull", "tiny")
    assert (pulled.exit_code, pulled.stdout) == (0, f"tiny: {path}\n")
    assert path.read_bytes() == tiny
    assert cli("models", "verify").stdout == "tiny: ok\n"
    assert cli("models", "path", "tiny").stdout == f"{path}\n"
    assert listed()["tiny"]["installed"] == "cutaway"
    assert cli("models", "remove", "tiny").exit_code == 0
    assert listed()["tiny"]["installed"] is None


@pytest.mark.usefixtures("models_dir")
def test_another_programs_file_is_used_but_never_removed(
    isolated_home: Path, server: FileServer, tiny: bytes
) -> None:
    theirs = isolated_home / ".u2net" / "tiny.onnx"
    theirs.parent.mkdir()
    theirs.write_bytes(tiny)
    assert listed()["tiny"]["installed"] == "rembg"
    assert cli("models", "pull", "tiny").stdout == f"tiny: {theirs} (rembg's)\n"
    assert server.requests == []
    done = cli("models", "remove", "tiny")
    assert done.exit_code == 1
    assert f"it is rembg's, at {theirs}" in done.stderr
    assert theirs.read_bytes() == tiny
