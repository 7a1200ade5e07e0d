from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

from cutaway.options import ImageFormat, Output
from tests.shared.cli.running import cli, process

LIBRARIES = {"pydantic", "numpy", "cv2", "PIL", "httpx", "rich", "onnxruntime", "platformdirs"}
HEAVY = LIBRARIES | {"anyio", "keyring", "websockets"}
WATCH = """
import json, sys
from cutaway.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit:
        pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def modules_after(*command_lines: list[str]) -> set[str]:
    """The modules that a fresh interpreter has imported once it has run the command lines."""
    watch = [sys.executable, "-c", WATCH, json.dumps(command_lines)]
    done = subprocess.run(watch, capture_output=True, check=True, encoding="utf-8")
    return set(json.loads(done.stderr))


def test_help_version_and_completion_import_none_of_the_heavy_libraries() -> None:
    names = ("remove", "models", "login", "logout", "doctor")
    commands = [[name, "--help"] for name in names]
    modules = modules_after(["--help"], ["--version"], ["completion", "bash"], *commands)
    assert "click" in modules
    assert not HEAVY & modules


def test_the_watch_on_imports_sees_what_a_command_loads() -> None:
    assert "pydantic" in modules_after(["models", "path"])


def test_the_version_is_the_distributions() -> None:
    assert process("--version").stdout.decode().strip() == f"cutaway {version('cutaway')}"


def test_help_lists_every_command_with_what_it_does() -> None:
    told = cli("--help").output
    assert "  remove      Remove the background of pictures.\n" in told
    assert "  models      List, fetch, check and remove models.\n" in told
    assert "  login       Keep a service's key in the system keyring.\n" in told
    assert "  logout      Delete a service's key from the system keyring.\n" in told
    assert "  doctor      Tell what is here: " in told
    assert "  completion  Print the script that completes command lines.\n" in told


def test_help_tells_the_exit_codes() -> None:
    assert "130 interrupted" in cli("remove", "--help").output


def test_an_unknown_command_is_wrong_use() -> None:
    done = cli("remoev")
    assert done.exit_code == 2
    assert "remoev" in done.stderr


def test_views_and_formats_are_those_of_the_library() -> None:
    told = cli("remove", "--help").output
    assert f"[{'|'.join(Output)}]" in told
    assert f"[{'|'.join(one.lower() for one in ImageFormat)}]" in told
