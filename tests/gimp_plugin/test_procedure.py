"""The procedure as scripts call it, in a real GIMP, from its arguments to what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cutaway_gimp.plug_in.arguments import ARGUMENTS, OUTPUTS
from tests.gimp_plugin import inside
from tests.gimp_plugin.console import PROCEDURE, Console

if TYPE_CHECKING:
    from numpy.typing import NDArray


AT_WORK = {"pictures": [{"progress": [["finding the subject", 0.3]], "hang": True}]}
FAILING = {"code": "no-subject", "text": "There is no subject. Try another model."}
CALL_ALONE = f"""
image = Gimp.Image.new(64, 48, Gimp.ImageBaseType.RGB)
layer = Gimp.Layer.new(image, "Photo", 64, 48, Gimp.ImageType.RGBA_IMAGE, 100, 0)
image.insert_layer(layer, None, 0)
procedure = Gimp.get_pdb().lookup_procedure("{PROCEDURE}")
config = procedure.create_config()
config.set_property("image", image)
config.set_core_object_array("drawables", [layer])
procedure.run(config)
"""
# The letter in brackets keeps grep from finding itself.
CRASH_GIMP = """
gimp-console -i --quit --batch-interpreter=python-fu-eval -b "$code" &
gimp=$!
until grep -qs hanging "$log"; do sleep 0.1; done
kill -9 $gimp
until ! grep -qs "[c]utaway-remove-background/\\|[g]imp_worker" /proc/[0-9]*/cmdline; do
    sleep 0.1
done
echo all gone
"""
IN_FLATPAK = """
from cutaway_gimp.plug_in import failures
from cutaway_gimp.plug_in.worker_process import WorkerEnded
outside, failures.in_flatpak = failures.in_flatpak, lambda: True
said = failures.text_of(WorkerEnded(1, log))
failures.in_flatpak = outside
said
"""
KILL_PLUG_IN = """
import os, signal
for file in Path("/proc").glob("[0-9]*/cmdline"):
    if name.encode() in file.read_bytes():
        os.kill(int(file.parent.name), signal.SIGKILL)
