from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from mcp import MCPError
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp_types import BlobResourceContents, ResourceLink

from cutaway_mcp.facts import CutoutFacts
from cutaway_mcp.folders import Folders
from cutaway_mcp.results import Results
from tests.mcp_server.calling import call, facts_of, in_memory
from tests.pictures import as_file, portrait

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp import Client

pytestmark = pytest.mark.anyio

MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}


async def cut(client: Client, folder: Path, ending: str = "png") -> tuple[Path, str]:
    """Cut a picture out: where the result is, and the address of its resource."""
    (folder / "cat.png").write_bytes(as_file(portrait(96, 72)))
    result = await call(
        client,
        input=str(folder / "cat.png"),
        output_path=str(folder / f"out.{ending}"),
        output="flattened",
        overwrite=True,
    )
    facts_of(result)
    (link,) = [part for part in result.content if isinstance(part, ResourceLink)]
    return folder / f"out.{ending}", link.uri


@pytest.mark.parametrize("ending", MEDIA_TYPES)
async def test_a_result_can_be_read_by_its_link_as_what_it_is(
    era: str, folder: Path, ending: str
) -> None:
    async with in_memory(era, folder) as client:
        path, uri = await cut(client, folder, ending)
        (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, BlobResourceContents)
    assert base64.b64decode(content.blob) == path.read_bytes()
    assert (content.mime_type, content.uri) == (MEDIA_TYPES[ending], uri)
    assert uri.startswith("cutaway://results/")


async def test_ids_are_long_and_never_the_same(era: str, folder: Path) -> None:
    async with in_memory(era, folder) as client:
        uris = {(await cut(client, folder))[1] for _ in range(3)}
        listed = (await client.list_resources()).resources
        (template,) = (await client.list_resource_templates()).resource_templates
    assert len(uris) == 3
    assert min(len(uri.rpartition("/")[2]) for uri in uris) >= 22
    assert listed == []
    assert template.uri_template == "cutaway://results/{id}"


async def test_a_result_that_is_gone_at_once_leads_to_nothing(folder: Path) -> None:
    facts = CutoutFacts.model_construct(format="PNG")
    results = Results(Folders([folder]))
    with pytest.raises(ResourceNotFoundError):
        await results.read(results.add(folder / "gone.png", facts))


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def replaced(path: Path) -> None:
    shutil.copy2(path, path.with_name("other"))
    path.with_name("other").replace(path)


def made_a_link(path: Path) -> None:
    path.rename(path.parent.parent / "moved.png")
    path.symlink_to(path.parent.parent / "moved.png")


@pytest.mark.parametrize("happening", [changed, replaced, made_a_link, lambda path: path.unlink()])
async def test_a_file_that_is_another_by_now_is_not_given(
    era: str, folder: Path, happening: Callable[[Path], Any]
) -> None:
    async with in_memory(era, folder) as client:
        path, uri = await cut(client, folder)
        happening(path)
        with pytest.raises(MCPError, match="changed, moved or deleted") as caught:
            await client.read_resource(uri)
    assert caught.value.error.code == -32602
    assert caught.value.error.data == {"uri": uri}


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "a%00"])
async def test_an_id_that_was_never_given_leads_nowhere(era: str, folder: Path, name: str) -> None:
    async with in_memory(era, folder) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"cutaway://results/{name}")
    assert caught.value.error.code == -32602


@pytest.fixture
def facts() -> CutoutFacts:
    return CutoutFacts(
        output_path="cat.png",
        width=1,
        height=1,
        format="PNG",
        bytes=1,
        backend="local",
        model="classical",
        subject_share=0.5,
        soft_edge_share=0.0,
        seconds=0.1,
        left_machine=False,
        warnings=[],
    )


async def test_after_an_hour_an_id_is_forgotten(folder: Path, facts: CutoutFacts) -> None:
    now = 0.0
    results = Results(Folders([folder]), clock=lambda: now)
    name = results.add(folder / "cat.png", facts)
    now = 3599.0
    assert await results.read(name) == (folder / "cat.png").read_bytes()
    now = 3600.0
    with pytest.raises(ResourceNotFoundError, match="an hour"):
        await results.read(name)


async def test_only_the_last_results_are_kept(folder: Path, facts: CutoutFacts) -> None:
    results = Results(Folders([folder]))
    names = [results.add(folder / "cat.png", facts) for _ in range(205)]
    for gone in names[:5]:
        with pytest.raises(ResourceNotFoundError):
            await results.read(gone)
    for kept in (names[5], names[-1]):
        assert await results.read(kept)
