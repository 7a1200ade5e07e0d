"""What a caller sees of the client: both faces, over both transports."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from cutaway import Cancellation
from cutaway.errors import (
    AddressRefused,
    AuthError,
    ConfigError,
    ConnectionFailed,
    CostRefused,
    CutawayError,
    InvalidRequest,
    NotFound,
    OptionError,
    QuotaError,
    SourceError,
    TimedOut,
    UnknownModel,
    UnsupportedFormat,
)
from cutaway.runware.client import AsyncRunware, Runware
from cutaway.runware.retries import Pace
from cutaway.runware.tasks import MaskSettings
from tests.fakes.runware_faults import Drop, DropMidAnswer, Hold, Processing, Refuse, Throttle
from tests.shared.runware.faces import FACES, FAST, TRANSPORTS, Face, address, open_face, picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.runware_service import RunwareService

PICTURE = picture()
DATA_URI = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FACES)
def client(
    request: pytest.FixtureRequest, service: RunwareService, transport: str
) -> Iterator[Face]:
    with open_face(request.param, service.key, url=address(service, transport)) as face:
        yield face


@pytest.fixture
def waiting(service: RunwareService, transport: str) -> Iterator[Runware]:
    with Runware(service.key, url=address(service, transport), pace=FAST) as client:
        yield client


def tasks(service: RunwareService) -> list[dict[str, Any]]:
    """What came, without what a session begins with."""
    return [r.message for r in service.requests if r.task_type != "authentication"]


def test_bytes_are_sent_as_a_data_uri_and_nothing_is_added(client: Face, service: RunwareService):
    result = client.submit(PICTURE)
    assert tasks(service) == [
        {
            "taskType": "removeBackground",
            "taskUUID": result.task_uuid,
            "model": "runware:112@2",
            "inputs": {"image": DATA_URI},
        }
    ]
    assert uuid.UUID(result.task_uuid).version == 4
    assert result.image_url
    assert result.cost == Decimal("0.0006")
    assert service.billed == {result.task_uuid: Decimal("0.0006")}


def test_every_parameter_goes_through_as_given(client: Face, service: RunwareService):
    name = str(uuid.uuid4())
    result = client.submit(
        PICTURE,
        task_uuid=name,
        model="birefnet-v1-base-cod",
        output_type=["URL", "base64Data"],
        output_format="WEBP",
        output_quality=80,
        include_cost=True,
        ttl=60,
    )
    assert tasks(service)[0] == {
        "taskType": "removeBackground",
        "taskUUID": name,
        "model": "runware:112@2",
        "outputType": ["URL", "base64Data"],
        "outputFormat": "WEBP",
        "outputQuality": 80,
        "ttl": 60,
        "includeCost": True,
        "inputs": {"image": DATA_URI},
    }
    assert result.image_url
    assert result.image_base64


def test_the_legacy_dialect_is_spoken_if_chosen(service: RunwareService, transport: str):
    url = address(service, transport)
    with Runware(service.key, url=url, dialect="legacy", pace=FAST) as client:
        client.submit(PICTURE, model="runware:109@1", settings=MaskSettings(return_only_mask=True))
    (task,) = tasks(service)
    assert task["taskType"] == "imageBackgroundRemoval"
    assert (task["inputImage"], task["returnOnlyMask"]) == (DATA_URI, True)


def test_texts_are_sent_as_they_are(client: Face, service: RunwareService):
    stored = client.upload(PICTURE)
    texts = [stored, stored.upper(), DATA_URI, base64.b64encode(PICTURE).decode()]
    service.account.pictures[stored.upper()] = PICTURE
    for text in texts:
        client.submit(text)
    assert [task["inputs"]["image"] for task in tasks(service)[1:]] == texts


def test_a_url_is_passed_on_if_private_networks_are_allowed(
    service: RunwareService, transport: str
):
    name = service.account.keep(PICTURE)
    url = f"{service.origin}/results/{name}.png?a=b"
    where = address(service, transport)
    with Runware(service.key, url=where, pace=FAST, allow_private_network=True) as client:
        client.submit(url)
    assert tasks(service)[0]["inputs"]["image"] == url


@pytest.mark.parametrize("upload", [False, True])
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a.png", "http://[::1]/a.png", "https://169.254.169.254/x"]
)
def test_a_url_in_a_private_network_is_refused(
    waiting: Runware, service: RunwareService, url: str, upload
):
    with pytest.raises(AddressRefused):
        waiting.submit(url, upload=upload)
    assert not service.requests


@pytest.mark.parametrize("url", ["http://", "https://[::1/a.png", "http://example.com:x/a.png"])
def test_a_url_that_is_none_is_refused(waiting: Runware, service: RunwareService, url: str):
    with pytest.raises(SourceError, match="URL can't be used"):
        waiting.submit(url)
    assert not service.requests


@pytest.mark.parametrize(
    ("image", "error"),
    [
        ("photo.jpg", SourceError),
        ("", SourceError),
        (b"", SourceError),
        (None, SourceError),
        (b"%PDF-1.7", UnsupportedFormat),
    ],
)
@pytest.mark.parametrize("upload", [False, True])
def test_what_is_no_picture_is_refused(
    client: Face, service: RunwareService, image: Any, error: type[CutawayError], upload
):
    with pytest.raises(error):
        client.submit(image, upload=upload)
    assert not service.requests


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        ({"settings": MaskSettings(rgba=(0, 0, 0, 1))}, OptionError),
        ({"output_quality": 100}, OptionError),
        ({"ttl": 60, "output_type": "dataURI"}, OptionError),
        ({"task_uuid": "one"}, OptionError),
        ({"model": "bria:51@1"}, OptionError),
        ({"model": "birefnet-vq"}, UnknownModel),
    ],
)
@pytest.mark.parametrize("upload", [False, True])
def test_what_can_not_be_is_refused_before_anything_is_sent(
    client: Face,
    service: RunwareService,
    choices: dict[str, Any],
    error: type[CutawayError],
    upload,
):
    with pytest.raises(error):
        client.submit(PICTURE, upload=upload, **choices)
    assert not service.requests


@pytest.mark.parametrize("upload", [False, True])
def test_a_task_that_costs_too_much_is_refused_before_anything_is_sent(
    service: RunwareService, transport: str, upload
):
    url = address(service, transport)
    with Runware(service.key, url=url, max_cost=Decimal("0.0006"), pace=FAST) as client:
        with pytest.raises(CostRefused, match="price isn't known"):
            client.submit(PICTURE, model="bria:2@1", upload=upload)
        assert not service.requests
        client.submit(PICTURE, upload=upload)
    with (
        Runware(service.key, url=url, max_cost=Decimal("0.0005"), pace=FAST) as client,
        pytest.raises(CostRefused, match=r"limit \$0\.0005"),
    ):
        client.submit(PICTURE)


def test_a_dry_run_tells_what_would_be_sent_and_its_price(service: RunwareService, transport: str):
    name = str(uuid.uuid4())
    with Runware(service.key, url=address(service, transport), pace=FAST) as client:
        planned = client.encode(PICTURE, task_uuid=name, output_format="PNG")
        assert client.price(output_format="PNG") == Decimal("0.0006")
        assert client.price(model="bria:2@1") is None
        with pytest.raises(OptionError):
            client.encode(PICTURE, settings=MaskSettings(alpha_matting=True))
        with pytest.raises(UnknownModel):
            client.price(model="no-such-model")
        assert service.connections == 0
        client.submit(PICTURE, task_uuid=name, output_format="PNG")
    assert tasks(service) == [planned]


def test_the_same_bytes_are_uploaded_once(client: Face, service: RunwareService):
    stored = client.upload(PICTURE)
    assert client.upload(PICTURE) == stored
    for _ in range(2):
        client.submit(PICTURE, upload=True)
    other = client.upload(picture(1))
    assert other != stored
    assert len(service.received("mediaStorage")) == 2
    removals = service.received("removeBackground")
    assert [r.message["inputs"]["image"] for r in removals] == [stored, stored]


def test_the_same_bytes_uploaded_at_once_are_uploaded_once(client: Face, service: RunwareService):
    hold = Hold()
    service.faults.append(hold)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(client.upload, PICTURE)
        assert hold.reached.wait(30)
        others = [pool.submit(client.upload, PICTURE) for _ in range(3)]
        elsewhere = client.upload(picture(1))  # meanwhile the others have come to wait
        hold.release.set()
        assert {first.result(), *(other.result() for other in others)} == {first.result()}
    assert elsewhere != first.result()
    assert len(service.received("mediaStorage")) == 2


def test_a_cancelled_upload_is_done_by_the_next(waiting: Runware, service: RunwareService):
    hold, stop = Hold(accepted=False), Cancellation()
    service.faults.append(hold)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(waiting.upload, PICTURE, cancellation=stop)
        assert hold.reached.wait(30)
        second = pool.submit(waiting.upload, PICTURE)
        stop.cancel()
        with pytest.raises(CutawayError, match="upload was cancelled"):
            first.result()
        assert second.result() in service.account.pictures
        hold.release.set()


def test_a_service_without_media_storage_gets_the_older_upload(
    client: Face, service: RunwareService
):
    service.account.task_types.remove("mediaStorage")
    client.submit(PICTURE, upload=True)
    client.upload(picture(1))
    kinds = [task["taskType"] for task in tasks(service)]
    assert kinds == ["mediaStorage", "imageUpload", "removeBackground", "imageUpload"]


def test_a_stored_picture_that_is_gone_is_uploaded_anew(client: Face, service: RunwareService):
    service.account.pictures.pop(client.upload(PICTURE))
    with pytest.raises(InvalidRequest, match="couldn't get the picture"):
        client.submit(PICTURE, upload=True)
    assert client.submit(PICTURE, upload=True).has_output


def test_texts_can_be_uploaded_too(client: Face, service: RunwareService):
    stored = client.upload(DATA_URI)
    assert client.upload(DATA_URI) == stored
    assert client.upload(stored) == stored
    assert service.account.pictures[stored] == PICTURE
    assert len(tasks(service)) == 1


def test_an_upload_whose_answer_is_lost_is_done_again(client: Face, service: RunwareService):
    service.faults.extend([Drop(accepted=True), None, Drop()])
    assert client.upload(PICTURE) in service.account.pictures
    assert client.upload(picture(1)) in service.account.pictures


def test_a_task_delivered_later_is_asked_for(client: Face, service: RunwareService):
    service.faults.append(Processing(2))
    result = client.submit(PICTURE, delivery_method="async")
    assert result.status == "success"
    assert result.image_url
    assert [task["taskType"] for task in tasks(service)] == [
        "removeBackground",
        *["getResponse"] * 3,
    ]
    assert {task["taskUUID"] for task in tasks(service)} == {result.task_uuid}


def test_a_task_with_a_webhook_is_only_acknowledged(client: Face, service: RunwareService):
    result = client.submit(PICTURE, webhook_url="https://example.com/hook?token=1")
    assert not result.has_output
    assert result.task_uuid in service.billed
    assert len(tasks(service)) == 1


def test_a_task_of_before_can_be_waited_for(client: Face, service: RunwareService):
    name = str(uuid.uuid4())
    service.faults.append(Processing(1))
    client.submit(PICTURE, task_uuid=name, webhook_url="https://example.com/hook")
    assert client.wait_for(name).image_url
    assert service.submissions(name) == 1


def test_waiting_for_a_task_that_never_was_tells_so(client: Face, service: RunwareService):
    service.account.knows_unknown = True
    name = str(uuid.uuid4())
    with pytest.raises(NotFound) as caught:
        client.wait_for(name)
    assert caught.value.task_uuid == name
    with pytest.raises(OptionError):
        client.wait_for("one")


@pytest.mark.parametrize("fault", [Drop(accepted=True), DropMidAnswer()])
def test_a_task_whose_answer_was_lost_is_asked_for_and_not_sent_again(
    client: Face, service: RunwareService, fault: Drop
):
    service.faults.append(fault)
    result = client.submit(PICTURE)
    assert result.image_url
    assert [task["taskType"] for task in tasks(service)] == ["removeBackground", "getResponse"]


@pytest.mark.parametrize("fault", [Drop(), Throttle(), Refuse(503)])
def test_a_task_that_was_not_taken_is_sent_again_under_its_name(
    client: Face, service: RunwareService, fault: Drop
):
    service.faults.append(fault)
    result = client.submit(PICTURE)
    assert service.submissions(str(result.task_uuid)) == 2
    assert list(service.billed) == [result.task_uuid]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Refuse(402, "insufficientCredits"), QuotaError),
        (Refuse(400, "invalidSomething"), InvalidRequest),
        (Refuse(403, "forbidden", named=False), AuthError),
    ],
)
def test_a_refusal_is_told_at_once(
    client: Face, service: RunwareService, fault: Refuse, error: type[CutawayError]
):
    service.faults.append(fault)
    name = str(uuid.uuid4())
    with pytest.raises(error) as caught:
        client.submit(PICTURE, task_uuid=name)
    assert caught.value.task_uuid == name
    assert len(tasks(service)) == 1


@pytest.mark.parametrize("face", FACES)
def test_a_wrong_key_is_told_at_once(service: RunwareService, transport: str, face: str):
    with (
        open_face(face, "wrong", url=address(service, transport)) as client,
        pytest.raises(AuthError, match="cutaway login"),
    ):
        client.submit(PICTURE)
    assert len(service.requests) == 1
    assert not service.billed


def test_runware_itself_wants_a_key_before_anything_is_sent(transport: str):
    with Runware(transport=transport) as client:
        with pytest.raises(AuthError, match="RUNWARE_API_KEY"):
            client.submit(PICTURE)
        with pytest.raises(AuthError, match="signup"):
            client.wait_for(str(uuid.uuid4()))
        with pytest.raises(AuthError):
            client.upload(PICTURE)
        assert client.encode(PICTURE)["inputs"]["image"] == DATA_URI


def test_the_key_is_found_in_the_environment(
    service: RunwareService, transport: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RUNWARE_API_KEY", service.key)
    with Runware(url=address(service, transport), pace=FAST) as client:
        assert client.submit(PICTURE).has_output


@pytest.mark.parametrize("key", ["", "two words", "tab\tbed", "naïve", "line\nbreak"])
def test_a_key_that_can_not_be_is_refused_and_not_repeated(key: str):
    with pytest.raises(ConfigError) as caught:
        Runware(key)
    assert not key or key not in str(caught.value)


def test_a_key_is_not_sent_where_others_read_along():
    with pytest.raises(ConfigError, match="unencrypted"):
        Runware("key", url="http://example.com/v1")
    with pytest.raises(OptionError, match="dialect"):
        Runware("key", dialect="latin")


def test_a_task_that_takes_too_long_is_left_with_its_name(service: RunwareService, transport: str):
    hold = Hold()
    service.faults.append(hold)
    pace = Pace(timeout=0.3, first_poll=0.01)
    name = str(uuid.uuid4())
    with (
        Runware(service.key, url=address(service, transport), pace=pace) as client,
        pytest.raises(TimedOut, match="may still finish and be billed") as caught,
    ):
        client.submit(PICTURE, task_uuid=name)
    assert caught.value.task_uuid == name
    hold.release.set()


def test_a_service_that_is_not_there_is_told(service: RunwareService, transport: str):
    url = address(service, transport).replace(service.origin.rpartition(":")[2], "1")
    with (
        Runware(service.key, url=url, pace=Pace(sends=2, first_retry=0.001)) as client,
        pytest.raises(ConnectionFailed, match="could not be reached"),
    ):
        client.submit(PICTURE)


def test_many_threads_share_a_client(waiting: Runware, service: RunwareService, transport: str):
    holds = [Hold() for _ in range(8)]
    service.faults.extend(holds)
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(waiting.submit, picture(number)) for number in range(8)]
        assert all(hold.reached.wait(30) for hold in holds)  # all at once
        for hold in reversed(holds):
            hold.release.set()
        names = {result.result().task_uuid for result in results}
    assert names == service.billed.keys()
    assert len(names) == 8
    assert service.connections == (1 if transport == "websocket" else 8)


def test_nothing_is_begun_by_a_client_that_is_not_used(service: RunwareService, transport: str):
    before = threading.active_count()
    client = Runware(service.key, url=address(service, transport))
    assert threading.active_count() == before
    client.close()
    client.close()


def test_a_closed_client_sends_nothing(service: RunwareService, transport: str):
    client = Runware(service.key, url=address(service, transport), pace=FAST)
    client.submit(PICTURE)
    client.close()
    client.close()
    with pytest.raises(ConnectionFailed, match="closed"):
        client.submit(PICTURE)
    service.wait_until(lambda: not service.open_connections)
    assert len(service.billed) == 1


def test_a_client_tells_where_it_leads(service: RunwareService, transport: str):
    client = Runware(service.key, url=address(service, transport))
    assert repr(client) == f"Runware('{service.origin}', '{transport}')"
    assert repr(AsyncRunware("key")) == "AsyncRunware('https://api.runware.ai', 'http')"


def test_importing_the_client_leaves_the_heavy_libraries_for_later():
    heavy = ["anyio", "asyncio", "cv2", "httpx", "numpy", "pydantic", "trio", "websockets"]
    told = f"import sys, cutaway.runware.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == "[]"
