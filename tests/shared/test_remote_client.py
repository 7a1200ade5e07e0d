from __future__ import annotations

import io
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

import cutaway
from cutaway import AsyncClient, Cancellation, Client, RemovalOptions, Settings, Step, Submitted
from cutaway.errors import (
    AuthError,
    Cancelled,
    ConfigError,
    CostRefused,
    NotFound,
    OptionError,
    TimedOut,
    UnknownModel,
)
from cutaway.runware.mask_settings import MaskSettings
from tests.fakes.networks import make_network
from tests.fakes.runware_faults import Drop, Hold
from tests.fakes.runware_service import RunwareService
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.backends.serving import (
    answering,
    base64_text,
    cancelled_when_reached,
    remote,
    removals,
    saying,
    sent,
    sent_picture,
    settings_for,
)
from tests.shared.images import icc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRUTH = ellipse(320, 240)
PICTURE = portrait()
FILE = as_file(PICTURE)
NATIVE = {"settings", "rgba", "postProcessMask", "returnOnlyMask", "alphaMatting"}


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_network(tmp_path_factory.mktemp("network") / "n.onnx")


def test_what_is_hidden_can_keep_the_originals_own_colour(service: RunwareService) -> None:
    with remote(service) as client:
        result = client.remove_background(FILE, keep_hidden_colour=True, clean_edges=False)
    assert (result.array[..., 3] == 0).any()
    np.testing.assert_array_equal(result.array[..., :3], PICTURE)


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize(
    ("dialect", "delivery"), [("new", "sync"), ("new", "async"), ("legacy", "sync")]
)
def test_a_picture_comes_back_as_its_own_pixels_under_the_services_matte(
    service: RunwareService, transport: str, dialect: str, delivery: str
) -> None:
    with remote(service, transport=transport, dialect=dialect, delivery=delivery) as client:
        result = client.remove_background(FILE, clean_edges=False)
    alpha = result.array[..., 3]
    assert overlap(alpha, TRUTH) > 0.98
    np.testing.assert_array_equal(result.array[alpha > 0][:, :3], PICTURE[alpha > 0])
    (message,) = removals(service)
    assert message["taskType"] == {"new": "removeBackground"}.get(dialect, "imageBackgroundRemoval")
    assert message.get("deliveryMethod", "sync") == delivery
    assert {one.transport for one in service.requests} == {transport}
    assert list(service.billed) == [result.task_uuid]


def test_the_facts_tell_the_model_the_service_the_task_and_its_cost(
    service: RunwareService,
) -> None:
    with remote(service) as client:
        result = client.remove_background(FILE)
    (message,) = removals(service)
    assert (result.model, result.backend) == ("runware:112@2", service.origin)
    assert (result.cost, result.task_uuid) == (Decimal("0.0006"), message["taskUUID"])
    assert result.confidence > 0.9
    assert result.warnings == ()
    facts = result.facts()
    assert (facts["cost"], facts["task_uuid"]) == (0.0006, result.task_uuid)
    local = cutaway.remove_background(PICTURE, model="classical").facts()
    assert (local["cost"], local["task_uuid"]) == (None, None)


OPTIONS = [
    RemovalOptions(),
    RemovalOptions(output="mask"),
    RemovalOptions(output="mask", post_process_mask=True),
    RemovalOptions(output="mask", alpha_matting=True, alpha_matting_erode_size=5),
    RemovalOptions(output="flattened", background="#00ff00", format="JPG"),
    RemovalOptions(background=(0, 0, 255, 0.5)),
    RemovalOptions(format="WEBP", quality=60, clean_edges=False, keep_metadata=False),
]


