from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread
from PIL import Image

from tests.fakes.runware_faults import PATIENCE, Hold, Refuse
from tests.fakes.runware_service import RunwareService
from tests.mcp_server.calling import call, facts_of, in_memory, refused
from tests.mcp_server.fingerprints import fingerprint
from tests.pictures import as_file, portrait
from tests.shared.backends.serving import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

PICTURE = as_file(portrait(96, 72))


@pytest.fixture
def photos(folder: Path) -> Path:
    """An allowed folder with three pictures, and other things."""
    (folder / "cat.png").unlink()
    for name in ("one.png", "two.JPG", "three.webp", ".hidden.png", "notes.txt"):
        (folder / name).write_bytes(PICTURE)
    (folder / "more").mkdir()
    (folder / "more" / "four.png").write_bytes(PICTURE)
    return folder


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


async def batch(era: str, folder: Path, *inputs: Path | str, **arguments: Any) -> dict[str, Any]:
    async with in_memory(era, folder) as client:
        given = [str(one) for one in inputs]
        return facts_of(await call(client, "remove_backgrounds", inputs=given, **arguments))


def counts(facts: dict[str, Any]) -> tuple[int, int, int, int]:
    return facts["done"], facts["skipped"], facts["failed"], facts["not_tried"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file right in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def put(path: str) -> None:
    """A picture at a path, even one whose name is no text."""
    Path(path).write_bytes(PICTURE)


def manifest(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    items = json.loads(Path(facts["manifest_path"]).read_text(encoding="utf-8"))["items"]
    by_input = {item["input"]: item for item in items}
    assert len(by_input) == len(items) == facts["total"]
    return by_input


async def test_every_picture_right_in_a_folder_is_done_and_noted(era: str, photos: Path) -> None:
    facts = await batch(era, photos, photos)
    assert counts(facts) == (3, 0, 0, 0)
    assert Path(facts["manifest_path"]).parent == photos
    items = manifest(facts)
    assert {Path(name).name for name in items} == {"one.png", "two.JPG", "three.webp"}
    for name, item in items.items():
        result = Path(item["output_path"])
        assert result == photos / f"{Path(name).stem}-cutout.png"
        with Image.open(result) as image:
            assert (image.mode, image.size) == ("RGBA", (96, 72))
        assert item["bytes"] == len(contents(photos)[result.name])
        assert 0.1 < item["subject_share"] < 0.5
    assert not (photos / "more" / "four-cutout.png").exists()


async def test_the_choices_of_a_single_removal_hold_for_each(era: str, photos: Path) -> None:
    results = photos / "results"
    results.mkdir()
    facts = await batch(
        era,
        photos,
        photos / "one.png",
        photos / "more",
        output_folder=str(results),
        output="flattened",
        background="#00ff00",
        options={"format": "JPG", "quality": 50},
    )
    assert counts(facts) == (2, 0, 0, 0)
    assert facts["manifest_path"] == str(results / "cutaway-manifest.json")
    for name in ("one-flattened.jpg", "four-flattened.jpg"):
        with Image.open(results / name) as image:
            red, green, blue = image.convert("RGB").getpixel((2, 2))  # type: ignore[misc]
        assert green > 230 > max(red, blue) + 200


async def test_a_picture_that_fails_stops_no_other(era: str, photos: Path) -> None:
    (photos / "broken.png").write_bytes(PICTURE[:400])
    missing, outside = photos / "missing.png", photos.parent / "outside.png"
    facts = await batch(era, photos, missing, photos, outside)
    assert counts(facts) == (3, 0, 3, 0)
    failed = {item["input"]: item["error"] for item in facts["items"] if item["status"] == "failed"}
    assert "no such file" in failed[str(missing)]
    assert "not in an allowed folder" in failed[str(outside)]
    assert "can't be read" in failed[str(photos / "broken.png")]
    assert {item["status"] for item in manifest(facts).values()} == {"done", "failed"}


async def test_what_is_there_is_skipped_and_never_taken_for_a_picture(
    era: str, photos: Path
) -> None:
    (photos / "two-cutout.png").write_bytes(b"mine")
    assert counts(await batch(era, photos, photos)) == (2, 1, 0, 0)
    before = fingerprint(photos)
    again = await batch(era, photos, photos)
    assert counts(again) == (0, 3, 0, 0)
    assert "manifest_path" not in again
    assert fingerprint(photos) == before
    assert (photos / "two-cutout.png").read_bytes() == b"mine"


async def test_overwriting_twice_gives_the_same_bytes(era: str, photos: Path) -> None:
    (photos / "two-cutout.png").write_bytes(b"old")
    assert counts(await batch(era, photos, photos, overwrite=True)) == (3, 0, 0, 0)
    first = contents(photos)
    assert len(first) == 5 + 4
    assert counts(await batch(era, photos, photos, overwrite=True)) == (3, 0, 0, 0)
    assert contents(photos) == first


async def test_a_manifest_takes_no_others_place(era: str, photos: Path) -> None:
    (photos / "cutaway-manifest.json").write_text("mine", encoding="utf-8")
    facts = await batch(era, photos, photos / "one.png")
    assert facts["manifest_path"] == str(photos / "cutaway-manifest-2.json")
    assert (photos / "cutaway-manifest.json").read_text(encoding="utf-8") == "mine"


async def test_two_results_never_share_a_place(era: str, photos: Path) -> None:
    (photos / "one.webp").write_bytes(PICTURE)
    facts = await batch(era, photos, photos / "one.png", photos / "one.webp", photos / "one.png")
    assert (facts["total"], *counts(facts)) == (2, 1, 0, 1, 0)
    assert "another picture of this call" in facts["items"][0]["error"]


@pytest.mark.parametrize("given", ["a folder", "a list"])
async def test_more_than_a_hundred_pictures_are_refused_before_anything_is_done(
    era: str, folder: Path, given: str
) -> None:
    for number in range(100):
        (folder / f"{number}.png").write_bytes(PICTURE)
    before = fingerprint(folder)
    paths = [folder] if given == "a folder" else [folder / name for name in contents(folder)]
    assert given == "a folder" or len(paths) == 101
    async with in_memory(era, folder) as client:
        told = await refused(client, "remove_backgrounds", inputs=[str(path) for path in paths])
    assert "100" in told
    assert fingerprint(folder) == before


async def test_however_many_there_are_the_answer_stays_short_and_tells_what_failed(
    era: str, folder: Path
) -> None:
    paths = [str(folder / f"{'long-name-' * 5}{number}.png") for number in range(60)]
    for path in paths[10:13]:
        put(path)
    async with in_memory(era, folder) as client:
        result = await call(client, "remove_backgrounds", inputs=paths)
    facts = facts_of(result)
    assert (facts["total"], *counts(facts)) == (60, 3, 0, 57, 0)
    assert {item["status"] for item in facts["items"]} == {"failed"}
    assert len(json.dumps(facts)) < 3000
    assert len(manifest(facts)) == 60


async def test_a_usual_batch_is_told_in_few_words(era: str, photos: Path) -> None:
    facts = await batch(era, photos, photos)
    assert len(json.dumps(facts)) / 4 < 300
    # What holds for all is told once.
    assert any("no model is installed" in warning for warning in facts["warnings"])
    assert not any("warnings" in item for item in facts["items"])


async def test_progress_tells_each_picture_and_only_rises(era: str, photos: Path) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async with in_memory(era, photos) as client:
        await client.call_tool(
            "remove_backgrounds", {"inputs": [str(photos)]}, progress_callback=on_progress
        )
    values = [value for value, _, _ in told]
    assert values == sorted(set(values))
    assert {total for _, total, _ in told} == {3}
    for number, name in enumerate(("one.png", "three.webp", "two.JPG"), 1):
        of_one = [message for _, _, message in told if f"{number} of 3, '{name}'" in str(message)]
        assert any("finding the subject" in str(message) for message in of_one)


async def test_a_cancelled_call_keeps_what_is_done_and_leaves_nothing_half_written(
    era: str, photos: Path
) -> None:
    async with in_memory(era, photos) as client:
        with anyio.CancelScope() as scope:

            async def on_progress(
                progress: float,  # noqa: ARG001  (the client names them)
                total: float | None,  # noqa: ARG001
                message: str | None,
            ) -> None:
                if message and message.startswith("2 of 3") and "subject" in message:
                    scope.cancel()

            await client.call_tool(
                "remove_backgrounds", {"inputs": [str(photos)]}, progress_callback=on_progress
            )
        # The server goes on, and by the end of another removal would have done the second too.
        again = await call(client, input=str(photos / "one.png"), overwrite=True)
        assert not again.is_error
        assert scope.cancelled_caught
        left = contents(photos)
    assert {name for name in left if "cut" in name} == {"one-cutout.png"}
    assert len(left) == 5 + 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"inputs": []}, "inputs"),
        ({"inputs": ["{folder}/more/none"]}, "no such file"),
        ({"input": ["{folder}"]}, "the nearest is inputs"),
        ({"inputs": ["{folder}"], "output_foldr": "/x"}, "the nearest is output_folder"),
        ({"inputs": ["{folder}"], "options": {"alpha_mating": True}}, "options.alpha_matting"),
        ({"inputs": ["{folder}"], "options": {"format": "JPG"}}, "JPG has no transparency"),
        ({"inputs": ["{folder}"], "output_folder": "{folder}/none"}, "no such folder"),
        ({"inputs": ["{folder}"], "output_folder": "{folder}/.."}, "not in an allowed folder"),
        ({"inputs": ["{folder}"], "backend": "runware"}, "--allow-backend"),
        ({"inputs": ["{folder}"], "model": "birefnet-genral"}, "birefnet-general"),
        ({"inputs": ["{folder}"], "model": "u2netp"}, "cutaway models pull u2netp"),
    ],
)
async def test_what_would_fail_for_every_picture_fails_at_once(
    era: str, photos: Path, arguments: dict[str, Any], reason: str
) -> None:
    before = fingerprint(photos)
    given = json.loads(json.dumps(arguments).replace("{folder}", str(photos)))
    async with in_memory(era, photos) as client:
        if reason == "no such file":  # it is about that one picture only
            result = await call(client, "remove_backgrounds", **given)
            assert reason in facts_of(result)["items"][0]["error"]
        else:
            assert reason in await refused(client, "remove_backgrounds", **given)
    assert fingerprint(photos) == before


