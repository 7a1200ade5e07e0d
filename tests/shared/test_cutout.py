from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageCms

import cutaway
from cutaway import Output
from cutaway.errors import OptionError, OutputError, OutputExists
from tests.pictures import as_file, portrait
from tests.shared.images.pictures import faults

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cutaway import Cutout

FILES = ("PNG", "WEBP")


@pytest.fixture(scope="module")
def cutout() -> Cutout:
    return cutaway.remove_background(portrait(), model="classical")


@pytest.mark.parametrize(("ending", "format"), [("png", "PNG"), ("webp", "WEBP")])
def test_the_files_ending_chooses_the_format(cutout: Cutout, tmp_path: Path, ending, format):
    path = cutout.save(tmp_path / f"out.{ending}")
    with Image.open(path) as image:
        assert image.format == format
        assert image.size == cutout.size
        assert image.mode == "RGBA"


def test_a_png_holds_exactly_the_array(cutout: Cutout):
    image = Image.open(io.BytesIO(cutout.to_bytes()))
    np.testing.assert_array_equal(np.asarray(image), cutout.array)


def faces(cutout: Cutout) -> dict[str, NDArray[np.uint8]]:
    """The result as every way of having it gives it, RGBA at 8 bits."""
    files = {
        form: np.asarray(Image.open(io.BytesIO(cutout.to_bytes(format=form)))) for form in FILES
    }
    array = (cutout.array >> (cutout.depth - 8)).astype(np.uint8)
    return {"array": array, "image": np.asarray(cutout.image), **files}


@pytest.mark.parametrize("depth", [8, 16])
def test_nothing_of_what_was_removed_can_be_found_in_any_form(depth: int):
    picture = portrait() if depth == 8 else portrait().astype(np.uint16) * 257
    cutout = cutaway.remove_background(picture, model="classical")
    for form, values in faces(cutout).items():
        hidden = values[cutout.array[..., 3] == 0][:, :3]
        assert len(hidden) > 1000
        if form == "WEBP":  # which has near the edge what packs best: the subject's colour
            assert np.median(hidden) == 0
            assert np.abs(hidden - portrait()[0, 0].astype(int)).sum(axis=1).min() > 20
        else:
            assert not hidden.any()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("background", "lossy"), [((225, 230, 235), 2.5), ((0, 0, 0), 1.5)])
def test_hidden_colour_is_kept_in_every_form_when_asked(
    background: tuple[int, int, int], lossy: float, depth: int
):
    shallow = portrait(background=background)
    picture = shallow if depth == 8 else shallow.astype(np.uint16) * 257
    cutout = cutaway.remove_background(
        picture, model="classical", keep_hidden_colour=True, quality=99
    )
    hidden = cutout.array[..., 3] == 0
    assert hidden.sum() > 1000
    for form, values in faces(cutout).items():
        lost = np.abs(values[hidden][:, :3].astype(int) - shallow[hidden])
        assert lost.mean() <= (lossy if form == "WEBP" else 0)


@pytest.mark.parametrize("keep_hidden_colour", [False, True])
def test_what_is_too_faint_for_eight_bits_is_hidden_where_there_are_no_more(
    *, keep_hidden_colour: bool
):
    picture = portrait().astype(np.uint16) * 257
    cutout = cutaway.remove_background(
        picture, model="classical", feather=20, keep_hidden_colour=keep_hidden_colour
    )
    image = np.asarray(cutout.image)
    faint = (cutout.array[..., 3] > 0) & (image[..., 3] == 0)
    assert faint.any()
    assert cutout.array[faint].all()
    assert image[faint][:, :3].any() == keep_hidden_colour


@pytest.mark.parametrize("output", Output)
def test_every_png_is_sound_with_all_that_it_says_besides(output: Output):
    result = cutaway.remove_background(photo_with_metadata(), model="classical", output=output)
    assert faults(result.to_bytes(format="PNG")) == ""


def test_a_given_format_wins_over_the_ending(cutout: Cutout, tmp_path: Path):
    path = cutout.save(tmp_path / "out.bin", format="webp")
    assert path.read_bytes()[8:12] == b"WEBP"


@pytest.mark.parametrize("ending", ["gif", "TIFF", "bmp"])
def test_an_ending_of_a_format_that_is_not_written_is_refused(
    cutout: Cutout, tmp_path: Path, ending: str
):
    with pytest.raises(OptionError, match="no format for results"):
        cutout.save(tmp_path / f"out.{ending}")
    assert cutout.save(tmp_path / f"out.{ending}", format="png").exists()


def test_a_jpg_of_a_transparent_cutout_is_refused_and_nothing_is_written(
    cutout: Cutout, tmp_path: Path
):
    with pytest.raises(OptionError, match="JPG has no transparency"):
        cutout.save(tmp_path / "out.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_flattened_picture_may_be_a_jpg_of_the_asked_quality(tmp_path: Path):
    sizes = []
    for quality in (20, 95):
        result = cutaway.remove_background(
            portrait(), model="classical", output="flattened", quality=quality
        )
        sizes.append(result.save(tmp_path / f"{quality}.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_nothing_is_overwritten_unless_told(cutout: Cutout, tmp_path: Path):
    path = tmp_path / "out.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        cutout.save(path)
    assert path.read_bytes() == b"mine"
    cutout.save(path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_is_missing_is_told(cutout: Cutout, tmp_path: Path):
    with pytest.raises(OutputError, match="folder exists"):
        cutout.save(tmp_path / "no" / "out.png")


@pytest.mark.parametrize("depth", [8, 16])
def test_the_soft_edge_is_the_share_of_pixels_that_are_neither_kept_nor_removed(depth: int):
    picture = portrait() if depth == 8 else portrait().astype(np.uint16) * 257
    result = cutaway.remove_background(picture, model="classical")
    alpha = result.array[..., 3]
    soft = np.count_nonzero((alpha > 0) & (alpha < np.iinfo(alpha.dtype).max)) / alpha.size
    assert 0 < soft < 0.2
    assert result.soft_edge_share == soft
    assert result.facts()["soft_edge_share"] == pytest.approx(soft, abs=1e-4)


def test_a_hard_mask_has_no_soft_edge():
    result = cutaway.remove_background(portrait(), model="classical", post_process_mask=True)
    assert result.soft_edge_share == 0


def photo_with_metadata() -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return as_file(portrait(), "PNG", exif=exif, icc_profile=profile, dpi=(300, 300))


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_what_the_original_said_goes_along_and_its_turn_is_applied(format: str):
    result = cutaway.remove_background(photo_with_metadata(), model="classical", format=format)
    assert result.size == (240, 320)
    image = Image.open(io.BytesIO(result.to_bytes()))
    assert image.getexif()[0x0110] == "A camera"
    assert image.getexif().get(0x0112, 1) == 1
    assert "icc_profile" in image.info
    if format == "PNG":
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_metadata_is_dropped_when_asked():
    result = cutaway.remove_background(
        photo_with_metadata(), model="classical", keep_metadata=False
    )
    image = Image.open(io.BytesIO(result.to_bytes()))
    assert dict(image.getexif()) == {}
    assert "dpi" not in image.info
    assert "icc_profile" not in image.info


def test_the_repr_is_short_and_shows_no_pixels(cutout: Cutout):
    assert "array" not in repr(cutout)
    assert len(repr(cutout)) < 1500
