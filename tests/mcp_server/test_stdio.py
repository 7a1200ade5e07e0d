"""The server as a client starts it: a process that speaks over stdin and stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from mcp.types import ElicitResult, ListRootsResult, Root
from pydantic import FileUrl

from tests.conftest import ROOT
from tests.fakes.runware_faults import PATIENCE, Hold
from tests.fakes.runware_service import RunwareService
from tests.mcp_server.calling import call, facts_of, over_stdio, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
MODERN = "2026-07-28"


async def test_a_background_is_removed_in_the_working_folder(era: str, folder: Path) -> None:
    async with over_stdio(era, cwd=folder) as client:
        facts = facts_of(await call(client, input=str(folder / "cat.png")))
        look = await call(client, "view_image", path=facts["output_path"])
    assert {part.type for part in look.content} == {"text", "image"}
    assert (folder / "cat-cutout.png").is_file()


async def test_roots_consent_and_progress_work_across_processes(
    era: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    told: list[float] = []

    async def roots(_: object) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=FileUrl((folder / "inner").as_uri()))])

    async def answer(_: object, params: Any) -> ElicitResult:
        asked.append(params)
        return ElicitResult(action="accept", content={"allow": True})

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del total, message
        told.append(progress)

    (folder / "inner").mkdir()
    (folder / "inner" / "dog.png").write_bytes((folder / "cat.png").read_bytes())
    with RunwareService() as service:
        monkeypatch.setenv("RUNWARE_API_KEY", str(service.key))
        arguments = ("--allow-dir", folder, "--allow-backend", service.http_url)
        callbacks = {"list_roots_callback": roots, "elicitation_callback": answer}
        async with over_stdio(era, *arguments, cwd=folder, client=callbacks) as client:
            task = {"input": str(folder / "inner" / "dog.png"), "backend": service.http_url}
            for _ in range(2):
                task["overwrite"] = True  # type: ignore[assignment]
                await client.call_tool("remove_background", task, progress_callback=hear)
            await refused(client, input=str(folder / "cat.png"))
        assert len(service.billed) == 2
    assert len(asked) == 1
    assert len(told) > 4
    assert (folder / "inner" / "dog-cutout.png").is_file()


async def test_several_folders_follow_one_flag_and_flags_add_up(
    folder: Path, tmp_path: Path
) -> None:
    others = [tmp_path / name for name in ("b c", "d")]
    for path in others:
        path.mkdir()
    arguments = ("--allow-dir", folder, others[0], "--allow-dir", others[1])
    async with over_stdio(MODERN, *arguments, cwd=tmp_path) as client:
        for path in others:
            target = str(path / "out.png")
            facts_of(await call(client, input=str(folder / "cat.png"), output_path=target))
        await refused(client, input=str(folder / "cat.png"), output_path=str(tmp_path / "out.png"))


async def test_a_warm_server_answers_as_any_other(folder: Path) -> None:
    async with over_stdio(MODERN, "--warm", cwd=folder) as client:
        facts_of(await call(client, input=str(folder / "cat.png")))


def test_stdout_carries_the_protocol_and_nothing_else(folder: Path) -> None:
    client = {"name": "test", "version": "1"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    work = {"name": "remove_background", "arguments": {"input": str(folder / "cat.png")}}
    odd = {"name": "remove_background", "arguments": {"input": str(folder / "two\nlines.png")}}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": work},
        {"id": 3, "method": "tools/call", "params": odd},
    ]
    answers = []
    with subprocess.Popen(
        [sys.executable, "-m", "cutaway_mcp"],
        cwd=folder,
        # libraries open files as they like: that may not be told on stderr here
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNDEFAULTENCODING": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin
        assert process.stdout
        for message in messages:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
            if "id" in message:
                answers.append(json.loads(process.stdout.readline()))
        rest, told = process.communicate()
    assert [answer["id"] for answer in answers] == [1, 2, 3]
    assert [answer["jsonrpc"] for answer in answers] == ["2.0"] * 3
    assert (rest, told, process.returncode) == ("", "", 0)


def test_nothing_heavy_is_loaded_before_the_first_call(folder: Path) -> None:
    code = """
import sys
from pathlib import Path
from cutaway_mcp import Policy, create_server
create_server(policy=Policy(allow_dirs=(Path.cwd(),)))
heavy = {"numpy", "cv2", "PIL", "onnxruntime", "httpx", "keyring", "websockets"}
print(sorted(heavy & set(sys.modules)))
"""
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_its_calls_though_the_client_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before = sorted(folder.iterdir())
    with RunwareService() as service:
        monkeypatch.setenv("RUNWARE_API_KEY", str(service.key))
        hold = Hold()
        service.faults.append(hold)
        command = [sys.executable, "-m", "cutaway_mcp", "--backend", service.http_url]
        with subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as server:
            assert server.stdin
            server.stdin.write(b"".join(_lines(folder / "cat.png")))
            server.stdin.flush()
            assert hold.reached.wait(PATIENCE)
            server.send_signal(number)
            assert server.wait(PATIENCE) == 130
        hold.release.set()
        service.wait_until(lambda: not service.open_connections)
    assert sorted(folder.iterdir()) == before


def _lines(path: Path) -> Iterator[bytes]:
    """What a client of the older era says to have a background removed."""
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    call = {"name": "remove_background", "arguments": {"input": str(path)}}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": call},
    ):
        yield json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
