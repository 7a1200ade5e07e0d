"""What GIMP loads runs in GIMP's own Python, which has the standard library and `gi`."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLUG_IN = ROOT / "gimp_plugin" / "cutaway_gimp" / "plug_in"
SOURCES = sorted(PLUG_IN.glob("*.py"))
ENTRY = PLUG_IN / "cutaway-remove-background.py"
OLDEST = (3, 9)
NEEDS_NO_GIMP = ("arguments", "frames", "offers", "phrases", "translation", "worker_process")

each_source = pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])


def parsed(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"), feature_version=OLDEST)


def at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All that is in it, save what only a type checker sees."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from at_run_time(child)


def imported(tree: ast.Module) -> set[str]:
    """The full name of each module that is imported, or of a name in it."""
    names = set()
    for node in at_run_time(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def is_at_hand(name: str) -> bool:
    first = name.partition(".")[0]
    return first in {*sys.stdlib_module_names, "gi"} or name.startswith("cutaway_gimp.plug_in.")


@each_source
def test_a_module_is_written_in_the_oldest_python_that_gimp_may_have(source: Path):
    assert parsed(source).body


@each_source
def test_a_module_imports_what_gimps_python_has_and_nothing_else(source: Path):
    strange = {
        name
        for name in imported(parsed(source))
        if not is_at_hand(name) and name != "cutaway_gimp.plug_in"
    }
    assert strange == set()


@each_source
def test_the_windows_of_gimp_are_known_to_the_dialog_alone(source: Path):
    windows = {"gi.repository.GimpUi", "gi.repository.Gtk", "cutaway_gimp.plug_in.dialog.Dialog"}
    allowed = {"dialog": windows, "procedure": {"cutaway_gimp.plug_in.dialog.Dialog"}}
    assert imported(parsed(source)) & windows <= allowed.get(source.stem, set())
    if source.stem == "procedure":
        at_load = {
            name
            for node in parsed(source).body
            for name in imported(ast.Module([node], []))
            if isinstance(node, (ast.Import, ast.ImportFrom))
        }
        assert not at_load & windows


@each_source
def test_annotations_are_never_evaluated(source: Path):
    """They are written as of Python 3.10, whose forms 3.9 can read but not run."""
    has_annotations = any(
        isinstance(node, (ast.AnnAssign, ast.arg, ast.FunctionDef))
        for node in ast.walk(parsed(source))
    )
    assert not has_annotations or "__future__.annotations" in imported(parsed(source))


def test_the_entry_can_be_run():
    assert os.access(ENTRY, os.X_OK)
    assert ENTRY.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")


@pytest.mark.parametrize("module", NEEDS_NO_GIMP)
def test_a_module_that_needs_no_gimp_is_imported_by_a_bare_python(tmp_path: Path, module: str):
    package = tmp_path / "cutaway_gimp"
    shutil.copytree(PLUG_IN, package / "plug_in", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PLUG_IN.parent / "__init__.py", package)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cutaway_gimp.plug_in.{module}"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, timeout=60)


def test_the_entry_says_what_is_wrong_where_gimps_bindings_are_missing(tmp_path: Path):
    entry = shutil.copy(ENTRY, tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", entry], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Cutaway's plug-in can't be loaded: No module named 'gi'.")
    assert "cutaway gimp install" in done.stderr
    assert "Traceback" not in done.stderr
