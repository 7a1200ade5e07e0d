"""What the pages say is so: examples run, tables tell what is there, links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import anyio
import click
import numpy as np
import pytest
from PIL import Image

from cutaway.catalogue import models, remote_models, size_text
from cutaway.cli import commands
from cutaway.cli.remove import command as remove
from cutaway.cli.sections import SectionedCommand
from cutaway.cli.serve import command as serve
from cutaway.engine.runtimes.choice import NAMES
from cutaway.options import RemovalOptions
from cutaway.settings import Settings
from cutaway_gimp.plug_in.arguments import ARGUMENTS, OUTPUTS
from cutaway_gimp.profiles import places_here
from cutaway_mcp.command import parser as mcp_parser
from cutaway_mcp.facts import CutoutFacts
from tests.conftest import ROOT
from tests.fakes.runware_service import RunwareService
from tests.mcp_server.offers import offered
from tests.mcp_server.test_budgets import CATALOGUE, PICTURE, RESULT, TOOLS
from tests.pages import PAGES, Block, anchors, blocks, links, section, table
from tests.pictures import as_file, overlap, portrait
from tests.shared.service.running import served

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cutaway.catalogue import RemoteModel
    from tests.fakes.keyring_store import KeyringStore

SCRIPTS = Path(sys.executable).parent
CI = ROOT / ".ci" / "run"
OWN_ADDRESS = "127.0.0.1:8585"

ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in ALL_BLOCKS if block.language == "python" and block.run]
BASH = [block for block in ALL_BLOCKS if block.language == "bash" and block.run]
CONFIGS = [block for block in ALL_BLOCKS if block.language in {"json", "toml"}]
COMMANDS = [
    shlex.split(line)
    for block in ALL_BLOCKS
    if block.language == "bash"
    for line in block.body.splitlines()
    if "cutaway-mcp " in line
]
"""The lines that start the MCP server, or have a client start it, run or not."""

NOT_RUN = [
    ("README.md", "python3 -m venv .venv && .venv/bin/pip install"),  # .ci/run runs these two
    ("README.md", "python3 -m venv .venv && .venv/bin/pip install"),
    ("README.md", "cutaway models pull u2netp"),
    ("README.md", "cutaway serve\n"),
    ("README.md", "claude mcp add"),
    ("README.md", "uvx --from cutaway"),
    ("README.md", ".venv/bin/python -m tests.benchmarks.performance"),
    ("docs/command-line.md", "cutaway remove https://example.com/photo.jpg"),
    ("docs/command-line.md", "cutaway models pull birefnet-general-lite"),
    ("docs/models.md", "pip uninstall --yes onnxruntime"),
    ("docs/agents.md", "uvx --from cutaway cutaway-mcp --version"),
    ("docs/agents.md", "uvx --from cutaway cutaway models pull u2netp"),
    ("docs/agents.md", "claude mcp add"),
    ("docs/agents.md", "cutaway-mcp --http --port 8000"),
    ("docs/agents.md", "cutaway-mcp --http --host 0.0.0.0"),
    ("docs/gimp.md", "uv tool install ."),
    ("docs/gimp.md", "cutaway gimp uninstall"),
    ("docs/gimp.md", "(plug-in-cutaway-remove-background"),
    ("docs/gimp.md", "procedure = Gimp.get_pdb()"),  # tests/gimp_plugin/test_macros.py runs these
    ("docs/gimp.md", "mkdir -p cutouts"),
    ("docs/gimp.md", "gimp-console"),
    ("docs/gimp.md", "mkdir -p masks"),
    ("docs/gimp.md", "gimp-console"),
    ("docs/gimp.md", "(python-fu-cutaway-remove-background"),  # and GIMP 2.10 can't be had
    ("docs/gimp.md", "new = pdb.python_fu_cutaway_remove_background("),
    ("docs/gimp.md", "flatpak override --user"),
    ("docs/service.md", "cutaway serve\n"),
    ("docs/service.md", "import asyncio\n\nfrom runware import IImageBackgroundRemoval"),
    ("docs/service.md", "import asyncio\n\nfrom runware import Runware, file_to_data_uri"),
    ("docs/service.md", "import { readFile }"),
    ("docs/service.md", "cutaway serve --host 0.0.0.0 --generate-key"),
    ("docs/service.md", ".venv/bin/python -m tests.benchmarks.service"),
    ("docs/service.md", "[Unit]"),
]
"""What installs or takes out, asks the network, runs in GIMP, or serves until it is stopped: the
page, and how it begins."""


@pytest.fixture
def service(keyring_store: KeyringStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the service that stands in for Runware's, with its key at hand.

    Once an example has logged out, the environment's key is the one it goes on with.
    """
    with RunwareService() as service:
        monkeypatch.setenv("RUNWARE_API_KEY", service.key)
        keyring_store.put("runware", service.key)
        yield service.http_url


