"""The walls of the house hold, and each is proven to: what would break it is planted in a copy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINTER = Path(sys.executable).with_name("lint-imports")
PACKAGES = ("shared/cutaway", "mcp_server/cutaway_mcp", "gimp_plugin/cutaway_gimp")

FRONT_ENDS = "Front ends stand above the core and never see each other"
ROOMS = "A room of the core knows only the rooms below it"
SERVICE = "A room of the service knows only the rooms below it"
TOOLKITS = "The core knows no front end's toolkit"
TERMINAL = "Only the command line knows click and rich"
PURE = "What is pure stays pure: options and errors read no clock, file or network"
RULES = "The wire's rules are pure: no socket, clock or chance, so that any history can be tried"
PIXELS = "The wire knows no pixels"
RUNTIME = "Only the runtimes' own modules know them"
PUBLIC_FACE = "Front ends use the public face of the core"
PLUG_IN = "What GIMP loads knows only itself"

VIOLATIONS = [
    pytest.param(FRONT_ENDS, "cutaway_mcp/planted.py", "import cutaway_gimp", id="a-sibling"),
    pytest.param(FRONT_ENDS, "cutaway/cli/planted.py", "import cutaway_mcp", id="a-front-end"),
    pytest.param(ROOMS, "cutaway/images/planted.py", "import cutaway.client", id="a-room-above"),
    pytest.param(ROOMS, "cutaway/files.py", "import cutaway.progress", id="a-room-beside"),
    pytest.param(ROOMS, "cutaway/planted.py", "import json", id="a-room-without-a-place"),
    pytest.param(TOOLKITS, "cutaway/client/planted.py", "import mcp", id="a-toolkit"),
    pytest.param(TOOLKITS, "cutaway/client/planted.py", "import uvicorn", id="a-server"),
    pytest.param(ROOMS, "cutaway/client/planted.py", "import cutaway.service", id="the-service"),
    pytest.param(
        SERVICE,
        "cutaway/service/records.py",
        "import cutaway.service.desk",
        id="a-room-above-in-the-service",
    ),
    pytest.param(TERMINAL, "cutaway/engine/planted.py", "import rich", id="the-terminal"),
    pytest.param(PURE, "cutaway/options.py", "import time", id="a-clock"),
    pytest.param(RULES, "cutaway/runware/tasks.py", "import time", id="the-wires-clock"),
    pytest.param(PIXELS, "cutaway/runware/planted.py", "import numpy", id="pixels"),
    pytest.param(RUNTIME, "cutaway/images/planted.py", "import onnxruntime", id="a-runtime"),
    pytest.param(RUNTIME, "cutaway/backends/planted.py", "import openvino", id="another-runtime"),
    pytest.param(PUBLIC_FACE, "cutaway_gimp/planted.py", "import cutaway.engine", id="a-back-door"),
    pytest.param(PLUG_IN, "cutaway_gimp/plug_in/planted.py", "import numpy", id="a-library"),
    pytest.param(PLUG_IN, "cutaway_gimp/plug_in/frames.py", "import cutaway", id="the-core"),
]


def broken_contracts(house: Path) -> set[str]:
    """The contracts that the packages in `house` break."""
    done = subprocess.run(
        [LINTER, "--no-cache", "--config", ROOT / "pyproject.toml"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "COLUMNS": "200"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    told = re.findall(r"^(.+) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE)
    kept, broken = (
        {name.strip() for name, verdict in told if verdict == one} for one in ("KEPT", "BROKEN")
    )
    assert kept | broken == contracts(), done.stdout + done.stderr
    assert (done.returncode != 0) == bool(broken)
    return broken


def contracts() -> set[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["name"] for contract in config["tool"]["importlinter"]["contracts"]}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the packages, all in one folder."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / Path(package).name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return tmp_path


def test_the_project_keeps_every_contract(house: Path) -> None:
    assert broken_contracts(house) == set()


@pytest.mark.parametrize(("contract", "module", "statement"), VIOLATIONS)
def test_a_planted_import_breaks_its_contract_and_no_other(
    house: Path, contract: str, module: str, statement: str
) -> None:
    with (house / module).open("a", encoding="utf-8") as file:
        file.write(f"{statement}\n")

    assert broken_contracts(house) == {contract}


def test_every_contract_has_a_violation_that_breaks_it() -> None:
    assert {str(violation.values[0]) for violation in VIOLATIONS} == contracts()
