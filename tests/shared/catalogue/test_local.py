from __future__ import annotations

import re
import subprocess
import sys

import pytest

from cutaway.catalogue import Model, find, models, size_text
from cutaway.errors import UnknownModel

NAMES = [model.name for model in models()]
RUNWARE = {
    "runware:109@1": ("rembg-v1-4", "u2net"),
    "runware:110@1": ("bria-rmbg-v2-0-open", "bria-rmbg"),
    "runware:112@2": ("birefnet-v1-base-cod", "birefnet-cod"),
    "runware:112@3": ("birefnet-dis", "birefnet-dis"),
    "runware:112@5": ("birefnet-general", "birefnet-general"),
    "runware:112@7": ("birefnet-hrsod-dhu", "birefnet-hrsod"),
    "runware:112@8": ("birefnet-massive-tr-dis5k-tr-tes", "birefnet-massive"),
    "runware:112@10": ("birefnet-portrait", "birefnet-portrait"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spelling", [str, str.upper, " {} ".format])
def test_a_model_is_found_by_its_name_in_any_letter_case(name: str, spelling: object) -> None:
    assert callable(spelling)
    assert find(spelling(name)).name == name


@pytest.mark.parametrize(("air", "names"), RUNWARE.items())
def test_runwares_ids_and_slugs_lead_to_the_model_with_the_same_weights(
    air: str, names: tuple[str, str]
) -> None:
    slug, local = names
    assert find(air).name == find(air.upper()).name == find(slug).name == local


def test_only_models_with_known_twins_have_runwares_names() -> None:
    assert {model.air: (model.slug, model.name) for model in models() if model.air} == RUNWARE


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        UnknownModel, match=r"no model birefnet-genral.*nearest is birefnet-general"
    ):
        find("birefnet-genral")


def test_a_name_like_no_other_is_answered_with_all_names() -> None:
    with pytest.raises(UnknownModel) as caught:
        find("xyzzy")
    assert all(name in caught.value.next_step for name in NAMES)


@pytest.mark.parametrize("air", ["runware:112@1", "runware:112@6", "runware:112@9", "bria:2@1"])
def test_an_air_without_a_local_twin_is_said_to_run_elsewhere_only(air: str) -> None:
    with pytest.raises(UnknownModel, match=f"{air} can't run on this machine"):
        find(air)


@pytest.mark.parametrize("model", models(), ids=NAMES)
def test_every_entry_can_be_fetched_checked_and_fed(model: Model) -> None:
    assert re.fullmatch(r"[a-z0-9_-]+", model.name)
    assert re.fullmatch(r"[\w.-]+\.onnx", model.file)
    assert model.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", model.sha256)
    assert model.md5 is None or re.fullmatch(r"[0-9a-f]{32}", model.md5)
    assert model.sha256 or model.md5
    assert model.size > 4_000_000
    assert model.input_size in {320, 1024}
    assert len(model.mean) == len(model.std) == 3
    assert min(model.std) > 0
    assert model.licence
    assert model.good_for


def test_no_two_entries_share_a_name_a_file_a_sum_or_a_rank() -> None:
    for field in ("name", "air", "slug", "title", "file", "sha256", "md5", "auto_rank"):
        values = [getattr(model, field) for model in models() if getattr(model, field) is not None]
        assert len(values) == len(set(values)), field


def test_auto_never_takes_what_is_for_one_purpose_or_not_free_for_all() -> None:
    by_name_only = {model.name for model in models() if model.auto_rank is None}
    special = {"u2net_human_seg", "isnet-anime", "birefnet-portrait", "bria-rmbg"}
    assert by_name_only == special
    assert all(model.commercial for model in models() if model.auto_rank is not None)


def test_auto_prefers_better_over_lighter() -> None:
    ranked = sorted((model.auto_rank, model.name) for model in models() if model.auto_rank)
    order = [name for _, name in ranked]
    assert order[0] == "u2netp"
    assert order[-1] == "birefnet-general"


def test_a_licence_that_is_not_free_says_where_to_read_more() -> None:
    (restricted,) = (model for model in models() if not model.commercial)
    assert "non-commercial" in restricted.licence
    assert "https://" in restricted.licence_note


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (999, "999 bytes"),
        (4_574_861, "4.6 MB"),
        (44_173_029, "44 MB"),
        (999_600_000, "1000 MB"),
        (1_024_331_469, "1.0 GB"),
        (12_345, "12 kB"),
    ],
)
def test_a_size_is_told_in_the_unit_people_use(size: int, text: str) -> None:
    assert size_text(size) == text


def test_the_catalogue_brings_no_library_along() -> None:
    script = (
        "import sys; import cutaway.catalogue; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path[:0] = {sys.path!r}; {script}",
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "['__main__', 'cutaway']"
