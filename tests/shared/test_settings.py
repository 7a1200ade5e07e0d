from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutaway import Settings
from cutaway.errors import ConfigError
from cutaway.settings import DEFAULT_MODELS_URL, config_path

if TYPE_CHECKING:
    from pathlib import Path


def write_config(text: str) -> None:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_without_any_setting_the_defaults_hold(isolated_home: Path):
    settings = Settings.load()
    assert settings.model == "auto"
    assert settings.models_url == DEFAULT_MODELS_URL
    assert settings.models_dir.is_relative_to(isolated_home)
    assert settings.limits.max_bytes == 64 * 1024 * 1024
    assert settings.limits.max_pixels == 100_000_000
    assert not settings.limits.allow_private_network


def test_the_config_file_sets_the_environment_wins_and_an_argument_wins_over_both(
    monkeypatch: pytest.MonkeyPatch,
):
    write_config('model = "u2netp"\nthreads = 3\nmax_pixels = 7\n')
    monkeypatch.setenv("CUTAWAY_THREADS", "2")
    monkeypatch.setenv("CUTAWAY_MAX_PIXELS", "8")
    settings = Settings.load(max_pixels=9)
    assert (settings.model, settings.threads, settings.max_pixels) == ("u2netp", 2, 9)


def test_a_config_file_elsewhere_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "mine.toml"
    path.write_text('model = "silueta"\n', encoding="utf-8")
    monkeypatch.setenv("CUTAWAY_CONFIG", str(path))
    assert Settings.load().model == "silueta"


def test_a_named_config_file_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUTAWAY_CONFIG", "~/nowhere.toml")
    with pytest.raises(ConfigError, match="no such file"):
        Settings.load()


def test_a_tilde_in_the_models_folder_is_the_home_folder(
    isolated_home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CUTAWAY_MODELS_DIR", "~/models")
    assert Settings.load().models_dir == isolated_home / "models"


def test_an_unknown_key_in_the_config_file_is_refused_by_name():
    write_config("treads = 3\n")
    with pytest.raises(ConfigError, match="treads"):
        Settings.load()


def test_a_config_file_that_is_no_toml_is_told_with_its_path():
    write_config("= nonsense")
    with pytest.raises(ConfigError, match=r"config\.toml can't be read"):
        Settings.load()


def test_a_wrong_value_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUTAWAY_MAX_BYTES", "lots")
    with pytest.raises(ConfigError, match="CUTAWAY_MAX_BYTES"):
        Settings.load()
