"""What a run would do, told without doing it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.shared.cli.running import Command, Words, cli, json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.runware_service import RunwareService


@pytest.fixture
def album(photo: Path, service: RunwareService) -> Iterator[Path]:
    """The folder of `photo.jpg`; afterwards there is nothing more in it, and nothing was sent."""
    yield photo.parent
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]
    assert service.connections == 0


@pytest.mark.usefixtures("album")
def test_what_would_be_sent_and_where_to_and_what_it_would_cost_is_told(
    service: RunwareService, remote: Command
) -> None:
    done = remote("remove", "photo.jpg", "--dry-run")
    assert done.exit_code == 0
    told, size, rest = done.stdout.partition("96x72 pixels ")
    assert told == "photo.jpg: would send removeBackground for runware:112@2 with "
    assert size
    assert rest.endswith(f" of image/jpeg) to {service.http_url}, $0.0006\n")
    assert done.stderr == "cutaway: 1 planned, would cost $0.0006\n"


@pytest.mark.usefixtures("album")
def test_json_is_the_message_without_the_pictures_data(
    service: RunwareService, remote: Command
) -> None:
    done = remote("remove", "photo.jpg", "--dry-run", "--json", "--delivery", "async")
    (told,) = json_lines(done.stdout)
    assert (told["status"], told["path"], told["cost"]) == ("planned", "photo-cutout.png", 0.0006)
    assert told["backend"] == service.http_url
    assert (told["size"], told["model"]) == ([96, 72], "runware:112@2")
    message = told["message"]
    assert message["taskType"] == "removeBackground"
    assert message["deliveryMethod"] == "async"
    assert message["inputs"]["image"].startswith("<96x72 pixels (")
    assert told["bytes"] > 500
    assert len(json.dumps(told)) < 1000


@pytest.mark.usefixtures("album")
def test_the_legacy_message_is_told_in_its_own_words(remote: Command) -> None:
    (told,) = json_lines(
        remote("remove", "photo.jpg", "--dry-run", "--json", "--dialect", "legacy").stdout
    )
    assert told["message"]["taskType"] == "imageBackgroundRemoval"
    assert told["message"]["inputImage"].startswith("<96x72 pixels (")


@pytest.mark.usefixtures("album")
def test_an_own_answers_parameters_are_in_the_message(remote: Command) -> None:
    flags = ("--return", "url", "--ttl", "90", "--webhook-url", "https://example.com/x")
    (told,) = json_lines(remote("remove", "photo.jpg", "--dry-run", "--json", *flags).stdout)
    assert told["message"]["ttl"] == 90
    assert told["message"]["webhookURL"] == "https://example.com/x"
    assert told["path"] is None


@pytest.mark.usefixtures("album")
def test_a_picture_that_is_named_stands_in_the_message_by_its_name(remote: Command) -> None:
    uuid = "c43efb44-a76e-4781-8781-542726b2ad84"
    url = "https://93.184.215.14/photo.jpg"
    done = remote("remove", uuid, url, "--return", "uuid", "--dry-run", "--json")
    images = {line["message"]["inputs"]["image"] for line in json_lines(done.stdout)}
    assert images == {uuid, url}
    assert "with the picture's UUID to" in remote("remove", uuid, "--dry-run").stdout


def test_of_several_the_sum_is_told_and_what_is_there_is_left_out(
    photo: Path, service: RunwareService, remote: Command
) -> None:
    for name in ("a.jpg", "b.jpg", "b-cutout.png"):
        photo.with_name(name).write_bytes(photo.read_bytes())
    photo.with_name("broken.jpg").write_text("no picture", encoding="utf-8")
    done = remote("remove", ".", "--dry-run")
    assert done.exit_code == 1
    assert "b.jpg: skipped, b-cutout.png is there already\n" in done.stdout
    assert done.stderr.endswith("cutaway: 2 planned, 1 skipped, 1 failed, would cost $0.0012\n")
    assert service.connections == 0


@pytest.mark.usefixtures("album")
def test_an_unknown_price_is_said_to_be_unknown(remote: Command) -> None:
    done = remote("remove", "photo.jpg", "--dry-run", "--model", "birefnet-portrait")
    assert done.stdout.endswith(", price unknown\n")
    assert done.stderr == "cutaway: 1 planned, 1 at an unknown price\n"


@pytest.mark.usefixtures("album")
def test_what_would_be_refused_is_refused(remote: Command) -> None:
    done = remote("remove", "photo.jpg", "--dry-run", "--max-cost", "0.0001")
    assert done.exit_code == 2
    assert "its price is $0.0006, the limit $0.0001" in done.stderr


def test_a_url_that_the_service_could_not_reach_is_refused_as_it_would_be(
    service: RunwareService, remote: Command
) -> None:
    flags = (f"{service.origin}/photo.jpg", "--return", "url", "--dry-run")
    done = remote("remove", *flags)
    assert done.exit_code == 1
    assert "which is not a public address" in done.stderr
    assert remote("remove", *flags, "--allow-private-network").exit_code == 0
    assert service.connections == 0


@pytest.mark.parametrize("name", ["runware", "RunWare"])
def test_no_key_is_needed(photo: Path, name: str) -> None:
    done = cli("remove", photo, "--backend", name, "--dry-run")
    assert done.exit_code == 0
    assert "to https://api.runware.ai/v1, $0.0006" in done.stdout


def test_on_this_machine_the_model_that_would_run_is_told(photo: Path, quick: Words) -> None:
    done = cli("remove", photo.name, "--dry-run")
    told = "photo.jpg -> photo-cutout.png: classical would run on this machine\n"
    assert (done.exit_code, done.stdout, done.stderr) == (0, told, "")
    (facts,) = json_lines(cli("remove", photo, "--dry-run", "--json", *quick).stdout)
    assert (facts["status"], facts["backend"], facts["model"]) == ("planned", "local", "u2netp")
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


def test_on_this_machine_too_a_model_that_cannot_run_is_told(photo: Path) -> None:
    done = cli("remove", photo, "--dry-run", "--model", "birefnet-general")
    assert done.exit_code == 1
    assert "cutaway models pull birefnet-general" in done.stderr
