"""The plug-in for GIMP 2.10, in a real Python 2.7, with the real worker where pixels matter."""

from __future__ import annotations

import ast
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cutaway import Client, RemovalOptions
from tests.fakes.gimp_worker import ScriptedWorker
from tests.gimp_plugin.old_gimp import ARGUMENTS, SOURCE, OldGimp, layer
from tests.gimp_root import python27_root
from tests.pictures import portrait

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cutaway import Cutout
    from tests.gimp_plugin.old_gimp import Report

COLOURS = portrait(120, 90)
FEW = portrait(24, 18)
"""For who needs no subject in them."""

NAME = "Läufer"
CUTOUT = f"{NAME} cutout"
AGAIN = "Run this in a terminal, and try again: cutaway gimp install"


@pytest.fixture
def gimp(tmp_path: Path) -> OldGimp:
    """GIMP 2.10 with the plug-in, which starts the real worker."""
    return OldGimp(python27_root(), tmp_path)


def with_alpha(colours: NDArray[Any]) -> NDArray[Any]:
    """The same, half-transparent in a part of the subject, and gone in another."""
    most = 255 if colours.dtype == np.uint8 else 65535
    alpha = np.full((*colours.shape[:2], 1), most, colours.dtype)
    alpha[30:45, 30:70] = most // 2
    alpha[45:60, 30:70] = 0
    return np.concatenate([colours, alpha], axis=2)


