"""The house itself: what is public, what is where, and what starting costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import requires, version

import pytest

import cutaway
from tests.conftest import ROOT

HEAVY = {"numpy", "cv2", "onnxruntime", "pydantic", "PIL", "httpx", "mcp", "rich", "click"}


def modules_after(statement: str) -> set[str]:
    """The top-level modules a fresh interpreter has after a statement."""
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_the_package_imports_nothing_heavy():
    assert not modules_after("import cutaway") & HEAVY


@pytest.mark.parametrize("name", cutaway.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(cutaway, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'remove_foreground'"):
        cutaway.remove_foreground  # type: ignore[attr-defined]  # noqa: B018


def test_the_installed_version_is_the_packages_own():
    assert version("cutaway") == cutaway.__version__


@pytest.mark.parametrize("folder", ["shared", "mcp_server", "gimp_plugin"])
def test_no_loose_module_lies_beside_the_packages(folder: str):
    assert list((ROOT / folder).glob("*.py")) == []


def test_the_top_level_holds_what_it_should_and_nothing_else():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout.split("\n")
    top = {line.partition("/")[0] for line in tracked if line}
    allowed = {"pyproject.toml", "README.md", "mcp_server", "gimp_plugin", "shared", "tests"}
    allowed |= {"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "constraints.txt", "docs"}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_every_dependency_is_pinned_by_the_constraints_and_capped_by_its_major_version():
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    for requirement in requires("cutaway") or []:
        name = re.match(r"[\w.-]+", requirement)
        assert name is not None
        assert name.group().lower().replace("_", "-") in pinned
        assert "<" in requirement


def test_the_constraints_name_no_address():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--" not in text
