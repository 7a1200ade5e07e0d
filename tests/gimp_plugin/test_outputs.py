"""Masks, channels, grey layers and selections mean in GIMP what the matte says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.gimp_plugin import inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.gimp_plugin.console import Console

SIZE = (32, 16)
KINDS_OF_IMAGE = pytest.mark.parametrize(
    ("precision", "base"),
    [
        ("U8_NON_LINEAR", "RGB"),
        ("U8_LINEAR", "RGB"),
        ("U8_PERCEPTUAL", "GRAY"),
        ("U8_NON_LINEAR", "GRAY"),
        ("U16_NON_LINEAR", "RGB"),
        ("U32_LINEAR", "GRAY"),
        ("HALF_NON_LINEAR", "RGB"),
        ("FLOAT_LINEAR", "RGB"),
        ("DOUBLE_PERCEPTUAL", "GRAY"),
    ],
)
VISIBLE = "Gimp.Layer.new_from_visible(image(number), image(number), 'seen')"
ADD_MASK = """
mask = item(layer).create_mask(Gimp.AddMaskType.WHITE)
size = [mask.get_width(), mask.get_height()]
buffer = mask.get_buffer()
buffer.set(Gegl.Rectangle.new(0, 0, *size), layout, data)
buffer.flush()
item(layer).add_mask(mask)
"""
SELECT = "image(number).select_item(Gimp.ChannelOps.REPLACE, item(channel))"
SELECTION = "image(number).get_selection()"
SELECTED = "image(number).get_selected_layers()"


def white_layer(
    gimp: Console,
    precision: str = "U8_NON_LINEAR",
    base: str = "RGB",
    *,
    offsets: tuple[int, int] = (0, 0),
    size: tuple[int, int] = SIZE,
) -> tuple[int, int]:
    """An image and an opaque layer in it."""
    image = gimp.image(*SIZE, base=base, precision=precision)
    white = np.full((size[1], size[0], 4), 255, np.uint8)
    kind = "RGBA_IMAGE" if base == "RGB" else "GRAYA_IMAGE"
    return image, gimp.layer(image, white, kind=kind, offsets=offsets)


def all_shares(precision: str, size: tuple[int, int] = SIZE) -> NDArray[Any]:
    """A matte with every eighth of a byte's values or so, in what the worker answers with."""
    matte = np.linspace(0, 255, size[0] * size[1]).round().astype(np.uint8).reshape(size[::-1])
    return matte if precision.startswith("U8") else matte.astype(np.uint16) * np.uint16(257)


