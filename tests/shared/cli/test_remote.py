"""Pictures whose subjects a service finds."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from tests.fakes.runware_faults import PATIENCE, Close, Fault, Hold, Refuse
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.cli.running import Command, cli, json_lines, process, process_command

if TYPE_CHECKING:
    from tests.fakes.runware_faults import Channel, Work
    from tests.fakes.runware_service import RunwareService

CAMERA = 0x010F
posix_only = pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")


@dataclass(frozen=True, slots=True)
class Together(Fault):
    """Nothing is answered before as many tasks are there as the barrier wants."""

    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(4))

    def play(self, work: Work, channel: Channel) -> None:
        self.barrier.wait(PATIENCE)
        channel.send(work())


@pytest.fixture
def album(folder: Path) -> Path:
    """A folder `album` of four pictures."""
    (folder / "album").mkdir()
    for number in range(4):
        picture = as_file(portrait(96, 72, seed=number), "JPEG")
        (folder / "album" / f"{number}.jpg").write_bytes(picture)
    return folder / "album"


def removals(service: RunwareService) -> list[dict[str, Any]]:
    """The removals that the service was asked for, in order."""
    return [dict(one.message) for one in service.received("removeBackground")]


def sent_picture(service: RunwareService) -> bytes:
    """The bytes of the only picture that was sent."""
    (message,) = removals(service)
    return base64.b64decode(message["inputs"]["image"].partition(",")[2])


def test_a_picture_comes_back_in_its_own_pixels_with_its_price(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    done = remote("remove", photo.name)
    assert done.exit_code == 0
    told = r"photo\.jpg -> photo-cutout\.png \(96x72, runware:112@2, \d+\.\d s, \$0\.0006\)\n"
    assert re.fullmatch(told, done.stdout)
    assert done.stderr == "cutaway: 1 done, cost $0.0006\n"
    cutout = np.asarray(Image.open("photo-cutout.png"))
    assert overlap(cutout[..., 3], ellipse(96, 72)) > 0.9
    inside = cutout[..., 3] == 255
    assert np.array_equal(cutout[inside][:, :3], np.asarray(Image.open(photo))[inside])
    assert len(service.requests) == len(service.billed) == 1


def test_json_tells_the_cost_and_the_task(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    (told,) = json_lines(remote("remove", photo, "--json").stdout)
    assert (told["status"], told["cost"], told["backend"]) == ("done", 0.0006, service.origin)
    assert [told["task_uuid"]] == list(service.billed)
    assert "waiting for the service" in told["seconds"]


def test_a_picture_goes_through_a_pipe(
    folder: Path, picture: bytes, service: RunwareService
) -> None:
    done = process("remove", "-", "-o", "-", data=picture)
    assert (done.returncode, done.stdout[:4]) == (0, b"\x89PNG")
    assert b"$0.0006" in done.stderr
    assert service.key.encode() not in done.stderr
    assert list(folder.iterdir()) == []


def test_of_a_folder_four_pictures_are_with_the_service_at_once(
    album: Path, service: RunwareService, remote: Command
) -> None:
    together = Together()
    service.fault_for = lambda _: together
    done = remote("remove", album)
    assert done.exit_code == 0
    assert done.stderr == "cutaway: 4 done, cost $0.0024\n"
    assert len(list(album.glob("*-cutout.png"))) == 4
    assert len(service.billed) == len(service.requests) == 4


def test_as_many_are_with_the_service_as_jobs_says(
    album: Path, service: RunwareService, remote: Command
) -> None:
    together = Together(threading.Barrier(2))
    service.fault_for = lambda _: together
    assert remote("remove", album, "--jobs", "2").exit_code == 0
    assert not together.barrier.broken


def test_what_is_finished_is_skipped_before_anything_is_sent(
    album: Path, service: RunwareService, remote: Command
) -> None:
    assert remote("remove", album / "0.jpg", album / "1.jpg").exit_code == 0
    before = len(service.requests)
    done = remote("remove", album, "--json")
    assert [line["status"] for line in json_lines(done.stdout)] == ["skipped"] * 2 + ["done"] * 2
    assert len(service.requests) == before + 2
    assert remote("remove", album).stderr == "cutaway: 4 skipped\n"
    assert len(service.requests) == before + 2


def test_a_result_that_is_there_already_costs_nothing(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    photo.with_name("photo-cutout.png").write_text("mine", encoding="utf-8")
    assert remote("remove", photo).exit_code == 1
    assert service.requests == []


@posix_only
def test_a_run_that_is_interrupted_stops_at_once_and_the_next_one_does_the_rest(
    album: Path, service: RunwareService, ctrl_c: int
) -> None:
    hold = Hold(accepted=False)
    service.faults.extend([None, hold])
    command = process_command("remove", album, "--jobs", "1")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as running:
        assert hold.reached.wait(PATIENCE)
        os.killpg(running.pid, ctrl_c)
        _, told = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    bill = b"cutaway: 1 done, cost $0.0006, up to 1 under way may be billed too\n"
    assert told == bill + b"\ncutaway: interrupted\n"
    assert len(list(album.glob("*-cutout.png"))) == 1
    assert not list(album.glob(".*"))
    done = process("remove", album)
    assert (done.returncode, done.stderr) == (0, b"cutaway: 3 done, 1 skipped, cost $0.0018\n")


def test_one_failure_stops_no_other_and_tells_what_the_service_said(
    album: Path, service: RunwareService, remote: Command
) -> None:
    fields = {
        "parameter": "inputs.image",
        "allowedValues": ["PNG", "JPG"],
        "documentation": "https://runware.ai/docs",
    }
    service.faults.extend([Refuse(400, "invalidImage", "No.", fields=fields)])
    done = remote("remove", album, "--json", "--jobs", "1")
    failed, *finished = json_lines(done.stdout)
    assert done.exit_code == 1
    assert [line["status"] for line in finished] == ["done"] * 3
    error = failed["error"]
    assert (error["code"], error["raw_code"], error["status"]) == (
        "invalid-request",
        "invalidImage",
        400,
    )
    assert error["parameter"] == "inputs.image"
    assert error["allowed_values"] == ["PNG", "JPG"]
    assert error["documentation"] == "https://runware.ai/docs"
    assert error["task_uuid"] not in service.billed


def test_the_rest_of_a_folder_is_done_and_paid_where_one_fails(
    album: Path, service: RunwareService, remote: Command
) -> None:
    service.faults.extend([Refuse(402, "insufficientCredits", "No credit.")])
    done = remote("remove", album, "--jobs", "1")
    assert done.exit_code == 1
    assert "0.jpg: the account has no credit left" in done.stderr
    assert done.stderr.endswith("cutaway: 3 done, 1 failed, cost $0.0018\n")


def test_the_result_of_a_task_that_was_given_up_is_taken_and_nothing_sent_again(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    hold = Hold()
    service.faults.append(hold)
    given_up = remote("remove", photo, "--timeout", "0.2", "--json")
    hold.release.set()
    (uuid,) = (error["task_uuid"] for error in [json_lines(given_up.stdout)[0]["error"]])
    done = remote("remove", photo, "--task-uuid", uuid, "--json")
    assert done.exit_code == 0, done.output
    assert json_lines(done.stdout)[0]["task_uuid"] == uuid
    assert photo.with_name("photo-cutout.png").exists()
    assert list(service.billed) == [uuid]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["other.jpg"], "one picture's"),
        (["--return", "url"], "nothing is sent"),
        (["--dry-run"], "nothing is sent"),
        (["--backend", "local"], "--task-uuid needs --backend"),
    ],
)
def test_an_earlier_task_is_taken_up_for_one_picture_that_comes_back(
    photo: Path, remote: Command, more: list[str], why: str
) -> None:
    done = remote("remove", photo, *more, "--task-uuid", str(uuid4()))
    assert done.exit_code == 2
    assert why in done.stderr


def test_a_task_that_is_out_of_time_may_still_be_billed_and_says_so(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    service.fault_for = lambda _: Hold()
    done = remote("remove", photo, "--timeout", "0.3")
    assert done.exit_code == 1
    assert "cutaway: 1 failed, 1 of the failed may be billed too" in done.stderr
    (task_uuid,) = service.billed
    assert task_uuid in done.stderr


@pytest.mark.parametrize(
    "fault", [Close(4000, accepted=True), Refuse(200, "somethingNew", accepted=True)]
)
def test_a_task_that_was_left_at_an_unknown_word_may_still_be_billed(
    photo: Path, service: RunwareService, remote: Command, fault: Fault
) -> None:
    service.faults.append(fault)
    done = remote("remove", photo, "--transport", "websocket")
    assert done.exit_code == 1
    assert len(service.billed) == 1
    assert done.stderr.endswith("cutaway: 1 failed, 1 of the failed may be billed too\n")


def test_a_result_that_cannot_be_written_was_paid_for_and_can_be_asked_for(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    Path("file").write_text("in the way", encoding="utf-8")
    done = remote("remove", photo, "-o", "file/below/")
    assert done.exit_code == 1
    assert done.stderr.endswith("cutaway: 1 failed, cost $0.0006\n")
    (told,) = json_lines(remote("remove", photo, "-o", "file/below/", "--json").stdout)
    assert told["error"]["code"] == "output"
    assert told["error"]["task_uuid"] in service.billed


@pytest.mark.parametrize("name", ["runware:112@9", "birefnet-matting", "BIREFNET-MATTING"])
def test_a_model_is_named_by_its_air_or_readable_name(
    photo: Path, service: RunwareService, remote: Command, name: str
) -> None:
    assert remote("remove", photo, "--model", name).exit_code == 0
    assert [message["model"] for message in removals(service)] == ["runware:112@9"]


def test_a_local_models_name_means_the_same_weights_there(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    assert remote("remove", photo, "--model", "birefnet-portrait").exit_code == 0
    assert [message["model"] for message in removals(service)] == ["runware:112@10"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--model", "birefnet-matingg"], "The nearest is birefnet-matting"),
        (["--model", "u2netp"], "Runware runs no model u2netp"),
        (["--model", "classical"], "Runware runs no model classical"),
        (["--model", "bria:51@1"], "it works on videos"),
        (["--max-cost", "0.0005"], "its price is $0.0006, the limit $0.0005"),
        (["--max-cost", "1", "--model", "bria:2@1"], "its price isn't known"),
        (["--weights", "photo.jpg", "--model", "u2net"], "Leave the weights out"),
        (["--max-cost", "-1"], "at least 0"),
        (["--timeout", "nan"], "more than 0"),
        (["--backend", "ftp://example.com"], "nor a whole http(s) or ws(s) URL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_wrong_use_and_sends_nothing(
    photo: Path, service: RunwareService, remote: Command, flags: list[str], told: str
) -> None:
    done = remote("remove", photo, *flags)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert service.requests == []
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


def test_a_limit_on_the_price_that_is_kept_lets_the_picture_through(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    assert remote("remove", photo, "--max-cost", "0.0006").exit_code == 0
    assert len(service.billed) == 1


FOR_A_SERVICE = [
    ["--transport", "http"],
    ["--delivery", "sync"],
    ["--dialect", "new"],
    ["--send", "reduced"],
    ["--max-cost", "1"],
    ["--timeout", "9"],
    ["--return", "url"],
    ["--webhook-url", "https://example.com"],
    ["--upload-endpoint", "https://example.com"],
    ["--ttl", "60"],
]


@pytest.mark.parametrize("flags", FOR_A_SERVICE, ids=" ".join)
def test_what_only_a_service_can_do_is_wrong_use_on_this_machine(
    photo: Path, flags: list[str]
) -> None:
    done = cli("remove", photo, "--model", "classical", *flags)
    assert done.exit_code == 2
    assert f"{flags[0]} needs --backend runware, or a service's URL" in done.stderr


def test_the_backend_of_a_run_wins_over_the_one_that_is_set(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    done = remote("remove", photo, "--backend", "local", "--model", "classical", "--json")
    (told,) = json_lines(done.stdout)
    assert (told["backend"], told["cost"], told["task_uuid"]) == ("local", None, None)
    assert service.requests == []


def test_a_key_alone_sends_nothing(
    photo: Path, service: RunwareService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUTAWAY_BACKEND")
    (told,) = json_lines(cli("remove", photo, "--model", "classical", "--json").stdout)
    assert told["backend"] == "local"
    assert service.requests == []


@pytest.mark.parametrize("spelling", ["flag", "scheme", "setting"])
def test_the_transport_is_chosen_by_flag_scheme_or_setting(
    photo: Path,
    service: RunwareService,
    remote: Command,
    monkeypatch: pytest.MonkeyPatch,
    spelling: str,
) -> None:
    flags = {
        "flag": ["--transport", "websocket"],
        "scheme": ["--backend", service.ws_url],
        "setting": [],
    }
    if spelling == "setting":
        monkeypatch.setenv("CUTAWAY_TRANSPORT", "websocket")
    assert remote("remove", photo, *flags[spelling]).exit_code == 0
    assert {one.transport for one in service.requests} == {"websocket"}
    assert len(service.billed) == 1


def test_delivery_and_dialect_reach_the_service(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    flags = ("--delivery", "async", "--overwrite")
    assert remote("remove", photo, *flags).exit_code == 0
    assert [message["deliveryMethod"] for message in removals(service)] == ["async"]
    assert service.received("getResponse")
    assert remote("remove", photo, "--dialect", "legacy", "--overwrite").exit_code == 0
    assert len(service.received("imageBackgroundRemoval")) == 1


def test_a_small_copy_without_metadata_is_sent_unless_the_original_is_wished(
    folder: Path, service: RunwareService, remote: Command
) -> None:
    exif = Image.Exif()
    exif[CAMERA] = "Camera"
    original = as_file(portrait(3000, 60), "JPEG", exif=exif)
    (folder / "photo.jpg").write_bytes(original)
    assert remote("remove", "photo.jpg").exit_code == 0
    copy = sent_picture(service)
    assert b"Camera" not in copy
    with Image.open("photo-cutout.png") as cutout:
        assert cutout.size == (3000, 60)
    service.requests.clear()
    assert remote("remove", "photo.jpg", "--send", "original", "--overwrite").exit_code == 0
    assert sent_picture(service) == original


def test_options_that_the_model_knows_nothing_of_work_all_the_same(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    flags = ("--output", "mask", "--post-process-mask", "--alpha-matting", "--erode-size", "3")
    assert remote("remove", photo, *flags).exit_code == 0
    with Image.open("photo-mask.png") as mask:
        assert (mask.mode, mask.size) == ("L", (96, 72))
    (message,) = removals(service)
    assert "settings" not in message


def test_a_stored_picture_is_named_by_its_uuid(
    folder: Path, picture: bytes, service: RunwareService, remote: Command
) -> None:
    stored = service.account.keep(picture)
    done = remote("remove", stored)
    assert done.exit_code == 0
    assert (folder / f"{stored}-cutout.png").exists()
    assert f"cutaway: {stored}: the picture is the service's own copy" in done.stderr
    (message,) = removals(service)
    assert message["inputs"]["image"] == stored


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_at_a_terminal_no_local_model_is_offered_and_waiting_is_shown(
    photo: Path, service: RunwareService
) -> None:
    from tests.shared.cli.terminal import terminal

    hold = Hold()
    service.faults.append(hold)
    with terminal("remove", photo) as person:
        person.read_until("waiting for the service")
        hold.release.set()
        assert person.finish() == 0
    assert "[Y/n]" not in person.shown
    assert service.key not in person.shown
