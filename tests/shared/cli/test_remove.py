from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.fakes.networks import make_network
from tests.pictures import as_file, portrait
from tests.shared.cli.running import Words, cli, json_lines

if TYPE_CHECKING:
    from pathlib import Path

CLASSICAL = ("--model", "classical")


def test_a_cutout_is_written_beside_its_source_and_told_in_one_line(photo: Path) -> None:
    done = cli("remove", photo.name, *CLASSICAL)
    assert done.exit_code == 0
    told = r"photo\.jpg -> photo-cutout\.png \(96x72, classical, \d+\.\d s\)\n"
    assert re.fullmatch(told, done.stdout)
    with Image.open("photo-cutout.png") as cutout:
        assert (cutout.format, cutout.mode, cutout.size) == ("PNG", "RGBA", (96, 72))


@pytest.mark.parametrize(("view", "mode"), [("mask", "L"), ("flattened", "RGB")])
def test_each_view_names_its_file(photo: Path, view: str, mode: str, quick: Words) -> None:
    assert cli("remove", photo, "--output", view, *quick).exit_code == 0
    with Image.open(photo.with_name(f"photo-{view}.png")) as result:
        assert result.mode == mode


def test_the_ending_of_the_output_chooses_the_format(photo: Path, quick: Words) -> None:
    assert cli("remove", photo, "-o", "new/cut.WEBP", *quick).exit_code == 0
    with Image.open("new/cut.WEBP") as result:
        assert result.format == "WEBP"


def test_the_format_names_the_ending_where_no_output_does(photo: Path, quick: Words) -> None:
    view = ("--output", "flattened", "--format", "JPG", "--quality", "40")
    assert cli("remove", photo, *view, *quick).exit_code == 0
    with Image.open("photo-flattened.jpg") as result:
        assert result.format == "JPEG"


