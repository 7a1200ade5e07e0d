from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cutaway import Client, RemovalOptions, __version__
from cutaway_gimp.plug_in.frames import PROTOCOL
from tests.gimp_plugin.plug_in_end import PlugInEnd, layer
from tests.pictures import ellipse, overlap, portrait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cutaway import Cutout

TRUTH = ellipse(320, 240)
PICTURE = portrait()
CLASSICAL = "classical"


@pytest.fixture(scope="module")
def plug_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlugInEnd]:
    """A worker that has begun, and serves many tests."""
    home = str(tmp_path_factory.mktemp("home"))
    with PlugInEnd(HOME=home, CUTAWAY_MAX_PIXELS="1000000") as plug_in:
        yield plug_in
        assert plug_in.end() == 0


def with_own_alpha(dtype: type) -> NDArray[Any]:
    """A layer of which a part of the subject is half-transparent, and a part is gone."""
    most = np.iinfo(dtype).max
    colour: Any = PICTURE.astype(dtype) * (most // 255)
    alpha: Any = np.full((240, 320), most, dtype)
    alpha[60:140, 40:160] = most // 2
    alpha[140:, 40:160] = 0
    return layer(colour, alpha)


def removed(picture: NDArray[Any], **choices: Any) -> Cutout:
    with Client() as client:
        return client.remove_background(picture, RemovalOptions(model=CLASSICAL), **choices)


def test_the_worker_greets_with_the_protocol_and_the_version(plug_in: PlugInEnd):
    assert plug_in.hello == {"kind": "hello", "protocol": PROTOCOL, "version": __version__}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_matte_leaves_the_layers_own_alpha_out(plug_in: PlugInEnd, dtype: type):
    assert plug_in.begin(model=CLASSICAL)["kind"] == "ready"
    picture = with_own_alpha(dtype)
    answer = plug_in.remove(picture, "matte")
    matte = answer.plane(picture)
    np.testing.assert_array_equal(matte, removed(picture).matte)
    assert matte[100, 140] == np.iinfo(dtype).max
    assert answer.end == {"kind": "done"}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_visible_matte_is_multiplied_by_the_layers_own_alpha(plug_in: PlugInEnd, dtype: type):
    plug_in.begin(model=CLASSICAL)
    picture = with_own_alpha(dtype)
    visible = plug_in.remove(picture, "visible").plane(picture)
    np.testing.assert_array_equal(visible, removed(picture).array[..., 3])
    assert (visible[100, 140], visible[150, 140]) == (np.iinfo(dtype).max // 2, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("clean_edges", [True, False], ids=["cleaned", "as it was"])
def test_a_cutout_tells_its_colours_and_what_of_them_changed(
    plug_in: PlugInEnd, dtype: type, *, clean_edges: bool
):
    plug_in.begin(model=CLASSICAL, clean_edges=clean_edges)
    picture = with_own_alpha(dtype)
    answer = plug_in.remove(picture, "cutout")
    (payload,) = answer.strips.values()
    split = picture.nbytes, picture.nbytes + 240 * 320
    colours: Any = np.frombuffer(payload[: split[0]], dtype).reshape(picture.shape)
    alpha_changed, cleaned = (
        np.frombuffer(part, np.uint8).reshape(240, 320)
        for part in (payload[split[0] : split[1]], payload[split[1] :])
    )
    expected = removed(picture, clean_edges=clean_edges)
    matte = expected.matte
    np.testing.assert_array_equal(alpha_changed, 255 * (matte < np.iinfo(dtype).max))
    soft = (matte > 0) & (matte < np.iinfo(dtype).max) & (expected.array[..., 3] > 0)
    np.testing.assert_array_equal(cleaned, 255 * (soft & clean_edges))
    # What the plug-in makes of it: the original's bytes but for those that changed.
    made = picture.copy()
    made[..., 3][alpha_changed > 0] = colours[..., 3][alpha_changed > 0]
    made[..., :3][cleaned > 0] = colours[..., :3][cleaned > 0]
    np.testing.assert_array_equal(made[..., 3], expected.array[..., 3])
    shown = made[..., 3] > 0
    np.testing.assert_array_equal(made[shown], expected.array[shown])
    np.testing.assert_array_equal(made[~shown][:, :3], picture[~shown][:, :3])
    assert (made[shown] != picture[shown])[:, :3].any() == clean_edges


def test_the_options_reach_the_core(plug_in: PlugInEnd):
    choices: dict[str, Any] = {
        "alpha_matting": True,
        "alpha_matting_erode_size": 5,
        "post_process_mask": True,
        "feather": 12.5,
    }
    plug_in.begin(model=CLASSICAL, **choices)
    picture = layer(PICTURE)
    answer = plug_in.remove(picture, "matte")
    np.testing.assert_array_equal(answer.plane(picture), removed(picture, **choices).matte)
    stages = list(dict.fromkeys(stage for stage, _ in answer.progress))
    assert stages == [
        "decoding",
        "finding the subject",
        "refining",
        "post-processing",
        "matting",
        "feathering",
    ]


@pytest.mark.parametrize("want", ["matte", "cutout"])
def test_the_share_of_the_picture_rises_from_0_and_never_falls(plug_in: PlugInEnd, want: str):
    plug_in.begin(model=CLASSICAL)
    shares = [share for _, share in plug_in.remove(layer(PICTURE), want).progress]
    assert shares[0] == 0
    assert None not in shares
    assert shares == sorted(shares, key=lambda share: share or 0)
    assert 0.8 < (shares[-1] or 0) < 1
    assert len(set(shares)) > 8


def test_what_was_found_is_told_before_the_result(plug_in: PlugInEnd):
    plug_in.begin()
    found = plug_in.remove(layer(PICTURE), "matte").found
    assert found["confidence"] == pytest.approx(removed(layer(PICTURE)).confidence)
    assert (found["model"], found["backend"]) == ("classical", "local")
    assert (found["cost"], found["task_uuid"]) == (None, None)
    assert "cutaway models pull u2netp" in found["warnings"][0]


def test_a_layer_comes_and_goes_in_strips(plug_in: PlugInEnd):
    plug_in.begin(model=CLASSICAL)
    picture = layer(portrait(90, 700))
    plug_in.send(picture, "matte", rows=101)
    answer = plug_in.hear_out()
    assert list(answer.strips) == [(0, 256), (256, 256), (512, 188)]
    np.testing.assert_array_equal(answer.plane(picture), removed(picture).matte)


def test_several_pictures_follow_one_begin(plug_in: PlugInEnd):
    plug_in.begin(model=CLASSICAL)
    for width, height in ((320, 240), (200, 300), (64, 64)):
        picture = layer(portrait(width, height))
        matte = plug_in.remove(picture, "matte").plane(picture)
        assert overlap(matte, ellipse(width, height)) > 0.9


def test_a_picture_that_fails_is_told_and_the_next_one_comes(plug_in: PlugInEnd):
    plug_in.begin(model=CLASSICAL)
    answer = plug_in.remove(layer(np.full((50, 60, 3), 100, np.uint8)), "cutout")
    assert not answer.strips
    assert answer.end["code"] == "no-subject"
    assert answer.end["text"].startswith(answer.end["what"].capitalize())
    assert answer.end["next_step"] in answer.end["text"]
    assert plug_in.remove(layer(PICTURE), "cutout").end == {"kind": "done"}


def test_a_layer_beyond_the_limit_is_refused_and_its_rows_are_passed_over(plug_in: PlugInEnd):
    plug_in.begin(model=CLASSICAL)
    plug_in.send(layer(np.zeros((1001, 1000, 3), np.uint8)), "matte")
    end = plug_in.hear_out().end
    assert (end["code"], end["kind"]) == ("too-large", "error")
    assert "1000 x 1001" in end["text"]
    assert plug_in.remove(layer(PICTURE), "matte").end == {"kind": "done"}


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("", None),
        ("white", [255, 255, 255, 1]),
        ("#0a141e", [10, 20, 30, 1]),
        ("#ff000033", [255, 0, 0, 0.2]),
    ],
)
def test_a_fill_is_told_as_numbers(plug_in: PlugInEnd, fill: str, expected: list[float] | None):
    assert plug_in.begin(fill=fill) == {"kind": "ready", "fill": expected}


