"""The plug-in as a person at a screen has it: the dialog, the bar, and what is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.gimp_plugin.console import until
from tests.gimp_plugin.screen import Screen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.gimp_plugin.workplace import Workplace

DIALOG = "Remove Background"
MESSAGE = "GIMP Message"
SEARCH = "Search Actions"
UNDER_LAYER = ("Layer", "Transparency", "Remove Background…")
UNDER_FILTERS = ("Filters", "Remove Background…")

HANGING = {
    "pictures": [{"progress": [["decoding", 0.1], ["finding the subject", 0.3]], "hang": True}]
}


def poster() -> NDArray[np.uint8]:
    """A red square on white, which needs no model."""
    pixels = np.full((300, 400, 4), 255, np.uint8)
    pixels[80:220, 120:280, :3] = 200, 30, 40
    return pixels


def shown(screen: Screen) -> int:
    """The id of an image whose one layer is selected; it is in the window."""
    image = screen.image(400, 300)
    screen.layer(image, poster())
    screen.show(image)
    return image


def names(screen: Screen, image: int) -> list[str]:
    """The layers' names, from top to bottom; those that can't be seen are in brackets."""
    seen = {True: "{}", False: "({})"}
    return [seen[each["visible"]].format(each["name"]) for each in screen.layers(image)]


def seen_through_mask(screen: Screen, image: int) -> int:
    """How much of the topmost layer its mask lets through, at its upper left, of 255."""
    return int(screen.pixels(screen.layers(image)[0]["mask"], "Y u8")[0, 0])


def wait_for_end(screen: Screen) -> None:
    """Wait until neither the plug-in nor its worker is there."""
    until(lambda: not screen.processes())


@pytest.mark.parametrize("place", [UNDER_LAYER, UNDER_FILTERS], ids=" ".join)
def test_the_dialogs_ok_makes_a_cutout_of_the_chosen_layer(screen: Screen, place: tuple[str, ...]):
    image = shown(screen)

    screen.menu(*place)
    screen.press(DIALOG, "OK")
    wait_for_end(screen)

    assert names(screen, image) == ["Photo cutout", "(Photo)"]
    alpha = screen.pixels(screen.layers(image)[0]["id"])[..., 3]
    assert (alpha[150, 200], alpha[10, 10]) == (255, 0)


def test_the_dialog_is_found_by_gimps_search_and_says_that_nothing_leaves_the_computer(
    screen: Screen,
):
    shown(screen)

    screen.key("slash")
    screen.type(SEARCH, "remove background")
    until(lambda: any("Remove Background" in text for text in screen.texts(SEARCH)))
    screen.enter()

    until(lambda: DIALOG in screen.windows())
    assert any("Nothing leaves this computer" in text for text in screen.texts(DIALOG))
    screen.press(DIALOG, "Cancel")
    wait_for_end(screen)


def test_the_dialogs_cancel_changes_nothing(screen: Screen):
    image = shown(screen)

    screen.menu(*UNDER_LAYER)
    screen.press(DIALOG, "Cancel")
    wait_for_end(screen)

    assert names(screen, image) == ["Photo"]
    assert DIALOG not in screen.windows()


def test_the_dialog_remembers_what_was_chosen_and_ctrl_f_does_the_same_again(screen: Screen):
    image = shown(screen)
    screen.play({})
    screen.menu(*UNDER_LAYER)
    until(lambda: DIALOG in screen.windows())
    screen.choose(DIALOG, "Result", "Layer mask on the original")
    screen.press(DIALOG, "OK")
    wait_for_end(screen)
    assert seen_through_mask(screen, image) == 128

    screen.key("ctrl+f")
    until(lambda: seen_through_mask(screen, image) == 64)
    wait_for_end(screen)

    screen.menu(*UNDER_LAYER)
    until(lambda: DIALOG in screen.windows())
    assert screen.chosen(DIALOG, "Result") == "Layer mask on the original"
    screen.choose(DIALOG, "Result", "New layer, the original hidden")
    screen.press(DIALOG, "OK")
    wait_for_end(screen)
    assert names(screen, image) == ["Photo cutout", "(Photo)"]


def test_ctrl_z_undoes_it_in_one_step(screen: Screen):
    image = shown(screen)
    screen.play({})
    screen.menu(*UNDER_LAYER)
    screen.press(DIALOG, "OK")
    wait_for_end(screen)

    screen.key("ctrl+z")

    until(lambda: names(screen, image) == ["Photo"])


def test_the_bar_names_the_stages_and_shows_how_far_it_is(screen: Screen):
    shown(screen)
    worker = screen.play(HANGING)
    with worker.watched() as events:
        screen.menu(*UNDER_LAYER)
        screen.press(DIALOG, "OK")
        events.wait_for("hanging")

        until(lambda: screen.progress() == {"is_shown": True, "share": pytest.approx(0.3)})
        told = [each[1] for each in screen.progress_told() if each[0] == "progress_set_text"]
        assert told == ["Photo: decoding", "Photo: finding the subject"]
        screen.cancel()
        events.wait_until_gone()


def test_cancel_ends_the_worker_within_half_a_second_and_changes_nothing(screen: Screen):
    image = shown(screen)
    worker = screen.play(HANGING)
    with worker.watched() as events:
        screen.menu(*UNDER_LAYER)
        screen.press(DIALOG, "OK")
        events.wait_for("hanging")
        until(lambda: screen.progress()["is_shown"])

        start = time.monotonic()
        screen.cancel()
        events.wait_until_gone()
        assert time.monotonic() - start < 0.5

    wait_for_end(screen)
    until(lambda: not screen.progress()["is_shown"])
    assert names(screen, image) == ["Photo"]
    assert MESSAGE not in screen.windows()


def test_a_failure_is_told_in_gimps_own_dialog(screen: Screen):
    image = shown(screen)
    screen.play({"pictures": [{"error": {"text": "It did not work: no. Try something else."}}]})

    screen.menu(*UNDER_LAYER)
    screen.press(DIALOG, "OK")
    until(lambda: MESSAGE in screen.windows())

    told = "Execution error for 'Remove Background':\nIt did not work: no. Try something else."
    assert told in screen.texts(MESSAGE)
    wait_for_end(screen)
    assert names(screen, image) == ["Photo"]


def test_what_is_wrong_with_the_choices_is_told_above_the_dialog_that_has_them(screen: Screen):
    shown(screen)
    screen.play({"begin": {"kind": "error", "text": "That is no model. Choose another."}})

    screen.menu(*UNDER_LAYER)
    screen.press(DIALOG, "OK")

    until(lambda: "That is no model. Choose another." in screen.texts("Error"))
    screen.press("Error", "OK")
    until(lambda: "Error" not in screen.windows())
    assert DIALOG in screen.windows()
    screen.press(DIALOG, "Cancel")
    wait_for_end(screen)


def test_in_german_all_of_it_is_german(workplace: Workplace):
    with Screen(workplace, "de_DE.UTF-8") as screen:
        shown(screen)
        worker = screen.play(HANGING)
        with worker.watched() as events:
            screen.menu("Ebene", "Transparenz", "Hintergrund entfernen …")
            until(lambda: "Hintergrund entfernen" in screen.windows())
            texts = screen.texts("Hintergrund entfernen")
            assert "Neue Ebene, das Original unsichtbar" in texts
            screen.press("Hintergrund entfernen", "OK")
            events.wait_for("hanging")
            told = ["progress_set_text", "Photo: das Motiv wird gesucht"]
            until(lambda: told in screen.progress_told())
            screen.cancel()
            events.wait_until_gone()
