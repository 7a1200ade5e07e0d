from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from cutaway import catalogue
from tests.shared.cli.running import cli, process


def completed(line: str) -> list[str]:
    """What a shell would offer for the last word of a command line."""
    word = line.rpartition(" ")[2]
    told = process(_CUTAWAY_COMPLETE="fish_complete", COMP_WORDS=line, COMP_CWORD=word).stdout
    return [item.partition("\t")[0] for item in re.findall(r"plain,(.+)", told.decode())]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_command_itself(shell: str) -> None:
    done = cli("completion", shell)
    assert done.exit_code == 0
    assert f"_CUTAWAY_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_accepts_its_script() -> None:
    script = cli("completion", "bash").stdout
    subprocess.run(["bash", "-n"], input=script, encoding="utf-8", check=True)


def test_help_tells_how_to_install_it() -> None:
    told = cli("completion", "--help").output
    assert "~/.bashrc" in told
    assert "fish/completions" in told


def test_names_of_models_are_completed_from_the_catalogue() -> None:
    birefnets = [model.name for model in catalogue.models() if model.name.startswith("bire")]
    assert completed("cutaway models pull bire") == birefnets
    assert completed("cutaway remove --model u2netp") == ["u2netp"]


def test_what_needs_no_model_is_completed_too() -> None:
    assert completed("cutaway remove --model c") == ["classical"]


def test_models_of_a_service_are_completed_by_readable_name_and_by_a_begun_id() -> None:
    assert completed("cutaway remove --model birefnet-mat") == ["birefnet-matting"]
    assert completed("cutaway remove --model bria:") == ["bria:2@1", "bria:51@1"]
    assert "runware:112@2" not in completed("cutaway remove --model ")
    assert completed("cutaway models pull birefnet-mat") == []


def test_backends_are_completed() -> None:
    assert completed("cutaway remove --backend ") == ["local", "runware"]
    assert completed("cutaway login --backend r") == ["runware"]


def test_commands_are_completed() -> None:
    assert completed("cutaway re") == ["remove"]
