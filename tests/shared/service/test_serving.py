"""`cutaway serve` itself: how it starts, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import pytest

from cutaway.cli.serve import command
from tests.pages import table
from tests.pictures import as_file, portrait
from tests.shared.cli.running import cli
from tests.shared.service.running import new_uuid, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    import httpx

    from tests.shared.service.running import Service

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither modes nor SIGTERM")
KEY = "a-key-of-this-test"
PING = {"taskType": "ping", "ping": True}


def refused(folder: Path, *flags: str | Path, status: int = 1) -> str:
    """What is said by a `cutaway serve` that doesn't start."""
    done = cli("serve", "--port", "0", "--data-dir", folder / "data", *flags)
    assert done.exit_code == status
    assert not done.stdout
    return done.stderr


def task(side: int = 96) -> dict[str, object]:
    picture = b64encode(as_file(portrait(side, side, seed=5), "JPEG")).decode()
    return {
        "taskType": "removeBackground",
        "taskUUID": new_uuid(),
        "model": "runware:112@2",
        "inputs": {"image": picture},
    }


def test_the_options_of_serve_are_those_of_its_help() -> None:
    context = click.Context(command)
    told = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    shown = [[f"`{flags}`", " ".join(help_.split())] for flags, help_ in filter(None, told)]

    assert table("docs/command-line.md", "## `cutaway serve`") == shown[:-1]
    assert "--help" in shown[-1][0]


def test_a_person_is_shown_the_addresses_and_a_ready_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cutaway", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path)],
        env={**os.environ, "PYTHONWARNDEFAULTENCODING": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(5)]
        process.terminate()
        said = process.stderr.read()

    port = lines[1].rpartition(":")[2].removesuffix("/v1\n")
    assert [" ".join(line.split()) for line in lines[1:4]] == [
        f"HTTP http://127.0.0.1:{port}/v1",
        f"WebSocket ws://127.0.0.1:{port}/v1",
        f"Web page http://127.0.0.1:{port}/",
    ]
    assert lines[4].startswith("Ready.")
    assert "no model is installed" in said


def test_a_program_is_told_in_one_line_of_json(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        ready = service.ready

    assert ready["event"] == "ready"
    assert ready["http"] == f"http://127.0.0.1:{ready['port']}/v1"
    assert ready["websocket"] == f"ws://127.0.0.1:{ready['port']}/v1"
    assert ready["needs_key"] is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104  (it is refused)
def test_other_machines_are_not_let_in_without_a_key(tmp_path: Path, host: str) -> None:
    said = refused(tmp_path, "--host", host)

    assert "without a key anybody there could use it" in said
    assert "--generate-key" in said


def test_other_machines_are_let_in_with_a_key_and_told_where(tmp_path: Path) -> None:
    with served(tmp_path, "--host", "0.0.0.0", key=KEY) as service:  # noqa: S104  (with a key)
        assert service.ready["http"].startswith("http://127.0.0.1:")
        assert service.post(PING).status_code == 200
        assert service.post(PING, headers={"Authorization": "Bearer no"}).status_code == 401


@POSIX
def test_a_made_key_is_shown_once_saved_for_its_owner_alone_and_works(tmp_path: Path) -> None:
    file, log = tmp_path / "key", tmp_path / "log"
    with served(tmp_path, "--generate-key", "--api-key-file", str(file), log=log) as service:
        assert service.key == service.ready["key"] == file.read_text(encoding="ascii").strip()
        assert service.post(PING).status_code == 200
        assert service.post(PING, headers={"Authorization": ""}).status_code == 401
    with served(tmp_path, "--api-key-file", str(file), log=log) as again:
        assert "key" not in again.ready
        again.key = service.key
        assert again.post(PING).status_code == 200

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(service.key or "") >= 32
    assert (service.key or "") not in log.read_text(encoding="utf-8")


def test_a_made_key_replaces_no_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("precious\n", encoding="ascii")
    said = refused(tmp_path, "--generate-key", "--api-key-file", file)

    assert "the file is there already" in said
    assert file.read_text(encoding="ascii") == "precious\n"


def test_two_sources_of_a_key_contradict_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTAWAY_SERVE_API_KEY", KEY)

    assert "exclude each other" in refused(tmp_path, "--generate-key", status=2)


@POSIX
def test_a_key_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="ascii")
    file.chmod(0o644)
    said = refused(tmp_path, "--api-key-file", file)

    assert "chmod 600" in said
    assert KEY not in said


