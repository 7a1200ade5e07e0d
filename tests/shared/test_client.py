from __future__ import annotations

import base64
import io
import threading
from typing import TYPE_CHECKING, Any

import anyio
import cv2
import numpy as np
import pytest
from PIL import Image

import cutaway
from cutaway import AsyncClient, Cancellation, Client, Output, RemovalOptions, Settings, Step
from cutaway.errors import (
    Cancelled,
    ModelNotInstalled,
    NoSubjectFound,
    OptionError,
    SourceError,
    TooLarge,
    UnknownModel,
)
from tests.fakes.networks import make_network
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.images.icc import grey as grey_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRUTH = ellipse(320, 240)
PICTURE = portrait()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_network(tmp_path_factory.mktemp("network") / "n.onnx")


@pytest.fixture
def client(network: Path) -> Iterator[Client]:
    with Client(Settings.load(model="u2netp"), weights=network) as client:
        yield client


SOURCES: dict[str, Callable[[bytes, Path], Any]] = {
    "a path": lambda _, path: path,
    "a path as text": lambda _, path: str(path),
    "bytes": lambda data, _: data,
    "a stream": lambda data, _: io.BytesIO(data),
    "a data URI": lambda data, _: "data:image/png;base64," + base64.b64encode(data).decode(),
    "base64": lambda data, _: base64.b64encode(data).decode(),
    "a Pillow image": lambda data, _: Image.open(io.BytesIO(data)),
    "an array": lambda *_: PICTURE,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_gives_the_same_cutout(client: Client, tmp_path: Path, kind: str):
    data = as_file(PICTURE)
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    result = client.remove_background(SOURCES[kind](data, path))
    assert result.size == (320, 240)
    np.testing.assert_array_equal(result.array, client.remove_background(data).array)


def test_the_cutout_is_the_originals_own_pixels_under_a_new_alpha(client: Client):
    result = client.remove_background(PICTURE, clean_edges=False)
    array = result.array
    assert overlap(array[..., 3], TRUTH) > 0.98
    shown = array[..., 3] > 0
    np.testing.assert_array_equal(array[shown][:, :3], PICTURE[shown])


def test_without_refinement_the_mask_is_as_the_model_found_it(client: Client):
    wide = cv2.resize(PICTURE, (1280, 960), interpolation=cv2.INTER_CUBIC)
    found = client.remove_background(wide, refine=False)
    refined = client.remove_background(wide)
    assert "refining" in refined.seconds
    assert "refining" not in found.seconds
    assert overlap(found.matte, refined.matte) > 0.95
    assert (found.matte != refined.matte).any()


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_mask_from_a_large_jpeg_is_the_same_though_less_of_it_is_decoded(
    client: Client, orientation: int
):
    large = Image.fromarray(PICTURE).resize((2880, 2160), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    large.save(file, "JPEG", quality=95, exif=exif)
    quick = client.remove_background(file.getvalue(), output="mask", refine=False)
    slow = client.remove_background(file.getvalue(), output="cutout", refine=False)
    assert quick.size == slow.size == ((2880, 2160) if orientation == 1 else (2160, 2880))
    assert overlap(quick.array, slow.matte) > 0.999
    assert np.abs(quick.array.astype(int) - slow.matte).mean() < 0.2


def test_clean_edges_change_half_transparent_pixels_only(client: Client):
    plain = client.remove_background(PICTURE, clean_edges=False).array
    clean = client.remove_background(PICTURE).array
    np.testing.assert_array_equal(plain[..., 3], clean[..., 3])
    soft = (plain[..., 3] > 0) & (plain[..., 3] < 255)
    np.testing.assert_array_equal(plain[~soft], clean[~soft])
    assert (plain[soft] != clean[soft]).any()


def test_the_callers_own_array_is_never_written_to(client: Client):
    before = PICTURE.copy()
    client.remove_background(PICTURE, alpha_matting=True)
    np.testing.assert_array_equal(before, PICTURE)


def test_the_facts_tell_what_was_found_and_how(client: Client):
    result = client.remove_background(PICTURE)
    facts = result.facts()
    assert (facts["width"], facts["height"], facts["depth"]) == (320, 240, 8)
    assert (facts["model"], facts["backend"], facts["output"]) == ("u2netp", "local", "cutout")
    assert facts["subject_share"] == pytest.approx(TRUTH.mean(), abs=0.01)
    rows, columns = np.nonzero(TRUTH > 0.5)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(facts["bounding_box"], expected, atol=5)
    assert 0.9 < facts["confidence"] <= 1
    assert list(facts["seconds"])[:3] == ["decoding", "finding the subject", "refining"]
    assert facts["warnings"] == []


def test_a_mask_is_white_where_the_subject_is(client: Client):
    result = client.remove_background(PICTURE, output="mask")
    assert result.array.shape == (240, 320)
    assert overlap(result.array, TRUTH) > 0.98
    assert result.image.mode == "L"
    assert result.image.tobytes() == result.mask.tobytes()


def test_a_flattened_picture_is_the_subject_on_the_colour(client: Client):
    result = client.remove_background(PICTURE, output="flattened", background="#00ff00")
    assert result.image.mode == "RGB"
    assert result.image.getpixel((0, 0)) == (0, 255, 0)
    np.testing.assert_array_equal(result.array[120, 160], PICTURE[120, 160])


def test_a_half_transparent_background_shows_through_a_cutout(client: Client):
    result = client.remove_background(PICTURE, background=(0, 0, 255, 0.5))
    assert result.array[0, 0].tolist() == [0, 0, 255, 128]


def test_a_post_processed_mask_is_hard_edged(client: Client):
    result = client.remove_background(PICTURE, output="mask", post_process_mask=True)
    assert set(np.unique(result.array)) == {0, 255}
    assert overlap(result.array, TRUTH) > 0.97


def test_a_feathered_edge_fades_over_pixels_that_were_sure(client: Client):
    hard = RemovalOptions(output=Output.MASK, post_process_mask=True)
    plain = client.remove_background(PICTURE, hard).matte
    matte = client.remove_background(PICTURE, hard, feather=20).matte
    soft = (matte > 2) & (matte < 253)
    distance = cv2.distanceTransform(plain, cv2.DIST_L2, 5) + cv2.distanceTransform(
        255 - plain, cv2.DIST_L2, 5
    )
    assert distance[soft].max() > 10
    assert distance[soft].max() < 20
    np.testing.assert_array_equal(matte[~soft] > 127, plain[~soft] > 127)
    assert overlap(matte, TRUTH) > 0.97


def test_the_colours_of_a_feathered_edge_are_cleaned(client: Client):
    plain = client.remove_background(PICTURE, feather=10, clean_edges=False).array
    clean = client.remove_background(PICTURE, feather=10).array
    outside = (TRUTH == 0) & (plain[..., 3] > 25)
    assert outside.any()
    subject = np.array((190, 60, 40))
    before, after = (np.abs(one[outside][:, :3] - subject).mean() for one in (plain, clean))
    assert after < before / 3


def test_alpha_matting_brings_out_a_soft_edge(client: Client):
    truth = ellipse(320, 240, softness=12)
    shares = truth[..., None]
    picture = (shares * (190, 60, 40) + (1 - shares) * (225, 230, 235)).astype(np.uint8)
    plain = client.remove_background(picture, output="mask").array / 255
    options = RemovalOptions(output=Output.MASK, alpha_matting=True, alpha_matting_erode_size=25)
    matted = client.remove_background(picture, options).array / 255
    assert np.abs(plain - truth).mean() > 0.03
    assert np.abs(matted - truth).mean() < 0.001


def test_alpha_matting_with_nothing_surely_known_keeps_the_matte(client: Client):
    plain = client.remove_background(PICTURE, output="mask").array
    options = RemovalOptions(output=Output.MASK, alpha_matting=True, alpha_matting_erode_size=255)
    np.testing.assert_array_equal(client.remove_background(PICTURE, options).array, plain)


def test_sixteen_bits_stay_sixteen_bits(client: Client):
    deep = (PICTURE.astype(np.uint16) << 8) + np.arange(320, dtype=np.uint16)[:, None] % 256
    result = client.remove_background(as_file(deep), clean_edges=False)
    assert result.depth == 16
    assert result.array.dtype == np.uint16
    shown = result.array[..., 3] > 0
    np.testing.assert_array_equal(result.array[shown][:, :3], deep[shown])
    assert len(np.unique(result.array[..., 3])) > 256
    again = client.remove_background(result.to_bytes(format="PNG"), output="mask")
    assert again.depth == 16


def test_a_grey_picture_gives_a_grey_cutout(client: Client):
    result = client.remove_background(np.ascontiguousarray(PICTURE[..., 1]), clean_edges=False)
    assert result.array.shape == (240, 320, 2)
    assert result.image.mode == "LA"


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_grey_picture_comes_on_a_coloured_fill_whatever_its_profile(client: Client, depth: type):
    grey: Any = PICTURE[..., 1].astype(depth) * (np.iinfo(depth).max // 255)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG", icc_profile=grey_profile(2.2))
    result = client.remove_background(file.getvalue(), background="red")
    assert result.array[0, 0].tolist() == [np.iinfo(depth).max, 0, 0]
    assert "icc_profile" not in Image.open(io.BytesIO(result.to_bytes())).info


def test_a_result_shares_no_memory_with_its_caller(client: Client):
    picture = PICTURE.copy()
    cutout = client.remove_background(picture, clean_edges=False)
    mask = client.remove_background(picture, output="mask")
    before = cutout.to_bytes(), mask.to_bytes()
    picture[:] = 0
    for one in (cutout, mask):
        one.array[:] = 0
        one.image.paste(0, (0, 0, 320, 240))
        one.mask.paste(0, (0, 0, 320, 240))
    assert (cutout.to_bytes(), mask.to_bytes()) == before


def test_the_pictures_own_transparency_is_multiplied_in(client: Client):
    alpha = np.full((240, 320), 255, np.uint8)
    alpha[100:140, 120:160] = 128
    alpha[100:140, 160:200] = 0
    for options in (RemovalOptions(), RemovalOptions(alpha_matting=True)):
        without = client.remove_background(PICTURE, options).array[..., 3].astype(float)
        own = client.remove_background(np.dstack([PICTURE, alpha]), options).array[..., 3]
        assert (own[60, 160], own[120, 140], own[120, 180], own[5, 5]) == (255, 128, 0, 0)
        assert np.abs(own - without * alpha / 255).mean() < 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_matte_is_what_was_found_whatever_the_pictures_own_transparency(
    client: Client, dtype: type
):
    most = np.iinfo(dtype).max
    picture: Any = PICTURE.astype(dtype) * (most // 255)
    alpha: Any = np.full((240, 320), most, dtype)
    alpha[100:140, 120:160] = most // 2
    opaque = client.remove_background(picture)
    own = client.remove_background(np.dstack([picture, alpha]))
    assert own.matte.dtype == dtype
    assert own.matte[120, 140] == most
    assert own.array[120, 140, 3] == most // 2
    np.testing.assert_array_equal(opaque.matte, opaque.array[..., 3])
    np.testing.assert_array_equal(own.matte[:100], own.array[:100, :, 3])
    with pytest.raises(ValueError, match="read-only"):
        own.matte[:] = 0


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (2, 3), (5000, 3)])
def test_the_smallest_and_thinnest_pictures_give_a_cutout_or_no_subject(
    client: Client, size: tuple[int, int]
):
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    picture[size[1] // 2 :, size[0] // 2 :] = 255
    everything = RemovalOptions(alpha_matting=True, post_process_mask=True)
    for options in (RemovalOptions(), everything):
        try:
            result = client.remove_background(picture, options)
        except NoSubjectFound:
            assert size == (1, 1)
        else:
            assert result.size == size
            assert Image.open(io.BytesIO(result.to_bytes())).size == size


def test_the_same_picture_gives_the_same_bytes(client: Client):
    results = {client.remove_background(PICTURE, alpha_matting=True).to_bytes() for _ in range(2)}
    assert len(results) == 1


def test_a_picture_that_is_all_subject_is_remarked_on(client: Client):
    picture = np.full((400, 400, 3), 255, np.uint8)
    picture[:12, :12] = 0
    result = client.remove_background(picture)
    assert "almost everything was kept" in result.warnings


def test_without_a_model_the_classical_engine_runs_and_says_how_to_get_better():
    result = cutaway.remove_background(PICTURE)
    assert result.model == "classical"
    assert overlap(result.array[..., 3], TRUTH) > 0.95
    assert any("cutaway models pull u2netp" in warning for warning in result.warnings)
    asked_for = cutaway.remove_background(PICTURE, model="classical")
    assert asked_for.warnings == ()


def test_a_model_that_is_not_here_is_named_with_the_command_that_gets_it():
    with pytest.raises(ModelNotInstalled, match="cutaway models pull isnet-general-use"):
        cutaway.remove_background(PICTURE, model="isnet-general-use")
    with pytest.raises(UnknownModel, match="birefnet-general"):
        cutaway.remove_background(PICTURE, model="birefnet-genral")


def test_weights_need_the_name_of_their_model(network: Path):
    with pytest.raises(OptionError, match="Name the model too"):
        cutaway.remove_background(PICTURE, weights=network)
    with pytest.raises(OptionError, match="the classical engine has none"):
        cutaway.remove_background(PICTURE, weights=network, model="classical")
    with pytest.raises(ModelNotInstalled, match="no such file"):
        Client(weights="nowhere.onnx")
    assert cutaway.remove_background(PICTURE, weights=network, model="u2netp").model == "u2netp"


def test_options_and_single_choices_go_together(client: Client):
    options = RemovalOptions(output=Output.MASK, post_process_mask=True)
    result = client.remove_background(PICTURE, options, post_process_mask=False)
    assert result.options.output == "mask"
    assert not result.options.post_process_mask
    with pytest.raises(OptionError, match="alpha_matting"):
        client.remove_background(PICTURE, alpha_mating=True)  # type: ignore[call-arg]


def test_the_apis_own_names_replace_options_too(client: Client):
    names: Any = {"outputQuality": 50, "rgba": [0, 0, 255, 1], "outputFormat": "JPG"}
    result = client.remove_background(PICTURE, RemovalOptions(quality=90), **names)
    assert (result.options.quality, result.options.format) == (50, "JPG")
    assert result.array[0, 0].tolist() == [0, 0, 255]


def test_a_uuid_is_a_source_only_where_the_picture_was_stored(client: Client):
    with pytest.raises(SourceError, match="stored"):
        client.remove_background("d62161cb-1e31-4159-94cb-8e7cc1323459")


def test_limits_come_from_the_settings(network: Path):
    settings = Settings.load(model="u2netp", max_pixels=320 * 240 - 1)
    with Client(settings, weights=network) as client:
        for source in (PICTURE, as_file(PICTURE), Image.fromarray(PICTURE)):
            with pytest.raises(TooLarge):
                client.remove_background(source)


def test_progress_names_each_stage_and_never_goes_backwards_within_one(client: Client):
    steps: list[Step] = []
    client.remove_background(
        as_file(PICTURE),
        on_progress=steps.append,
        alpha_matting=True,
        post_process_mask=True,
        feather=5,
    )
    stages = list(dict.fromkeys(step.stage for step in steps))
    assert stages == [
        "reading",
        "decoding",
        "finding the subject",
        "refining",
        "post-processing",
        "matting",
        "feathering",
        "cleaning edges",
    ]
    for stage in stages:
        shares = [step.share for step in steps if step.stage == stage]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0, 1)


@pytest.mark.parametrize(
    "stage", ["decoding", "finding the subject", "matting", "feathering", "cleaning edges"]
)
def test_a_cancel_in_any_stage_ends_the_removal_there(client: Client, stage: str):
    cancellation = Cancellation()
    seen: list[str] = []

    def cancel_in_stage(step: Step) -> None:
        seen.append(step.stage)
        if step.stage == stage:
            cancellation.cancel()

    with pytest.raises(Cancelled):
        client.remove_background(
            as_file(PICTURE),
            on_progress=cancel_in_stage,
            cancellation=cancellation,
            alpha_matting=True,
            feather=5,
        )
    assert seen[-1] == stage


def test_one_client_serves_many_threads(client: Client):
    expected = client.remove_background(PICTURE).to_bytes()
    results: list[bytes] = []

    def work() -> None:
        results.append(client.remove_background(PICTURE).to_bytes())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 6


@pytest.mark.anyio
async def test_the_event_loop_goes_on_while_a_picture_is_worked_on(network: Path):
    steps: list[Step] = []
    loop_thread = threading.get_ident()
    threads: set[int] = set()

    def on_progress(step: Step) -> None:
        steps.append(step)
        threads.add(threading.get_ident())

    async with AsyncClient(Settings.load(model="u2netp"), weights=network) as client:
        result = await client.remove_background(PICTURE, on_progress=on_progress)
        assert client.settings.model == "u2netp"
    assert overlap(result.array[..., 3], TRUTH) > 0.98
    assert threads == {loop_thread}
    assert steps[-1] == Step("cleaning edges", 1.0)


@pytest.mark.anyio
async def test_cancelling_the_awaiting_task_stops_the_work(network: Path):
    seen: list[Step] = []
    async with AsyncClient(Settings.load(model="u2netp"), weights=network) as client:
        with anyio.CancelScope() as scope:

            def cancel_at_once(step: Step) -> None:
                seen.append(step)
                scope.cancel()

            await client.remove_background(PICTURE, on_progress=cancel_at_once)
        assert scope.cancelled_caught
    # A step may be on its way already when the loop hears of the cancel; the end is never reached.
    assert {step.stage for step in seen} <= {"decoding", "finding the subject"}


@pytest.mark.anyio
async def test_a_cancellation_stops_the_awaited_work_too(network: Path):
    stop = Cancellation()
    async with AsyncClient(Settings.load(model="u2netp"), weights=network) as client:
        with pytest.raises(Cancelled):
            await client.remove_background(
                PICTURE, cancellation=stop, on_progress=lambda _: stop.cancel()
            )


@pytest.mark.anyio
async def test_an_error_in_the_thread_reaches_the_awaiting_task(network: Path):
    async with AsyncClient(Settings.load(model="u2netp"), weights=network) as client:
        with pytest.raises(SourceError):
            await client.remove_background("no/such/file.png")
