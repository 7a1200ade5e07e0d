"""What the core's Runware client does on its connections, with the service itself."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from cutaway.errors import NotFound
from cutaway.runware.client import Runware
from tests.shared.runware.conftest import no_proxy_around  # noqa: F401  (a fixture of all)
from tests.shared.runware.faces import FACES, FAST, TRANSPORTS, open_face, picture
from tests.shared.runware.test_http import (  # noqa: F401  (collected here once more)
    test_a_task_is_one_post_with_the_key_in_a_header,
    test_connections_are_kept_for_the_next_task,
)
from tests.shared.runware.test_websocket import (  # noqa: F401  (collected here once more)
    test_a_large_picture_goes_through,
    test_a_session_begins_with_the_key_and_offers_no_compression,
    test_one_connection_carries_one_task_after_the_other,
)
from tests.shared.service.counterpart import Counterpart
from tests.shared.service.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.shared.runware.faces import Face

PICTURE = picture()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counterpart]:
    with Counterpart(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def service(running: Counterpart) -> Counterpart:
    """A service that answers at once."""
    running.begin_again()
    return running


@pytest.fixture
def client(service: Counterpart, request: pytest.FixtureRequest) -> Iterator[Runware]:
    """A client on the transport that a test's own module is about."""
    over_http = request.function.__module__.endswith("test_http")
    url = service.http_url if over_http else service.ws_url
    with Runware(service.key, url=url, pace=FAST) as client:
        yield client


@pytest.fixture(params=product(FACES, TRANSPORTS), ids="-".join)
def face(request: pytest.FixtureRequest, service: Counterpart) -> Iterator[Face]:
    kind, transport = request.param
    with open_face(kind, service.key, url=service.url(transport)) as face:
        yield face


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_service_without_a_key_is_asked_without_one(tmp_path: Path, transport: str):
    with (
        Counterpart(tmp_path / "open", key=None) as service,
        Runware(url=service.url(transport), pace=FAST) as other,
    ):
        assert other.submit(PICTURE).image_url
    assert [received.task_type for received in service.requests] == ["removeBackground"]
    assert "authorization" not in service.requests[0].headers


def test_a_stored_picture_that_is_gone_is_uploaded_anew(face: Face, service: Counterpart):
    service.account.pictures.pop(face.upload(PICTURE))
    with pytest.raises(NotFound, match="Upload the picture again"):
        face.submit(PICTURE, upload=True)
    assert face.submit(PICTURE, upload=True).has_output


def test_a_task_with_a_webhook_is_acknowledged_and_can_be_waited_for(
    face: Face, service: Counterpart
):
    name = str(uuid4())
    with Receiver() as receiver:
        result = face.submit(PICTURE, task_uuid=name, webhook_url=receiver.url("/hook?token=1"))
        assert not result.has_output
        assert face.wait_for(name).image_url
        receiver.wait(1)
    assert service.submissions(name) == 1


def test_a_task_of_the_past_is_waited_for_with_another_client(face: Face, service: Counterpart):
    done = face.submit(PICTURE, delivery_method="async")
    with Runware(service.key, url=service.http_url, pace=FAST) as other:
        assert other.wait_for(str(done.task_uuid)).image_url == done.image_url