@pytest.mark.parametrize(
    ("begin", "code", "told"),
    [
        ({"model": "no-such"}, "unknown-model", "there is no model no-such"),
        ({"model": "u2netp"}, "model-not-installed", "cutaway models pull u2netp"),
        ({"alpha_matting_erode_size": 0}, "option", "alpha_matting_erode_size"),
        ({"feather": -1}, "option", "feather"),
        ({"clean_edge": True}, "option", "The nearest is clean_edges"),
        ({"fill": "no colour"}, "option", "the fill 'no colour' can't be used"),
        ({"fill": "#ff"}, "option", "#rrggbb"),
        ({"backend": "runwaer"}, "option", "Choose local, runware"),
        ({"backend": ""}, "option", "Choose local, runware"),
        ({"backend": "https://"}, "option", "nor a whole URL"),
        ({"backend": "https://a host/"}, "option", "nor a whole URL"),
        ({"backend": "https://me@example.com/"}, "option", "nor a whole URL"),
        ({"backend": "runware"}, "auth", "cutaway login"),
    ],
)
def test_what_cannot_be_done_is_told_before_a_pixel_is_sent(
    plug_in: PlugInEnd, begin: dict[str, Any], code: str, told: str
):
    answer = plug_in.begin(**begin)
    assert (answer["kind"], answer["code"]) == ("error", code)
    assert told.lower() in answer["text"].lower()
    assert plug_in.begin()["kind"] == "ready"


