from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared.cli.running import Words, cli, json_lines


@pytest.fixture
def album(folder: Path, picture: bytes) -> Path:
    """A folder `album` of pictures, a folder below it, and what is no picture to work on."""
    album = folder / "album"
    for name in ("b.jpg", "a.JPEG", ".hidden.jpg", "below/c.jpg", ".thumbnails/d.jpg"):
        path = album / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    (album / "notes.txt").write_text("no picture", encoding="utf-8")
    return album


def sources(*arguments: str | Path) -> list[str]:
    """What a run works on, in order."""
    done = cli("remove", *arguments, "--json")
    assert done.exit_code == 0
    return [Path(line["source"]).name for line in json_lines(done.stdout)]


def results(folder: Path) -> list[str]:
    """The cutouts below a folder."""
    found = folder.rglob("*-cutout.png")
    return sorted(path.relative_to(folder).as_posix() for path in found)


def test_of_a_folder_the_pictures_directly_inside_are_worked_on_by_name(
    album: Path, quick: Words
) -> None:
    assert sources(album, *quick) == ["a.JPEG", "b.jpg"]
    assert results(album) == ["a-cutout.png", "b-cutout.png"]


def test_recursive_takes_what_is_below_too_but_nothing_hidden(album: Path, quick: Words) -> None:
    assert sources(album, "--recursive", *quick) == ["a.JPEG", "b.jpg", "c.jpg"]
    assert results(album) == ["a-cutout.png", "b-cutout.png", "below/c-cutout.png"]


def test_an_output_folder_is_made_and_keeps_the_tree(album: Path, quick: Words) -> None:
    assert cli("remove", album, "--recursive", "-o", "new/cut", *quick).exit_code == 0
    assert results(Path("new/cut")) == ["a-cutout.png", "b-cutout.png", "below/c-cutout.png"]


@pytest.mark.parametrize("flags", [[], ["--recursive"], ["--recursive", "-o", "album/out"]])
def test_a_second_run_skips_all_and_takes_no_result_for_an_input(
    album: Path, flags: list[str], quick: Words
) -> None:
    assert cli("remove", album, *flags, *quick).exit_code == 0
    again = cli("remove", album, *flags, "--json", *quick)
    assert again.exit_code == 0
    lines = json_lines(again.stdout)
    assert {line["status"] for line in lines} == {"skipped"}
    assert len(lines) == (3 if flags else 2)


def test_results_of_other_views_are_not_inputs_either(
    album: Path, picture: bytes, quick: Words
) -> None:
    for name in ("a-mask.png", "b-flattened.webp", "holiday-mask.jpg"):
        (album / name).write_bytes(picture)
    assert sources(album, *quick) == ["a.JPEG", "b.jpg", "holiday-mask.jpg"]


def test_a_result_that_is_named_is_an_input(album: Path, picture: bytes, quick: Words) -> None:
    (album / "a-cutout.png").write_bytes(picture)
    assert sources(album / "a-cutout.png", *quick) == ["a-cutout.png"]


def test_a_folder_without_pictures_fails_and_stops_no_other(album: Path, quick: Words) -> None:
    (album.parent / "empty").mkdir()
    done = cli("remove", "empty", album, "-o", "out", *quick)
    assert done.exit_code == 1
    told = "cutaway: empty can't be used: it holds no pictures. Use --recursive to look into"
    assert told in done.stderr
    assert results(Path("out")) == ["a-cutout.png", "b-cutout.png"]


def test_of_two_inputs_with_one_name_the_second_fails_and_has_no_path(
    folder: Path, picture: bytes, quick: Words
) -> None:
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / name / "a.jpg").write_bytes(picture)
    done = cli("remove", "x", "y", "-o", "out", "--overwrite", "--json", *quick)
    first, second = sorted(json_lines(done.stdout), key=lambda line: str(line["status"]))
    assert done.exit_code == 1
    assert (first["source"], first["path"]) == ("x/a.jpg", "out/a.jpg-cutout.png")
    assert (second["source"], second["path"]) == ("y/a.jpg", None)
    assert second["error"]["why"] == "it is the result of x/a.jpg"


