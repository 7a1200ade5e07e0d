"""Arguments are checked to the last name, and a wrong one is told with the nearest right one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.mcp_server.calling import in_memory, refused

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
MODERN = "2026-07-28"

WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["input is missing"]),
    ({"input_path": "/a.png"}, ["'input_path'", "nearest is input;", "input is missing"]),
    ({"inptu": "/a.png"}, ["nearest is input;"]),
    ({"input": "/a.png", "out_put": "mask"}, ["'out_put'", "nearest is output."]),
    ({"input": "/a.png", "Overwrite": True}, ["nearest is overwrite."]),
    ({"input": "/a.png", "output-path": "/b.png"}, ["nearest is output_path."]),
    ({"input": "/a.png", "quality": 80}, ["nearest is options.quality."]),
    ({"input": "/a.png", "alpha_matting": True}, ["nearest is options.alpha_matting."]),
    ({"input": "/a.png", "zzz": 1}, ["there are input, output_path, output, background"]),
    ({"input": "/a.png", "ctx": 1}, ["'ctx'"]),
    ({"input": "/a.png", "consent": {"allow": True}}, ["'consent'"]),
    ({"input": "/a.png", "roots": []}, ["'roots'"]),
    ({"input": "/a.png", "options": {"alpha_mating": 1}}, ["nearest is options.alpha_matting."]),
    ({"input": "/a.png", "options": {"model": "u2netp"}}, ["nearest is model."]),
    ({"input": "/a.png", "options": {"qality": 3, "fromat": 1}}, ["options.quality", "options.fo"]),
    ({"input": "/a.png", "options": "alpha"}, ["options can't be 'alpha'"]),
    ({"input": "/a.png", "options": {"quality": 100}}, ["options.quality can't be '100'", "99"]),
    ({"input": "/a.png", "options": {"format": "GIF"}}, ["'PNG', 'WEBP' or 'JPG'"]),
    ({"input": "/a.png", "options": {"alpha_matting_erode_size": 0}}, ["greater than or equal"]),
    ({"input": "/a.png", "output": "masc"}, ["'cutout', 'mask' or 'flattened'"]),
    ({"input": ["/a.png"]}, ["input can't be"]),
    ({"input": "/a.png", "overwrite": "maybe"}, ["overwrite can't be 'maybe'"]),
    ({"input": "/a.png", "x" * 5000: 1}, ["xxx"]),
    ({"input": "/a.png", "bad\n\x1b[31mname": 1}, [r"bad\n\x1b[31mname"]),
    ({"input": {"a": "b" * 5000}}, ["input can't be"]),
]


@pytest.mark.parametrize(("arguments", "phrases"), WRONG)
async def test_a_wrong_argument_is_told_with_what_is_right(
    folder: Path, arguments: dict[str, Any], phrases: list[str]
) -> None:
    async with in_memory(MODERN, folder) as client:
        text = await refused(client, **arguments)
    assert "pydantic" not in text
    for phrase in phrases:
        assert phrase in text


async def test_no_tool_takes_what_it_doesn_t_know(era: str, folder: Path) -> None:
    async with in_memory(era, folder) as client:
        for tool in (await client.list_tools()).tools:
            assert tool.input_schema["additionalProperties"] is False
            text = await refused(client, tool.name, colour_of_the_sky=1)
            assert "'colour_of_the_sky'" in text
            assert ("it takes none" in text) is (not tool.input_schema["properties"])


async def test_a_schema_holds_no_reference_no_null_and_no_title(folder: Path) -> None:
    async with in_memory(MODERN, folder) as client:
        for tool in (await client.list_tools()).tools:
            text = json.dumps([tool.input_schema, tool.output_schema])
            assert not [word for word in ("$ref", "$defs", '"null"', '"title"') if word in text]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("remove_backgroud", "nearest is remove_background"),
        ("view", "the server has"),
        ("x" * 5000, "the server has"),
        ("a\nb", r"'a\nb'"),
    ],
)
async def test_an_unknown_tool_is_told_with_the_nearest(
    era: str, folder: Path, name: str, reason: str
) -> None:
    async with in_memory(era, folder) as client:
        assert reason in await refused(client, name)
