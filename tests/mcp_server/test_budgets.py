"""What the server costs an agent to know, and to use.

Tokens are counted as characters of compact JSON divided by four, rounded up. Every model has a
tokenizer of its own, and none can be had without a network; for English and JSON a quarter of the
characters is the usual estimate.
"""

from __future__ import annotations

import base64
import io
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from mcp.types import CallToolResult, ImageContent
from PIL import Image

from cutaway import Settings
from cutaway_mcp import Policy, create_server
from tests.fakes.runware_service import RunwareService
from tests.mcp_server.calling import call, in_memory
from tests.mcp_server.offers import offered, parameters
from tests.pictures import as_file, portrait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLS = 2500
RESULT = 300
CATALOGUE = 800
"""For the list of all models, which is a table and not the result of some work."""

PICTURE = 800
KILOBYTE = 1024

POLICIES: list[dict[str, Any]] = [
    {},
    {"allow_backends": frozenset({"runware"})},
    {"backend": "runware"},
    {"network": False},
    {"read_only": True},
]


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


def tokens(data: object) -> int:
    """About how many tokens an agent reads."""
    return math.ceil(len(json.dumps(data, separators=(",", ":"), ensure_ascii=False)) / 4)


def size(result: CallToolResult) -> int:
    """The tokens of a result: clients show its content or its structured content, never both."""
    whole = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    content = [part for part in whole["content"] if part["type"] != "image"]
    return max(tokens(content), tokens(whole.get("structuredContent", {})))


@pytest.mark.anyio
@pytest.mark.parametrize("policy", POLICIES, ids=str)
async def test_all_tools_together_are_told_in_few_tokens(era: str, policy: dict[str, Any]) -> None:
    assert tokens(await offered(era, **policy)) <= TOOLS


@pytest.mark.anyio
@pytest.mark.parametrize("policy", POLICIES, ids=str)
async def test_every_tool_and_parameter_is_described_and_no_description_is_cut(
    policy: dict[str, Any],
) -> None:
    for tool in await offered(**policy):
        assert tool["title"]
        assert 100 < len(tool["description"].encode()) <= 2 * KILOBYTE
        for name, parameter in parameters(tool["inputSchema"]):
            assert parameter.get("description"), f"{tool['name']}: {name}"


@pytest.mark.anyio
@pytest.mark.parametrize("policy", POLICIES, ids=str)
async def test_all_four_hints_are_given_and_fit_the_policy(policy: dict[str, Any]) -> None:
    reading = {tool["name"] for tool in await offered(read_only=True)}
    for tool in await offered(**policy):
        hints = tool["annotations"]
        reads = tool["name"] in reading
        uploads = bool(policy.get("allow_backends") or policy.get("backend"))
        assert hints == {
            "readOnlyHint": reads,
            "destructiveHint": not reads,  # overwrite replaces a file
            "idempotentHint": reads or not uploads,  # a service may be paid, and answer otherwise
            "openWorldHint": not reads and policy.get("network", True),
        }


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_instructions_are_short_however_many_folders_there_are(
    tmp_path: Path, policy: dict[str, Any]
) -> None:
    folders = [tmp_path / f"{'a folder with a long name ' * 8}{number}" for number in range(30)]
    for folder in folders:
        folder.mkdir()
    server = create_server(policy=Policy(allow_dirs=tuple(folders), **policy))
    assert str(folders[0]) in str(server.instructions)
    assert len(str(server.instructions).encode()) < 2 * KILOBYTE


@pytest.mark.anyio
async def test_a_result_is_told_in_few_tokens(era: str, folder: Path) -> None:
    async with in_memory(era, folder) as client:
        assert size(await call(client, input=str(folder / "cat.png"))) <= RESULT
        assert size(await call(client, input=str(folder / "no-such.png"))) <= RESULT
        assert size(await call(client, input_path=1)) <= RESULT
        assert size(await call(client, "remove_backgrounds", inputs=[str(folder)])) <= RESULT


@pytest.mark.anyio
async def test_a_result_from_afar_at_a_long_path_is_told_in_few_tokens(
    era: str, folder: Path, service: RunwareService
) -> None:
    deep = folder.joinpath("holidays in the mountains", "2026-07", "the best ones", "for the album")
    deep.mkdir(parents=True)
    (deep / "cat.jpg").write_bytes(as_file(portrait(96, 72), "JPEG"))
    settings = Settings.load(runware_api_key=service.key)
    async with in_memory(era, folder, settings=settings, backend=service.http_url) as client:
        result = await call(client, input=str(deep / "cat.jpg"))
    assert result.structured_content
    assert result.structured_content["task_uuid"]
    assert size(result) <= RESULT


@pytest.mark.anyio
async def test_looking_costs_little_more_than_the_picture(era: str, folder: Path) -> None:
    (folder / "large.jpg").write_bytes(as_file(portrait(2400, 2400), "JPEG"))
    async with in_memory(era, folder) as client:
        result = await call(client, "view_image", path=str(folder / "large.jpg"))
    (image,) = [part for part in result.content if isinstance(part, ImageContent)]
    assert size(result) <= 100
    assert _picture_tokens(image) <= PICTURE


@pytest.mark.anyio
async def test_the_whole_catalogue_fits_its_budget(era: str, folder: Path) -> None:
    async with in_memory(era, folder, allow_backends=frozenset({"runware"})) as client:
        assert size(await call(client, "list_models")) <= CATALOGUE


def _picture_tokens(image: ImageContent) -> float:
    """What a picture costs a model that sees: width times height over 750, as Anthropic tells."""
    with Image.open(io.BytesIO(base64.b64decode(image.data))) as picture:
        return picture.width * picture.height / 750
