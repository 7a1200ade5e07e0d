"""Results lie where they should, are shown as the original was, and leave nothing else behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.gimp_plugin import inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.gimp_plugin.console import Console

SIZE = (20, 12)
ADD_GROUP = """
made = Gimp.GroupLayer.new(image(number), "Group")
image(number).insert_layer(made, None, 0)
made
"""
ADD_TEXT = """
made = Gimp.TextLayer.new(image(number), "Text", Gimp.context_get_font(), 20, Gimp.Unit.pixel())
image(number).insert_layer(made, None, 0)
made
"""
ADD_MASK = """
mask = item(layer).create_mask(Gimp.AddMaskType.WHITE)
buffer = mask.get_buffer()
buffer.set(Gegl.Rectangle.new(0, 0, mask.get_width(), mask.get_height()), "Y u8", data)
buffer.flush()
item(layer).add_mask(mask)
"""
ADD_SHADOW = """
shadow = Gimp.DrawableFilter.new(item(number), "gegl:dropshadow", "")
for name, value in (("x", 9.0), ("y", 7.0), ("radius", 0.0)):
    shadow.get_config().set_property(name, value)
item(number).append_filter(shadow)
"""
FINISH_ALL = """
results = []
for layer in layers:
    picture = Picture(item(layer))
    results.append(start_result(item(layer), output, picture))
    results[-1].finish()
    picture.close()