@pytest.fixture(scope="module")
def own_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host and port of a real `cutaway serve`, without a model."""
    with served(tmp_path_factory.mktemp("service"), "--allow-fallback") as service:
        yield service.page.removeprefix("http://").rstrip("/")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the pictures and the key that the examples speak of; pictures are small."""
    (tmp_path / "key.txt").write_text("an-example\n", encoding="utf-8")
    (tmp_path / "photos" / "more").mkdir(parents=True)
    names = ("photo.jpg", "photos/one.jpg", "photos/two.jpg", "photos/more/three.png")
    for seed, name in enumerate(names):
        picture = as_file(portrait(128, 96, seed=seed), "PNG" if name.endswith("png") else "JPEG")
        (tmp_path / name).write_bytes(picture)
    return tmp_path


def environment() -> dict[str, str]:
    """Our own, with our commands on the path; OpenCV opens files without naming an encoding."""
    path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONWARNDEFAULTENCODING": ""}


def with_stand_in(example: str, url: str) -> str:
    """An example that asks the stand-in wherever it asks Runware."""
    for asking in ("--backend runware", 'backend="runware"'):
        example = example.replace(asking, asking.replace("runware", url))
    return example.replace("Runware()", f"Runware(url={url!r})")


def with_own_service(example: str, request: pytest.FixtureRequest) -> str:
    """An example that asks a real `cutaway serve` wherever it asks one at its usual port."""
    if OWN_ADDRESS not in example:
        return example
    return example.replace(OWN_ADDRESS, request.getfixturevalue("own_service"))


def in_shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in bash as a reader would, but without a terminal."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def quick_start() -> list[str]:
    """The two commands that the README begins with."""
    start = section("README.md", "## Quick start")
    return [block.body.strip() for block in blocks("README.md") if block.body in start]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_python_example_runs_as_it_stands(
    block: Block, folder: Path, service: str, request: pytest.FixtureRequest
) -> None:
    example = with_own_service(with_stand_in(block.body, service), request)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=folder,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def _gimp_profile(isolated_home: Path) -> None:
    """The profile of a GIMP that was started once."""
    home = places_here().homes[0]
    assert isolated_home in home.parents
    (home / "3.0").mkdir(parents=True)


@pytest.mark.usefixtures("_gimp_profile")
@pytest.mark.parametrize("block", BASH, ids=str)
def test_a_shell_example_runs_as_it_stands(
    block: Block, folder: Path, service: str, request: pytest.FixtureRequest
) -> None:
    done = in_shell(with_own_service(with_stand_in(block.body, service), request), folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_what_needs_a_network_or_installs_is_not_run() -> None:
    skipped = [block for block in ALL_BLOCKS if not block.run]
    assert len(skipped) == len(NOT_RUN)
    for block, (page, beginning) in zip(skipped, NOT_RUN, strict=True):
        assert block.page == page
        assert block.body.startswith(beginning)
    assert {block.language for block in ALL_BLOCKS} == {
        *("python", "bash", "json", "toml", "scheme", "javascript", "ini"),
    }


@pytest.mark.parametrize("block", CONFIGS, ids=str)
def test_a_clients_configuration_starts_the_server_with_arguments_it_takes(block: Block) -> None:
    whole = json.loads(block.body) if block.language == "json" else tomllib.loads(block.body)
    ((key, servers),) = whole.items()
    assert key in {"mcpServers", "servers", "mcp_servers"}
    ((name, server),) = servers.items()
    assert (name, server.pop("command")) == ("cutaway", "uvx")
    assert_starts_the_server(["uvx", *server.pop("args")])
    assert server == ({"type": "stdio"} if key == "servers" else {})


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_line_that_starts_the_server_has_arguments_it_takes(command: list[str]) -> None:
    client, dashes, started = " ".join(command).rpartition(" -- ")
    assert (client, dashes) in {("", ""), ("claude mcp add cutaway", " -- ")}
    assert_starts_the_server(shlex.split(started.partition(" <")[0]))


def assert_starts_the_server(command: list[str]) -> None:
    """That a command is one of ours, and its arguments are too."""
    if command[0] == "uvx":
        assert command[1] == "--from"
        command = command[3:]
    program, *arguments = command
    assert (SCRIPTS / program).exists()
    assert program == "cutaway-mcp"
    if not set(arguments) & {"--help", "--version"}:
        mcp_parser().parse_args(arguments)


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(str(target.resolve().relative_to(ROOT))), link


def test_every_page_is_linked_from_the_readme() -> None:
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")} <= {
        *links("README.md"),
        *PAGES,
    }