@pytest.mark.parametrize("model", ["runware:109@1", "birefnet-v1-base-cod", "bria:2@1"])
def test_every_option_gives_with_every_model_what_it_gives_on_this_machine(
    network: Path, model: str
) -> None:
    with Client(Settings.load(model="u2netp"), weights=network) as local:
        mask = local.remove_background(FILE, output="mask").array
        expected = [local.remove_background(FILE, options) for options in OPTIONS]
    answer = as_file(np.dstack([PICTURE, mask]), "WEBP", quality=20)
    with answering(answer) as service, remote(service) as client:
        found = [client.remove_background(FILE, options, model=model) for options in OPTIONS]
    for there, here, options in zip(found, expected, OPTIONS, strict=True):
        np.testing.assert_array_equal(there.array, here.array)
        assert there.to_bytes() == here.to_bytes()
        assert there.options == options.but({"model": model})
    for message in removals(service):
        assert not NATIVE & message.keys()
        assert (message["outputFormat"], message["outputType"]) == ("WEBP", "base64Data")


def test_a_large_picture_goes_reduced_and_without_its_metadata_and_comes_back_whole(
    service: RunwareService,
) -> None:
    exif = Image.Exif()
    exif[271] = "Maker"
    exif[34853] = {1: "N", 2: (52.0, 31.0, 12.5)}  # where it was taken
    profile = icc.srgb()
    extras: dict[str, Any] = {"exif": exif, "xmp": b"<x:xmpmeta>words</x:xmpmeta>"}
    picture = np.asarray(Image.fromarray(portrait(750, 500)).resize((3000, 2000)))
    file = as_file(picture, "JPEG", quality=95, icc_profile=profile, **extras)
    with remote(service) as client:
        result = client.remove_background(file, clean_edges=False)
    assert result.size == (3000, 2000)
    assert overlap(result.array[..., 3], ellipse(3000, 2000)) > 0.99
    with sent_picture(service) as seen:
        assert (seen.format, seen.size) == ("JPEG", (2048, 1365))
        assert not set(seen.info) & {"exif", "xmp", "icc_profile"}
    for secret in (b"Exif", b"Maker", b"xmpmeta", b"ICC_PROFILE"):
        assert secret in file
        assert secret not in sent(service)
    with Image.open(io.BytesIO(result.to_bytes(format="PNG"))) as kept:
        assert kept.info["icc_profile"] == profile
        assert kept.getexif()[271] == "Maker"


def test_a_small_picture_is_not_enlarged_and_its_matte_not_blurred(service: RunwareService) -> None:
    with remote(service) as client:
        result = client.remove_background(FILE, output="mask")
    with sent_picture(service) as seen:
        assert seen.size == (320, 240)
        answered = service.account.pictures[next(reversed(service.account.pictures))]
    with Image.open(io.BytesIO(answered)) as answer:
        np.testing.assert_array_equal(result.array, np.asarray(answer.getchannel("A")))


def test_sixteen_bits_and_their_profile_stay(service: RunwareService) -> None:
    deep = (PICTURE.astype(np.uint16) << 8) + np.arange(320, dtype=np.uint16)[:, None] % 256
    with remote(service) as client:
        result = client.remove_background(as_file(deep), clean_edges=False)
    shown = result.array[..., 3] > 0
    assert result.depth == 16
    np.testing.assert_array_equal(result.array[shown][:, :3], deep[shown])
    with sent_picture(service) as seen:
        assert seen.mode == "RGB"


def test_the_pictures_own_transparency_is_multiplied_in_once(service: RunwareService) -> None:
    alpha = np.full((240, 320), 255, np.uint8)
    alpha[100:140, 120:160] = 128
    for send in ("reduced", "original"):
        with remote(service, send=send) as client:
            result = client.remove_background(np.dstack([PICTURE, alpha])).array[..., 3]
        assert (result[60, 160], result[120, 140], result[5, 5]) == (255, 128, 0)
        with sent_picture(service) as seen:
            assert seen.mode == "RGB"


@pytest.mark.parametrize("fill", [0, 255])
def test_almost_nothing_or_everything_kept_is_a_warning_since_it_was_paid_for(fill: int) -> None:
    cut = np.dstack([PICTURE, np.full((240, 320), fill, np.uint8)])
    for form in ("PNG", "WEBP"):
        with answering(as_file(cut, form)) as service, remote(service) as client:
            result = client.remove_background(FILE)
            assert list(service.billed) == [result.task_uuid]
        what = "everything" if fill else "nothing"
        assert f"almost {what} was kept" in result.warnings