def eighth(matte: NDArray[Any]) -> NDArray[np.uint8]:
    """The matte in bytes."""
    return (matte // (257 if matte.dtype == np.uint16 else 1)).astype(np.uint8)


def mask_of(gimp: Console, layer: int) -> int:
    return int(gimp.run("item(number).get_mask()", number=layer))


@KINDS_OF_IMAGE
def test_half_a_matte_in_a_layer_mask_lets_half_of_the_layer_be_seen(
    gimp: Console, precision: str, base: str
):
    image, photo = white_layer(gimp, precision, base)
    matte = all_shares(precision)
    assert inside.place(gimp, photo, "layer-mask", inside.coverage(matte)) == [photo]
    np.testing.assert_array_equal(gimp.pixels(mask_of(gimp, photo), "Y u8"), eighth(matte))
    seen = gimp.run(VISIBLE, number=image)
    np.testing.assert_array_equal(gimp.pixels(seen)[..., 3], eighth(matte))


@KINDS_OF_IMAGE
def test_a_grey_layer_is_seen_as_bright_as_the_matte_says(gimp: Console, precision: str, base: str):
    image, photo = white_layer(gimp, precision, base)
    matte = all_shares(precision)
    [made] = inside.place(gimp, photo, "grey-layer", inside.coverage(matte))
    seen = gimp.pixels(gimp.run(VISIBLE, number=image)).astype(int)
    # Linear bytes are too coarse for the darks, whatever is put into them.
    dark, step = (30, 4) if precision == "U8_LINEAR" else (0, 0)
    bright = eighth(matte) >= dark
    assert np.abs(seen[..., :3] - eighth(matte)[..., None])[bright].max() <= step
    assert (seen[..., 3] == 255).all()
    assert [each["id"] for each in gimp.layers(image)] == [made, photo]
    assert all(each["visible"] for each in gimp.layers(image))


@KINDS_OF_IMAGE
def test_half_a_matte_in_a_channel_selects_half(gimp: Console, precision: str, base: str):
    image, photo = white_layer(gimp, precision, base)
    matte = all_shares(precision)
    [channel] = inside.place(gimp, photo, "channel", inside.coverage(matte))
    assert [each["id"] for each in gimp.channels(image)] == [channel]
    gimp.run(SELECT, number=image, channel=channel)
    selection = gimp.run(SELECTION, number=image)
    np.testing.assert_array_equal(gimp.pixels(selection, "Y u8"), eighth(matte))
    assert gimp.run(SELECTED, number=image) == [photo]


@KINDS_OF_IMAGE
def test_half_a_matte_selects_half_and_leaves_no_channel(gimp: Console, precision: str, base: str):
    image, photo = white_layer(gimp, precision, base)
    matte = all_shares(precision)
    assert inside.place(gimp, photo, "selection", inside.coverage(matte)) == []
    selection = gimp.run(SELECTION, number=image)
    np.testing.assert_array_equal(gimp.pixels(selection, "Y u8"), eighth(matte))
    assert gimp.channels(image) == []
    assert gimp.run(SELECTED, number=image) == [photo]
    gimp.run("item(layer).edit_clear()", layer=photo)
    left = gimp.pixels(photo)[..., 3].astype(int)
    assert np.abs(left - (255 - eighth(matte).astype(int))).max() <= 1


@pytest.mark.parametrize("output", ["channel", "selection"])
@pytest.mark.parametrize(
    ("offsets", "size"),
    [((-5, -3), (20, 10)), ((-5, -3), (50, 40)), ((20, 9), (20, 10)), ((99, 0), (20, 10))],
)
def test_what_lies_beyond_the_canvas_is_left_out_of_channels_and_selections(
    gimp: Console, output: str, offsets: tuple[int, int], size: tuple[int, int]
):
    image, photo = white_layer(gimp, offsets=offsets, size=size)
    matte = all_shares("U8", size)
    made = inside.place(gimp, photo, output, inside.coverage(matte))
    expected = np.zeros((SIZE[1] + 300, SIZE[0] + 300), np.uint8)
    left, top = offsets[0] + 100, offsets[1] + 100
    expected[top : top + size[1], left : left + size[0]] = matte
    expected = expected[100 : 100 + SIZE[1], 100 : 100 + SIZE[0]]
    if output == "channel":
        gimp.run(SELECT, number=image, channel=made[0])
    found = gimp.pixels(gimp.run(SELECTION, number=image), "Y u8")
    np.testing.assert_array_equal(found, expected)


def test_the_selection_before_is_replaced_and_several_layers_are_selected_together(gimp: Console):
    image, first = white_layer(gimp, size=(8, 8))
    second = gimp.layer(image, np.full((8, 8, 4), 255, np.uint8), offsets=(12, 4))
    gimp.run("Gimp.Selection.all(image(number))", number=image)
    code = """
results = []
for number in layers:
    picture = Picture(item(number))
    results.append(start_result(item(number), "selection", picture))
    results[-1].write(0, 8, bytes([value]) * 64)
    results[-1].finish()
place(item(number).get_image(), results)
"""
    assert inside.run(gimp, code, layers=[first, second], value=200) == []
    expected = np.zeros(SIZE[::-1], np.uint8)
    expected[:8, :8] = expected[4:12, 12:20] = 200
    found = gimp.pixels(gimp.run(SELECTION, number=image), "Y u8")
    np.testing.assert_array_equal(found, expected)


def test_an_existing_mask_is_multiplied_and_one_that_was_off_is_on_again(gimp: Console):
    _, photo = white_layer(gimp)
    old = np.random.default_rng(2).integers(0, 255, SIZE[::-1], np.uint8, endpoint=True)
    gimp.run(ADD_MASK, layer=photo, layout="Y u8", data=old.tobytes())
    state = "of = item(number); of.set_apply_mask(False); of.set_edit_mask(False)"
    gimp.run(f"{state}; of.set_show_mask(True)", number=photo)
    matte = all_shares("U8")
    inside.place(gimp, photo, "layer-mask", inside.coverage(matte))
    product = np.rint(matte.astype(float) * old / 255)
    np.testing.assert_array_equal(gimp.pixels(mask_of(gimp, photo), "Y u8"), product)
    state = "of = item(number); [of.get_apply_mask(), of.get_edit_mask(), of.get_show_mask()]"
    assert gimp.run(state, number=photo) == [True, False, True]


def test_an_existing_mask_is_multiplied_at_the_images_own_precision(gimp: Console):
    _, photo = white_layer(gimp, "FLOAT_LINEAR")
    old = np.random.default_rng(2).random(SIZE[::-1], np.float32)
    gimp.run(ADD_MASK, layer=photo, layout="Y float", data=old.tobytes())
    matte = all_shares("FLOAT")
    inside.place(gimp, photo, "layer-mask", inside.coverage(matte))
    product = matte / 65535.0 * old
    found = gimp.pixels(mask_of(gimp, photo), "Y float")
    np.testing.assert_allclose(found, product, rtol=0, atol=1e-6)


def test_the_mask_of_a_layer_whose_filter_makes_it_larger_fits_the_layer(gimp: Console):
    _, photo = white_layer(gimp, offsets=(3, 3))
    gimp.run(
        "of = item(number); shadow = Gimp.DrawableFilter.new(of, 'gegl:dropshadow', '');"
        "shadow.get_config().set_property('x', 9.0); shadow.get_config().set_property('y', 7.0);"
        "shadow.get_config().set_property('radius', 0.0); of.append_filter(shadow)",
        number=photo,
    )
    height, width, _ = inside.sent(gimp, photo).shape
    assert (width, height) == (SIZE[0] + 9, SIZE[1] + 7)
    matte = all_shares("U8", (width, height))
    inside.place(gimp, photo, "layer-mask", inside.coverage(matte))
    mask = mask_of(gimp, photo)
    np.testing.assert_array_equal(gimp.pixels(mask, "Y u8"), matte[:-7, :-9])


def test_the_original_keeps_its_pixels_whatever_is_made_of_it(gimp: Console):
    image = gimp.image(*SIZE)
    pixels = np.random.default_rng(4).integers(0, 255, (*SIZE[::-1], 4), np.uint8)
    photo = gimp.layer(image, pixels)
    matte = all_shares("U8")
    for output in ("layer-mask", "grey-layer", "channel", "selection"):
        inside.place(gimp, photo, output, inside.coverage(matte))
    inside.place(gimp, photo, "new-layer", inside.cutout(pixels, matte < 255))
    np.testing.assert_array_equal(gimp.pixels(photo), pixels)