def test_the_quick_start_is_two_commands_of_one_line_each_and_ci_runs_both() -> None:
    shown = subprocess.run([CI, "show"], capture_output=True, encoding="utf-8", check=True).stdout
    *commands_of_ci, lint = shown.splitlines()
    assert commands_of_ci == quick_start()
    assert lint in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_ci_fails_clearly_without_the_readmes_commands(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(CI, tmp_path / ".ci")
    (tmp_path / "README.md").write_text("# Cutaway\n\n## Quick start\n", encoding="utf-8")

    done = subprocess.run(
        [tmp_path / ".ci" / "run"], capture_output=True, encoding="utf-8", check=False
    )

    assert done.returncode == 1
    assert "the quick start of README.md must have one line" in done.stderr


def test_the_quick_start_cuts_the_sample_out_well_and_a_second_time_too(folder: Path) -> None:
    cut = quick_start()[0].rpartition(".venv/bin/")[2]
    (folder / "docs").symlink_to(ROOT / "docs")

    first = in_shell(cut, folder)
    second = in_shell(f"{cut} --json", folder)

    assert "docs/sample.jpg -> cutout.png (1600x1200, classical" in first.stdout, first.stderr
    assert json.loads(second.stdout)["confidence"] > 0.6
    truth = np.asarray(Image.open(ROOT / "tests" / "data" / "sample_matte.png"))
    alpha = Image.open(folder / "cutout.png").getchannel("A").resize(truth.shape[::-1])
    assert overlap(np.asarray(alpha), truth) > 0.95


def test_the_options_of_remove_are_those_of_its_help() -> None:
    assert isinstance(remove, SectionedCommand)
    sections = remove.options_by_section(click.Context(remove))
    for heading, options in sections.items():
        assert table("docs/command-line.md", f"### {heading}") == as_rows(options)
    assert list(sections) == list(remove.sections.values())


def test_the_options_of_serve_are_those_of_its_help() -> None:
    context = click.Context(serve)
    records = [one.get_help_record(context) for one in serve.get_params(context)]
    options = [record for record in records if record is not None]
    assert table("docs/service.md", "## The options of `cutaway serve`") == as_rows(options)


def as_rows(options: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Options as a table has them: the flags, and what they do."""
    rows = [
        [f"`{flags.replace('|', '/').replace('INTEGER RANGE', 'N')}`", " ".join(told.split())]
        for flags, told in options
    ]
    return [row for row in rows if not row[0].endswith("--help`")]


def test_the_exit_codes_are_those_of_the_commands() -> None:
    codes = [int(row[0]) for row in table("README.md", "## On the command line")]
    assert codes == [0, commands.FAILED, commands.WRONG_USE, commands.INTERRUPTED]


def test_the_models_are_those_of_the_catalogue(folder: Path) -> None:
    listed = json.loads(in_shell("cutaway models list --json", folder).stdout)
    expected = [
        [f"`{one['name']}`", one["good_for"], size_text(one["size"]), one["licence"]]
        for one in listed
    ]
    assert table("README.md", "## Models") == expected


def test_the_other_names_and_ranks_of_the_models_are_those_of_the_catalogue() -> None:
    expected = [
        [
            f"`{model.name}`",
            str(model.auto_rank or ""),
            size_text(model.memory),
            f"`{model.slug}`" if model.slug else "",
            f"`{model.air}`" if model.air else "",
        ]
        for model in sorted(models(), key=lambda model: -(model.auto_rank or 0))
    ]
    assert table("docs/models.md", "## Which one runs") == expected


def test_the_runtimes_are_all_told_the_one_first_that_is_taken_first() -> None:
    told = [row[0] for row in table("docs/models.md", "## What runs them")]
    assert told == [f"`{name}`" for name in NAMES]


def test_the_services_models_are_those_of_the_catalogue_with_their_prices() -> None:
    expected = [
        [
            f"`{model.slug}`",
            f"`{model.air}`",
            f"`{model.twin}`" if model.twin else "",
            str(model.price or ""),
            own_settings(model),
        ]
        for model in remote_models()
    ]
    assert table("docs/runware.md", "## Models and prices") == expected


def own_settings(model: RemoteModel) -> str:
    """What a table tells of the settings that a service's model takes itself."""
    if model.video:
        return "videos only, so refused"
    mask = ["mask settings"] if model.settings else []
    return ", ".join(mask + ([f"`{model.provider}`"] if model.provider else []))


@pytest.mark.parametrize(
    ("page", "heading"), [("README.md", "## For AI agents"), ("docs/agents.md", "## The tools")]
)
def test_the_tools_are_those_that_the_server_offers(page: str, heading: str) -> None:
    expected = [
        [
            f"`{tool['name']}`",
            f"{tool['description'].partition('. ')[0]}.",
            "only reads" if tool["annotations"]["readOnlyHint"] else "writes",
        ]
        for tool in anyio.run(offered)
    ]
    assert table(page, heading) == expected


def test_the_facts_of_a_result_are_all_told() -> None:
    facts = re.findall(
        r"^\| `(\w+)` \| [^|]+ \|$", section("docs/agents.md", "## The tools"), re.MULTILINE
    )
    assert facts == list(CutoutFacts.model_fields)


def test_the_arguments_of_the_server_are_those_of_its_help() -> None:
    rows = table("docs/agents.md", "## What the operator allows")
    options = [
        option
        for option in mcp_parser()._actions  # noqa: SLF001  (argparse tells them nowhere else)
        if option.dest not in {"help", "version"}
    ]
    assert [row[1] for row in rows] == [option.help for option in options]
    for (shown, _), option in zip(rows, options, strict=True):
        flag, _, value = shown.strip("`").partition(" ")
        assert [flag] == option.option_strings
        assert bool(value) == (option.nargs != 0)


def test_the_budgets_are_those_that_the_tests_keep() -> None:
    told = section("docs/agents.md", "## What it costs an agent")
    numbers = [
        int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d(?= tokens|,)", told)
    ]
    assert numbers == [TOOLS, RESULT, CATALOGUE, PICTURE]


def test_the_modules_of_the_server_are_all_told() -> None:
    told = [
        name
        for row in table("CONTRIBUTING.md", "### The MCP server")
        for name in re.findall(r"\w+", row[0])
    ]
    files = (ROOT / "mcp_server" / "cutaway_mcp").glob("*.py")
    assert sorted(told) == sorted(path.stem for path in files if not path.stem.startswith("__"))


def test_a_settings_values_are_all_told() -> None:
    for name, values in table("docs/runware.md", "## Transports, delivery, dialects"):
        words = re.findall(r"`([a-z]+)` \(", values)
        annotation = Settings.model_fields[name.strip("`")].annotation
        literal = next((one for one in get_args(annotation) if get_args(one)), annotation)
        assert words == list(get_args(literal))


def test_the_settings_are_all_there_with_their_defaults() -> None:
    rows = table("README.md", "## Settings")
    fields = Settings.model_fields
    key = "RUNWARE_API_KEY"
    names = [key if name == key.lower() else f"CUTAWAY_{name.upper()}" for name in fields]
    assert [row[0] for row in rows] == [f"`{name}`" for name in names]
    for row, field in zip(rows, fields.values(), strict=True):
        if row[1].startswith("`") and row[1].endswith("`"):
            assert row[1] == f"`{field.default}`"


def test_the_removal_options_are_all_there_with_their_defaults() -> None:
    rows = table("docs/library.md", "## Options")
    expected = [
        [f"`{name}`", f"`{default.value if isinstance(default, Enum) else default}`"]
        for name, default in (
            (name, field.default) for name, field in RemovalOptions.model_fields.items()
        )
    ]
    assert [row[:2] for row in rows] == expected


def test_the_rooms_are_those_that_the_linter_keeps_apart() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rules = config["tool"]["importlinter"]["contracts"]
    (rooms,) = (rule["layers"] for rule in rules if rule.get("containers") == ["cutaway"])
    expected = [", ".join(f"`{room}`" for room in rank.split(" | ")) for rank in rooms]
    assert [row[0] for row in table("CONTRIBUTING.md", "## The house")] == expected[:-1]
    assert expected[-1] == "`_version`"


def test_the_arguments_of_the_plug_in_are_all_told() -> None:
    expected = [
        [f"`{one.name}`", f"`{shown(one.default)}`" if one.default != "" else "none", one.help]
        for one in ARGUMENTS
    ]
    assert table("docs/gimp.md", "### All settings") == expected


def shown(default: object) -> str:
    """A default as a macro writes it."""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_results_of_the_plug_in_are_all_told() -> None:
    assert [row[0] for row in table("docs/gimp.md", "## Use it")] == [f"`{one}`" for one in OUTPUTS]


def test_the_plug_ins_doctor_says_what_the_page_tells() -> None:
    modules = (ROOT / "gimp_plugin" / "cutaway_gimp").glob("*.py")
    said = "".join(path.read_text(encoding="utf-8") for path in modules)
    for message, _ in table("docs/gimp.md", "## When something is wrong"):
        assert message.strip("`") in said


@pytest.mark.parametrize("name", ["sample.jpg", "cutout.jpg", "service.png"])
def test_a_picture_of_the_pages_is_light_enough_to_load(name: str) -> None:
    assert 10_000 < (ROOT / "docs" / name).stat().st_size < 250_000