@pytest.mark.parametrize("order", [("a.jpg", "a.png"), ("a.png", "a.jpg"), (".",)])
def test_inputs_with_one_stem_name_their_results_in_full_and_a_second_run_skips_them(
    folder: Path, picture: bytes, order: Words, quick: Words
) -> None:
    for name in ("a.jpg", "a.png", "b.jpg"):
        (folder / name).write_bytes(picture)
    assert cli("remove", *order, "b.jpg", *quick).exit_code == 0
    assert results(folder) == ["a.jpg-cutout.png", "a.png-cutout.png", "b-cutout.png"]
    again = cli("remove", ".", "--json", *quick)
    lines = json_lines(again.stdout)
    assert again.exit_code == 0
    assert [(line["source"], line["status"]) for line in lines] == [
        ("a.jpg", "skipped"),
        ("a.png", "skipped"),
        ("b.jpg", "skipped"),
    ]


@pytest.mark.parametrize("again", ["album/b.jpg", "./album/below/../b.jpg", "album"])
def test_a_file_that_is_given_again_is_worked_on_once(
    album: Path, again: str, quick: Words
) -> None:
    assert sources("album/b.jpg", again, "-o", "out/", *quick)[:1] == ["b.jpg"]
    assert results(Path("out")).count("b-cutout.png") == 1
    assert not list(album.glob("*-cutout.png"))


def test_an_input_that_cannot_be_used_has_no_path(album: Path) -> None:
    (album / "b.jpg").unlink()
    (album / "a.JPEG").unlink()
    (told,) = json_lines(cli("remove", "album", "--model", "classical", "--json").stdout)
    assert (told["status"], told["path"]) == ("failed", None)


def test_a_result_never_replaces_another_input(folder: Path, picture: bytes, quick: Words) -> None:
    for name in ("photo.jpg", "photo-cutout.png"):
        (folder / name).write_bytes(picture)
    done = cli("remove", "photo.jpg", "photo-cutout.png", "--overwrite", *quick)
    assert done.exit_code == 1
    assert "it is an input of this run, photo-cutout.png" in done.stderr
    assert (folder / "photo-cutout.png").read_bytes() == picture


def test_a_picture_can_be_replaced_by_its_own_result(photo: Path, quick: Words) -> None:
    flags = ("--output", "flattened", "--overwrite", *quick)
    before = photo.read_bytes()
    assert cli("remove", photo, "-o", photo, *flags).exit_code == 0
    assert photo.read_bytes() != before


def test_one_picture_goes_into_a_folder_that_is_named_as_one(photo: Path, quick: Words) -> None:
    assert cli("remove", photo, "-o", "new/", *quick).exit_code == 0
    assert results(photo.parent / "new") == ["photo-cutout.png"]
    Path("there").mkdir()
    assert cli("remove", photo, "-o", "there", *quick).exit_code == 0
    assert results(photo.parent / "there") == ["photo-cutout.png"]


def test_a_name_without_an_ending_is_a_file_for_one_picture(photo: Path, quick: Words) -> None:
    assert cli("remove", photo, "-o", "result", *quick).exit_code == 0
    assert Path("result").read_bytes().startswith(b"\x89PNG")


def test_several_pictures_do_not_go_into_a_file_that_is_there(album: Path, quick: Words) -> None:
    done = cli("remove", album, "-o", album / "notes.txt", *quick)
    assert done.exit_code == 2
    assert (album / "notes.txt").read_text(encoding="utf-8") == "no picture"


def test_a_folder_that_cannot_be_made_fails_in_one_line(photo: Path, quick: Words) -> None:
    Path("file").write_text("in the way", encoding="utf-8")
    done = cli("remove", photo, "-o", "file/below/", *quick)
    assert done.exit_code == 1
    assert "the folder file/below was not made" in done.stderr


def test_a_file_name_cannot_steer_the_terminal(folder: Path, picture: bytes, quick: Words) -> None:
    (folder / "\x1b[31mred.jpg").write_bytes(picture)
    done = cli("remove", "\x1b[31mred.jpg", "\x1b[2Jmissing.jpg", *quick)
    assert "\x1b" not in done.stdout + done.stderr
    assert "�[31mred.jpg -> �[31mred-cutout.png" in done.stdout
