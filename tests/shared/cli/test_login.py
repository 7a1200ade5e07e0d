from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from cutaway.settings import config_path
from tests.shared.cli.running import cli, in_shell, process
from tests.shared.cli.terminal import terminal

if TYPE_CHECKING:
    from tests.fakes.keyring_store import KeyringStore

KEY = "s3cret-key"
SERVICE = "https://removals.example"

has_terminals = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind"
)


@has_terminals
def test_a_person_is_asked_for_the_key_and_it_is_not_shown(keyring_store: KeyringStore) -> None:
    with terminal("login") as person:
        person.read_until("Key of runware (not shown):")
        person.type(f"{KEY}\n")
        assert person.finish() == 0
    assert keyring_store.entries == {("cutaway", "runware"): KEY}
    assert "The key of runware is in the system keyring now." in person.shown
    assert KEY not in person.shown


@has_terminals
def test_ctrl_c_at_the_question_stores_nothing(keyring_store: KeyringStore, ctrl_c: int) -> None:
    with terminal("login") as person:
        person.read_until("(not shown):")
        person.running.send_signal(ctrl_c)
        # Python may be about to read when the signal comes: then it notices once it has read.
        person.type("\n")
        assert person.finish() == 130
    assert keyring_store.entries == {}


@pytest.mark.parametrize("line", [f"{KEY}\n", KEY, f"  {KEY}\r\n", f"{KEY}\nmore\n"])
def test_a_key_comes_from_a_pipe_as_its_first_line(keyring_store: KeyringStore, line: str) -> None:
    done = process("login", data=line.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"The key of runware is in the system keyring now.\n"
    assert keyring_store.entries == {("cutaway", "runware"): KEY}


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n"])
def test_an_empty_pipe_is_wrong_use(keyring_store: KeyringStore, data: bytes) -> None:
    done = cli("login", data=data)
    assert done.exit_code == 2
    assert "no key was given" in done.stderr
    assert keyring_store.entries == {}


@pytest.mark.parametrize("data", [f"{KEY} {KEY}".encode(), KEY.encode() + b"\xff\xfe"])
def test_what_can_be_no_key_is_refused_and_never_shown(
    keyring_store: KeyringStore, data: bytes
) -> None:
    done = cli("login", data=data)
    assert done.exit_code == 1
    assert "a key is one row of visible ASCII characters" in done.stderr
    assert KEY not in done.output
    assert keyring_store.entries == {}


def test_each_service_has_a_key_of_its_own_whatever_the_transport(
    keyring_store: KeyringStore,
) -> None:
    assert cli("login", data=b"first").exit_code == 0
    told = cli("login", "--backend", "wss://removals.example/v1", data=b"second").stdout
    assert told == f"The key of {SERVICE} is in the system keyring now.\n"
    assert keyring_store.entries == {
        ("cutaway", "runware"): "first",
        ("cutaway", SERVICE): "second",
    }


def test_the_service_that_is_set_is_meant_where_none_is_named(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTAWAY_BACKEND", f"{SERVICE}/v1")
    assert cli("login", data=KEY.encode()).exit_code == 0
    assert keyring_store.entries == {("cutaway", SERVICE): KEY}
    assert cli("logout").exit_code == 0
    assert keyring_store.entries == {}


def test_logging_in_again_replaces_the_key(keyring_store: KeyringStore) -> None:
    for key in ("first", "second"):
        assert cli("login", data=key.encode()).exit_code == 0
    assert keyring_store.entries == {("cutaway", "runware"): "second"}


def test_a_key_that_wins_over_the_keyrings_is_told(
    keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNWARE_API_KEY", "another")
    done = cli("login", data=KEY.encode())
    assert done.exit_code == 0
    assert "the key in RUNWARE_API_KEY or the config file wins over it" in done.stderr
    assert "a key is still in RUNWARE_API_KEY" in cli("logout").stderr
    assert keyring_store.entries == {}
    assert "another" not in done.output


def test_logging_out_forgets_one_key_and_says_so(keyring_store: KeyringStore) -> None:
    keyring_store.put("runware", KEY)
    keyring_store.put(SERVICE, "another")
    done = cli("logout")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "The key of runware is no longer in the system keyring.\n"
    assert keyring_store.entries == {("cutaway", SERVICE): "another"}


@pytest.mark.usefixtures("keyring_store")
def test_logging_out_without_a_key_fails() -> None:
    done = cli("logout", "--backend", SERVICE)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"cutaway: the system keyring holds no key of {SERVICE}\n"


def test_without_a_keyring_the_other_ways_are_told() -> None:
    done = cli("login", data=KEY.encode())
    assert done.exit_code == 1
    assert "the key was not stored: this machine has no system keyring" in done.stderr
    assert "Set RUNWARE_API_KEY, or put runware_api_key into" in done.stderr
    assert str(config_path()) in done.stderr
    assert KEY not in done.output


def test_a_locked_keyring_is_told_without_the_key(keyring_store: KeyringStore) -> None:
    keyring_store.fault = "locked"
    for command in ("login", "logout"):
        done = cli(command, data=KEY.encode())
        assert done.exit_code == 1
        assert "the system keyring is locked. Unlock it" in done.stderr
        assert KEY not in done.output


@pytest.mark.parametrize("command", ["login", "logout"])
@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("local", "this machine needs no key"),
        ("runwear", "neither runware nor a whole http(s) or ws(s) URL"),
        ("https://user:word@removals.example", "a user or password stands in it"),
    ],
)
def test_what_is_no_service_is_wrong_use(
    keyring_store: KeyringStore, command: str, backend: str, told: str
) -> None:
    done = cli(command, "--backend", backend, data=KEY.encode())
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert keyring_store.entries == {}


@pytest.mark.skipif(os.name != "posix", reason="closes a stream as a POSIX shell does")
def test_a_closed_standard_input_is_wrong_use() -> None:
    done = in_shell("<&-", "login")
    assert done.returncode == 2
    assert b"no key was given" in done.stderr
