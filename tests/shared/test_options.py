from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import Colour, ImageFormat, Output, RemovalOptions
from cutaway.errors import OptionError
from cutaway.options import Choices

BYTE = st.integers(0, 255)


def test_the_defaults_are_the_documented_ones():
    options = RemovalOptions()
    assert options.model == "auto"
    assert options.output is Output.CUTOUT
    assert options.background is None
    assert not options.post_process_mask
    assert not options.alpha_matting
    assert options.alpha_matting_foreground_threshold == 240
    assert options.alpha_matting_background_threshold == 10
    assert options.alpha_matting_erode_size == 10
    assert options.matting_megapixels == 2
    assert options.refine
    assert options.feather == 0
    assert options.clean_edges
    assert options.format is ImageFormat.PNG
    assert options.quality == 95
    assert not options.keep_hidden_colour
    assert options.keep_metadata


def test_the_typed_choices_are_the_options():
    assert list(Choices.__annotations__) == list(RemovalOptions.model_fields)


def test_the_constructor_raises_our_own_error():
    with pytest.raises(OptionError, match="quality can't be used"):
        RemovalOptions(quality=200)


def test_the_apis_own_names_are_aliases():
    options = RemovalOptions.parse(
        {
            "rgba": [1, 2, 3, 0.5],
            "postProcessMask": True,
            "alphaMatting": True,
            "alphaMattingForegroundThreshold": 200,
            "alphaMattingBackgroundThreshold": 20,
            "alphaMattingErodeSize": 5,
            "outputFormat": "WEBP",
            "outputQuality": 80,
        }
    )
    assert options.background == Colour(red=1, green=2, blue=3, alpha=0.5)
    assert options.model_dump(by_alias=True)["alphaMattingErodeSize"] == 5
    assert RemovalOptions.parse(options.model_dump(by_alias=True)) == options
    assert RemovalOptions.parse(options.model_dump()) == options


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("quality", 20, 99),
        ("alpha_matting_foreground_threshold", 1, 255),
        ("alpha_matting_background_threshold", 1, 255),
        ("alpha_matting_erode_size", 1, 255),
        ("matting_megapixels", 0.1, 100),
        ("feather", 0, 1000),
    ],
)
def test_numbers_are_taken_to_their_limits_and_no_farther(field: str, low: int, high: int):
    for allowed in (low, high):
        assert getattr(RemovalOptions.parse({field: allowed}), field) == allowed
    for refused in (low - 1, high + 1):
        with pytest.raises(OptionError, match=field):
            RemovalOptions.parse({field: refused})


@pytest.mark.parametrize("radius", ["inf", "nan"])
def test_a_feather_is_a_finite_number(radius: str):
    with pytest.raises(OptionError, match="feather can't be used"):
        RemovalOptions(feather=float(radius))


@given(BYTE, BYTE, BYTE, BYTE)
def test_a_hex_colour_and_its_numbers_are_the_same(red: int, green: int, blue: int, alpha: int):
    text = f"#{red:02x}{green:02x}{blue:02x}{alpha:02x}"
    from_text = RemovalOptions.parse({"background": text}).background
    from_numbers = RemovalOptions.parse({"background": (red, green, blue, alpha / 255)}).background
    assert from_text == from_numbers


def test_a_colour_may_have_a_css_name():
    options = RemovalOptions.parse({"background": "rebeccapurple"})
    assert options.background == Colour(red=102, green=51, blue=153)


@pytest.mark.parametrize(
    "background", ["#12", "nocolour", [1, 2], [1, 2, 3, 4, 5], [256, 0, 0], [0, 0, 0, 2], 7]
)
def test_what_is_no_colour_is_refused(background: object):
    with pytest.raises(OptionError, match="background can't be used"):
        RemovalOptions.parse({"background": background})


@pytest.mark.parametrize("name", ["jpg", "JPEG", "Jpg"])
def test_a_format_is_known_in_any_letter_case_and_by_its_long_name(name: str):
    assert RemovalOptions.parse({"format": name, "output": "mask"}).format is ImageFormat.JPG


def test_a_jpg_cutout_needs_an_opaque_fill():
    for background in (None, "#ffffff00", "#ffffff80"):
        with pytest.raises(OptionError, match="JPG has no transparency"):
            RemovalOptions.parse({"format": "JPG", "background": background})
    RemovalOptions.parse({"format": "JPG", "background": "#ffffff"})


def test_masks_and_flattened_pictures_may_be_jpg():
    for output in ("mask", "flattened"):
        options = RemovalOptions.parse({"format": "JPG", "output": output})
        assert options.format is ImageFormat.JPG


def test_a_flattened_picture_is_on_white_unless_told_and_never_half_transparent():
    fill = RemovalOptions.parse({"output": "flattened"}).fill
    assert fill == Colour(red=255, green=255, blue=255)
    with pytest.raises(OptionError, match="opaque background"):
        RemovalOptions.parse({"output": "flattened", "background": "#00000080"})


@pytest.mark.parametrize(
    ("wrong", "right"), [("alpha_mating", "alpha_matting"), ("backgroud", "background")]
)
def test_a_misspelt_option_is_refused_with_the_nearest_one(wrong: str, right: str):
    with pytest.raises(OptionError, match=f"no option {wrong}. The nearest is {right}"):
        RemovalOptions.parse({wrong: True})


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".webp", ".jpg", ".jpeg", ".JPE"])
def test_a_file_names_ending_tells_its_format(suffix: str):
    found = ImageFormat.of_suffix(suffix)
    assert found is not None
    assert found.value[:2] == suffix[1:3].upper()


def test_other_endings_tell_nothing():
    assert ImageFormat.of_suffix(".gif") is None
    assert ImageFormat.of_suffix("") is None
