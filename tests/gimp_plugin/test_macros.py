"""What docs/gimp.md says of macros, run as it stands there, with the macros that we ship."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.pages import blocks
from tests.pictures import as_file, ellipse, overlap, portrait

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.gimp_plugin.console import Console

MACROS = ROOT / "gimp_plugin" / "cutaway_gimp" / "macros"
EXAMPLES = [block.body for block in blocks("docs/gimp.md")]
SHELL = [body for body in EXAMPLES if "gimp-console" in body]
SIZE = (160, 120)


@pytest.fixture
def folder(gimp: Console) -> Path:
    """A folder with photos, and with the macros beside them."""
    folder = gimp.home / "macros"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(MACROS, folder)
    (folder / "photos").mkdir()
    for seed, name in enumerate(("tea.jpg", "my.old.jpg")):
        (folder / "photos" / name).write_bytes(as_file(portrait(*SIZE, seed=seed), "JPEG"))
    return folder


def run(gimp: Console, folder: Path, script: str) -> tuple[int, str]:
    """Run a shell line in the folder, as a user of the GIMP would: its status and what it says."""
    workplace = gimp.workplace
    place = ("env", "-C", workplace.inside(folder), f"HOME={workplace.inside(gimp.home)}")
    done = workplace.root.run(*place, "LANG=C.UTF-8", "sh", "-euc", script)
    return done.returncode, done.stdout + done.stderr


def shell(macro: str) -> str:
    """The page's own line that runs a macro."""
    (line,) = [body for body in SHELL if macro in body]
    return line


def alpha_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        return np.asarray(image.getchannel("A"))


@pytest.mark.parametrize("macro", ["cutouts.scm", "cutouts.py"])
def test_a_folder_of_photos_becomes_cutouts(gimp: Console, folder: Path, macro: str) -> None:
    status, said = run(gimp, folder, shell(macro))
    assert status == 0, said
    made = sorted((folder / "cutouts").iterdir())
    assert [path.name for path in made] == ["my.old.png", "tea.png"]
    assert all(overlap(alpha_of(path), ellipse(*SIZE)) > 0.95 for path in made)


@pytest.mark.parametrize("macro", ["cutouts.scm", "cutouts.py"])
def test_a_photo_that_fails_is_told_of_and_the_others_go_on(
    gimp: Console, folder: Path, macro: str
) -> None:
    plain = np.full((60, 80, 3), 200, np.uint8)
    (folder / "photos" / "empty.jpg").write_bytes(as_file(plain, "JPEG"))
    (folder / "photos" / "no-photo.jpg").write_bytes(b"not a photo")
    _, said = run(gimp, folder, shell(macro))
    assert "photos/empty.jpg" in said
    assert "photos/no-photo.jpg" in said
    assert "No subject was found" in said
    assert len(list((folder / "cutouts").iterdir())) == 2


@pytest.mark.parametrize("macro", ["cutouts.scm", "cutouts.py"])
def test_a_result_that_is_there_is_kept(gimp: Console, folder: Path, macro: str) -> None:
    (folder / "cutouts").mkdir()
    (folder / "cutouts" / "tea.png").write_bytes(b"mine")
    run(gimp, folder, shell(macro))
    assert (folder / "cutouts" / "tea.png").read_bytes() == b"mine"
    assert (folder / "cutouts" / "my.old.png").exists()


def test_a_folder_of_photos_becomes_masks(gimp: Console, folder: Path) -> None:
    status, said = run(gimp, folder, shell("masks.scm"))
    assert status == 0, said
    for path in (folder / "masks" / "tea.png", folder / "masks" / "my.old.png"):
        with Image.open(path) as image:
            assert image.mode == "L"
            assert overlap(np.asarray(image), ellipse(*SIZE)) > 0.95


def test_a_product_is_put_on_white_with_its_shadow(gimp: Console, folder: Path) -> None:
    photo, product, shadow = product_shot()
    (folder / "product.jpg").write_bytes(as_file(photo, "JPEG", quality=95))
    status, said = run(gimp, folder, shell("product_on_white.py"))
    assert status == 0, said
    with Image.open(io.BytesIO((folder / "product-white.png").read_bytes())) as image:
        result = np.asarray(image.convert("RGB")).astype(int)
    lit = (product < 0.01) & (shadow < 0.01)
    assert (result[lit].min(axis=1) == 255).mean() > 0.95
    dark = (product < 0.01) & (shadow > 0.9)
    assert 60 < result[dark].mean() < 200
    assert np.ptp(result[dark], axis=1).mean() < 3
    inside = product > 0.99
    assert np.abs(result[inside] - photo[inside]).mean() < 3


def product_shot() -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """A ball before grey paper: the photo, where the ball is and where its shadow, 0..1."""
    width, height = 320, 240
    y, x = np.mgrid[0:height, 0:width]
    shadow = np.clip(1.6 - np.hypot((x - 210) / 70, (y - 185) / 22), 0, 1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 3)
    product = np.clip((1 - np.hypot((x - 150) / 60, (y - 120) / 66)) * 40 + 0.5, 0, 1)
    paper = np.array([214, 216, 220]) * (1 - 0.45 * shadow[..., None])
    noise = np.random.default_rng(3).normal(0, 1.5, (height, width, 3))
    whole = product[..., None] * np.array([180, 60, 40]) + (1 - product[..., None]) * paper
    return np.clip(whole + noise, 0, 255).astype(np.uint8), product, shadow


def test_the_pages_lines_for_a_macro_of_ones_own_run(gimp: Console) -> None:
    (scheme,) = [body for body in EXAMPLES if body.startswith("(plug-in-cutaway")]
    (python,) = [body for body in EXAMPLES if body.startswith("procedure = Gimp.get_pdb()")]
    image = gimp.image(*SIZE)
    layer = gimp.layer(image, portrait(*SIZE), "R'G'B' u8", kind="RGB_IMAGE")
    told = gimp.script_fu(f"""
        (script-fu-use-v3)
        (let* ((image {image}) (layers (gimp-image-get-layers image))) {scheme})
    """)
    assert told.status == "success", told
    assert gimp.layers(image)[0]["mask"]
    gimp.run("item(layer).remove_mask(Gimp.MaskApplyMode.DISCARD)", layer=layer)
    gimp.run(f"image = image(number)\n{python}", number=image)
    assert gimp.layers(image)[0]["mask"]
