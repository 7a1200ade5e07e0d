"""Which layers are taken, why others aren't, and that the worker is sent what is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.gimp_plugin import inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.gimp_plugin.console import Console

CHOSEN = "chosen_layers(image(number), [item(each) for each in chosen], output)"
ADD_MASK = (
    "mask = item(layer).create_mask(Gimp.AddMaskType.WHITE); item(layer).add_mask(mask); mask"
)
LOCK = "item(number).set_lock_content(True)"
ADD_GROUP = """
made = Gimp.GroupLayer.new(image(number), "Group")
image(number).insert_layer(made, None, 0)
made
"""
FLOAT = """
Gimp.Selection.all(image(number))
Gimp.Selection.float(image(number), [item(layer)], 0, 0)
"""
ADD_FILTER = """
drawable = item(number)
effect = Gimp.DrawableFilter.new(drawable, operation, "")
for name, value in settings.items():
    effect.get_config().set_property(name, value)
drawable.append_filter(effect)
effect.set_visible(visible)
effect.update()
"""
RED = (200, 100, 50, 255)


def flat(colour: tuple[int, ...] = RED, size: tuple[int, int] = (24, 16)) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 4), colour, np.uint8)


def varied(size: tuple[int, int] = (24, 16)) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 255, (size[1], size[0], 4), np.uint8, endpoint=True)


def group_of(gimp: Console, image: int) -> int:
    """An empty group at the top of an image."""
    return int(gimp.run(ADD_GROUP, number=image))


def add_filter(
    gimp: Console, layer: int, operation: str, *, visible: bool = True, **settings: float
) -> None:
    names = {"number": layer, "operation": operation, "settings": settings, "visible": visible}
    gimp.run(ADD_FILTER, **names)


def test_layers_are_taken_once_each_in_the_order_given_and_a_mask_stands_for_its_layer(
    gimp: Console,
):
    image = gimp.image()
    first, second = gimp.layer(image, flat()), gimp.layer(image, flat())
    mask = gimp.run(ADD_MASK, layer=second)
    chosen = inside.run(gimp, CHOSEN, number=image, chosen=[mask, first, second], output="channel")
    assert chosen == [second, first]


def test_nothing_selected_a_channel_and_an_indexed_image_are_refused_in_words(gimp: Console):
    image = gimp.image()
    photo = gimp.layer(image, flat(), name="Photo")
    channel = gimp.run(
        "made = Gimp.Channel.new(image(number), 'Depth', 9, 9, 50, Gegl.Color.new('red'));"
        "image(number).insert_channel(made, None, 0); made",
        number=image,
    )
    told = {"number": image, "output": "new-layer"}
    assert "No layer" in inside.refusal(gimp, CHOSEN, chosen=[], **told)
    assert "“Depth” is a channel" in inside.refusal(gimp, CHOSEN, chosen=[channel], **told)
    gimp.run(
        "image(number).convert_indexed(0, 0, 16, False, False, '')",
        number=image,
    )
    assert "Image > Mode > RGB" in inside.refusal(gimp, CHOSEN, chosen=[photo], **told)


def test_a_floating_selection_is_refused_before_anything_is_sent(gimp: Console):
    image = gimp.image()
    photo = gimp.layer(image, flat())
    gimp.run(FLOAT, number=image, layer=photo)
    told = {"number": image, "chosen": [photo], "output": "new-layer"}
    assert "floating selection" in inside.refusal(gimp, CHOSEN, **told)


@pytest.mark.parametrize("output", ["layer-mask", "replace"])
@pytest.mark.parametrize("locked", ["the layer", "its group"])
def test_locked_pixels_are_refused_where_they_would_change(gimp: Console, output: str, locked: str):
    image = gimp.image()
    group = group_of(gimp, image)
    photo = gimp.layer(image, flat(), name="Photo", parent=group)
    gimp.run(LOCK, number=photo if locked == "the layer" else group)
    said = inside.refusal(gimp, CHOSEN, number=image, chosen=[photo], output=output)
    assert ("“Photo” are locked" if locked == "the layer" else "“Group” are locked") in said


@pytest.mark.parametrize("output", ["new-layer", "grey-layer", "channel", "selection"])
def test_locked_pixels_stand_in_no_other_outputs_way(gimp: Console, output: str):
    image = gimp.image()
    photo = gimp.layer(image, flat())
    gimp.run(LOCK, number=photo)
    told = {"number": image, "chosen": [photo], "output": output}
    assert inside.run(gimp, CHOSEN, **told) == [photo]


def test_a_group_is_not_replaced_with_a_locked_layer_in_it_nor_together_with_one(gimp: Console):
    image = gimp.image()
    group = group_of(gimp, image)
    photo = gimp.layer(image, flat(), name="Photo", parent=group)
    told = {"number": image, "output": "replace"}
    both = inside.refusal(gimp, CHOSEN, chosen=[photo, group], **told)
    assert "“Photo” is in “Group”" in both
    gimp.run(LOCK, number=photo)
    assert "“Photo” are locked" in inside.refusal(gimp, CHOSEN, chosen=[group], **told)
    assert inside.run(gimp, CHOSEN, chosen=[group], number=image, output="layer-mask") == [group]


def test_opacity_mode_mask_visibility_selection_and_canvas_are_not_in_what_is_sent(gimp: Console):
    image = gimp.image(16, 12)
    pixels = varied((40, 30))
    photo = gimp.layer(image, pixels, offsets=(-7, -9))
    gimp.run(
        "of = item(number); of.set_opacity(30); of.set_mode(Gimp.LayerMode.MULTIPLY);"
        "of.add_mask(of.create_mask(Gimp.AddMaskType.BLACK)); of.set_visible(False);"
        "of.get_image().select_rectangle(Gimp.ChannelOps.REPLACE, 2, 2, 3, 3)",
        number=photo,
    )
    np.testing.assert_array_equal(inside.sent(gimp, photo), pixels)


def test_filters_that_are_seen_are_in_what_is_sent_and_stay_on_the_layer(gimp: Console):
    image = gimp.image()
    photo = gimp.layer(image, flat())
    add_filter(gimp, photo, "gegl:invert-gamma", visible=False)
    assert tuple(inside.sent(gimp, photo)[0, 0]) == RED
    add_filter(gimp, photo, "gegl:invert-gamma")
    assert tuple(inside.sent(gimp, photo)[0, 0]) == (55, 155, 205, 255)
    assert len(gimp.run("item(number).get_filters()", number=photo)) == 2
    assert tuple(gimp.pixels(photo)[0, 0]) == RED
    assert len(gimp.layers(image)) == 1


def test_a_filter_that_reaches_beyond_its_layer_is_sent_whole(gimp: Console):
    image = gimp.image()
    photo = gimp.layer(image, flat(), offsets=(5, 5))
    add_filter(gimp, photo, "gegl:dropshadow", x=10, y=8, radius=0)
    sent = inside.sent(gimp, photo)
    assert sent.shape == (16 + 8, 24 + 10, 4)
    assert tuple(sent[0, 0]) == RED
    assert tuple(sent[-2, -2, :3]) == (0, 0, 0)
    assert 0 < sent[-2, -2, 3] < 255


@pytest.mark.parametrize("mode", ["NORMAL", "PASS_THROUGH"])
def test_a_group_is_sent_as_it_is_rendered_with_its_own_filters(gimp: Console, mode: str):
    image = gimp.image()
    group = group_of(gimp, image)
    gimp.layer(image, flat((0, 0, 200, 255), (10, 10)), parent=group, offsets=(2, 3))
    gimp.layer(image, flat((200, 0, 0, 255), (10, 10)), parent=group, offsets=(8, 3))
    gimp.run("item(number).set_mode(getattr(Gimp.LayerMode, mode))", number=group, mode=mode)
    expected = np.zeros((10, 16, 4), np.uint8)
    expected[:, :6] = (0, 0, 200, 255)
    expected[:, 6:] = (200, 0, 0, 255)
    np.testing.assert_array_equal(inside.sent(gimp, group), expected)

    gimp.run(
        "of = item(number); of.add_mask(of.create_mask(Gimp.AddMaskType.BLACK));"
        "of.set_opacity(20); of.set_visible(False)",
        number=group,
    )
    add_filter(gimp, group, "gegl:invert-gamma")
    expected[..., :3] = 255 - expected[..., :3]
    np.testing.assert_array_equal(inside.sent(gimp, group), expected)
    assert gimp.run("Gimp.get_images()") == [image]


def test_a_filtered_group_in_a_deep_image_with_a_profile_is_sent_in_its_true_colours(
    gimp: Console,
):
    image = gimp.image(precision="U16_NON_LINEAR")
    gimp.run("image(number).set_color_profile(Gimp.ColorProfile.new_rgb_adobe())", number=image)
    group = group_of(gimp, image)
    gimp.layer(image, flat(), parent=group)
    add_filter(gimp, group, "gegl:invert-gamma")
    add_filter(gimp, group, "gegl:invert-gamma")
    sent = inside.sent(gimp, group)
    assert sent.dtype == np.uint16
    np.testing.assert_allclose(sent[0, 0] / 257, RED, atol=0.1)


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        ("image(number).remove_layer(item(layer))", "“Photo” was deleted meanwhile"),
        ("image(number).delete()", "The image was closed meanwhile"),
        ("item(layer).resize(9, 9, 0, 0)", "“Photo” got another size"),
        ("image(number).convert_precision(Gimp.Precision.U16_LINEAR)", "size or precision"),
        ("image(number).convert_grayscale()", "size or precision"),
    ],
)
def test_what_changed_meanwhile_is_told_at_the_next_strip(gimp: Console, meanwhile: str, told: str):
    image = gimp.image()
    photo = gimp.layer(image, flat(), name="Photo")
    code = f"rows = Picture(item(layer)).rows(); {meanwhile}; next(rows)"
    assert told in inside.refusal(gimp, code, number=image, layer=photo)


def test_a_layer_that_is_gone_before_its_turn_is_told(gimp: Console):
    image = gimp.image()
    photo = gimp.layer(image, flat())
    code = "gone = item(layer); gone.get_image().remove_layer(gone); Picture(gone)"
    assert "deleted before its turn" in inside.refusal(gimp, code, layer=photo)
