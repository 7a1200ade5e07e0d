"""How the server introduces itself."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

import cutaway
from tests.mcp_server.calling import in_memory

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def introduced(*allowed: Path, **choices: Any) -> str:
    async with in_memory("auto", *allowed, **choices) as client:
        text = str(client.instructions)
    assert len(text.encode()) < 2000
    return text


async def test_the_instructions_tell_what_is_allowed(folder: Path) -> None:
    text = await introduced(folder)
    assert f"'{folder}'" in text
    assert "removed by the backend local." in text
    text = await introduced(folder, allow_backends=frozenset({"runware"}))
    assert "may name the backend runware" in text
    assert "URLs are not fetched" in await introduced(folder, network=False)
    assert "Nothing is written" in await introduced(folder, read_only=True)


async def test_the_instructions_stay_short_however_many_folders_there_are(tmp_path: Path) -> None:
    folders = [tmp_path / f"{'long' * 30}\n{number}" for number in range(30)]
    for path in folders:
        path.mkdir()
    text = await introduced(*folders)
    assert "and others" in text
    assert text.isprintable()


async def test_the_server_has_a_name_a_version_and_an_icon(folder: Path) -> None:
    async with in_memory("legacy", folder) as client:
        told = client.server_info
    assert told
    assert (told.name, told.title, told.version) == ("cutaway", "Cutaway", cutaway.__version__)
    assert told.icons
    kind, _, data = told.icons[0].src.partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert ET.fromstring(base64.b64decode(data)).tag.endswith("svg")  # noqa: S314  (ours)