def test_an_undecided_matte_is_told_of() -> None:
    cut = np.dstack([PICTURE, np.full((240, 320), 140, np.uint8)])
    with answering(as_file(cut)) as service, remote(service) as client:
        result = client.remove_background(FILE)
    assert result.confidence < 0.2
    assert any("uncertain" in warning for warning in result.warnings)


def test_the_settings_model_is_taken_if_the_service_has_it_else_the_default(
    service: RunwareService,
) -> None:
    for chosen, expected in (("birefnet-general", "runware:112@5"), ("u2netp", "runware:112@2")):
        with remote(service, model=chosen) as client:
            assert client.remove_background(FILE).model == expected
    with remote(service) as client, pytest.raises(UnknownModel, match="u2netp"):
        client.remove_background(FILE, model="u2netp")
    assert len(removals(service)) == 2


def test_a_key_alone_sends_nothing_anywhere(
    service: RunwareService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNWARE_API_KEY", service.key)
    result = cutaway.remove_background(PICTURE)
    assert result.backend == "local"
    with Client() as client, pytest.raises(ConfigError, match="Choose a backend"):
        _ = client.runware
    with Client() as client, pytest.raises(ConfigError, match="Choose a backend"):
        client.prepare(FILE)
    assert service.connections == 0
    chosen = cutaway.remove_background(FILE, backend=service.http_url)
    assert chosen.backend == service.origin


def test_an_argument_chooses_the_backend_over_the_settings(service: RunwareService) -> None:
    with Client(settings_for(service), backend="local") as client:
        assert client.remove_background(FILE).backend == "local"
    settings = settings_for(service, backend="local", send="original")
    with Client(settings, backend=service.ws_url) as client:
        assert client.settings.send == "original"
        assert client.remove_background(FILE).backend == service.origin
    with pytest.raises(ConfigError, match="backend"):
        Client(backend="somewhere")


def test_weights_have_no_place_in_a_service(service: RunwareService, network: Path) -> None:
    with pytest.raises(OptionError, match="not on this machine"):
        Client(settings_for(service), weights=network)


def test_runware_itself_wants_a_key_and_a_message_tells_where_to_get_one() -> None:
    with Client(backend="runware") as client, pytest.raises(AuthError) as caught:
        client.remove_background(FILE)
    told = str(caught.value)
    for advice in ("https://my.runware.ai/signup", "cutaway login", "RUNWARE_API_KEY"):
        assert advice in told


def test_another_service_may_do_without_a_key() -> None:
    with RunwareService(key=None) as service, Client(backend=service.http_url) as client:
        assert client.remove_background(FILE).cost == Decimal("0.0006")


def test_what_would_cost_too_much_is_never_sent(service: RunwareService) -> None:
    with remote(service, max_cost="0.0005") as client:
        with pytest.raises(CostRefused):
            client.remove_background(FILE)
        with pytest.raises(CostRefused):
            client.prepare(FILE)
    assert service.requests == []


def test_a_lost_answer_is_asked_for_and_not_paid_twice(service: RunwareService) -> None:
    service.faults.append(Drop(accepted=True))
    with remote(service) as client:
        result = client.remove_background(FILE)
    assert service.submissions(result.task_uuid or "") == 1
    assert len(service.billed) == 1


def test_the_stages_are_told_in_order(service: RunwareService) -> None:
    steps: list[Step] = []
    with remote(service) as client:
        client.remove_background(FILE, on_progress=steps.append)
    assert list(dict.fromkeys(step.stage for step in steps)) == [
        "reading",
        "decoding",
        "preparing",
        "waiting for the service",
        "reading the answer",
        "refining",
        "cleaning edges",
    ]


def test_a_cancel_ends_the_waiting_at_once(service: RunwareService) -> None:
    hold, cancellation = Hold(), Cancellation()
    service.faults.append(hold)

    def cancel_when_reached() -> None:
        hold.reached.wait()
        cancellation.cancel()

    stopper = threading.Thread(target=cancel_when_reached)
    with remote(service) as client:
        stopper.start()
        with pytest.raises(Cancelled) as caught:
            client.remove_background(FILE, cancellation=cancellation)
        assert not hold.release.is_set()
        hold.release.set()
    stopper.join()
    assert caught.value.task_uuid == removals(service)[0]["taskUUID"]


@pytest.mark.parametrize("given", ["a file", "a stored picture"])
def test_the_result_of_a_task_that_was_given_up_is_taken_later_and_billed_once(
    service: RunwareService, given: str
) -> None:
    with remote(service) as client:
        picture = FILE if given == "a file" else client.runware.upload(FILE)
        hold = Hold()
        service.fault_for = lambda _: hold
        hurried = settings_for(service, timeout=0.2)
        with Client(hurried) as hasty, pytest.raises(TimedOut) as caught:
            hasty.remove_background(picture)
        hold.release.set()
        service.fault_for = lambda _: None
        uuid = caught.value.task_uuid or ""
        assert f"--task-uuid {uuid}" in caught.value.next_step
        (removal,) = client.remove_many([Submitted(picture, uuid)])
        expected = client.remove_background(picture)
    assert removal.cutout is not None
    assert removal.cutout.task_uuid == uuid
    np.testing.assert_array_equal(removal.cutout.array, expected.array)
    assert list(service.billed) == [uuid, expected.task_uuid]


def test_a_task_that_the_service_never_had_is_not_found_and_nothing_is_sent(
    service: RunwareService,
) -> None:
    service.account.knows_unknown = True
    with remote(service) as client, pytest.raises(NotFound):
        client.remove_background(Submitted(FILE, str(uuid4())))
    assert not removals(service)


def test_a_cost_above_the_limit_that_no_price_foretold_is_told(service: RunwareService) -> None:
    cutout = base64_text(as_file(np.full((480, 640, 4), 128, np.uint8)))
    service.fault_for = saying(imageBase64Data=cutout, cost=0.5)
    with remote(service, max_cost="0.0006") as client:
        result = client.remove_background(Image.new("RGB", (640, 480)))
    assert result.cost == Decimal("0.5")
    assert "it cost $0.5, more than its known price and the limit of $0.0006" in result.warnings


def test_only_a_service_has_tasks_to_take_up() -> None:
    with Client() as client, pytest.raises(ConfigError, match="there is no service to ask"):
        client.remove_background(Submitted(FILE, str(uuid4())))


@pytest.mark.anyio
async def test_cancelling_the_awaiting_task_ends_the_waiting_at_once(
    service: RunwareService,
) -> None:
    async with AsyncClient(settings_for(service)) as client, cancelled_when_reached(service):
        await client.remove_background(FILE)


@pytest.mark.anyio
async def test_the_awaiting_client_does_all_that_the_other_does(service: RunwareService) -> None:
    async with AsyncClient(settings_for(service)) as client:
        result = await client.remove_background(FILE)
        stored = await client.runware.upload(FILE)
        answer = await client.runware.submit(stored)
        again = await client.runware.wait_for(answer.task_uuid or "")
        prepared = await client.prepare(FILE)
    assert overlap(result.array[..., 3], TRUTH) > 0.98
    assert again.image_url == answer.image_url
    assert prepared.price == Decimal("0.0006")


def test_a_stored_picture_comes_back_as_the_services_own_copy(service: RunwareService) -> None:
    with remote(service) as client:
        uuid = client.runware.upload(FILE)
        copy = np.asarray(Image.open(io.BytesIO(service.account.pictures[uuid])).convert("RGB"))
        result = client.remove_background(uuid)
        mask = client.remove_background(uuid, output="mask", post_process_mask=True)
        flat = client.remove_background(uuid, output="flattened", background="#00ff00")
    np.testing.assert_array_equal(result.array[..., :3], copy * (result.array[..., 3:] > 0))
    assert overlap(result.array[..., 3], TRUTH) > 0.98
    assert set(np.unique(mask.array)) == {0, 255}
    assert flat.array[0, 0].tolist() == [0, 255, 0]
    assert result.options == RemovalOptions()
    assert "the service's own copy" in result.warnings[0]
    assert all(message["outputFormat"] == "PNG" for message in removals(service))
    assert not any(NATIVE & message.keys() for message in removals(service))


def test_a_stored_pictures_mask_is_treated_by_the_model_that_can(service: RunwareService) -> None:
    choices: Any = {"alpha_matting": True, "alpha_matting_erode_size": 7}
    with remote(service) as client:
        uuid = client.runware.upload(FILE)
        client.remove_background(uuid, post_process_mask=True, model="runware:109@1", **choices)
        with pytest.raises(OptionError, match=r"Give the picture itself.*runware:109@1"):
            client.remove_background(uuid, **choices)
        prepared = client.prepare(uuid)
    (message,) = removals(service)
    assert message["settings"] == {
        "postProcessMask": True,
        "alphaMatting": True,
        "alphaMattingForegroundThreshold": 240,
        "alphaMattingBackgroundThreshold": 10,
        "alphaMattingErodeSize": 7,
    }
    assert (prepared.message["inputs"], prepared.size) == ({"image": uuid}, None)


def test_a_preparation_tells_what_would_be_sent_and_sends_nothing(service: RunwareService) -> None:
    wide = as_file(portrait(4000, 400), "JPEG")
    with remote(service) as client:
        prepared = client.prepare(wide, model="runware:112@9")
        assert service.connections == 0
        client.remove_background(wide, model="runware:112@9")
    assert (prepared.size, prepared.media_type) == ((2048, 205), "image/jpeg")
    assert (prepared.price, prepared.url) == (Decimal("0.0006"), service.http_url)
    assert prepared.bytes == len(sent(service))
    (message,) = removals(service)
    assert {**prepared.message, "taskUUID": ""} == {**message, "taskUUID": ""}
    assert len(repr(prepared)) < 300


def test_a_preparation_needs_no_key() -> None:
    with Client(backend="runware") as client:
        prepared = client.prepare(FILE)
    assert (prepared.url, prepared.model) == ("https://api.runware.ai/v1", "runware:112@2")
    assert prepared.message["inputs"]["image"].startswith("data:image/jpeg;base64,")


def test_a_submission_gives_the_services_own_answer_and_downloads_nothing(
    service: RunwareService, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(FILE)
    settings = MaskSettings(return_only_mask=True)
    with remote(service) as client:
        result = client.runware.submit(
            str(path), model="u2net", output_format="JPG", ttl=60, settings=settings
        )
    assert result.image_url
    assert result.image_url.startswith(service.origin)
    assert service.downloads == []
    (message,) = removals(service)
    assert message["settings"] == {"returnOnlyMask": True}
    assert (message["model"], message["outputFormat"], message["ttl"]) == (
        "runware:109@1",
        "JPG",
        60,
    )
    with sent_picture(service) as seen:
        assert (seen.format, seen.size) == ("JPEG", (320, 240))


def test_a_submitted_text_goes_as_it_is(service: RunwareService) -> None:
    data_uri = "data:image/png;base64," + base64_text(FILE)
    with remote(service) as client:
        stored = client.runware.upload(io.BytesIO(FILE))
        for text in (stored, data_uri, base64_text(FILE)):
            client.runware.submit(text)
    assert [message["inputs"]["image"] for message in removals(service)] == [
        stored,
        data_uri,
        base64_text(FILE),
    ]


def test_a_submission_is_sent_as_the_settings_say(service: RunwareService) -> None:
    with remote(service, send="original", delivery="async") as client:
        client.runware.submit(FILE)
        client.runware.submit(FILE, delivery_method="sync")
        client.runware.submit(PICTURE, upload=True, delivery_method="sync")
    first, second, third = removals(service)
    assert first["inputs"]["image"].endswith(base64_text(FILE))
    assert (first["deliveryMethod"], second["deliveryMethod"]) == ("async", "sync")
    assert third["inputs"]["image"] in service.account.pictures
