"""The key of a service in a run: it is found, it is told to the service, and to nobody else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.shared.cli.running import Command, cli, json_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.keyring_store import KeyringStore
    from tests.fakes.runware_service import RunwareService


def test_the_key_that_was_logged_in_with_is_used(
    photo: Path,
    service: RunwareService,
    keyring_store: KeyringStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RUNWARE_API_KEY")
    assert cli("login", data=service.key.encode()).exit_code == 0
    assert list(keyring_store.entries) == [("cutaway", service.origin)]
    done = cli("remove", photo)
    assert done.exit_code == 0
    assert service.key not in done.output


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_without_a_key_nothing_is_tried_and_the_way_to_one_is_told_once(
    photo: Path, flags: list[str]
) -> None:
    done = cli("remove", photo, "other.jpg", "--backend", "runware", *flags)
    assert done.exit_code == 1
    assert done.stderr.startswith("cutaway: there is no key of runware: ")
    assert "https://my.runware.ai/signup, then run: cutaway login." in done.stderr
    assert done.stderr.count("\n") == 1
    codes = [line["error"]["code"] for line in json_lines(done.stdout)]
    assert codes == (["auth"] * 2 if flags else [])


def test_a_wrong_key_is_told_and_not_shown(
    photo: Path, service: RunwareService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNWARE_API_KEY", "wr0ng-key")
    done = cli("remove", photo, "--json")
    (told,) = json_lines(done.stdout)
    assert (done.exit_code, told["error"]["code"]) == (1, "auth")
    assert told["error"]["raw_code"] == "invalidApiKey"
    assert "wr0ng-key" not in done.output
    assert not service.billed


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_the_key_is_in_no_log_whatever_is_logged(
    photo: Path,
    service: RunwareService,
    remote: Command,
    caplog: pytest.LogCaptureFixture,
    transport: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    flags = ("--transport", transport, "--delivery", "async")
    assert remote("remove", photo, *flags).exit_code == 0
    ours = [one for one in caplog.records if one.name != "websockets.server"]  # the service's own
    assert ours
    for record in ours:
        assert service.key not in f"{record.getMessage()} {record.args}"


def test_no_key_travels_unencrypted(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNWARE_API_KEY", "s3cret-key")
    done = cli("remove", photo, "--backend", "http://192.0.2.1/v1")
    assert done.exit_code == 1
    assert "it would travel unencrypted" in done.stderr
    assert "s3cret-key" not in done.output
