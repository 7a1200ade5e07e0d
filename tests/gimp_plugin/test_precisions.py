"""Every precision GIMP has: what stays is the same to the bit, and what changes is right."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.gimp_plugin import inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.gimp_plugin.console import Console

SIZE = (40, 30)
TYPES = {"U8": "u1", "U16": "u2", "U32": "u4", "HALF": "f2", "FLOAT": "f4", "DOUBLE": "f8"}
CURVES = ("LINEAR", "NON_LINEAR", "PERCEPTUAL")
PRECISIONS = [f"{kind}_{curve}" for kind in TYPES for curve in CURVES]


# Each kind meets each type and each curve; all with all would only take longer.
KINDS = (
    [("RGBA", "ICC"), ("GRAY", "none")],
    [("RGB", "none"), ("GRAYA", "ICC")],
)
EVERY_PRECISION = pytest.mark.parametrize(
    ("precision", "kind", "profile"),
    [
        (precision, *kind)
        for index, precision in enumerate(PRECISIONS)
        for kind in KINDS[index % len(KINDS)]
    ],
)

SET_PROFILE = """
new = {"RGB": Gimp.ColorProfile.new_rgb_adobe, "GRAY": Gimp.ColorProfile.new_d50_gray_lab_trc}
profile = new[base]()
image(number).set_color_profile(profile.new_linear_from_color_profile() if linear else profile)
"""
STORED = """
drawable = item(number)
whole = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
buffer = drawable.get_buffer()
"""
READ = f"{STORED}buffer.get(whole, 1.0, None, Gegl.AbyssPolicy.NONE)"
WRITE = f"{STORED}buffer.set(whole, Babl.get_name(drawable.get_format()), data); buffer.flush()"


def image_with(gimp: Console, precision: str, kind: str, *, profile: str) -> int:
    base = kind.removesuffix("A")
    image = gimp.image(*SIZE, base=base, precision=precision)
    if profile == "ICC":
        linear = precision.endswith("_LINEAR") and not precision.endswith("NON_LINEAR")
        gimp.run(SET_PROFILE, number=image, base=base, linear=linear)
    return image


def noisy_layer(gimp: Console, image: int, precision: str, kind: str) -> tuple[int, NDArray[Any]]:
    """A layer and what is stored of it: every bit of whole numbers, floats far beyond 0..1."""
    layer = gimp.layer(image, np.zeros((*SIZE[::-1], 4), np.uint8), kind=f"{kind}_IMAGE")
    of_type = np.dtype(TYPES[precision.partition("_")[0]])
    random = np.random.default_rng(zlib.crc32(f"{precision} {kind}".encode()))
    shape = (*SIZE[::-1], len(kind.replace("GRAY", "G")))
    if of_type.kind == "u":
        pixels = random.integers(0, np.iinfo(of_type).max, shape, of_type, endpoint=True)
    else:
        pixels = random.normal(0.5, 2, shape).astype(of_type)
        if kind.endswith("A"):
            pixels[..., -1] = random.uniform(0, 1, shape[:2])
    gimp.run(WRITE, number=layer, data=pixels.tobytes())
    return layer, pixels


def stored(gimp: Console, layer: int, precision: str) -> NDArray[Any]:
    """What is stored of a layer, (height, width, channels), converted from nothing."""
    data = gimp.run(READ, number=layer)
    of_type = TYPES[precision.partition("_")[0]]
    return np.frombuffer(data, of_type).reshape(*SIZE[::-1], -1)


def soft_answer(sent: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """A worker's cutout, and where its alpha and its colours changed."""
    most = np.iinfo(sent.dtype).max
    random = np.random.default_rng(5)
    matte = random.integers(0, most, sent.shape[:2], sent.dtype, endpoint=True)
    matte[random.random(matte.shape) < 0.4] = most
    matte[random.random(matte.shape) < 0.2] = 0
    matte[8:18] = most
    answer = random.integers(0, most, sent.shape, sent.dtype, endpoint=True)
    answer[..., 3] = np.rint(sent[..., 3] / most * matte)
    return answer, matte < most, (matte > 0) & (matte < most)


def with_full_alpha(pixels: NDArray[Any]) -> NDArray[Any]:
    """Stored pixels with the alpha that they lack."""
    if pixels.shape[2] in (2, 4):
        return pixels
    full = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return np.concatenate([pixels, np.full_like(pixels[..., :1], full)], axis=2)


def share(stored_alpha: NDArray[Any]) -> NDArray[np.float64]:
    """Stored alpha as 0..1."""
    whole = np.iinfo(stored_alpha.dtype).max if stored_alpha.dtype.kind == "u" else 1
    return stored_alpha.astype(np.float64) / whole


