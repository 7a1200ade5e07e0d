from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.shared.cli.running import process

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = """
import click, sys
print("imported", file=sys.stderr)

@click.command()
@click.option("--name", default="you")
def greet(name):
    "Greet."
    click.echo(f"hello {name}")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a distribution `greetings` that adds `cutaway greet`."""
    info = tmp_path / "greetings-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: greetings\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        "[cutaway.commands]\ngreet = greetings:greet\n", encoding="utf-8"
    )
    (tmp_path / "greetings.py").write_text(COMMAND, encoding="utf-8")
    return tmp_path


def test_a_package_can_add_a_command(site: Path) -> None:
    done = process("greet", "--name", "me", PYTHONPATH=str(site))
    assert (done.returncode, done.stdout) == (0, b"hello me\n")


def test_help_lists_an_added_command_without_importing_it(site: Path) -> None:
    done = process("--help", PYTHONPATH=str(site))
    assert b"greet       (added by greetings)" in done.stdout
    assert b"imported" not in done.stderr


def test_an_added_command_never_takes_the_place_of_a_built_in_one(site: Path) -> None:
    entry_points = site / "greetings-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[cutaway.commands]\ndoctor = greetings:greet\n", encoding="utf-8")
    done = process("doctor", "--help", PYTHONPATH=str(site))
    assert b"versions" in done.stdout
    assert b"imported" not in done.stderr


@pytest.mark.parametrize("code", ["import nowhere_at_all\n", "greet = 1\n", "\n"])
def test_an_added_command_that_is_broken_is_told_in_one_line(site: Path, code: str) -> None:
    (site / "greetings.py").write_text(code, encoding="utf-8")
    done = process("greet", PYTHONPATH=str(site))
    assert done.returncode == 1
    assert done.stderr.decode().startswith("cutaway: the command greet can't be loaded: ")
    assert b"Traceback" not in done.stderr
