from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import Settings
from cutaway.errors import ConfigError
from cutaway.keys import Origin, find_key, forget_key, locate_key, store_key
from cutaway.settings import config_path

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.keyring_store import Fault, KeyringStore

KEY = "s3cret-Key_of.ours"
OTHER = "https://removals.example"

posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")


def write_config(key: str = KEY, mode: int = 0o600) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'runware_api_key = "{key}"\n', encoding="utf-8")
    path.chmod(mode)
    return path


def origin(account: str = "runware", **overrides: str) -> Origin | None:
    found = locate_key(Settings.load(**overrides), account)
    return found.origin if found else None


def test_the_key_is_an_arguments_the_environments_the_files_or_the_keyrings_in_this_order(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
):
    keyring_store.put("runware", "from-the-keyring")
    assert find_key(Settings.load(), "runware") == "from-the-keyring"
    write_config("from-the-file")
    assert find_key(Settings.load(), "runware") == "from-the-file"
    monkeypatch.setenv("RUNWARE_API_KEY", "from-the-environment")
    assert find_key(Settings.load(), "runware") == "from-the-environment"
    assert find_key(Settings.load(runware_api_key="given"), "runware") == "given"


def test_where_a_key_was_found_is_told(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
):
    assert origin() is None
    keyring_store.put("runware", KEY)
    assert origin() is Origin.KEYRING
    write_config()
    assert origin() is Origin.FILE
    monkeypatch.setenv("RUNWARE_API_KEY", KEY)
    assert origin() is Origin.ENVIRONMENT
    assert origin(runware_api_key="another") is Origin.ARGUMENT


def test_the_keyring_has_a_key_for_each_account(keyring_store: KeyringStore):
    store_key(KEY, "runware")
    store_key("another", OTHER)
    assert keyring_store.entries == {("cutaway", "runware"): KEY, ("cutaway", OTHER): "another"}
    assert find_key(Settings.load(), OTHER) == "another"
    assert forget_key("runware")
    assert find_key(Settings.load(), "runware") is None
    assert find_key(Settings.load(), OTHER) == "another"


def test_a_key_that_is_not_there_can_not_be_forgotten(keyring_store: KeyringStore):
    keyring_store.put(OTHER, KEY)
    assert not forget_key("runware")
    assert keyring_store.entries


@posix_only
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602])
def test_a_key_in_a_file_that_others_can_open_is_refused_with_the_command_that_mends_it(mode: int):
    path = write_config(mode=mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as caught:
        find_key(Settings.load(), "runware")
    assert f"mode {mode:o}" in str(caught.value)


@posix_only
def test_an_open_file_is_no_matter_where_its_key_is_not_the_one_to_use(
    monkeypatch: pytest.MonkeyPatch,
):
    write_config(mode=0o644)
    monkeypatch.setenv("RUNWARE_API_KEY", "another")
    assert find_key(Settings.load(), "runware") == "another"


@posix_only
def test_an_open_file_without_a_key_is_no_matter(keyring_store: KeyringStore):
    write_config(mode=0o644).write_text("threads = 2\n", encoding="utf-8")
    keyring_store.put("runware", KEY)
    assert find_key(Settings.load(), "runware") == KEY


def test_without_a_keyring_there_is_no_key_and_none_can_be_stored_or_forgotten():
    assert find_key(Settings.load(), "runware") is None
    for change in (lambda: store_key(KEY, "runware"), lambda: forget_key("runware")):
        with pytest.raises(ConfigError, match="no system keyring") as caught:
            change()
        assert "Set RUNWARE_API_KEY, or put runware_api_key into" in str(caught.value)
        assert f"{config_path()} and run chmod 600" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("locked", "the system keyring is locked. Unlock it, set RUNWARE_API_KEY"),
        ("broken", r"failed \(RuntimeError: The name org\.freedesktop\.secrets .*\. Set RUNWARE_"),
    ],
)
def test_a_keyring_that_fails_is_told_where_no_key_is_set(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch, fault: Fault, told: str
):
    keyring_store.put("runware", KEY)
    keyring_store.fault = fault
    for ask in (
        lambda: find_key(Settings.load(), "runware"),
        lambda: store_key(KEY, "runware"),
        lambda: forget_key("runware"),
    ):
        with pytest.raises(ConfigError, match=told) as caught:
            ask()
        assert KEY not in f"{caught.value}{caught.value!r}{caught.value.__cause__!r}"
    monkeypatch.setenv("RUNWARE_API_KEY", "another")
    assert find_key(Settings.load(), "runware") == "another"


def test_a_keyring_that_keeps_nothing_is_told(keyring_store: KeyringStore):
    keyring_store.fault = "off"
    with pytest.raises(ConfigError, match="switched off"):
        store_key(KEY, "runware")


@pytest.mark.parametrize("name", ["", "nowhere", "nowhere.Keyring", "json.Keyring", "json.dumps"])
def test_a_keyring_that_cannot_be_loaded_is_told(name: str):
    script = (
        "from cutaway import Settings, errors, keys\n"
        "try: keys.find_key(Settings.load(), 'runware')\n"
        "except errors.ConfigError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHON_KEYRING_BACKEND": name},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.startswith("the key could not be looked up: the system keyring failed (")


@pytest.mark.parametrize("around", ["{}", " {}", "{}\n", "\t{} \r\n"])
def test_spaces_and_line_ends_around_a_key_are_no_part_of_it(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch, around: str
):
    store_key(around.format(KEY), "runware")
    assert keyring_store.entries == {("cutaway", "runware"): KEY}
    monkeypatch.setenv("RUNWARE_API_KEY", around.format(KEY))
    assert find_key(Settings.load(), "runware") == KEY


@pytest.mark.parametrize("key", [f"{KEY} {KEY}", f"{KEY}\n{KEY}", f"{KEY}\x00", f"„{KEY}“", " "])
def test_what_can_be_no_key_is_refused_without_showing_it(keyring_store: KeyringStore, key: str):
    with pytest.raises(ConfigError) as stored:
        store_key(key, "runware")
    with pytest.raises(ConfigError) as found:
        find_key(Settings.load(runware_api_key=key), "runware")
    assert KEY not in f"{stored.value!r}{stored.value}{found.value!r}{found.value}"
    assert keyring_store.entries == {}


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_a_found_key_shows_where_it_is_from_and_never_itself(key: str):
    found = locate_key(Settings.load(runware_api_key=key), "runware")
    assert found is not None
    assert found.key == key
    assert repr(found) == "FoundKey(origin=<Origin.ARGUMENT: 'argument'>)"


def test_importing_the_package_does_not_look_for_keyrings():
    script = "import cutaway.keys, sys; print('keyring' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"False"