"""


def photo_in(gimp: Console, image: int, **more: Any) -> tuple[int, NDArray[np.uint8]]:
    """A layer, and its pixels."""
    random = np.random.default_rng(6)
    pixels = random.integers(0, 255, (SIZE[1], SIZE[0], 4), np.uint8, endpoint=True)
    return gimp.layer(image, pixels, **more), pixels


def half(pixels: NDArray[np.uint8]) -> list[tuple[int, int, bytes]]:
    """The worker's answer where the left half is background."""
    answer = pixels.copy()
    background = np.zeros(pixels.shape[:2], np.bool_)
    background[:, : pixels.shape[1] // 2] = True
    answer[background] = 0
    return inside.cutout(answer, background)


def test_a_cutout_lies_right_above_its_hidden_original_and_is_selected(gimp: Console):
    image = gimp.image(*SIZE)
    below, _ = photo_in(gimp, image, name="Below")
    photo, pixels = photo_in(gimp, image, name="Photo", offsets=(-3, 5))
    above, _ = photo_in(gimp, image, name="Above")
    gimp.run("image(number).select_rectangle(Gimp.ChannelOps.REPLACE, 1, 6, 3, 3)", number=image)
    [made] = inside.place(gimp, photo, "new-layer", half(pixels))
    layers = gimp.layers(image)
    assert [each["id"] for each in layers] == [above, made, photo, below]
    assert [each["visible"] for each in layers] == [True, True, False, True]
    assert [each["selected"] for each in layers] == [False, True, False, False]
    assert layers[1]["name"] == "Photo cutout"
    assert (layers[1]["offsets"], layers[1]["size"]) == ([-3, 5], list(SIZE))
    cut = gimp.pixels(made)
    np.testing.assert_array_equal(cut[..., :3], pixels[..., :3])
    assert not cut[:, :10, 3].any()
    np.testing.assert_array_equal(cut[:, 10:], pixels[:, 10:])


def test_a_cutout_is_shown_as_its_original_was_and_is_not_locked(gimp: Console):
    image = gimp.image(*SIZE)
    photo, pixels = photo_in(gimp, image)
    gimp.run(
        "of = item(number); of.set_opacity(40); of.set_mode(Gimp.LayerMode.MULTIPLY);"
        "of.set_blend_space(Gimp.LayerColorSpace.LAB);"
        "of.set_composite_space(Gimp.LayerColorSpace.RGB_LINEAR);"
        "of.set_composite_mode(Gimp.LayerCompositeMode.INTERSECTION);"
        "of.set_color_tag(Gimp.ColorTag.GREEN); of.set_lock_content(True);"
        "of.set_lock_position(True); of.set_lock_alpha(True)",
        number=photo,
    )
    shown = (
        "of = item(number); [of.get_opacity(), of.get_mode().value_nick,"
        "of.get_blend_space().value_nick, of.get_composite_space().value_nick,"
        "of.get_composite_mode().value_nick, of.get_color_tag().value_nick]"
    )
    before = gimp.run(shown, number=photo)
    [made] = inside.place(gimp, photo, "new-layer", half(pixels))
    assert gimp.run(shown, number=made) == before
    locks = (
        "of = item(number); [of.get_lock_content(), of.get_lock_position(), of.get_lock_alpha()]"
    )
    assert gimp.run(locks, number=made) == [False, False, False]
    assert gimp.run(locks, number=photo) == [True, True, True]


def test_an_original_whose_visibility_is_locked_stays_visible(gimp: Console):
    image = gimp.image(*SIZE)
    photo, pixels = photo_in(gimp, image)
    gimp.run("item(number).set_lock_visibility(True)", number=photo)
    inside.place(gimp, photo, "new-layer", half(pixels))
    assert [each["visible"] for each in gimp.layers(image)] == [True, True]


def test_the_cutout_of_a_hidden_layer_can_be_seen(gimp: Console):
    image = gimp.image(*SIZE)
    photo, pixels = photo_in(gimp, image)
    gimp.run("item(number).set_visible(False)", number=photo)
    inside.place(gimp, photo, "new-layer", half(pixels))
    assert [each["visible"] for each in gimp.layers(image)] == [True, False]


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("output", ["new-layer", "replace"])
def test_a_cutout_has_a_mask_of_its_own_with_what_the_originals_had(
    gimp: Console, output: str, *, applied: bool
):
    image = gimp.image(*SIZE)
    photo, pixels = photo_in(gimp, image)
    values = np.random.default_rng(8).integers(0, 255, (SIZE[1], SIZE[0]), np.uint8)
    gimp.run(ADD_MASK, layer=photo, data=values.tobytes())
    state = "of = item(number); of.set_apply_mask(on); of.set_edit_mask(True)"
    gimp.run(f"{state}; of.set_show_mask(True)", number=photo, on=applied)
    [made] = inside.place(gimp, photo, output, half(pixels))
    mask = gimp.run("item(number).get_mask()", number=made)
    np.testing.assert_array_equal(gimp.pixels(mask, "Y u8"), values)
    state = "of = item(number); [of.get_apply_mask(), of.get_edit_mask(), of.get_show_mask()]"
    assert gimp.run(state, number=made) == [applied, False, False]


def test_a_child_of_a_group_gets_its_cutout_beside_it(gimp: Console):
    image = gimp.image(*SIZE)
    group = gimp.run(ADD_GROUP, number=image)
    below, _ = photo_in(gimp, image, parent=group)
    photo, pixels = photo_in(gimp, image, parent=group)
    [made] = inside.place(gimp, photo, "new-layer", half(pixels))
    [only] = gimp.layers(image)
    assert [each["id"] for each in only["children"]] == [made, photo, below]


@pytest.mark.parametrize("output", ["new-layer", "replace"])
def test_the_cutout_of_a_group_is_one_plain_layer_beside_it(gimp: Console, output: str):
    image = gimp.image(*SIZE)
    group = gimp.run(ADD_GROUP, number=image)
    _, pixels = photo_in(gimp, image, parent=group, offsets=(4, 4))
    gimp.run("item(number).set_mode(Gimp.LayerMode.PASS_THROUGH)", number=group)
    [made] = inside.place(gimp, group, output, half(pixels))
    layers = gimp.layers(image)
    assert [each["id"] for each in layers] == ([made, group] if output == "new-layer" else [made])
    assert (layers[0]["kind"], layers[0]["mode"]) == ("Layer", "normal")
    assert layers[0]["offsets"] == [4, 4]
    np.testing.assert_array_equal(gimp.pixels(made)[:, 10:], pixels[:, 10:])


def test_the_cutout_of_a_text_is_a_plain_layer_and_the_text_stays_one(gimp: Console):
    image = gimp.image(*SIZE)
    text = gimp.run(ADD_TEXT, number=image)
    pixels = inside.sent(gimp, text)
    np.testing.assert_array_equal(pixels, gimp.pixels(text))
    [made] = inside.place(gimp, text, "new-layer", [])
    assert [each["kind"] for each in gimp.layers(image)] == ["Layer", "TextLayer"]
    np.testing.assert_array_equal(gimp.pixels(made), pixels)


@pytest.mark.parametrize("visible", [True, False])
def test_replacing_takes_the_originals_place_name_and_visibility(gimp: Console, *, visible: bool):
    image = gimp.image(*SIZE)
    below, _ = photo_in(gimp, image)
    photo, pixels = photo_in(gimp, image, name="Photo #1", offsets=(2, -2))
    above, _ = photo_in(gimp, image)
    gimp.run("item(number).set_visible(on)", number=photo, on=visible)
    [made] = inside.place(gimp, photo, "replace", half(pixels))
    layers = gimp.layers(image)
    assert [each["id"] for each in layers] == [above, made, below]
    assert (layers[1]["name"], layers[1]["visible"]) == ("Photo #1", visible)
    assert layers[1]["offsets"] == [2, -2]
    assert [each["selected"] for each in layers] == [False, True, False]


@pytest.mark.parametrize("output", ["new-layer", "replace"])
@pytest.mark.parametrize("precision", ["U8_NON_LINEAR", "U16_LINEAR", "FLOAT_NON_LINEAR"])
def test_a_fill_lies_right_below_its_cutout_and_is_as_large(
    gimp: Console, output: str, precision: str
):
    image = gimp.image(*SIZE, precision=precision)
    photo, pixels = photo_in(gimp, image, name="Photo", offsets=(-3, 5))
    gimp.run("item(number).set_opacity(50)", number=photo)
    strips = half(pixels) if precision.startswith("U8") else []
    [made] = inside.place(gimp, photo, output, strips, (200, 100, 50, 0.5))
    layers = gimp.layers(image)
    originals = [photo] if output == "new-layer" else []
    fill = layers[1]
    assert [each["id"] for each in layers] == [made, fill["id"], *originals]
    assert (fill["name"], fill["size"], fill["offsets"]) == ("Photo fill", list(SIZE), [-3, 5])
    assert (fill["opacity"], fill["mode"], fill["visible"]) == (100, "normal", True)
    wanted = np.array([200, 100, 50, 127.5])
    assert np.abs(gimp.pixels(fill["id"], "R'G'B'A float") * 255 - wanted).max() <= 0.5
    assert [each["selected"] for each in layers] == [True, False, False][: len(layers)]


def test_several_layers_are_placed_together_and_are_selected(gimp: Console):
    image = gimp.image(*SIZE)
    low, _ = photo_in(gimp, image)
    high, _ = photo_in(gimp, image)
    code = f"{FINISH_ALL}place(image(number), results)"
    of_high, of_low = inside.run(gimp, code, number=image, layers=[high, low], output="new-layer")
    layers = gimp.layers(image)
    assert [each["id"] for each in layers] == [of_high, high, of_low, low]
    assert [each["selected"] for each in layers] == [True, False, True, False]


def test_a_layer_that_was_moved_meanwhile_has_its_results_where_it_is_now(gimp: Console):
    image = gimp.image(*SIZE)
    for output in ("new-layer", "grey-layer", "replace"):
        photo, _ = photo_in(gimp, image)
        moved = "item(layers[0]).set_offsets(7, -4); place(image(number), results, (0, 0, 0, 1.0))"
        told = {"number": image, "layers": [photo], "output": output}
        [made] = inside.run(gimp, f"{FINISH_ALL}{moved}", **told)
        offsets = {each["id"]: each["offsets"] for each in gimp.layers(image)}
        assert offsets[made] == [7, -4]
        assert all(each["offsets"] == [7, -4] for each in gimp.layers(image))


@pytest.mark.parametrize("output", ["channel", "selection"])
@pytest.mark.parametrize("meanwhile", ["item(layers[0]).set_offsets(7, -4)", "RESIZE"])
def test_what_lies_on_the_canvas_is_refused_if_the_layer_or_the_canvas_moved(
    gimp: Console, output: str, meanwhile: str
):
    image = gimp.image(*SIZE)
    photo, _ = photo_in(gimp, image, name="Photo")
    moved = meanwhile.replace("RESIZE", "image(number).resize(40, 40, 0, 0)")
    code = _indented(f"{FINISH_ALL}{moved}; place(image(number), results)")
    told = {"number": image, "layers": [photo], "output": output}
    assert "“Photo” was moved, or the canvas" in inside.refusal(gimp, code, **told)
    assert gimp.channels(image) == []


def test_a_mask_lies_where_it_did_under_a_filter_that_reaches_beyond_the_layer(gimp: Console):
    image = gimp.image(*SIZE)
    photo, _ = photo_in(gimp, image, offsets=(3, 3))
    values = np.random.default_rng(8).integers(0, 255, (SIZE[1], SIZE[0]), np.uint8)
    gimp.run(ADD_MASK, layer=photo, data=values.tobytes())
    gimp.run(ADD_SHADOW, number=photo)
    height, width, _ = inside.sent(gimp, photo).shape
    [made] = inside.place(gimp, photo, "new-layer", [])
    mask = gimp.run("item(number).get_mask()", number=made)
    expected = np.zeros((height, width), np.uint8)
    expected[: SIZE[1], : SIZE[0]] = values
    np.testing.assert_array_equal(gimp.pixels(mask, "Y u8"), expected)
    assert (width, height) == (SIZE[0] + 9, SIZE[1] + 7)


def test_a_layer_that_is_gone_or_locked_by_then_is_told_and_the_others_are_placed(gimp: Console):
    image = gimp.image(*SIZE)
    gone, _ = photo_in(gimp, image, name="Gone")
    locked, _ = photo_in(gimp, image, name="Locked")
    fine, _ = photo_in(gimp, image, name="Fine")
    told = {"number": image, "layers": [fine, gone], "output": "replace"}
    code = f"{FINISH_ALL}image(number).remove_layer(item(layers[1])); place(image(number), results)"
    assert "“Gone” was deleted" in inside.refusal(gimp, _indented(code), **told)
    assert [each["name"] for each in gimp.layers(image)] == ["Fine", "Locked"]
    code = f"{FINISH_ALL}item(layers[0]).set_lock_content(True); place(image(number), results)"
    told["layers"] = [locked]
    assert "“Locked” are locked" in inside.refusal(gimp, _indented(code), **told)
    assert [each["id"] for each in gimp.layers(image)][1] == locked


@pytest.mark.parametrize(
    "output", ["new-layer", "layer-mask", "grey-layer", "channel", "selection", "replace"]
)
def test_what_is_discarded_or_refused_leaves_nothing_in_gimp(gimp: Console, output: str):
    image = gimp.image(*SIZE)
    photo, _ = photo_in(gimp, image)
    gimp.run(
        "of = item(number); of.append_filter(Gimp.DrawableFilter.new(of, 'gegl:invert-gamma', ''))",
        number=photo,
    )
    gimp.run("image(number).clean_all()", number=image)
    code = f"""{FINISH_ALL}
made = [each.made.get_id() for each in results]
scratch = picture.source.get_id()
results[0].discard()
results[0].discard()
[Gimp.Item.id_is_valid(each) for each in (*made, scratch)] + [image(number).is_dirty()]
"""
    told = {"number": image, "layers": [photo], "output": output}
    assert inside.run(gimp, code, **told) == [False, False, False]


def _indented(code: str) -> str:
    """Lines as they stand within a block."""
    return code.replace("\n", "\n    ")
