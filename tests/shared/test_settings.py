from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cutaway import Settings
from cutaway.errors import ConfigError
from cutaway.settings import DEFAULT_MODELS_URL, config_path

if TYPE_CHECKING:
    from pathlib import Path


KEY = "s3cret"


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


def test_without_any_setting_nothing_leaves_this_machine():
    settings = Settings.load()
    assert settings.backend == "local"
    assert settings.runware_api_key is None
    assert (settings.transport, settings.delivery, settings.dialect) == (None, "sync", "new")
    assert (settings.send, settings.max_cost, settings.timeout) == ("reduced", None, 300.0)


def test_a_key_alone_chooses_no_backend(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNWARE_API_KEY", KEY)
    settings = Settings.load()
    assert settings.runware_api_key is not None
    assert settings.runware_api_key.get_secret_value() == KEY
    assert settings.backend == "local"


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


def test_a_config_file_in_another_encoding_is_told_with_its_path():
    write_config("")
    config_path().write_bytes(b'model = "caf\xe9"\n')
    with pytest.raises(ConfigError, match=r"config\.toml can't be read"):
        Settings.load()


def test_what_a_picture_may_cost_is_read_exactly(monkeypatch: pytest.MonkeyPatch):
    write_config("max_cost = 0.0006\n")
    assert Settings.load().max_cost == Decimal("0.0006")
    monkeypatch.setenv("CUTAWAY_MAX_COST", "0.0018")
    assert Settings.load().max_cost == Decimal("0.0018")


@pytest.mark.parametrize(
    "backend", ["local", "runware", "http://127.0.0.1:8000/v1", "wss://a.b/v1"]
)
def test_a_backend_is_one_of_two_names_or_a_url(backend: str):
    assert Settings.load(backend=backend).backend == backend


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backend", "Runware"),
        ("backend", "ftp://example.com"),
        ("backend", "https://example.com/a b"),
        ("transport", "grpc"),
        ("runtime", "tensorrt"),
        ("delivery", "later"),
        ("dialect", "old"),
        ("send", "thumbnail"),
        ("max_cost", "-1"),
        ("max_cost", "nan"),
        ("max_cost", "a dollar"),
        ("timeout", "0"),
        ("timeout", "inf"),
    ],
)
def test_a_wrong_value_of_a_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    monkeypatch.setenv(f"CUTAWAY_{name.upper()}", value)
    with pytest.raises(ConfigError, match=f"CUTAWAY_{name.upper()}"):
        Settings.load()


def test_the_key_is_masked_in_all_that_can_be_printed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNWARE_API_KEY", KEY)
    settings = Settings.load()
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert "runware_api_key" in shown
    assert KEY not in shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'runware_api_key = ["{KEY}"]', "runware_api_key can't be used"),
        (f'runware_api_keys = "{KEY}"', "runware_api_keys can't be used"),
        (f"runware_api_key = {KEY}", "Mend the file"),
        (f'runware_api_key = "{KEY}"\ntimeout = -1', "timeout can't be used"),
        (f'runware_api_key = "{KEY}"\nbackend = "{KEY}"', "backend can't be used"),
    ],
)
def test_no_error_about_a_setting_shows_the_key(text: str, told: str):
    write_config(f"{text}\n")
    with pytest.raises(ConfigError, match=told) as caught:
        Settings.load()
    cause = caught.value.__cause__
    assert KEY not in f"{caught.value} {caught.value!r} {cause} {cause!r}"


def test_the_keys_own_variable_is_named_where_it_is_wrong(monkeypatch: pytest.MonkeyPatch):
    write_config('runware_api_key = ""\n')
    with pytest.raises(ConfigError, match=r"config\.toml or in RUNWARE_API_KEY"):
        Settings.load()
    monkeypatch.setenv("RUNWARE_API_KEY", KEY)
    assert Settings.load().runware_api_key is not None
