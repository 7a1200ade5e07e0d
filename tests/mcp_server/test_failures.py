"""What an agent is told when something goes wrong."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from cutaway import AsyncClient, Settings, errors
from cutaway_mcp import Policy, create_server
from cutaway_mcp.failures import LONGEST, quoted, refusal, told
from tests.mcp_server.calling import call, in_memory, names, refused, text_of
from tests.pictures import as_file, portrait

pytestmark = pytest.mark.anyio
MODERN = "2026-07-28"

EXPECTED: list[tuple[dict[str, Any], list[str]]] = [
    ({"model": "u2netp"}, ["u2netp", "cutaway models pull u2netp"]),
    ({"model": "runware:112@2"}, ["cutaway models pull"]),
    ({"model": "no-such-model"}, ["no-such-model", "u2netp"]),
    ({"model": "bria-rmbg"}, ["bria-rmbg"]),
    ({"background": "sky"}, ["background", "sky"]),
    ({"output": "flattened", "background": "#ff000080"}, ["opaque"]),
    ({"options": {"format": "JPG"}}, ["JPG has no transparency"]),
    ({"output_path": "{folder}/a.png", "options": {"format": "WEBP"}}, ["Leave the format out"]),
    ({"output_path": "{folder}/a.tiff"}, [".png, .webp or .jpg"]),
    ({"backend": "runware"}, ["--allow-backend 'runware'", "local"]),
    ({"backend": "https://example.com/v1\n"}, [r"example.com/v1\n", "--allow-backend"]),
]


async def test_a_path_that_only_begins_as_the_home_folder_does_is_told_as_it_is(
    isolated_home: Path,
) -> None:
    for folder in (Path(f"{isolated_home}-old"), isolated_home.parent / f"of{isolated_home.name}"):
        folder.mkdir()
        async with in_memory(MODERN, folder) as client:
            assert f"'{folder}/a.png'" in await refused(client, input=f"{folder}/a.png")
    nested = Path(f"/mnt{isolated_home}/a.png")
    assert str(nested) in str(refusal("what", f"see {quoted(nested)}", "next"))


@pytest.mark.parametrize(("arguments", "phrases"), EXPECTED)
async def test_a_failure_tells_what_happened_and_what_to_do(
    era: str, folder: Path, arguments: dict[str, Any], phrases: list[str]
) -> None:
    given_ = {
        name: value.format(folder=folder) if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    async with in_memory(era, folder) as client:
        text = await refused(client, input=str(folder / "cat.png"), **given_)
    for phrase in phrases:
        assert phrase in text
    assert text.endswith(".")
    assert names(folder) == ["cat.png"]


async def test_a_picture_without_a_subject_is_told_as_such(folder: Path) -> None:
    (folder / "plain.png").write_bytes(as_file(np.full((64, 64, 3), 255, np.uint8)))
    async with in_memory(MODERN, folder) as client:
        text = await refused(client, input=str(folder / "plain.png"))
    assert "subject" in text


async def test_the_home_folder_is_not_told(isolated_home: Path) -> None:
    folder = isolated_home / "pictures"
    folder.mkdir()
    (folder / "cat.png").write_bytes(as_file(portrait()))
    async with in_memory(MODERN, folder) as client:
        outside = await refused(client, input="/etc/hostname")
        missing = await refused(client, input="~/pictures/dog.png")
        lacking = await refused(client, input="~/pictures/cat.png", model="u2netp")
        target = "~/pictures/missing/cat.png"
        broken = await refused(client, input="~/pictures/cat.png", output_path=target)
    assert "'~/pictures'" in outside
    for text in (outside, missing, lacking, broken):
        assert str(isolated_home) not in text


class Broken:
    """A client of the core with a fault of ours."""

    def __init__(self) -> None:
        self.settings = Settings.load()

    async def remove_background(self, *_: object, **__: object) -> None:
        raise RuntimeError("the secret is 12345")


async def test_a_fault_of_ours_is_logged_under_a_reference_and_not_told(
    era: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = cast("AsyncClient", Broken())
    server = create_server(client=client, policy=Policy(allow_dirs=(folder,)))
    with caplog.at_level(logging.ERROR):
        async with Client(server, mode=era) as connected:
            result = await call(connected, input=str(folder / "cat.png"))
    assert result.is_error
    text = text_of(result)
    assert "12345" not in text
    found = re.search(r"reference (\w{8})", text)
    assert found
    assert found[1] in caplog.text
    assert "the secret is 12345" in caplog.text


@given(st.text(max_size=3000))
def test_what_is_quoted_is_one_short_harmless_line(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()
    assert len(shown) <= 210
    if text.isascii() and text.isprintable() and len(text) <= 200:
        assert shown == f"'{text}'"


@given(st.text(max_size=3000), st.text(max_size=3000), st.text(max_size=3000))
def test_a_failure_fits_into_a_kilobyte_and_one_line(what: str, why: str, step: str) -> None:
    for error in (refusal(what, why, step), told(errors.OutputError(what, why, step))):
        text = str(error)
        assert len(text.encode()) <= LONGEST <= 1000
        assert text.isprintable()


def test_a_long_failure_still_says_what_to_do() -> None:
    text = str(refusal("it failed" * 500, "of " * 500, "Do this"))
    assert text.startswith("it failed")
    assert text.endswith("Do this.")


def test_a_remote_task_that_failed_is_named() -> None:
    error = errors.ServerFault("the service failed", "it was overloaded", "Try again later")
    error.task_uuid = "00000000-0000-4000-8000-000000000001"
    assert "00000000-0000-4000-8000-000000000001" in str(told(error))
