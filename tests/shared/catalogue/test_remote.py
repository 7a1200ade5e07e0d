from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway import catalogue
from cutaway.catalogue import DEFAULT_REMOTE, RemoteModel, find, find_remote, remote_models
from cutaway.errors import UnknownModel

AIRS = {
    "runware:109@1": "rembg-v1-4",
    "runware:110@1": "bria-rmbg-v2-0-open",
    "runware:112@1": "birefnet-v1-base",
    "runware:112@2": "birefnet-v1-base-cod",
    "runware:112@3": "birefnet-dis",
    "runware:112@5": "birefnet-general",
    "runware:112@6": "birefnet-general-resolution-512x512-fp16",
    "runware:112@7": "birefnet-hrsod-dhu",
    "runware:112@8": "birefnet-massive-tr-dis5k-tr-tes",
    "runware:112@9": "birefnet-matting",
    "runware:112@10": "birefnet-portrait",
    "bria:2@1": "bria-rmbg-v2-0",
    "bria:51@1": "bria-video-background-removal",
    "ideogram:remove-background@0": "ideogram-remove-background",
}
"""Runware's own list: each id with its readable name."""

TWINS = [model for model in remote_models() if model.twin]


def test_every_model_that_runware_lists_is_here_by_its_id_and_readable_name() -> None:
    assert {model.air: model.slug for model in remote_models()} == AIRS


@pytest.mark.parametrize("model", remote_models(), ids=lambda model: model.slug)
@pytest.mark.parametrize("spelling", ["{}", " {}\n", "upper"])
def test_a_model_is_found_by_each_of_its_names_in_any_letter_case(
    model: RemoteModel, spelling: str
) -> None:
    for name in model.names:
        assert find_remote(name.upper() if spelling == "upper" else spelling.format(name)) is model


@pytest.mark.parametrize("model", TWINS, ids=lambda model: model.slug)
def test_a_local_name_leads_to_the_remote_model_with_the_same_weights_and_back(
    model: RemoteModel,
) -> None:
    assert model.twin is not None
    assert find_remote(model.twin) is model
    for name in model.names:
        assert find(name).name == model.twin


def test_no_two_models_share_a_name() -> None:
    names = [name.lower() for model in remote_models() for name in model.names]
    # BiRefNet General is called the same here and there.
    for model in remote_models():
        if model.slug == model.twin:
            names.remove(model.slug)
    assert len(names) == len(set(names))


def test_no_local_name_means_another_model_there() -> None:
    for local in catalogue.models():
        for model in remote_models():
            if local.name in model.names:
                assert model.twin == local.name


def test_the_default_is_birefnet_v1_base_cod_at_its_published_price() -> None:
    model = find_remote(DEFAULT_REMOTE)
    assert (model.title, model.price) == ("BiRefNet v1 Base - COD", Decimal("0.0006"))
    assert not model.video


def test_prices_are_told_only_where_runware_publishes_them() -> None:
    priced = {model.air: model.price for model in remote_models() if model.price is not None}
    assert priced == {"runware:112@2": Decimal("0.0006"), "runware:112@9": Decimal("0.0006")}


def test_only_rembg_takes_settings_of_the_mask_and_only_bria_its_own() -> None:
    (rembg,) = (model for model in remote_models() if "alphaMatting" in model.settings)
    assert rembg.air == "runware:109@1"
    assert len(rembg.settings) == 7
    assert [model.air for model in remote_models() if model.provider] == ["bria:2@1"]


def test_the_video_model_is_told_apart() -> None:
    (video,) = (model for model in remote_models() if model.video)
    assert (video.air, video.settings) == ("bria:51@1", frozenset({"rgba"}))


@given(st.from_regex(r"[a-z0-9]{1,8}:[a-z0-9-]{1,8}@[0-9]{1,3}", fullmatch=True))
def test_an_air_that_is_not_listed_is_taken_as_it_is(air: str) -> None:
    model = find_remote(f" {air} ")
    assert model.air == air
    assert model.listed == (air in AIRS)
    assert model.listed or (model.price is None and not model.settings and model.names == (air,))


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownModel, match=r"no model birefnet-genral\. The nearest is birefnet-g"):
        find_remote("birefnet-genral")


@pytest.mark.parametrize("name", ["", "xyzzy", "runware:", "@1", "a:b@c d", "runware:112@2;rm"])
def test_a_name_like_no_other_is_answered_with_one_that_works(name: str) -> None:
    with pytest.raises(UnknownModel) as caught:
        find_remote(name)
    named = re.search(r"[\w-]+(:\d+@\d+)?$", caught.value.next_step)
    assert named
    assert find_remote(named[0]).listed


@pytest.mark.parametrize("name", ["u2netp", "silueta", "isnet-anime", "classical", "auto"])
def test_a_local_model_without_a_twin_is_unknown_there(name: str) -> None:
    with pytest.raises(UnknownModel, match=f"no model {name}"):
        find_remote(name)
