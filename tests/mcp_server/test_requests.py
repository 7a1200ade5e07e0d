"""What users ask of an agent, and what the agent should make of it: thirty requests as data.

In `requests.json`, each request has the call that answers it, or null where no tool here does what
is asked; what the tools must say of themselves so that an agent can know; and what a call is
refused with that can't succeed in a test: on a machine without models or network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import jsonschema  # type: ignore[import-untyped]  # (it has no stubs)
import pytest

from tests.mcp_server.calling import call, in_memory, refused, text_of
from tests.mcp_server.offers import offered
from tests.pictures import as_file, portrait

PICTURES = ("cat.jpg", "dog.png", "drawing.png", "portrait.jpg", "dog-cutout.png")
IN_SHOP = ("mug.jpg", "lamp.png")


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for.

    Attributes:
        request: The user's words.
        call: The tool and its arguments; None where there is no tool for it.
        told_by: What that tool's description or schema must say, or remove_background's if none.
        refused: A part of what the call is refused with; empty if it succeeds.
    """

    request: str
    call: dict[str, Any] | None
    told_by: tuple[str, ...]
    refused: str = ""

    def __str__(self) -> str:
        return self.request

    @property
    def tool(self) -> str:
        """The tool that does it, or that it might be mistaken for a task of."""
        return str(self.call["tool"]) if self.call else "remove_background"


REQUESTS = [
    Request(**one)
    for one in json.loads(Path(__file__).with_name("requests.json").read_text(encoding="utf-8"))
]
CALLS = [request for request in REQUESTS if request.call]


@cache
def tools() -> dict[str, dict[str, Any]]:
    """The tools of the server, by name."""
    return {tool["name"]: tool for tool in anyio.run(offered)}


@pytest.fixture
def photos(folder: Path) -> Path:
    """The folder that the requests speak of as /photos."""
    for name in ("shop", "out"):
        (folder / name).mkdir()
    for name in (*PICTURES, *(f"shop/{name}" for name in IN_SHOP)):
        picture = as_file(portrait(96, 72), "PNG" if name.endswith("png") else "JPEG")
        (folder / name).write_bytes(picture)
    return folder


def test_there_are_thirty_and_some_are_for_no_tool() -> None:
    assert len({request.request for request in REQUESTS}) == 30
    assert {request.tool for request in CALLS} == set(tools())
    assert len(REQUESTS) - len(CALLS) == 6


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_the_tools_tell_what_is_needed_to_choose(request_: Request) -> None:
    tool = tools()[request_.tool]
    told = " ".join([tool["description"], json.dumps(tool["inputSchema"])])
    assert [phrase for phrase in request_.told_by if phrase not in told] == []
    assert request_.told_by


@pytest.mark.parametrize("request_", CALLS, ids=str)
def test_the_expected_call_fits_the_tools_schema(request_: Request) -> None:
    assert request_.call
    schema = tools()[request_.tool]["inputSchema"]
    jsonschema.Draft202012Validator(schema).validate(request_.call["arguments"])


def test_every_argument_of_every_tool_is_asked_for_by_someone() -> None:
    asked = {(one.tool, name) for one in CALLS if one.call for name in one.call["arguments"]}
    there = {
        (name, argument)
        for name, tool in tools().items()
        for argument in tool["inputSchema"]["properties"]
    }
    assert asked == there


@pytest.mark.anyio
@pytest.mark.parametrize("request_", CALLS, ids=str)
async def test_the_expected_call_succeeds_or_is_refused_as_told(
    request_: Request, photos: Path
) -> None:
    expected = json.loads(json.dumps(request_.call).replace("/photos", str(photos)))
    async with in_memory("2026-07-28", photos, network=False) as client:
        if request_.refused:
            told = await refused(client, expected["tool"], **expected["arguments"])
            assert request_.refused in told
            return
        result = await call(client, expected["tool"], **expected["arguments"])
    assert not result.is_error, text_of(result)
    assert (result.structured_content or {}).get("failed", 0) == 0