@pytest.mark.parametrize("content", ["", "two words", "schlüssel"])
def test_a_key_that_none_can_send_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("CUTAWAY_SERVE_API_KEY", content)

    assert "the key in CUTAWAY_SERVE_API_KEY can't be used" in refused(tmp_path)


def test_a_missing_key_file_is_told_with_what_makes_one(tmp_path: Path) -> None:
    assert "--generate-key" in refused(tmp_path, "--api-key-file", tmp_path / "nowhere")


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(tmp_path, "--port", str(port))

    assert f"can't listen at 127.0.0.1, port {port}" in said
    assert "--port" in said


def test_a_host_that_is_nowhere_is_told(tmp_path: Path) -> None:
    said = refused(tmp_path, "--host", "no.such.host.invalid")

    assert "can't listen at no.such.host.invalid" in said


def test_a_name_for_this_machine_is_served_at_all_its_addresses(tmp_path: Path) -> None:
    with served(tmp_path, "--host", "localhost") as service:
        port = service.ready["port"]
        families = {
            family for family, *_ in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)
        }
        reached = [
            service.get(f"http://{place}:{port}/healthz").status_code
            for family, place in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "[::1]"))
            if family in families
        ]

    assert set(reached) == {200}


@contextmanager
def busy(folder: Path, side: int) -> Iterator[tuple[Service, Future[httpx.Response]]]:
    """A service that works on a task, and the answer to come."""
    with served(folder, "--allow-fallback", log=folder / "log") as service:
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(service.post, task(side))
            while "cutaway_queue_depth 1.0" not in service.get("/metrics").text:
                assert not answer.done()
            yield service, answer
        assert "Traceback" not in (folder / "log").read_text(encoding="utf-8")


@POSIX
def test_ctrl_c_lets_work_finish_and_the_process_end_well(tmp_path: Path) -> None:
    with busy(tmp_path, 512) as (service, answer):
        ended = service.stop(signal.SIGINT)

    assert answer.result().json()["data"][0]["imageURL"]
    assert ended == 0


@POSIX
def test_while_it_ends_it_takes_no_more_and_says_when_it_may(tmp_path: Path) -> None:
    with busy(tmp_path, 1600) as (service, answer):
        service.process.send_signal(signal.SIGTERM)
        while service.get("/readyz").status_code == 200:
            assert service.process.poll() is None
        refused = service.post(task())
        finished = answer.result()
        ended = service.process.wait(60)

    assert finished.json()["data"][0]["imageURL"]
    assert refused.status_code == 503
    assert refused.json()["errors"][0]["code"] == "serviceUnavailable"
    assert refused.headers["retry-after"]
    assert ended == 0


@POSIX
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with busy(tmp_path, 1600) as (service, answer):
        service.process.send_signal(signal.SIGTERM)
        while service.get("/readyz").status_code == 200:
            assert service.process.poll() is None
        ended = service.stop(signal.SIGTERM)
        cut_off = answer.exception()

    assert ended == 128 + signal.SIGTERM
    assert cut_off is not None


def test_a_model_that_isnt_here_is_told_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        response = service.post(task())

    assert response.status_code == 404
    [error] = response.json()["errors"]
    assert error["parameter"] == "model"
    assert "cutaway models pull birefnet-cod" in error["message"]


def test_the_price_is_told_to_who_asks_and_the_log_tells_no_key(tmp_path: Path) -> None:
    log, message = tmp_path / "log", task()
    flags = ("--allow-fallback", "--price", "0.0006")
    with served(tmp_path, *flags, key=KEY, log=log) as service:
        told = service.item({**message, "includeCost": True})
        untold = service.item(task())
        service.stop()

    logged = log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in logged.splitlines()]
    [line] = [one for one in lines if one.get("taskUUID") == message["taskUUID"]]
    assert line["outcome"] == "success"
    assert KEY not in logged
    assert told["cost"] == 0.0006
    assert "cost" not in untold
