"""The service's own answers, where no picture comes back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.runware_faults import Refuse
from tests.shared.cli.running import Command, json_lines

if TYPE_CHECKING:
    from tests.fakes.runware_service import RunwareService

HOOK = "https://example.com/done?token=mine"


def asked(service: RunwareService, task_type: str = "removeBackground") -> dict[str, Any]:
    """The only removal that the service was asked for."""
    (received,) = service.received(task_type)
    return dict(received.message)


@pytest.mark.parametrize("wanted", ["url", "uuid"])
def test_a_result_stays_with_the_service_and_its_place_is_told(
    photo: Path, service: RunwareService, remote: Command, wanted: str
) -> None:
    done = remote("remove", photo.name, "--return", wanted)
    (name,) = (one for one in service.account.pictures if f"{one}" in done.stdout)
    place = {"url": f"{service.origin}/results/{name}.png", "uuid": name}[wanted]
    assert (done.exit_code, done.stdout) == (0, f"photo.jpg -> {place}\n")
    assert done.stderr == "cutaway: 1 done, cost $0.0006\n"
    assert service.downloads == []
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


def test_json_tells_the_answer_as_it_came(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    done = remote("remove", photo.name, "--return", "url", "--json")
    (told,) = json_lines(done.stdout)
    assert (told["source"], told["status"], told["path"]) == ("photo.jpg", "done", None)
    assert [told["task_uuid"]] == list(service.billed)
    assert told["uuid"] in told["url"]
    assert told["cost"] == 0.0006
    assert told["answer"]["imageURL"] == told["url"]
    assert told["answer"]["inputImageUUID"] in service.account.pictures


def test_a_webhook_gets_the_result_and_the_run_a_receipt(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    done = remote("remove", photo.name, "--webhook-url", HOOK)
    message = asked(service)
    assert message["webhookURL"] == HOOK
    assert done.stdout == f"photo.jpg -> accepted, as the task {message['taskUUID']}\n"
    assert done.stderr == "cutaway: 1 done, 1 at an unknown price\n"
    assert service.received("getResponse") == []


def test_what_only_the_wire_knows_goes_through_as_it_is_given(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    flags = ("--upload-endpoint", "https://storage.example.com/x?signed=1", "--ttl", "3600")
    assert remote("remove", photo, *flags, "--format", "webp", "--quality", "80").exit_code == 0
    message = asked(service)
    assert message["uploadEndpoint"] == "https://storage.example.com/x?signed=1"
    assert (message["ttl"], message["outputType"]) == (3600, "URL")
    assert (message["outputFormat"], message["outputQuality"]) == ("WEBP", 80)
    assert "settings" not in message


@pytest.mark.parametrize("dialect", ["new", "legacy"])
def test_mask_and_fill_are_the_services_own_work(
    photo: Path, service: RunwareService, remote: Command, dialect: str
) -> None:
    view = ("--output", "mask", "--post-process-mask", "--background", "#0a0b0c80")
    matting = ("--alpha-matting", "--foreground-threshold", "200", "--erode-size", "7")
    model = ("--model", "rembg-v1-4", "--dialect", dialect)
    assert remote("remove", photo, "--return", "url", *view, *matting, *model).exit_code == 0
    legacy = dialect == "legacy"
    message = asked(service, "imageBackgroundRemoval" if legacy else "removeBackground")
    settings = message if legacy else message["settings"]
    assert settings["returnOnlyMask"] is settings["postProcessMask"] is True
    assert settings["rgba"][:3] == [10, 11, 12]
    assert settings["rgba"][3] == pytest.approx(0.5, abs=0.01)
    assert settings["alphaMatting"] is True
    assert settings["alphaMattingForegroundThreshold"] == 200
    assert settings["alphaMattingErodeSize"] == 7
    assert "alphaMattingBackgroundThreshold" not in settings


def test_a_stored_picture_and_a_url_are_named_as_they_are(
    picture: bytes, service: RunwareService, remote: Command
) -> None:
    stored = service.account.keep(picture)
    url = service.account.address(f"{stored}.png")
    done = remote("remove", stored, url, "--return", "uuid", "--allow-private-network")
    assert done.exit_code == 0
    images = [one.message["inputs"]["image"] for one in service.received("removeBackground")]
    assert sorted(images) == sorted([stored, url])
    assert f"{stored} -> " in done.stdout


def test_one_failure_stops_no_other(photo: Path, service: RunwareService, remote: Command) -> None:
    for name in ("a.jpg", "b.jpg"):
        photo.with_name(name).write_bytes(photo.read_bytes())
    service.faults.append(Refuse(400, "invalidImage", "No."))
    done = remote("remove", ".", "--return", "url", "--jobs", "1")
    assert done.exit_code == 1
    assert "cutaway: a.jpg: the service doesn't take the task as it is" in done.stderr
    assert [line.partition(" -> ")[0] for line in done.stdout.splitlines()] == [
        "b.jpg",
        "photo.jpg",
    ]
    assert done.stderr.endswith("cutaway: 2 done, 1 failed, cost $0.0012\n")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["-o", "x.png"], "-o is for pictures that come back"),
        (["--overwrite"], "--overwrite is for pictures that come back"),
        (["--drop-metadata"], "--drop-metadata is for pictures"),
        (["--keep-hidden-colour"], "--keep-hidden-colour is for pictures"),
        (["--no-refine"], "--no-refine is for pictures"),
        (["--no-clean-edges"], "--no-clean-edges is for pictures"),
        (["--background", "red"], "runware:112@2 takes no rgba"),
        (["--output", "mask"], "runware:112@2 takes no return_only_mask"),
        (["--ttl", "59"], "59 is not in the range"),
        (["--webhook-url", "example.com"], "it must be an http or https URL"),
        (["--upload-endpoint", "ftp://example.com"], "it must be an http or https URL"),
        (["--dialect", "legacy", "--ttl", "60"], "the legacy dialect has no word for ttl"),
        (["--return", "uuid", "--ttl", "60"], "it goes with --return url"),
        (["--upload-endpoint", "https://example.com", "other.jpg"], "takes one picture"),
        (["--alpha-matting", "--model", "rembg-v1-4", "--max-cost", "1"], "its price isn't known"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_the_service_cannot_be_asked_is_wrong_use_and_sends_nothing(
    photo: Path, service: RunwareService, remote: Command, flags: list[str], told: str
) -> None:
    done = remote("remove", photo, "--return", "url", *flags)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert service.requests == []
    assert list(Path().iterdir()) == [Path("photo.jpg")]
