"""The protocol's own conformance suite, run against the real server over HTTP.

With the suite's fixtures everything must pass, but for an extension that we don't offer. Without
them, as it is shipped, what fails for want of fixtures is listed in conformance/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mcp_server.serving import HttpServer, serving
from tests.node_tools import NodeTools, node_tools

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

SUITE = "@modelcontextprotocol/conformance"
SERVER = ("-m", "tests.mcp_server.conformance.server")
EXPECTED = Path(__file__).parent / "conformance"
REVISIONS = ["2025-11-25", "2026-07-28"]

pytestmark = pytest.mark.timeout(300)  # the first test may install the suite


@pytest.fixture(scope="module")
def node() -> NodeTools:
    return node_tools()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def furnished_server(node: NodeTools, folder: Path) -> Iterator[HttpServer]:
    """Ours, with the suite's fixtures."""
    assert node.packages.is_dir()
    with serving(*SERVER, cwd=folder) as server:
        yield server


@pytest.fixture(scope="module")
def bare_server(node: NodeTools, folder: Path) -> Iterator[HttpServer]:
    """Ours as it is shipped."""
    assert node.packages.is_dir()
    with serving("-m", "cutaway_mcp", "--http", "--port", "0", cwd=folder) as server:
        yield server


def scenarios(done: CompletedProcess[str]) -> dict[str, bool]:
    """Every scenario of the run's summary, and whether it passed."""
    found = re.findall(r"^([✓✗]) ([\w-]+): \d+ passed, \d+ failed", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {name: mark == "✓" for mark, name in found}


@pytest.mark.parametrize("revision", REVISIONS)
def test_with_the_suites_fixtures_every_scenario_passes(
    node: NodeTools, furnished_server: HttpServer, revision: str
) -> None:
    command = ["server", "--url", furnished_server.url, "--requirements", revision]
    done = node.run(SUITE, *command, program="conformance")
    failed = [name for name, passed in scenarios(done).items() if not passed]
    assert [name for name in failed if not name.startswith("tasks-")] == [], done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("revision", REVISIONS)
def test_as_it_is_shipped_it_fails_only_for_want_of_fixtures(
    node: NodeTools, bare_server: HttpServer, revision: str
) -> None:
    known = EXPECTED / f"expected-failures-{revision}.yml"
    command = ["server", "--url", bare_server.url, "--requirements", revision]
    done = node.run(SUITE, *command, "--expected-failures", known, program="conformance")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("revision", "most"), [("2025-11-25", 20), ("2026-07-28", 28)])
def test_the_list_of_what_may_fail_never_grows(revision: str, most: int) -> None:
    known = (EXPECTED / f"expected-failures-{revision}.yml").read_text(encoding="utf-8")
    assert len(re.findall(r"^  - ", known, re.MULTILINE)) <= most