def test_quality_reaches_the_encoder(photo: Path, quick: Words) -> None:
    sizes = []
    for quality in ("20", "99"):
        flags = ("--background", "white", "--quality", quality, "-o", f"{quality}.jpg")
        assert cli("remove", photo, *flags, *quick).exit_code == 0
        sizes.append((photo.parent / f"{quality}.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["-o", "cut.png", "--format", "webp"], "ends as a PNG does"),
        (["-o", "cut.tiff"], ".tiff is not written"),
        (["-o", "cut.jpg"], "JPG has no transparency"),
        (["--background", "no colour"], "background can't be used"),
        (["--erode-size", "5"], "need --alpha-matting"),
        (["--weights", "missing.onnx"], "does not exist"),
        (["--weights", "photo.jpg"], "a file doesn't say which model it is"),
        (["--quality", "0"], "20<=x<=99"),
        (["--feather", "-1"], "0<=x<=1000"),
        (["--feather", "nan"], "feather can't be used"),
        (["also.jpg", "-o", "cut.png"], "is one file"),
        (["also.jpg", "-o", "-"], "standard output takes one picture"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_flags_that_contradict_each_other_are_wrong_use(
    photo: Path, flags: list[str], told: str
) -> None:
    done = cli("remove", photo, *flags)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert [path.name for path in photo.parent.iterdir()] == ["photo.jpg"]


def test_an_existing_output_is_refused_for_one_picture_and_kept(photo: Path, quick: Words) -> None:
    kept = photo.with_name("photo-cutout.png")
    kept.write_text("mine", encoding="utf-8")
    done = cli("remove", photo, *quick)
    assert done.exit_code == 1
    assert "photo-cutout.png was not written: something is there already" in done.stderr
    assert kept.read_text(encoding="utf-8") == "mine"


def test_an_existing_output_is_replaced_when_told_to(photo: Path, quick: Words) -> None:
    kept = photo.with_name("photo-cutout.png")
    kept.write_text("mine", encoding="utf-8")
    assert cli("remove", photo, "--overwrite", *quick).exit_code == 0
    assert kept.read_bytes().startswith(b"\x89PNG")


def test_of_several_pictures_those_that_are_done_are_skipped(photo: Path, quick: Words) -> None:
    other = photo.with_name("other.jpg")
    other.write_bytes(photo.read_bytes())
    kept = photo.with_name("photo-cutout.png")
    kept.write_text("mine", encoding="utf-8")
    done = cli("remove", photo.name, other.name, *quick)
    assert done.exit_code == 0
    assert "photo.jpg: skipped, photo-cutout.png is there already\n" in done.stdout
    assert "cutaway: 1 done, 1 skipped\n" in done.stderr
    assert kept.read_text(encoding="utf-8") == "mine"


def test_one_failing_picture_does_not_stop_the_others(photo: Path, quick: Words) -> None:
    photo.with_name("broken.jpg").write_bytes(photo.read_bytes()[:300])
    done = cli("remove", "missing.jpg", "broken.jpg", "photo.jpg", *quick)
    assert done.exit_code == 1
    assert photo.with_name("photo-cutout.png").exists()
    failures = [line for line in done.stderr.splitlines() if ".jpg" in line]
    assert failures[0].startswith("cutaway: missing.jpg")
    assert failures[1].startswith("cutaway: broken.jpg: ")
    assert len(failures) == 2


def test_several_pictures_at_once_give_what_one_after_the_other_gives(
    folder: Path, quick: Words
) -> None:
    for number in range(4):
        (folder / f"{number}.png").write_bytes(as_file(portrait(64, 48, seed=number)))
    for jobs in ("1", "4"):
        run = cli("remove", ".", "-o", f"jobs{jobs}/", "--jobs", jobs, *quick)
        assert run.exit_code == 0
    for number in range(4):
        one, four = (folder / f"jobs{jobs}" / f"{number}-cutout.png" for jobs in "14")
        assert one.read_bytes() == four.read_bytes()


def test_json_is_one_object_for_each_picture_and_nothing_else(photo: Path, quick: Words) -> None:
    photo.with_name("broken.jpg").write_text("no picture", encoding="utf-8")
    photo.with_name("old.jpg").write_bytes(photo.read_bytes())
    photo.with_name("old-cutout.png").write_text("mine", encoding="utf-8")
    done = cli("remove", "broken.jpg", "old.jpg", "photo.jpg", "--json", *quick)
    skipped, failed, finished = json_lines(done.stdout)
    assert (done.exit_code, done.stderr) == (1, "")
    assert failed["source"] == "broken.jpg"
    assert failed["status"] == "failed"
    assert failed["error"].keys() == {"code", "what", "why", "next"}
    assert failed["error"]["code"] == "unsupported-format"
    assert skipped == {"source": "old.jpg", "status": "skipped", "path": "old-cutout.png"}
    assert finished["status"] == "done"
    assert finished["path"] == "photo-cutout.png"
    assert finished["format"] == "PNG"
    assert finished["bytes"] == photo.with_name("photo-cutout.png").stat().st_size
    assert (finished["width"], finished["height"]) == (96, 72)
    assert finished["model"] == "u2netp"
    assert finished["seconds"].keys() >= {"decoding", "finding the subject", "writing"}


def test_a_model_that_cannot_run_fails_every_picture_before_any_work(photo: Path) -> None:
    done = cli("remove", photo.name, "other.jpg", "--model", "u2nett", "--json")
    told = json_lines(done.stdout)
    assert done.exit_code == 2
    assert [line["error"]["code"] for line in told] == ["unknown-model"] * 2
    assert done.stderr.startswith("cutaway: there is no model u2nett. The nearest is u2net")


def test_a_model_that_is_not_installed_is_never_fetched_unasked(photo: Path) -> None:
    done = cli("remove", photo, "--model", "birefnet-general")
    assert done.exit_code == 1
    assert "Get it with: cutaway models pull birefnet-general." in done.stderr


def test_without_a_model_the_classical_engine_runs_and_says_so_once(photo: Path) -> None:
    photo.with_name("other.jpg").write_bytes(photo.read_bytes())
    done = cli("remove", "photo.jpg", "other.jpg")
    assert done.exit_code == 0
    assert done.stderr.count("no model is installed") == 1
    assert "cutaway models pull u2netp" in done.stderr


def test_quiet_tells_nothing_but_failures(photo: Path) -> None:
    done = cli("remove", photo.name, "missing.jpg", "--quiet")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("cutaway: missing.jpg")
    assert done.stderr.count("\n") == 1


def test_weights_of_ones_own_are_used_for_the_named_model(photo: Path) -> None:
    weights = make_network(photo.with_name("own.onnx"))
    flags = ("--weights", weights, "--model", "u2netp", "--json")
    (told,) = json_lines(cli("remove", photo, *flags).stdout)
    assert (told["status"], told["model"]) == ("done", "u2netp")


def test_alpha_matting_takes_its_numbers(photo: Path, quick: Words) -> None:
    thresholds = ("--foreground-threshold", "200", "--background-threshold", "30")
    sizes = ("--erode-size", "3", "--matting-megapixels", "0.5")
    matted = ("--alpha-matting", *thresholds, *sizes, "--json", *quick)
    (told,) = json_lines(cli("remove", photo, *matted).stdout)
    assert told["status"] == "done"
    assert "matting" in told["seconds"]


def test_a_post_processed_mask_is_hard_edged(photo: Path, quick: Words) -> None:
    view = ("--output", "mask", "--post-process-mask", *quick)
    assert cli("remove", photo, *view).exit_code == 0
    with Image.open("photo-mask.png") as mask:
        assert set(np.unique(np.asarray(mask))) == {0, 255}


def test_an_edge_fades_as_far_as_told(photo: Path, quick: Words) -> None:
    shares = []
    for pixels in ("0", "12.5"):
        flags = ("--post-process-mask", "--feather", pixels, "--output", "mask", "--overwrite")
        done = cli("remove", photo, *flags, *quick, "--json")
        shares.append(json_lines(done.stdout)[0]["soft_edge_share"])
    assert shares[0] == 0
    assert shares[1] > 0.1


def test_edges_keep_the_backgrounds_colour_when_told_to(photo: Path, quick: Words) -> None:
    for flag in ("--clean-edges", "--no-clean-edges"):
        assert cli("remove", photo, flag, "-o", f"{flag}.png", *quick).exit_code == 0
    cleaned, as_it_was = (
        np.asarray(Image.open(f"{flag}.png")) for flag in ("--clean-edges", "--no-clean-edges")
    )
    original = np.asarray(Image.open(photo))
    seen = cleaned[..., 3] > 0
    assert np.array_equal(as_it_was[seen][:, :3], original[seen])
    assert not np.array_equal(cleaned[seen][:, :3], original[seen])


def test_what_is_hidden_keeps_its_colour_when_told_to(photo: Path, quick: Words) -> None:
    assert cli("remove", photo, "--keep-hidden-colour", "-o", "kept.png", *quick).exit_code == 0
    assert cli("remove", photo, "-o", "cleared.png", *quick).exit_code == 0
    kept, cleared = (np.asarray(Image.open(f"{name}.png")) for name in ("kept", "cleared"))
    hidden = kept[..., 3] == 0
    assert np.array_equal(kept[hidden][:, :3], np.asarray(Image.open(photo))[hidden])
    assert hidden.any()
    assert not cleared[hidden].any()


def test_metadata_is_kept_unless_told_otherwise(folder: Path, quick: Words) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    (folder / "photo.jpg").write_bytes(as_file(portrait(64, 48), "JPEG", exif=exif))
    for flags in ([], ["--drop-metadata"]):
        flags += ["-o", f"{len(flags)}.png", *quick]
        assert cli("remove", "photo.jpg", *flags).exit_code == 0
    with Image.open("0.png") as kept, Image.open("1.png") as dropped:
        assert kept.getexif().get(0x010F) == "Camera"
        assert 0x010F not in dropped.getexif()


@pytest.mark.parametrize("flag", ["--max-bytes", "--max-pixels"])
def test_a_picture_over_the_limit_is_refused(photo: Path, flag: str, quick: Words) -> None:
    (told,) = json_lines(cli("remove", photo, flag, "1000", "--json", *quick).stdout)
    assert told["error"]["code"] == "too-large"


def test_a_broken_config_ends_the_run_in_one_line(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTAWAY_THREADS", "many")
    done = cli("remove", photo)
    assert done.exit_code == 1
    assert done.stderr.startswith("cutaway: the setting ")
    assert done.stderr.count("\n") == 1


def test_a_data_uri_is_cut_out_into_the_working_folder(folder: Path, picture: bytes) -> None:
    longer_than_a_path = picture + bytes(8000)
    uri = f"data:image/jpeg;base64,{base64.b64encode(longer_than_a_path).decode()}"
    done = cli("remove", uri, *CLASSICAL)
    assert done.exit_code == 0
    assert done.stdout.startswith("a data-uri -> cutout.png (96x72, ")
    assert (folder / "cutout.png").exists()


def test_standard_input_is_cut_out_into_the_working_folder(
    folder: Path, picture: bytes, quick: Words
) -> None:
    done = cli("remove", "-", "--output", "mask", *quick, data=picture)
    assert done.stdout.startswith("stdin -> mask.png (96x72, ")
    assert Image.open(io.BytesIO((folder / "mask.png").read_bytes())).mode == "L"
