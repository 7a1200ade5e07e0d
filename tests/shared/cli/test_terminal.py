"""What a person at a terminal is asked and shown, on a real pseudo-terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cutaway import catalogue
from tests.fakes.file_server import FileServer, Hold, Reply
from tests.shared.cli.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals of this kind", allow_module_level=True)

QUESTION = "No model is installed. Get u2netp (4.6 MB, Apache-2.0) now? [Y/n]"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A mirror that serves a file of u2netp's name and length, but not its bytes."""
    with FileServer() as server:
        model = catalogue.find("u2netp")
        server.put(f"/{model.file}", bytes(model.size))
        monkeypatch.setenv("CUTAWAY_MODELS_URL", server.url)
        yield server


def test_without_a_model_one_is_offered_and_no_means_the_classical_engine(
    photo: Path, server: FileServer
) -> None:
    with terminal("remove", photo) as person:
        person.read_until(QUESTION)
        person.type("n\n")
        assert person.finish() == 0
    assert photo.with_name("photo-cutout.png").exists()
    assert "no model is installed, so the classical engine ran" in person.shown
    assert server.requests == []


def test_the_answer_yes_fetches_it_and_after_a_failure_the_classical_engine_runs(
    photo: Path, server: FileServer
) -> None:
    with terminal("remove", photo) as person:
        person.read_until(QUESTION)
        person.type("\n")
        assert person.finish() == 0
    assert "not the published file of u2netp" in person.shown
    assert "no model is installed, so the classical engine ran" in person.shown
    assert photo.with_name("photo-cutout.png").exists()
    assert len(server.requests) == 1


@pytest.mark.parametrize("given", ["missing.jpg", "photo.jpg", "empty"])
def test_no_model_is_offered_where_nothing_will_be_done(
    photo: Path, server: FileServer, given: str
) -> None:
    photo.with_name("photo-cutout.png").write_text("mine", encoding="utf-8")
    photo.with_name("empty").mkdir()
    with terminal("remove", given) as person:
        person.type("n\n")
        assert person.finish() == 1
    assert "[Y/n]" not in person.shown
    assert server.requests == []


def test_a_model_is_offered_if_one_of_several_pictures_is_to_be_done(
    photo: Path, server: FileServer
) -> None:
    with terminal("remove", "missing.jpg", photo) as person:
        person.read_until(QUESTION)
        person.type("n\n")
        assert person.finish() == 1
    assert server.requests == []


def test_a_download_shows_how_far_it_is(server: FileServer) -> None:
    hold = Hold()
    server.script("/u2netp.onnx", Reply(hold_after=2_000_000, hold=hold))
    with terminal("models", "pull", "u2netp") as person:
        assert hold.reached.wait(30)
        person.read_until("/4.6 MB")
        hold.release()
        assert person.finish() == 1


def test_ctrl_c_at_the_question_ends_the_run(photo: Path, server: FileServer, ctrl_c: int) -> None:
    with terminal("remove", photo) as person:
        person.read_until(QUESTION)
        person.running.send_signal(ctrl_c)
        # Python may be about to read when the signal comes: then it notices once it has read.
        person.type("\n")
        assert person.finish() == 130
    assert server.requests == []
    assert not photo.with_name("photo-cutout.png").exists()


@pytest.mark.parametrize("flag", ["--quiet", "--json"])
def test_programs_are_never_asked(photo: Path, server: FileServer, flag: str) -> None:
    with terminal("remove", photo, flag) as person:
        assert person.finish() == 0
    assert "[Y/n]" not in person.shown
    assert server.requests == []


def test_a_restricted_licence_is_asked_about_and_no_is_no(server: FileServer) -> None:
    with terminal("models", "pull", "bria-rmbg", "u2netp") as person:
        person.read_until("Do you accept it? [y/N]")
        person.type("\n")
        assert person.finish() == 1
    assert "The licence of bria-rmbg: BRIA RMBG-2.0, non-commercial; " in person.shown
    assert "bria-rmbg was not fetched: its licence was not accepted." in person.shown
    assert "--accept-licence" not in person.shown.partition("[y/N]")[2]
    assert [request.path for request in server.requests] == ["/u2netp.onnx"]


def test_a_picture_is_not_written_to_a_terminal(photo: Path) -> None:
    with terminal("remove", photo, "-o", "-") as person:
        assert person.finish() == 2
    assert "standard output is a terminal" in person.shown


def test_a_picture_is_not_read_from_a_terminal() -> None:
    with terminal("remove", "-", "-o", "x.png") as person:
        assert person.finish() == 2
    assert "standard input is a terminal" in person.shown


def test_many_pictures_show_one_bar(photo: Path) -> None:
    photo.with_name("other.jpg").write_bytes(photo.read_bytes())
    with terminal("remove", ".", "--model", "classical") as person:
        assert person.finish() == 0
    assert "removing backgrounds" in person.shown
    assert "2/2" in person.shown
    assert "cutaway: 2 done" in person.shown
    assert person.shown.count("\x1b[?25l") == person.shown.count("\x1b[?25h") == 1
