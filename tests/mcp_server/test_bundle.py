"""The server as others hand it on: a bundle for desktop clients, and the registry's entry."""

from __future__ import annotations

import json
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from PIL import Image
from pydantic import ValidationError

import cutaway
from cutaway_mcp import create_server
from tests.conftest import ROOT
from tests.mcp_server.registry_rules import Server
from tests.node_tools import NodeTools, node_tools

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "mcp_server"
MCPB = "@anthropic-ai/mcpb"

EXPANDED = """
import { getMcpConfigForManifest } from "PACKAGE/dist/index.js";
import { readFileSync } from "node:fs";
const [folder, ...allowed] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(`${folder}/manifest.json`, "utf-8"));
console.log(JSON.stringify(await getMcpConfigForManifest({
  manifest,
  extensionPath: folder,
  systemDirs: { HOME: folder },
  userConfig: { allowed_directories: allowed },
  pathSeparator: "/",
}) ?? null));
"""

pytestmark = pytest.mark.timeout(300)  # the first test may install the bundle's tool


@pytest.fixture(scope="module")
def node() -> NodeTools:
    return node_tools()


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return _json("manifest.json")


@pytest.fixture(scope="module")
def registered() -> Server:
    return Server.model_validate_json((FOLDER / "server.json").read_bytes())


@pytest.fixture(scope="module")
def bundle(node: NodeTools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, packed and unpacked again."""
    folder = tmp_path_factory.mktemp("bundle")
    packed = folder / "cutaway.mcpb"
    done = node.run(MCPB, "pack", FOLDER, packed)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def _json(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return content


def test_every_file_names_the_packages_own_version(
    manifest: dict[str, Any], registered: Server
) -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifest["version"] == project["version"] == registered.version == cutaway.__version__
    assert project["dependencies"] == [f"cutaway=={cutaway.__version__}"]
    assert [package.version for package in registered.packages] == [cutaway.__version__]


def test_the_bundle_runs_on_the_pythons_that_the_package_runs_on(manifest: dict[str, Any]) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bundled = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = manifest["compatibility"]["runtimes"]["python"]
    assert pythons == bundled["requires-python"] == ours["requires-python"]


def test_the_manifest_names_every_tool_and_no_other(manifest: dict[str, Any]) -> None:
    tools = anyio.run(create_server().list_tools)
    assert sorted(tool["name"] for tool in manifest["tools"]) == sorted(tool.name for tool in tools)


def test_the_icon_is_as_large_as_clients_ask_for(manifest: dict[str, Any]) -> None:
    with Image.open(FOLDER / manifest["icon"]) as icon:
        assert (icon.format, icon.size, icon.mode) == ("PNG", (512, 512), "RGBA")


def test_the_bundles_own_tool_accepts_the_manifest(node: NodeTools) -> None:
    done = node.run(MCPB, "validate", FOLDER / "manifest.json")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bundle_holds_what_starts_the_package_and_nothing_else(bundle: Path) -> None:
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert files == {"manifest.json", "pyproject.toml", "icon.png", "bundle/start.py"}


def _expanded(node: NodeTools, folder: Path, script: Path, *allowed: str) -> dict[str, Any] | None:
    """What a client makes of the manifest, with the user's folders."""
    package = (node.packages / MCPB).as_uri()
    script.write_text(EXPANDED.replace("PACKAGE", package), encoding="utf-8")
    done = node.script(script, folder, *allowed)
    assert done.returncode == 0, done.stderr
    config: dict[str, Any] | None = json.loads(done.stdout)
    return config


def test_a_client_starts_the_bundle_with_every_folder_that_the_user_allows(
    node: NodeTools, bundle: Path, tmp_path: Path, era: str
) -> None:
    folders = [tmp_path / "one", tmp_path / "with spaces"]
    for folder in folders:
        folder.mkdir()
    config = _expanded(node, bundle, tmp_path / "expand.mjs", *map(str, folders))
    assert config
    assert config["command"] == "uv"
    run, there, place, *rest = config["args"]
    assert (run, there, place) == ("run", "--directory", str(bundle))

    told = anyio.run(
        _refusal, StdioServerParameters(command=sys.executable, args=rest, cwd=bundle), era
    )
    assert all(str(folder) in told for folder in folders)


def test_without_a_folder_the_bundle_is_not_started(
    node: NodeTools, bundle: Path, tmp_path: Path
) -> None:
    assert _expanded(node, bundle, tmp_path / "expand.mjs") is None


async def _refusal(server: StdioServerParameters, era: str) -> str:
    """What the server says to a path outside its folders: it names them."""
    async with Client(server, mode=era) as client:
        result = await client.call_tool("view_image", {"path": str(ROOT / "README.md")})
    assert result.is_error
    return str(result.content)


def test_the_registrys_entry_obeys_its_rules(registered: Server) -> None:
    assert [package.identifier for package in registered.packages] == ["cutaway"]


def test_the_readme_proves_to_the_registry_whose_package_it_is(registered: Server) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"mcp-name: {registered.name}" in readme


def test_what_the_registry_tells_clients_to_run_is_our_server(
    registered: Server, tmp_path: Path, era: str
) -> None:
    folders = [str(tmp_path), str(FOLDER)]
    runner, package, *arguments = registered.packages[0].command(allow_dir=folders)
    assert (runner, package) == ("uvx", "cutaway")
    process = StdioServerParameters(command=sys.executable, args=["-m", "cutaway", *arguments])
    told = anyio.run(_refusal, process, era)
    assert all(folder in told for folder in folders)


BROKEN = [
    ("name", "cutaway"),
    ("name", "io.github.cutaway/mcp/cutaway"),
    ("name", None),
    ("description", "x" * 101),
    ("description", ""),
    ("version", "latest"),
    ("version", "^0.1.0"),
    ("version", "0.1.x"),
    ("title", ""),
    ("$schema", "https://example.com/schema.json"),
    ("homepage", "https://example.com"),
    ("packages", [{"registryType": "pypi", "identifier": "cutaway"}]),
    ("packages", [{"identifier": "cutaway", "transport": {"type": "stdio"}}]),
    ("packages", [{"registryType": "pypi", "transport": {"type": "stdio"}}]),
    ("packages", [{"registryType": "mcpb", "identifier": "x", "transport": {"type": "stdio"}}]),
]


@pytest.mark.parametrize(("field", "value"), BROKEN)
def test_the_rules_tell_a_wrong_entry(field: str, value: object) -> None:
    entry = {**_json("server.json"), field: value}
    present = {name: content for name, content in entry.items() if content is not None}
    with pytest.raises(ValidationError):
        Server.model_validate_json(json.dumps(present))
