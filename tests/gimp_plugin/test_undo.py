"""One step back undoes all of it, and what was refused left no step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.gimp_plugin import inside
from tests.gimp_plugin.console import SERVER, until

if TYPE_CHECKING:
    from tests.gimp_plugin.screen import Screen

ADD_MASK = "item(layer).add_mask(item(layer).create_mask(Gimp.AddMaskType.WHITE))"
BLUR = "of = item(layer); of.append_filter(Gimp.DrawableFilter.new(of, 'gegl:pixelize', ''))"
PLACE = """
results = []
for layer in layers:
    picture = Picture(item(layer))
    results.append(start_result(item(layer), output, picture))
    results[-1].finish()
    picture.close()
place(image(number), results, fill)
Gimp.displays_flush()
"""


def state(screen: Screen, image: int) -> list[Any]:
    """All that a removal may change."""
    selection = screen.run("image(number).get_selection()", number=image)
    shown: list[Any] = screen.layers(image)
    for layer in shown:
        del layer["selected"]
    return [shown, screen.channels(image), screen.pixels(selection, "Y u8").tolist()]


@pytest.mark.parametrize(
    ("output", "masked"),
    [
        ("new-layer", True),
        ("layer-mask", False),
        ("layer-mask", True),
        ("grey-layer", False),
        ("channel", False),
        ("selection", False),
        ("replace", True),
    ],
)
def test_one_step_back_undoes_what_was_made_of_two_layers(
    screen: Screen, output: str, *, masked: bool
):
    image = screen.image(64, 48)
    pixels = np.full((48, 64, 4), 200, np.uint8)
    layers = [screen.layer(image, pixels, name=name) for name in ("Below", "Above")]
    if masked:
        screen.run(ADD_MASK, layer=layers[0])
    screen.run(BLUR, layer=layers[1])
    screen.show(image)
    screen.run("image(number).clean_all()", number=image)
    before = state(screen, image)

    told = {"number": image, "layers": layers, "output": output, "fill": (0, 0, 0, 1.0)}
    inside.run(screen, PLACE, **told)
    assert screen.run("image(number).is_dirty()", number=image)
    # A step is called after who did it, and here that is the code that runs in GIMP for the tests.
    until(lambda: screen.look("menu(*path)", path=["Edit", f"Undo {SERVER}.py"]))

    until(lambda: not screen.run("image(number).is_dirty()", number=image))
    assert state(screen, image) == before