def disc() -> NDArray[np.uint8]:
    """A red disc with a soft edge on white."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    covered = np.clip(9 - np.hypot(x - 20, y - 15), 0, 1)[..., None]
    colours = covered * np.array([200, 30, 40]) + (1 - covered) * 255
    return np.dstack([colours, np.full(SIZE[::-1], 255)]).astype(np.uint8)


@EVERY_PRECISION
def test_without_clean_edges_only_the_alpha_changes_and_only_where_it_should(
    gimp: Console, precision: str, kind: str, profile: str
):
    image = image_with(gimp, precision, kind, profile=profile)
    layer, pixels = noisy_layer(gimp, image, precision, kind)
    answer, changed, _ = soft_answer(inside.sent(gimp, layer))

    [made] = inside.place(gimp, layer, "new-layer", inside.cutout(answer, changed))

    before, after = with_full_alpha(pixels), stored(gimp, made, precision)
    assert after[..., :-1].tobytes() == before[..., :-1].tobytes()
    assert after[..., -1][~changed].tobytes() == before[..., -1][~changed].tobytes()
    wanted = share(answer[..., 3][changed])
    step = 2.0**-11 if precision.startswith("HALF") else 1e-7
    np.testing.assert_allclose(share(after[..., -1][changed]), wanted, rtol=0, atol=step)
    assert stored(gimp, layer, precision).tobytes() == pixels.tobytes()


@EVERY_PRECISION
def test_with_clean_edges_the_soft_pixels_have_the_colours_that_came_and_all_others_their_own(
    gimp: Console, precision: str, kind: str, profile: str
):
    image = image_with(gimp, precision, kind, profile=profile)
    layer, pixels = noisy_layer(gimp, image, precision, kind)
    answer, changed, soft = soft_answer(inside.sent(gimp, layer))
    if kind.startswith("GRAY"):
        answer[..., :3] = answer[..., :1]

    [made] = inside.place(gimp, layer, "new-layer", inside.cutout(answer, changed, soft))

    before, after = with_full_alpha(pixels), stored(gimp, made, precision)
    assert after[..., :-1][~soft].tobytes() == before[..., :-1][~soft].tobytes()
    form = f"R'G'B'A u{8 * answer.itemsize}"
    by_gimp = gimp.layer(image, answer, form, kind=f"{kind.removesuffix('A')}A_IMAGE")
    converted = stored(gimp, by_gimp, precision)
    assert after[..., :-1][soft].tobytes() == converted[..., :-1][soft].tobytes()


@EVERY_PRECISION
def test_the_worker_is_sent_the_colours_that_are_seen(
    gimp: Console, precision: str, kind: str, profile: str
):
    image = image_with(gimp, precision, kind, profile=profile)
    colour = (200, 100, 50) if kind.startswith("RGB") else (100, 100, 100)
    pixels = np.full((*SIZE[::-1], 4), (*colour, 255), np.uint8)
    layer = gimp.layer(image, pixels, kind=f"{kind}_IMAGE")
    sent = inside.sent(gimp, layer)
    assert sent.dtype == (np.uint8 if precision.startswith("U8") else np.uint16)
    step = 2 if precision.startswith("U8") else 0.2  # linear bytes are coarse in the darks
    in_bytes = sent / np.iinfo(sent.dtype).max * 255
    np.testing.assert_allclose(in_bytes, pixels, rtol=0, atol=step)


@pytest.mark.parametrize(
    ("precision", "profile"),
    [("U8_NON_LINEAR", "none"), ("U16_NON_LINEAR", "ICC"), ("FLOAT_LINEAR", "none")],
)
def test_a_real_removal_changes_alpha_and_with_clean_edges_the_colours_of_soft_pixels(
    gimp: Console, precision: str, profile: str
):
    image = image_with(gimp, precision, "RGBA", profile=profile)
    layer = gimp.layer(image, disc(), kind="RGBA_IMAGE")
    gimp.remove(image, [layer], output="selection")
    selection = gimp.run("image(number).get_selection()", number=image)
    matte = gimp.pixels(selection, "Y float")
    soft = (matte > 0) & (matte < 1)
    assert soft.any()
    assert (matte == 0).any()
    assert (matte == 1).any()

    before = stored(gimp, layer, precision)
    [cut] = gimp.remove(image, [layer], clean_edges=False).made
    [clean] = gimp.remove(image, [layer], clean_edges=True).made
    after = stored(gimp, cut, precision)
    assert after[..., :3].tobytes() == before[..., :3].tobytes()
    cleaned = stored(gimp, clean, precision)
    for made in (after, cleaned):
        np.testing.assert_allclose(share(made[..., 3]), matte, rtol=0, atol=1e-6)
    assert cleaned[..., :3][~soft].tobytes() == before[..., :3][~soft].tobytes()
    assert (cleaned[..., :3][soft] != before[..., :3][soft]).any()