"""


def poster() -> NDArray[np.uint8]:
    """A red square on white, which needs no model."""
    pixels = np.full((48, 64, 4), 255, np.uint8)
    pixels[12:36, 20:44, :3] = 200, 30, 40
    return pixels


@pytest.fixture
def image(gimp: Console) -> int:
    return gimp.image(64, 48)


@pytest.fixture
def photo(gimp: Console, image: int) -> int:
    return gimp.layer(image, poster())


def names(gimp: Console, image: int) -> list[str]:
    return [layer["name"] for layer in gimp.layers(image)]


def begun(log: list[dict[str, Any]]) -> dict[str, Any]:
    """What the worker was asked for."""
    (frame,) = [entry for entry in log if entry.get("kind") == "begin"]
    return frame


def test_what_is_left_out_takes_its_default(gimp: Console, image: int, photo: int):
    worker = gimp.play({})
    assert gimp.remove(image, [photo]).made == [gimp.layers(image)[0]["id"]]
    asked = begun(worker.log)
    expected = {one.option: one.default for one in ARGUMENTS if one.option}
    assert (asked["options"], asked["backend"], asked["fill"]) == (expected, "local", "")
    assert names(gimp, image) == ["Photo cutout", "Photo"]


def test_every_argument_reaches_the_worker(gimp: Console, image: int, photo: int):
    worker = gimp.play({"begin": {"fill": [255, 0, 0, 1.0]}})
    options = {
        "model": "u2net",
        "alpha_matting": True,
        "alpha_matting_foreground_threshold": 200,
        "alpha_matting_background_threshold": 20,
        "alpha_matting_erode_size": 5,
        "post_process_mask": True,
        "clean_edges": False,
        "feather": 1.5,
    }
    outcome = gimp.remove(image, [photo], backend="http://a.example", fill="red", **options)
    assert outcome.status == "success"
    asked = begun(worker.log)
    assert (asked["options"], asked["backend"], asked["fill"]) == (
        options,
        "http://a.example",
        "red",
    )
    assert len(names(gimp, image)) == 3


@pytest.mark.parametrize("output", OUTPUTS)
def test_each_output_returns_what_was_made(gimp: Console, image: int, photo: int, output: str):
    gimp.play({"begin": {"fill": [255, 0, 0, 1.0]}})
    made = gimp.remove(image, [photo], output=output, fill="red").made
    layers = [layer["id"] for layer in gimp.layers(image)]
    channels = [channel["id"] for channel in gimp.channels(image)]
    expected = {"layer-mask": [photo], "channel": channels, "selection": []}
    assert made == expected.get(output, layers[:1])
    assert len(layers) == {"new-layer": 3, "replace": 2, "grey-layer": 2}.get(output, 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"output": "mask"}, "no output “mask”. Choose one of: new-layer, layer-mask, grey-layer,"),
        ({"output": ""}, "no output “”"),
        ({"alpha_matting_foreground_threshold": 256}, "256. Choose a number from 1 to 255."),
        ({"alpha_matting_background_threshold": 0}, "0. Choose a number from 1 to 255."),
        ({"alpha_matting_erode_size": -5}, "-5. Choose a number from 1 to 255."),
        ({"feather": -0.5}, "feather can't be -0.5. Choose a number from 0 to 1000."),
    ],
)
def test_a_wrong_value_is_refused_with_those_that_would_do(
    gimp: Console, image: int, photo: int, arguments: dict[str, Any], told: str
):
    worker = gimp.play({})
    outcome = gimp.remove(image, [photo], **arguments)
    assert outcome.status == "calling-error"
    assert told in outcome.error
    assert worker.log == []
    assert names(gimp, image) == ["Photo"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"model": "birefnet"}, "There is no model birefnet. The nearest is birefnet-"),
        ({"backend": "cloud"}, "Choose local, runware, or the URL"),
        ({"fill": "whiteish"}, "whiteish"),
    ],
)
def test_what_only_the_core_knows_to_be_wrong_is_refused_likewise(
    gimp: Console, image: int, photo: int, arguments: dict[str, Any], told: str
):
    outcome = gimp.remove(image, [photo], **arguments)
    assert outcome.status == "calling-error"
    assert told in outcome.error
    assert names(gimp, image) == ["Photo"]


def test_what_cannot_be_done_here_is_told_with_what_to_do(gimp: Console, image: int, photo: int):
    outcome = gimp.remove(image, [photo], model="u2net")
    assert outcome.status == "execution-error"
    assert "cutaway models pull u2net" in outcome.error
    outcome = gimp.remove(image, [photo], backend="runware")
    assert outcome.status == "execution-error"
    assert "cutaway login" in outcome.error


def test_script_fu_calls_it_with_named_arguments(gimp: Console, image: int, photo: int):
    gimp.play({})
    outcome = gimp.script_fu(f"""
        (script-fu-use-v3)
        (let ((made ({PROCEDURE} #:image {image} #:drawables (vector {photo}) #:output "replace")))
          (if (not (= (vector-length made) 1)) (error "made:" made))
          (gimp-item-set-name (vector-ref made 0) "By Script-Fu"))
    """)
    assert outcome.status == "success", outcome.error
    assert names(gimp, image) == ["By Script-Fu"]


def test_script_fu_stops_at_a_wrong_value_and_says_why(gimp: Console, image: int, photo: int):
    call = f'{PROCEDURE} #:image {image} #:drawables (vector {photo}) #:output "mask"'
    outcome = gimp.script_fu(f'(script-fu-use-v3) ({call}) (gimp-item-set-name {photo} "Ran on")')
    assert outcome.status == "execution-error"
    assert "There is no output “mask”. Choose one of: new-layer" in outcome.error
    assert names(gimp, image) == ["Photo"]
    caught = gimp.script_fu(
        f'(script-fu-use-v3) (catch (gimp-item-set-name {photo} "Caught") ({call}))'
    )
    assert caught.status == "success", caught.error
    assert names(gimp, image) == ["Caught"]


def test_an_answer_that_comes_while_pixels_are_still_sent_is_not_lost(gimp: Console, image: int):
    tall = gimp.layer(image, np.full((4096, 64, 4), 255, np.uint8))
    gimp.play({"pictures": [{"progress": [["matting", 0.1]], "after": "header"}]})
    assert len(gimp.remove(image, [tall]).made) == 1


def test_several_layers_are_done_by_one_worker(gimp: Console, image: int, photo: int):
    second = gimp.layer(image, poster(), name="Second")
    worker = gimp.play({})
    made = gimp.remove(image, [photo, second]).made
    by_id = {layer["id"]: layer["name"] for layer in gimp.layers(image)}
    assert [by_id[one] for one in made] == ["Photo cutout", "Second cutout"]
    assert [entry["event"] for entry in worker.log].count("started") == 1


def test_if_a_layer_fails_those_before_it_are_done_and_it_is_named(
    gimp: Console, image: int, photo: int
):
    second = gimp.layer(image, poster(), name="Second")
    third = gimp.layer(image, poster(), name="Third")
    gimp.play({"pictures": [{}, {"error": FAILING}]})
    outcome = gimp.remove(image, [photo, second, third])
    assert outcome.status == "execution-error"
    assert "“Second” failed. There is no subject. Try another model." in outcome.error
    assert "1 of 3" in outcome.error
    assert names(gimp, image) == ["Third", "Second", "Photo cutout", "Photo"]


def test_one_layer_that_fails_is_told_in_the_workers_own_words(
    gimp: Console, image: int, photo: int
):
    gimp.play({"pictures": [{"error": {**FAILING, "task_uuid": "e8e3b0f4"}}]})
    outcome = gimp.remove(image, [photo])
    assert outcome.status == "execution-error"
    assert outcome.error == "There is no subject. Try another model. (e8e3b0f4)"
    assert names(gimp, image) == ["Photo"]


@pytest.mark.parametrize(
    "script",
    [
        {"pictures": [{"exit": 9}]},
        {"pictures": [{"exit": 9, "after": "header"}]},
        {"pictures": [{"stop": 0}]},
    ],
    ids=["after-the-rows", "while-rows-are-sent", "before-the-result"],
)
def test_a_worker_that_ends_is_told_and_nothing_is_changed(
    gimp: Console, image: int, photo: int, script: dict[str, Any]
):
    gimp.play(script)
    outcome = gimp.remove(image, [photo])
    assert outcome.status == "execution-error"
    assert "Cutaway ended unexpectedly" in outcome.error
    assert "cutaway gimp install" in outcome.error
    assert names(gimp, image) == ["Photo"]


@pytest.mark.parametrize(
    ("python", "told"),
    [("/nowhere/python", "Cutaway wasn't found."), ("/usr/bin/python3", "No module named")],
)
def test_where_cutaway_is_missing_it_is_told_how_to_install_it(
    gimp: Console, image: int, photo: int, python: str, told: str
):
    gimp.use(python)
    outcome = gimp.remove(image, [photo])
    assert outcome.status == "execution-error"
    assert told in outcome.error
    assert "cutaway gimp install" in outcome.error


def test_another_version_of_cutaway_is_told(gimp: Console, image: int, photo: int):
    gimp.play({"hello": {"protocol": 99}})
    outcome = gimp.remove(image, [photo])
    assert "are of different versions" in outcome.error
    assert "cutaway gimp install" in outcome.error


def test_a_layer_that_is_deleted_meanwhile_is_told(gimp: Console, image: int, photo: int):
    worker = gimp.play({"pictures": [{"wait": True}]})
    with worker.watched() as events:
        future = gimp.begin_remove(image, [photo])
        events.wait_for("waiting")
        gimp.aside("image(number).remove_layer(item(layer))", number=image, layer=photo)
        worker.let_go()
        outcome = future.result(30)
    assert outcome.status == "execution-error"
    assert outcome.error == "“Photo” was deleted meanwhile. Nothing was done with it."
    assert names(gimp, image) == []


def test_a_killed_plug_in_leaves_no_worker_and_the_image_as_it_was(
    gimp: Console, image: int, photo: int
):
    worker = gimp.play(AT_WORK)
    with worker.watched() as events:
        future = gimp.begin_remove(image, [photo])
        events.wait_for("hanging")
        gimp.aside(KILL_PLUG_IN, name=f"{gimp.workplace.inside(gimp.plug_in)}/")
        events.wait_until_gone()
        assert future.result(30).status != "success"
    assert worker.log[-1]["event"] == "exit"
    assert names(gimp, image) == ["Photo"]


def test_what_gimp_has_in_its_own_environment_does_not_reach_the_worker(
    gimp: Console, image: int, photo: int
):
    worker = gimp.play({})
    gimp.remove(image, [photo])
    environment = worker.log[0]["environment"]
    assert environment["HOME"] == gimp.workplace.inside(gimp.home)
    assert not [name for name in environment if name.startswith(("PYTHON", "GIMP", "LD_", "GI_"))]


def test_a_scripts_warnings_are_told_to_no_one(gimp: Console, image: int, photo: int):
    before = gimp.log.stat().st_size
    gimp.play({"pictures": [{"found": {"warnings": ["almost nothing was kept"]}}]})
    assert gimp.remove(image, [photo]).status == "success"
    assert "almost nothing" not in gimp.log.read_bytes()[before:].decode()


def test_who_repeats_it_by_hand_is_told_the_warnings(gimp: Console, image: int, photo: int):
    before = gimp.log.stat().st_size
    gimp.play({"pictures": [{"found": {"warnings": ["almost nothing was kept"]}}]})
    assert gimp.remove(image, [photo], run_mode="WITH_LAST_VALS").status == "success"
    assert "Photo: almost nothing was kept" in gimp.log.read_bytes()[before:].decode()


def test_if_gimp_crashes_neither_plug_in_nor_worker_live_on(gimp: Console):
    worker = gimp.play(AT_WORK)
    environment = {
        "HOME": gimp.workplace.inside(gimp.home),
        "code": CALL_ALONE,
        "log": gimp.workplace.inside(worker.python.parent / "log.jsonl"),
    }
    root = gimp.workplace.root
    done = root.run("sh", "-c", CRASH_GIMP, environment=environment, seconds=30)
    assert done.stdout.endswith("all gone\n"), done.stdout + done.stderr
    assert worker.log[-1]["event"] == "exit"


def test_a_fault_of_the_plug_ins_own_is_told_and_traced(gimp: Console, image: int, photo: int):
    before = gimp.log.stat().st_size
    gimp.play({"pictures": [{"found": {"warnings": None}}]})
    outcome = gimp.remove(image, [photo])
    assert outcome.status == "execution-error"
    assert "The plug-in failed unexpectedly" in outcome.error
    assert "TypeError" in outcome.error
    assert "Traceback" in gimp.log.read_bytes()[before:].decode()
    assert names(gimp, image) == ["Photo"]


def test_in_flatpak_it_is_told_how_to_let_gimp_start_cutaway(gimp: Console):
    log = "Portal call failed: org.freedesktop.DBus.Error.ServiceUnknown"
    said = inside.run(gimp, IN_FLATPAK, log=log)
    assert "flatpak override --user --talk-name=org.freedesktop.Flatpak org.gimp.GIMP" in said
    assert "cutaway gimp install" in inside.run(gimp, IN_FLATPAK, log="No module named cutaway")