async def test_a_folder_without_pictures_is_told(era: str, photos: Path) -> None:
    (photos / "more" / "four.png").unlink()
    async with in_memory(era, photos) as client:
        told = await refused(client, "remove_backgrounds", inputs=[str(photos / "more")])
    assert "no picture" in told


async def test_strange_names_are_no_trouble(era: str, folder: Path) -> None:
    (folder / "a\nb\u202e.png").write_bytes(PICTURE)
    put(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    facts = await batch(era, folder, folder)
    assert (facts["total"], facts["done"]) == (2, 2)  # with cat.png; one name is no text at all
    assert (folder / "a\nb\u202e-cutout.png").exists()


async def test_a_server_that_only_reads_does_not_offer_it(era: str, folder: Path) -> None:
    async with in_memory(era, folder, read_only=True) as client:
        assert "remove_backgrounds" not in {tool.name for tool in (await client.list_tools()).tools}


async def at_the_service(
    era: str, photos: Path, service: RunwareService, **arguments: Any
) -> dict[str, Any]:
    async with in_memory(
        era,
        photos,
        settings=settings_for(service, backend="local"),
        backend=service.http_url,
        allow_private_network=True,
    ) as client:
        given = {"inputs": [str(photos)], **arguments}
        return facts_of(await call(client, "remove_backgrounds", **given))


async def test_the_costs_are_summed_and_uploads_told(
    era: str, photos: Path, service: RunwareService
) -> None:
    facts = await at_the_service(era, photos, service)
    assert counts(facts) == (3, 0, 0, 0)
    assert facts["left_machine"]
    assert facts["cost"] == pytest.approx(float(sum(service.billed.values())))
    assert sum(service.billed.values()) == 3 * Decimal("0.0006")
    assert {item["task_uuid"] for item in manifest(facts).values()} == set(service.billed)


async def test_a_service_works_on_several_at_once(
    era: str, photos: Path, service: RunwareService
) -> None:
    holds = [Hold(), Hold(), Hold()]
    service.faults.extend(holds)
    done: list[dict[str, Any]] = []

    async def run() -> None:
        done.append(await at_the_service(era, photos, service))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        for hold in holds:
            assert await to_thread.run_sync(hold.reached.wait, PATIENCE)
        for hold in holds:
            hold.release.set()
    assert counts(done[0]) == (3, 0, 0, 0)


async def test_once_the_credit_is_gone_no_more_pictures_are_sent(
    era: str, folder: Path, service: RunwareService
) -> None:
    for number in range(30):
        (folder / f"{number}.png").write_bytes(PICTURE)
    refusal = Refuse(402, "insufficientCredits", "No credit.")
    service.fault_for = lambda _: refusal if len(service.billed) >= 2 else None
    facts = await at_the_service(era, folder, service)
    done, _, failed, not_tried = counts(facts)
    assert done == len(service.billed) >= 2
    assert 1 <= failed <= 4
    assert not_tried == 31 - done - failed > 20
    assert "credit" in facts["items"][0]["error"]
    statuses = [item["status"] for item in manifest(facts).values()]
    assert [statuses.count(one) for one in ("done", "failed", "not tried")] == [
        done,
        failed,
        not_tried,
    ]


async def test_a_picture_that_the_service_refuses_stops_no_other(
    era: str, photos: Path, service: RunwareService
) -> None:
    service.faults.append(Refuse(400, "invalidImage", "No."))
    assert counts(await at_the_service(era, photos, service)) == (2, 0, 1, 0)


async def test_what_is_outside_fails_by_itself_and_is_not_told_to_be_there(
    era: str, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    missing, there, long = tmp_path / "missing", tmp_path / "outside", photos / ("x" * 300)
    facts = await batch(era, photos, missing, there, long, photos / "one.png")
    assert counts(facts) == (1, 0, 3, 0)
    assert {item["status"]: item for item in facts["items"]}["done"]
    errors = {item["input"]: item["error"] for item in facts["items"] if "error" in item}
    assert errors[str(missing)].replace("missing", "outside") == errors[str(there)]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is closed to root")
async def test_a_folder_that_can_t_be_read_is_told(photos: Path) -> None:
    (photos / "more").chmod(0o300)
    async with in_memory("2026-07-28", photos) as client:
        text = await refused(client, "remove_backgrounds", inputs=[str(photos / "more")])
    assert "can't be read" in text
