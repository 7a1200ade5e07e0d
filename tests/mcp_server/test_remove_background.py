"""The tool `remove_background`: what it writes, what it tells, and what it leaves alone."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mcp import Client
from mcp.types import ResourceLink
from PIL import Image

from cutaway import AsyncClient, Settings
from cutaway_mcp import Policy, create_server
from tests.fakes.picture_server import PictureServer, body
from tests.mcp_server.calling import call, facts_of, in_memory, names, refused, text_of
from tests.pictures import as_file, ellipse, overlap, portrait

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
MODERN = "2026-07-28"


async def test_a_cutout_is_written_beside_its_input(era: str, folder: Path) -> None:
    async with in_memory(era, folder) as client:
        result = await call(client, input=str(folder / "cat.png"))
    facts = facts_of(result)
    written = folder / "cat-cutout.png"
    assert names(folder) == ["cat-cutout.png", "cat.png"]
    with Image.open(written) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (160, 120))
        alpha = np.asarray(picture)[..., 3]
    assert overlap(alpha, ellipse(160, 120)) > 0.95
    left, top, right, bottom = facts.pop("bounding_box")
    assert (30 < left < 50, 110 < right < 130) == (True, True)
    assert (15 < top < 30, 90 < bottom < 105) == (True, True)
    assert facts.pop("subject_share") == pytest.approx((alpha / 255).mean(), abs=1e-3)
    soft = ((alpha > 0) & (alpha < 255)).mean()
    assert facts.pop("soft_edge_share") == pytest.approx(soft, abs=1e-3)
    assert facts.pop("seconds") >= 0
    assert "cutaway models pull" in facts.pop("warnings")[0]
    assert facts == {
        "output_path": str(written),
        "width": 160,
        "height": 120,
        "format": "PNG",
        "bytes": written.stat().st_size,
        "backend": "local",
        "model": "classical",
        "left_machine": False,
    }


async def test_a_link_leads_to_the_result(era: str, folder: Path) -> None:
    async with in_memory(era, folder) as client:
        result = await call(client, input=str(folder / "cat.png"))
        assert {part.type for part in result.content} == {"text", "resource_link"}
        (link,) = [part for part in result.content if isinstance(part, ResourceLink)]
        assert (link.name, link.mime_type) == ("cat-cutout.png", "image/png")
        assert link.size == (folder / "cat-cutout.png").stat().st_size
        (read,) = (await client.read_resource(link.uri)).contents
    assert read.mime_type == "image/png"


async def test_a_mask_and_a_flattened_picture_are_had_too(folder: Path) -> None:
    path = str(folder / "cat.png")
    async with in_memory(MODERN, folder) as client:
        mask = facts_of(await call(client, input=path, output="mask"))
        flat = facts_of(
            await call(
                client,
                input=path,
                output="flattened",
                background="#00ff00",
                output_path=str(folder / "flat.jpg"),
            )
        )
    assert mask["output_path"] == str(folder / "cat-mask.png")
    with Image.open(folder / "cat-mask.png") as picture:
        assert picture.mode == "L"
    assert flat["format"] == "JPG"
    with Image.open(folder / "flat.jpg") as picture:
        assert picture.format == "JPEG"
        red, green, blue = picture.convert("RGB").getpixel((2, 2))  # type: ignore[misc]
    assert green > 200
    assert max(red, blue) < 60


async def test_every_rarer_option_reaches_the_picture(folder: Path) -> None:
    path, base = str(folder / "cat.png"), (folder / "cat.png").read_bytes()
    picture = Image.open(io.BytesIO(base))
    picture.save(folder / "cat.png", dpi=(300, 300))
    tries: dict[str, dict[str, Any]] = {
        "plain": {},
        "matting": {"alpha_matting": True},
        "foreground": {"alpha_matting": True, "alpha_matting_foreground_threshold": 130},
        "background": {"alpha_matting": True, "alpha_matting_background_threshold": 120},
        "erode": {"alpha_matting": True, "alpha_matting_erode_size": 1},
        "hard": {"post_process_mask": True},
        "edges": {"clean_edges": False},
        "metadata": {"keep_metadata": False},
        "webp": {"format": "WEBP"},
        "quality": {"format": "WEBP", "quality": 30},
    }
    seen = {}
    async with in_memory(MODERN, folder) as client:
        for name, options in tries.items():
            facts = facts_of(await call(client, input=path, options=options, overwrite=True))
            seen[name] = (folder / facts["output_path"]).read_bytes()
    assert len(set(seen.values())) == len(tries)


async def test_options_may_come_as_json_and_as_null(folder: Path) -> None:
    path = str(folder / "cat.png")
    async with in_memory(MODERN, folder) as client:
        first = await call(client, input=path, options='{"format": "WEBP"}', output_path=None)
        second = await call(client, input=path, options=None, background=None, backend=None)
    assert facts_of(first)["output_path"] == str(folder / "cat-cutout.webp")
    assert facts_of(second)["output_path"] == str(folder / "cat-cutout.png")


async def test_nothing_is_replaced_unless_it_is_told_and_a_free_name_is_offered(
    folder: Path,
) -> None:
    path = str(folder / "cat.png")
    (folder / "cat-cutout.png").write_bytes(b"mine")
    (folder / "cat-cutout-2.png").write_bytes(b"mine too")
    async with in_memory(MODERN, folder) as client:
        text = await refused(client, input=path)
        assert "overwrite" in text
        assert str(folder / "cat-cutout-3.png") in text
        assert (folder / "cat-cutout.png").read_bytes() == b"mine"
        facts_of(await call(client, input=path, overwrite=True))
    assert (folder / "cat-cutout.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "cat-cutout-2.png").read_bytes() == b"mine too"


async def test_a_second_identical_call_with_overwrite_gives_the_same_bytes(folder: Path) -> None:
    path = folder / "cat.png"
    async with in_memory(MODERN, folder) as client:
        first = facts_of(await call(client, input=str(path), overwrite=True))
        written = (folder / "cat-cutout.png").read_bytes()
        second = facts_of(await call(client, input=str(path), overwrite=True))
    assert (folder / "cat-cutout.png").read_bytes() == written
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    assert names(folder) == ["cat-cutout.png", "cat.png"]


async def test_a_file_that_is_replaced_keeps_its_mode(folder: Path) -> None:
    target = folder / "cat-cutout.png"
    target.touch()
    target.chmod(0o640)
    async with in_memory(MODERN, folder) as client:
        facts_of(await call(client, input=str(folder / "cat.png"), overwrite=True))
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["two\nlines.png", "bell\a.png", "\u202egnp.png", "a'b\"c.png"])
async def test_names_with_control_characters_come_out_quoted(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / "cat.png").read_bytes())
    async with in_memory(MODERN, folder) as client:
        result = await call(client, input=str(folder / name))
        assert (folder / f"{name.removesuffix('.png')}-cutout.png").is_file()
        assert facts_of(result)["output_path"].startswith(str(folder))
        assert text_of(result).isprintable()
        assert all(part.name.isprintable() for part in result.content if part.type != "text")  # type: ignore[union-attr]
        await refused(client, input=str(folder / name))


async def test_results_go_to_the_output_folder_if_there_is_one(
    folder: Path, tmp_path: Path
) -> None:
    results = tmp_path / "made" / "results"
    async with in_memory(MODERN, folder, output_dir=results) as client:
        facts = facts_of(await call(client, input=str(folder / "cat.png")))
        assert not (await call(client, "view_image", path=facts["output_path"])).is_error
    assert facts["output_path"] == str(results / "cat-cutout.png")
    assert names(folder) == ["cat.png"]


async def test_the_output_folder_holds_no_more_than_it_may(folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    path = str(folder / "cat.png")
    async with in_memory(MODERN, folder, output_dir=results, output_max_size=20_000) as client:
        facts_of(await call(client, input=path))
        assert "--output-max-size" in await refused(
            client, input=path, output_path=str(results / "second.png")
        )
        assert names(results) == ["cat-cutout.png"]
        elsewhere = str(folder / "second.png")
        facts_of(await call(client, input=path, output_path=elsewhere))
    (results / "cat-cutout.png").write_bytes(bytes(20_000))
    async with in_memory(MODERN, folder, output_dir=results, output_max_size=20_000) as client:
        assert "full" in await refused(client, input=path, output_path=str(results / "second.png"))


async def test_a_picture_is_fetched_from_a_url_and_put_in_the_first_allowed_folder(
    folder: Path,
) -> None:
    with PictureServer() as server:
        server.answers["/pets/dog%20one.png?size=full"] = body(as_file(portrait()))
        url = server.url("/pets/dog%20one.png?size=full")
        async with in_memory(MODERN, folder, allow_private_network=True) as client:
            facts = facts_of(await call(client, input=url))
    assert facts["output_path"] == str(folder / "dog one-cutout.png")
    assert facts["left_machine"] is False


@pytest.mark.parametrize(
    ("url", "choices", "reason"),
    [
        ("http://example.com/a.png", {}, "https"),
        ("ftp://example.com/a.png", {"allow_private_network": True}, "https"),
        ("file:///etc/passwd", {"allow_private_network": True}, "https"),
        ("https://127.0.0.1/a.png", {}, "not a public address"),
        ("https://[::1]/a.png", {}, "not a public address"),
        ("https://169.254.169.254/latest/meta-data", {}, "not a public address"),
        ("https://localhost/a.png", {}, "not a public address"),
        ("https://example.com/a.png", {"network": False}, "--no-network"),
    ],
)
async def test_a_url_that_is_not_public_or_not_allowed_is_not_fetched(
    folder: Path, url: str, choices: dict[str, Any], reason: str
) -> None:
    async with in_memory(MODERN, folder, **choices) as client:
        assert reason in await refused(client, input=url)
    assert names(folder) == ["cat.png"]


async def test_private_addresses_stay_closed_though_the_user_s_own_settings_open_them(
    folder: Path,
) -> None:
    settings = Settings.load(allow_private_network=True)
    async with in_memory(MODERN, folder, settings=settings) as client:
        text = await refused(client, input="https://127.0.0.1:9/a.png")
    assert "not a public address" in text


async def test_a_server_that_is_read_only_offers_no_tool_that_writes(
    era: str, folder: Path
) -> None:
    async with in_memory(era, folder, read_only=True) as client:
        offered = [tool.name for tool in (await client.list_tools()).tools]
        assert sorted(offered) == ["list_models", "view_image"]
        assert not (await client.list_prompts()).prompts
        assert "remove_background" in await refused(client, input=str(folder / "cat.png"))
    assert names(folder) == ["cat.png"]


async def test_the_annotations_tell_what_the_policy_makes_true(folder: Path) -> None:
    async def hints(**choices: Any) -> tuple[bool | None, ...]:
        async with in_memory(MODERN, folder, **choices) as client:
            (tool,) = [
                tool
                for tool in (await client.list_tools()).tools
                if tool.name == "remove_background"
            ]
        assert tool.annotations
        assert tool.title
        assert tool.annotations.read_only_hint is False
        assert tool.annotations.destructive_hint is True
        return tool.annotations.idempotent_hint, tool.annotations.open_world_hint

    assert await hints() == (True, True)
    assert await hints(network=False) == (True, False)
    assert await hints(allow_backends=frozenset({"runware"})) == (False, True)


async def test_a_client_that_is_given_is_used_and_left_open(folder: Path) -> None:
    async with AsyncClient(Settings.load(model="classical")) as own:
        server = create_server(client=own, policy=Policy(allow_dirs=(folder,)))
        async with Client(server, mode=MODERN) as client:
            facts = facts_of(await call(client, input=str(folder / "cat.png")))
        assert facts["warnings"] == []  # its own settings chose the engine
        cutout = await own.remove_background(folder / "cat.png")
    assert cutout.model == "classical"