def test_a_setting_that_cannot_be_used_is_told_and_read_anew(tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text("threads = 0", encoding="utf-8")
    with PlugInEnd(CUTAWAY_CONFIG=str(config)) as mended:
        for header in ({"kind": "facts"}, {"kind": "begin"}):
            answer = mended.ask({**header, "backend": "local", "options": {}, "fill": ""})
            assert answer["code"] == "config"
        config.write_text("threads = 1", encoding="utf-8")
        assert mended.begin()["kind"] == "ready"


def test_the_facts_are_those_of_the_core(plug_in: PlugInEnd):
    facts = plug_in.ask({"kind": "facts"})
    with Client() as client:
        models = client.models()
    assert [model["name"] for model in facts["models"]] == [model.name for model in models]
    classical, *_ = facts["models"]
    assert classical == {
        "name": "classical",
        "title": "Classical engine",
        "good_for": "plain backgrounds",
        "licence": "MIT",
        "local": True,
        "installed": True,
        "remote": False,
        "price": None,
        "is_auto": True,
    }
    assert {model["price"] for model in facts["models"]} >= {None, "0.0006"}
    assert (facts["settings_backend"], facts["key_found"]) == ("local", False)
    assert facts["remote_auto"] == "birefnet-cod"


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"RUNWARE_API_KEY": "no key at all"}, False),
        ({"CUTAWAY_BACKEND": "runware"}, False),
        ({"CUTAWAY_MAX_COST": "0", "RUNWARE_API_KEY": "some-key"}, True),
    ],
)
def test_a_key_is_found_where_it_would_do(environment: dict[str, str], *, found: bool):
    with PlugInEnd(**environment) as plug_in:
        facts = plug_in.ask({"kind": "facts"})
    assert facts["key_found"] is found
    assert facts["settings_backend"] == environment.get("CUTAWAY_BACKEND", "local")
