from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cutaway import __version__, catalogue
from cutaway.engine.runtimes.choice import NAMES, choose
from cutaway.settings import config_path
from tests.shared.cli.running import cli, process

if TYPE_CHECKING:
    from tests.fakes.keyring_store import KeyringStore

KEY = "s3cret-key"


def diagnosis(exit_code: int = 0) -> dict[str, Any]:
    """What it tells programs."""
    done = cli("doctor", "--json")
    assert done.exit_code == exit_code
    assert KEY not in done.output
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_it_tells_versions_places_and_what_would_run(isolated_home: Path) -> None:
    done = cli("doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert told["cutaway"] == __version__
    assert told["numpy"][0].isdigit()
    assert told["config"]["exists"] is False
    assert isolated_home in Path(told["config"]["file"]).parents
    assert isolated_home in Path(told["models_folder"]).parents
    assert (told["auto"], told["installed"], told["problems"]) == ("classical", {}, [])
    assert told["cores"] >= 1
    assert told["free_memory"] > 0
    assert told["limits"]["max_pixels"] == 100_000_000


def test_people_are_told_the_same_line_by_line() -> None:
    told = dict(line.split("  ", 1) for line in cli("doctor").stdout.splitlines())
    assert told["cutaway"].strip() == __version__
    assert told["config exists"].strip() == "no"
    assert told["installed"].strip() == "none"
    assert told["auto"].strip() == "classical"
    assert told["limits max bytes"].strip() == str(64 << 20)


@pytest.mark.parametrize("text", ["models_dri = 'x'\n", "= no toml\n"])
def test_a_broken_config_is_told_and_the_rest_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="utf-8")
    monkeypatch.setenv("CUTAWAY_CONFIG", str(config))
    done = cli("doctor", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["config"] == {"file": str(config), "exists": True}
    assert [problem["code"] for problem in told["problems"]] == ["config"]
    assert told["cutaway"] == __version__


def test_a_damaged_model_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_MODELS_DIR", str(tmp_path))
    path = tmp_path / "u2netp" / catalogue.find("u2netp").file
    path.parent.mkdir()
    path.write_bytes(b"not it")
    done = cli("doctor")
    assert done.exit_code == 1
    assert f"cutaway: {path} is not the published file of u2netp" in done.stderr
    assert "models folder" in done.stdout


def test_a_model_that_is_set_but_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_MODEL", "birefnet-cod")
    done = cli("doctor", "--json")
    (problem,) = json.loads(done.stdout)["problems"]
    assert (done.exit_code, problem["code"]) == (1, "model-not-installed")


def test_it_works_where_a_library_is_broken(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL is missing')\n", encoding="utf-8")
    done = process("doctor", "--json", PYTHONPATH=str(tmp_path))
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["opencv"] == "unusable"
    assert [problem["why"] for problem in told["problems"]] == ["libGL is missing"]


def test_runtimes_are_told_and_the_one_that_networks_would_run_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = diagnosis()
    assert set(facts["runtimes"]) == set(NAMES)
    assert facts["runtimes"]["onnxruntime"] == version("onnxruntime")
    assert facts["runtime"] == choose("auto")
    monkeypatch.setenv("CUTAWAY_RUNTIME", "opencv")
    assert diagnosis()["runtime"] == "opencv"


def test_a_runtime_that_is_set_and_absent_is_told_with_the_reason(tmp_path: Path) -> None:
    for name in ("onnxruntime", "openvino"):
        broken = f"raise ModuleNotFoundError('No module named {name}', name={name!r})\n"
        (tmp_path / f"{name}.py").write_text(broken, encoding="utf-8")
    done = process("doctor", "--json", PYTHONPATH=str(tmp_path), CUTAWAY_RUNTIME="cuda")
    facts = json.loads(done.stdout)
    assert done.returncode == 1
    assert facts["runtimes"]["onnxruntime"] == facts["runtimes"]["openvino"] == "absent"
    (problem,) = facts["problems"]
    assert (problem["code"], problem["why"]) == ("runtime-unavailable", "onnxruntime is absent")


def test_a_runtime_that_is_here_and_broken_is_told_with_the_reason(tmp_path: Path) -> None:
    broken = "raise ImportError('libgomp is missing')\n"
    (tmp_path / "onnxruntime.py").write_text(broken, encoding="utf-8")
    done = process("doctor", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert "unusable (libgomp is missing)" in done.stdout.decode()


def test_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_MODELS_URL", "https://user:secret@mirror.example/?token=secret")
    assert "secret" not in cli("doctor").output


def test_removals_run_here_and_no_key_is_needed() -> None:
    facts = diagnosis()
    assert (facts["backend"], facts["key"]) == ("local", "none")


def test_where_a_key_was_found_is_told_and_never_the_key(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring_store.put("runware", KEY)
    assert diagnosis()["key"] == "found: keyring"
    config_path().parent.mkdir(parents=True)
    config_path().write_text(f'runware_api_key = "{KEY}"\n', encoding="utf-8")
    config_path().chmod(0o600)
    assert diagnosis()["key"] == "found: config file"
    monkeypatch.setenv("RUNWARE_API_KEY", KEY)
    assert diagnosis()["key"] == "found: environment"
    done = cli("doctor")
    assert "found: environment" in done.stdout
    assert KEY not in done.output


def test_a_service_that_is_set_is_told_with_the_model_it_would_run(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTAWAY_BACKEND", "runware")
    monkeypatch.setenv("CUTAWAY_TRANSPORT", "websocket")
    keyring_store.put("runware", KEY)
    facts = diagnosis()
    assert facts["backend"] == {"name": "runware", "url": "wss://ws-api.runware.ai/v1"}
    assert (facts["key"], facts["auto"]) == ("found: keyring", "runware:112@2")
    monkeypatch.setenv("CUTAWAY_MODEL", "birefnet-matting")
    assert diagnosis()["auto"] == "runware:112@9"


def test_no_secret_in_the_address_of_a_service_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_BACKEND", f"http://127.0.0.1:9/v1?token={KEY}")
    assert diagnosis()["backend"]["url"] == "http://127.0.0.1:9/v1"


def test_a_service_without_its_key_is_a_problem_that_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUTAWAY_BACKEND", "runware")
    (problem,) = diagnosis(exit_code=1)["problems"]
    assert problem["what"] == "there is no key of runware"
    assert "cutaway login" in problem["next"]


@pytest.mark.parametrize("origin", ["http://127.0.0.1:9", "https://gpu.example.com"])
def test_another_service_may_need_no_key(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("CUTAWAY_BACKEND", f"{origin}/v1")
    facts = diagnosis()
    assert facts["backend"] == {"name": origin, "url": f"{origin}/v1"}
    assert facts["key"] == "none"


def test_a_keyring_that_fails_is_a_problem_only_where_its_key_is_needed(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring_store.fault = "locked"
    assert diagnosis()["key"] == "unknown: the system keyring is locked"
    monkeypatch.setenv("CUTAWAY_BACKEND", "runware")
    (problem,) = diagnosis(exit_code=1)["problems"]
    assert problem["why"] == "the system keyring is locked"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_key_in_a_file_that_others_can_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_BACKEND", "runware")
    config_path().parent.mkdir(parents=True)
    config_path().write_text(f'runware_api_key = "{KEY}"\n', encoding="utf-8")
    config_path().chmod(0o644)
    (problem,) = diagnosis(exit_code=1)["problems"]
    assert f"chmod 600 {config_path()}" in problem["next"]
