"""The inspector's command line, as a client of the real server over stdio."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.node_tools import NodeTools, node_tools

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

TOOL_FAILED = 5

pytestmark = pytest.mark.timeout(300)  # the first test may install the inspector


@pytest.fixture(scope="module")
def node() -> NodeTools:
    return node_tools()


def inspect(node: NodeTools, folder: Path, *arguments: str) -> CompletedProcess[str]:
    """Ask a server that may use `folder`."""
    server = [sys.executable, "-m", "cutaway_mcp", "--allow-dir", str(folder)]
    return node.run(
        "@modelcontextprotocol/inspector",
        *["--cli", *server, *arguments, "--format", "json"],
        program="mcp-inspector",
        cwd=folder,
    )


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_every_schema_is_one_that_all_clients_can_read(
    node: NodeTools, tmp_path: Path, era: str
) -> None:
    command = ["--method", "tools/list", "--strict", "--protocol-era", era]
    done = inspect(node, tmp_path, *command)
    assert (done.returncode, done.stderr) == (0, "")
    names = [tool["name"] for tool in json.loads(done.stdout)["result"]["tools"]]
    assert names[0] == "remove_background"


def test_a_refused_call_is_a_tools_error_and_no_protocol_fault(
    node: NodeTools, tmp_path: Path
) -> None:
    call = ["--method", "tools/call", "--tool-name", "view_image", "--protocol-era", "auto"]
    done = inspect(node, tmp_path, *call, "--tool-args-json", '{"path": "/etc/hostname"}', "-q")
    assert done.returncode == TOOL_FAILED, done.stderr
    [block] = json.loads(done.stdout)["result"]["content"]
    assert str(tmp_path) in block["text"]
