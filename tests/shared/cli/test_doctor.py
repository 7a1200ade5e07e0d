from __future__ import annotations

import json
from pathlib import Path

import pytest

from cutaway import __version__, catalogue
from tests.shared.cli.running import cli, process


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


def test_it_works_where_a_library_is_broken_and_the_runtime_absent(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL is missing')\n", encoding="utf-8")
    (tmp_path / "onnxruntime.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'onnxruntime'\")\n",
        encoding="utf-8",
    )
    done = process("doctor", "--json", PYTHONPATH=str(tmp_path))
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["opencv"] == "unusable"
    assert told["onnxruntime"] == "absent: OpenCV's runtime is used"
    assert [problem["why"] for problem in told["problems"]] == ["libGL is missing"]


def test_no_secret_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_MODELS_URL", "https://user:secret@mirror.example/?token=secret")
    assert "secret" not in cli("doctor").output
