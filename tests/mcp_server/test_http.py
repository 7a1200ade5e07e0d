"""Who may speak to the server over HTTP, what it reads of them, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import httpx2
import pytest

from cutaway import errors
from cutaway_mcp import create_server
from cutaway_mcp.http import MAX_REQUEST_BYTES, http_app, read_token
from tests.mcp_server.serving import HEADERS, INITIALIZE, HttpServer, connected, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "one-that-nobody-guesses"  # noqa: S105  (it opens nothing else)
HTTP = ("-m", "cutaway_mcp", "--http", "--port", "0")

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def open_server(folder: Path) -> Iterator[HttpServer]:
    """On the loopback, without a token."""
    with serving(*HTTP, cwd=folder) as server:
        yield server


@pytest.fixture(scope="module")
def guarded_server(folder: Path) -> Iterator[HttpServer]:
    """With a token."""
    with serving(*HTTP, cwd=folder, CUTAWAY_MCP_TOKEN=TOKEN) as server:
        yield server


def test_a_client_of_either_era_is_served(open_server: HttpServer, era: str) -> None:
    async def use() -> None:
        async with connected(open_server, era) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"remove_background", "view_image", "list_models"} <= names
            assert not (await client.call_tool("list_models", {})).is_error

    anyio.run(use)


def test_a_client_of_either_era_may_name_the_token(guarded_server: HttpServer, era: str) -> None:
    async def use() -> None:
        async with connected(guarded_server, era, TOKEN) as client:
            assert (await client.list_tools()).tools

    anyio.run(use)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost.evil.example:{port}", "192.0.2.1"]
)
def test_a_host_that_the_server_is_not_known_by_is_refused(
    open_server: HttpServer, host: str
) -> None:
    port = open_server.host.partition(":")[2]
    assert open_server.post(Host=host.format(port=port)).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:{port}", "[::1]:{port}"])
def test_every_name_of_the_loopback_is_served(open_server: HttpServer, host: str) -> None:
    port = open_server.host.partition(":")[2]
    assert open_server.post(Host=host.format(port=port)).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"]
)
def test_a_page_from_elsewhere_is_refused(open_server: HttpServer, origin: str) -> None:
    assert open_server.post(Origin=origin).status_code == 403


def test_a_page_from_the_loopback_is_served(open_server: HttpServer) -> None:
    assert open_server.post(Origin=f"http://{open_server.host}").status_code == 200


def test_a_host_and_an_origin_can_be_allowed_by_name(folder: Path) -> None:
    hosts = ("--allow-host", "pictures.example", "other.example:8443")
    with serving(*HTTP, *hosts, "--allow-origin", "https://pictures.example", cwd=folder) as server:
        answers = [
            server.post(Host=host, Origin=origin).status_code
            for host in ("pictures.example", "pictures.example:1", "other.example:8443")
            for origin in ("https://pictures.example",)
        ]
        assert answers == [200, 200, 200]
        assert server.post(Host="other.example:1").status_code == 421
        assert server.post(Host="more.pictures.example").status_code == 421
        assert server.post(Origin="https://pictures.example:1").status_code == 403
        assert server.post(Origin="http://pictures.example").status_code == 403


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN.upper()}"},
        {"Cookie": f"Authorization=Bearer {TOKEN}"},
    ],
)
def test_without_the_very_token_nothing_is_served(
    guarded_server: HttpServer, named: dict[str, str]
) -> None:
    answer = guarded_server.post(**named)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize("path", ["/mcp", "/", "/elsewhere"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT"])
def test_the_token_is_asked_for_whatever_the_request(
    guarded_server: HttpServer, path: str, method: str
) -> None:
    url = guarded_server.url.removesuffix("/mcp") + path
    assert httpx2.request(method, url, headers=HEADERS).status_code == 401


def test_two_tokens_are_none(guarded_server: HttpServer) -> None:
    twice = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer another")]
    answer = httpx2.post(guarded_server.url, json=INITIALIZE, headers=[*HEADERS.items(), *twice])
    assert answer.status_code == 401


def test_the_right_token_does_not_open_other_hosts_and_origins(guarded_server: HttpServer) -> None:
    named = {"Authorization": f"bearer {TOKEN}"}
    assert guarded_server.post(**named).status_code == 200
    assert guarded_server.post(**named, Host="evil.example").status_code == 421
    assert guarded_server.post(**named, Origin="https://evil.example").status_code == 403


def test_the_token_can_be_in_a_file_and_is_never_told(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    with serving(*HTTP, "--token-file", str(file), cwd=folder) as server:
        refused = server.post(Authorization=f"Bearer {TOKEN}x")
        served = server.post(Authorization=f"Bearer {TOKEN}")
        server.stop()
    assert (refused.status_code, served.status_code) == (401, 200)
    answers = f"{refused.headers} {refused.text} {served.headers} {served.text}"
    assert TOKEN not in answers + "".join(server.told)


@pytest.mark.parametrize(
    "text", ["", " \n", "short", "has spaces in the middle of it", "über-geheim-und-lang", "a" * 15]
)
def test_what_can_not_be_a_token_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(errors.ConfigError, match="can't be a token") as from_file:
        read_token(file)
    with pytest.raises(errors.ConfigError, match="CUTAWAY_MCP_TOKEN"):
        read_token(environment={"CUTAWAY_MCP_TOKEN": text})
    assert not text.strip() or text.strip() not in str(from_file.value)


def test_a_token_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff" * 32)
    for name in ("missing", "binary"):
        with pytest.raises(errors.ConfigError, match=name):
            read_token(tmp_path / name)


def test_a_token_shows_itself_to_no_one() -> None:
    token = read_token(environment={"CUTAWAY_MCP_TOKEN": TOKEN})
    assert TOKEN not in f"{token} {token!r}"


def test_no_token_is_none() -> None:
    assert read_token(environment={}) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost.example"])  # noqa: S104  (it is refused)
def test_an_address_that_others_can_reach_needs_a_token(host: str) -> None:
    with pytest.raises(errors.ConfigError, match="no token keeps them out"):
        http_app(create_server(), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_the_loopback_needs_no_token(host: str) -> None:
    http_app(create_server(), host)


def test_the_command_does_not_start_where_others_can_reach_it(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, *HTTP, "--host", "0.0.0.0"],  # noqa: S104  (it is refused)
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("cutaway-mcp: the server does not listen on 0.0.0.0: ")
    assert "--token-file or CUTAWAY_MCP_TOKEN" in done.stderr


def test_a_port_that_is_taken_is_told_in_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "cutaway_mcp", "--http", "--port", port],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"cutaway-mcp: nothing could listen on 127.0.0.1, port {port}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_that_is_too_large_is_refused(open_server: HttpServer, chunked: bool) -> None:  # noqa: FBT001  (a parameter)
    body = b" " * (MAX_REQUEST_BYTES + 1)
    answer = httpx2.post(
        open_server.url,
        content=iter([body]) if chunked else body,
        headers={**HEADERS, "Content-Type": "application/json"},
    )
    assert answer.status_code == 413


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process, it doesn't ask")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_while_a_client_listens(
    folder: Path, number: signal.Signals
) -> None:
    with serving(*HTTP, cwd=folder) as server:
        session = server.post().headers["mcp-session-id"]
        listening = {"Accept": "text/event-stream", "Mcp-Session-Id": session}
        with httpx2.stream("GET", server.url, headers=listening, timeout=30) as stream:
            assert stream.status_code == 200
            status = server.stop(number)
    assert status == 0
    assert "Traceback" not in "".join(server.told)