def grey(colours: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(colours[..., 1:2])


def deep(colours: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """16 bits that no 8 can tell."""
    return colours.astype(np.uint16) * 257 - (colours > 100)


def floats(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Floats that no 16 bits can tell."""
    return colours.astype(np.float32) / np.float32(255.003)


def expected(pixels: NDArray[Any], **options: Any) -> Cutout:
    """What Cutaway makes of them by itself."""
    colours = {1: [0, 0, 0], 2: [0, 0, 0, 1], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[pixels.shape[2]]
    picture = pixels[..., colours]
    if picture.dtype == np.float32:
        picture = (picture * 65535 + 0.5).astype(np.uint16)
    with Client() as client:
        return client.remove_background(picture, RemovalOptions(model="classical", **options))


def scripted(folder: Path, script: dict[str, Any]) -> tuple[OldGimp, ScriptedWorker]:
    """GIMP 2.10 whose plug-in starts a worker that does as the script says."""
    worker = ScriptedWorker(folder / "Künstler", script, sys.executable)
    return OldGimp(python27_root(), folder, worker.python), worker


def is_as_it_was(report: Report) -> bool:
    names = [one["name"] for one in report["layers"]]
    return names == [NAME] and report["steps"] == [] and report["left"] == 0


def test_a_real_python_2_7_compiles_it(gimp: OldGimp, tmp_path: Path):
    code = "import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)"
    process = gimp.run("-c", code, SOURCE, tmp_path / "compiled")
    assert process.communicate(timeout=60)[0] == ""
    assert process.returncode == 0


def test_gimp_can_start_it():
    assert os.access(SOURCE, os.X_OK)
    assert SOURCE.read_text(encoding="utf-8").startswith("#!/usr/bin/env python2\n")


def test_it_imports_the_standard_library_and_gimpfu_only():
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    assert names - sys.stdlib_module_names == {"gimpfu"}


def test_gimp_is_told_where_it_is_found_and_what_it_takes(gimp: OldGimp):
    told = gimp.registered()
    assert told["name"] == "python-fu-cutaway-remove-background"
    assert (told["menu"], told["label"]) == ("<Image>/Layer/Transparency", "Remove Background…")
    assert told["image_types"] == "RGB*, GRAY*"
    usual = {**ARGUMENTS, "model": "auto"}
    assert told["params"] == [["image", None], ["drawable", None], *map(list, usual.items())]


@pytest.mark.parametrize(
    "pixels",
    [
        COLOURS,
        with_alpha(COLOURS),
        with_alpha(grey(COLOURS)),
        with_alpha(deep(COLOURS)),
        floats(COLOURS),
    ],
    ids=["rgb", "rgba", "grey with alpha", "16 bits with alpha", "floats"],
)
def test_a_new_layer_has_the_layers_own_pixels_under_its_alpha_by_the_matte(
    gimp: OldGimp, pixels: NDArray[Any]
):
    report = gimp.play([layer(pixels)], pixels, arguments={"clean-edges": False})
    made = report.layer(CUTOUT)["pixels"]
    colours = 3 if pixels.shape[2] > 2 else 1
    np.testing.assert_array_equal(made[..., :colours], pixels[..., :colours])
    truth = expected(pixels, clean_edges=False)
    if pixels.dtype == np.float32:
        np.testing.assert_array_equal(made[..., -1], truth.matte / np.float32(65535))
    else:
        np.testing.assert_array_equal(made[..., -1], truth.array[..., 3])


@pytest.mark.parametrize("pixels", [with_alpha(COLOURS), deep(COLOURS)], ids=["8 bits", "16 bits"])
def test_clean_edges_change_the_colours_of_soft_pixels_only(gimp: OldGimp, pixels: NDArray[Any]):
    made = gimp.play([layer(pixels)], pixels).layer(CUTOUT)["pixels"]
    truth = expected(pixels)
    is_soft = (truth.matte > 0) & (truth.matte < np.iinfo(truth.matte.dtype).max)
    is_seen = truth.array[..., 3] > 0
    np.testing.assert_array_equal(made[~is_soft, :3], pixels[~is_soft, :3])
    np.testing.assert_array_equal(made[is_soft & is_seen, :3], truth.array[is_soft & is_seen, :3])
    assert (made[is_soft & is_seen, :3] != pixels[is_soft & is_seen, :3]).any()


@pytest.mark.parametrize("pixels", [with_alpha(COLOURS), deep(COLOURS)], ids=["8 bits", "16 bits"])
def test_a_layer_mask_is_the_matte_and_the_layer_stays_as_it_is(
    gimp: OldGimp, pixels: NDArray[Any]
):
    report = gimp.play([layer(pixels)], pixels, arguments={"output": "layer-mask"})
    masked = report.layer(NAME)
    np.testing.assert_array_equal(masked["mask"], expected(pixels).matte)
    np.testing.assert_array_equal(masked["pixels"], pixels)
    assert report["steps"] == [[f"add mask to {NAME}"]]
    assert (report["made"], masked["visible"], report["left"]) == (NAME, True, 0)


def test_a_mask_that_is_there_is_multiplied_and_stands_for_its_layer(gimp: OldGimp):
    mask = np.full(COLOURS.shape[:2], 100, np.uint8)
    report = gimp.play(
        [layer(COLOURS, mask=mask)],
        COLOURS,
        chosen_part="mask",
        arguments={"output": "layer-mask"},
    )
    product = expected(COLOURS).matte * (100 / 255)
    np.testing.assert_allclose(report.layer(NAME)["mask"], product, atol=0.51)
    assert report["steps"] == [[f"remove mask of {NAME}", f"add mask to {NAME}"]]
    assert report["left"] == 0


@pytest.mark.parametrize("pixels", [with_alpha(COLOURS), grey(deep(COLOURS))])
def test_a_grey_layer_shows_what_is_seen_of_the_subject(gimp: OldGimp, pixels: NDArray[Any]):
    report = gimp.play([layer(pixels)], pixels, arguments={"output": "grey-layer"})
    made = report.layer(f"{NAME} mask")
    assert made["kind"] == ("GRAY" if pixels.shape[2] < 3 else "RGB")
    for plane in np.moveaxis(made["pixels"], 2, 0):
        np.testing.assert_array_equal(plane, expected(pixels).array[..., 3])
    assert report["steps"] == [[f"insert {NAME} mask"]]
    assert [one["name"] for one in report["layers"]] == [f"{NAME} mask", NAME]
    assert report.layer(NAME)["visible"]


def test_options_reach_the_worker(gimp: OldGimp):
    options = {"post-process-mask": True, "feather": 3.0}
    report = gimp.play([layer(COLOURS)], COLOURS, arguments={**options, "output": "layer-mask"})
    truth = expected(COLOURS, post_process_mask=True, feather=3.0)
    np.testing.assert_array_equal(report.layer(NAME)["mask"], truth.matte)


def test_a_new_layer_takes_the_place_and_the_look_of_the_one_that_is_hidden(tmp_path: Path):
    gimp, _ = scripted(tmp_path, {})
    mask = np.arange(FEW[..., 0].size, dtype=np.uint8).reshape(FEW.shape[:2])
    look = {"opacity": 40.0, "mode": 30, "offsets": [-7, 12]}
    more = {"blend_space": 1, "composite_space": 2, "composite_mode": 3, "color_tag": 4}
    told = layer(FEW, parent="group", mask=mask, locked=True, more=more, **look)
    group = layer(with_alpha(FEW), name="group", kind="GROUP")
    above = layer(FEW, name="above", parent="group")
    report = gimp.play([group, told, above], FEW, chosen=NAME)
    assert [one["name"] for one in report["layers"]] == ["above", CUTOUT, NAME, "group"]
    made = report.layer(CUTOUT)
    assert {name: made[name] for name in look} == look
    assert (made["parent"], made["visible"]) == ("group", True)
    assert made["more"] == {**more, "apply_mask": 0, "edit_mask": False}
    np.testing.assert_array_equal(made["mask"], mask)
    assert not report.layer(NAME)["visible"]
    assert report["steps"] == [[f"insert {CUTOUT}", f"hide {NAME}"]]
    assert (report["made"], report["left"]) == (CUTOUT, 0)


def test_a_group_becomes_a_flat_layer(tmp_path: Path):
    gimp, _ = scripted(tmp_path, {})
    pixels = with_alpha(FEW)
    group = layer(pixels, kind="GROUP", mode=61)
    made = gimp.play([group], pixels).layer(CUTOUT)
    assert (made["is_group"], made["mode"]) == (False, 28)
    np.testing.assert_array_equal(made["pixels"][..., :3], pixels[..., :3])


def test_a_layer_of_many_strips_is_whole(tmp_path: Path):
    gimp, worker = scripted(tmp_path, {"pictures": [{"matte": "gradient"}]})
    pixels = deep(portrait(60, 700))
    made = gimp.play([layer(pixels)], pixels).layer(CUTOUT)["pixels"]
    np.testing.assert_array_equal(made[..., :3], pixels)
    gradient = np.arange(60) * 65535 // 59
    np.testing.assert_array_equal(made[..., 3], np.broadcast_to(gradient, (700, 60)))
    assert {note["want"] for note in worker.log if note.get("kind") == "picture"} == {"cutout"}


def test_what_the_dialog_gives_is_understood(tmp_path: Path):
    gimp, worker = scripted(tmp_path, {})
    gimp.play([layer(FEW)], FEW, dialog=True, arguments={"alpha-matting": True})
    begin = next(note for note in worker.log if note.get("kind") == "begin")
    names = {name.replace("-", "_"): value for name, value in ARGUMENTS.items()}
    options = {**names, "alpha_matting": True}
    del options["output"], options["backend"]
    assert begin["options"] == options
    assert all(type(begin["options"][name]) is type(value) for name, value in options.items())
    assert (begin["backend"], begin["fill"]) == ("local", "")


def test_the_bar_tells_each_stage_and_how_far_it_is(tmp_path: Path):
    stages = {"finding the subject": None, "refining": 0.5, "cleaning edges": 0.75}
    gimp, _ = scripted(tmp_path, {"pictures": [{"progress": list(stages.items())}]})
    progress = gimp.play([layer(FEW)], FEW)["progress"]
    texts = [entry for entry in progress if isinstance(entry, str)]
    assert texts == ["Remove background", *(f"Remove background: {stage}" for stage in stages)]
    shares = [entry for entry in progress if isinstance(entry, float)]
    assert list(dict.fromkeys(shares)) == [0.5, 0.75]
    assert None in progress[: progress.index(0.5)]


def test_what_the_worker_remarks_is_shown(tmp_path: Path):
    remarks = ["The matte is uncertain: “Läufer”", "It cost nothing"]
    gimp, _ = scripted(tmp_path, {"pictures": [{"found": {"warnings": remarks}}]})
    assert gimp.play([layer(FEW)], FEW)["messages"] == ["\n".join(remarks)]


def test_nothing_of_gimps_own_surroundings_reaches_the_worker(tmp_path: Path):
    gimp, worker = scripted(tmp_path, {})
    gimp.play([layer(FEW)], FEW)
    started = worker.log[0]
    assert started["arguments"] == ["-P", "-m", "cutaway_gimp.worker"]
    strange = ("PYTHON", "LD_LIBRARY_PATH")
    assert [name for name in started["environment"] if name.startswith(strange)] == []
    assert started["environment"]["HOME"] == os.environ["HOME"]


def test_when_the_plug_in_is_killed_with_its_group_the_worker_ends_by_itself(tmp_path: Path):
    gimp, worker = scripted(tmp_path, {"pictures": [{"hang": True}]})
    with worker.watched() as events:
        process = gimp.start([layer(FEW)], FEW)
        events.wait_for("hanging")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        events.wait_until_gone()
    assert [note["event"] for note in worker.log[-2:]] == ["end", "exit"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"output": "new layer"},
            "There is no output “new layer”. Choose one of: new-layer, layer-mask, grey-layer.",
        ),
        ({"backend": "moon"}, "The backend 'moon' can't be used"),
        ({"model": "nonsense"}, "There is no model nonsense. Known: "),
        ({"alpha-matting-erode-size": 300}, "less than or equal to 255"),
        ({"feather": -1.0}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_argument_is_refused_and_nothing_is_changed(
    gimp: OldGimp, arguments: dict[str, Any], text: str
):
    report = gimp.play([layer(FEW)], FEW, arguments=arguments)
    assert text in report["error"]
    assert report["messages"] == [report["error"]]
    assert is_as_it_was(report)


@pytest.mark.parametrize(
    ("scene", "facts", "text"),
    [
        ({"base": "INDEXED"}, {}, "Convert it with Image > Mode > RGB first."),
        ({"floating": True}, {}, "Anchor it or make it a layer, then try again."),
        (
            {"arguments": {"output": "layer-mask"}},
            {"locked": True},
            f"The pixels of “{NAME}” are locked. Unlock them, or have a new layer made.",
        ),
    ],
    ids=["indexed", "floating selection", "locked"],
)
def test_what_cannot_be_done_is_refused_before_a_worker_is_started(
    tmp_path: Path, scene: dict[str, Any], facts: dict[str, Any], text: str
):
    gimp, worker = scripted(tmp_path, {})
    report = gimp.play([layer(FEW, **facts)], FEW, **scene)
    assert report["error"].endswith(text)
    assert is_as_it_was(report)
    assert worker.log == []


@pytest.mark.parametrize(
    ("python", "reason"), [(None, "installed.json"), ("/no/such/python", "No such file")]
)
def test_without_cutaway_it_says_how_to_install_it(tmp_path: Path, python: str | None, reason: str):
    report = OldGimp(python27_root(), tmp_path, python).play([layer(FEW)], FEW)
    assert report["error"].startswith(f"Cutaway wasn't found. {AGAIN}\n")
    assert reason in report["error"]
    assert is_as_it_was(report)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (
            {"hello": {"protocol": 2}},
            f"This plug-in and Cutaway are of different versions. {AGAIN}",
        ),
        (
            {"pictures": [{"exit": 3, "after": "header"}]},
            f"Cutaway ended unexpectedly (code 3). {AGAIN}\nIt left no word why.",
        ),
        (
            {"pictures": [{"error": {"text": "Kein Läufer da.", "task_uuid": "c0ffee"}}]},
            "Kein Läufer da. (c0ffee)",
        ),
        ({"pictures": [{"stop": 0}]}, "Cutaway ended unexpectedly (code 1)"),
    ],
    ids=["other version", "ends early", "error", "breaks off"],
)
def test_a_failure_of_the_worker_is_shown_and_nothing_is_changed(
    tmp_path: Path, script: dict[str, Any], text: str
):
    gimp, _ = scripted(tmp_path, script)
    report = gimp.play([layer(FEW)], FEW)
    assert report["error"].startswith(text)
    assert report["messages"] == [report["error"]]
    assert is_as_it_was(report)


def test_a_failure_in_the_dialog_is_shown_once_and_closes_it(tmp_path: Path):
    gimp, _ = scripted(tmp_path, {"pictures": [{"error": {"text": "It failed."}}]})
    report = gimp.play([layer(FEW)], FEW, dialog=True)
    assert report["messages"] == ["It failed."]
    assert report["cancelled"]
    assert is_as_it_was(report)


@pytest.mark.parametrize(
    ("deed", "output", "text"),
    [
        ("delete", "new-layer", f"“{NAME}” was deleted meanwhile. Nothing was done."),
        ("resize", "layer-mask", f"“{NAME}” got another size or precision meanwhile."),
        ("convert", "new-layer", f"“{NAME}” got another size or precision meanwhile."),
        ("close", "new-layer", "The image was closed meanwhile. Nothing was done."),
        ("close", "layer-mask", "The image was closed meanwhile. Nothing was done."),
        ("close", "grey-layer", "The image was closed meanwhile. Nothing was done."),
    ],
)
def test_what_has_changed_while_the_worker_worked_is_left_alone(
    tmp_path: Path, deed: str, output: str, text: str
):
    gimp, _ = scripted(tmp_path, {"pictures": [{"progress": [["refining", 0.5]]}]})
    report = gimp.play([layer(FEW)], FEW, meanwhile=deed, arguments={"output": output})
    assert report["error"].startswith(text)
    assert report["steps"] == []
    assert report["left"] == 0
