"""A worker whose pictures go to a service."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.fakes.runware_faults import Hold, Refuse
from tests.fakes.runware_service import RunwareService
from tests.gimp_plugin.plug_in_end import PlugInEnd, layer
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.backends.serving import answering, sent_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = layer(portrait())


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


def test_a_service_finds_the_subject_and_its_price_is_told(service: RunwareService):
    with PlugInEnd(RUNWARE_API_KEY=service.key) as plug_in:
        assert plug_in.begin(backend=service.http_url)["kind"] == "ready"
        assert not service.connections
        answer = plug_in.remove(PICTURE, "matte")
        assert plug_in.end() == 0
    assert overlap(answer.plane(PICTURE), ellipse(320, 240)) > 0.95
    ((task_uuid, cost),) = service.billed.items()
    assert (answer.found["cost"], answer.found["task_uuid"]) == (str(cost), task_uuid)
    assert answer.found["model"] == "runware:112@2"
    assert answer.found["backend"] == service.origin
    assert sent_picture(service).size == (320, 240)


def test_the_share_is_unknown_only_while_the_service_works(service: RunwareService):
    with PlugInEnd(RUNWARE_API_KEY=service.key) as plug_in:
        plug_in.begin(backend=service.http_url)
        progress = plug_in.remove(PICTURE, "cutout").progress
    unknown = [stage for stage, share in progress if share is None]
    assert unknown == ["waiting for the service"]
    shares = [share for _, share in progress if share is not None]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.9 < shares[-1] < 1


def test_one_connection_serves_many_pictures_and_equal_begins(service: RunwareService):
    with PlugInEnd(RUNWARE_API_KEY=service.key) as plug_in:
        for want in ("matte", "visible", "cutout"):
            plug_in.begin(backend=service.http_url, feather=3)
            plug_in.remove(PICTURE, want)
    assert len(service.billed) == 3
    assert service.connections == 1


def test_a_wait_for_a_service_ends_with_the_plug_in(service: RunwareService):
    hold = Hold()
    service.faults.append(hold)
    with PlugInEnd(RUNWARE_API_KEY=service.key) as plug_in:
        plug_in.begin(backend=service.ws_url)
        plug_in.send(PICTURE, "cutout")
        assert hold.reached.wait(30)
        assert plug_in.end() == 3
    service.wait_until(lambda: not service.open_connections)
    assert not hold.release.is_set()


def test_what_the_service_refuses_is_told_and_the_next_picture_comes(service: RunwareService):
    service.faults.append(Refuse(402, "insufficientCredits"))
    with PlugInEnd(RUNWARE_API_KEY=service.key) as plug_in:
        plug_in.begin(backend=service.http_url)
        refused = plug_in.remove(PICTURE, "matte").end
        assert refused["code"] == "quota"
        assert refused["task_uuid"] == service.requests[0].task_uuid
        assert plug_in.remove(PICTURE, "matte").end == {"kind": "done"}


def test_a_wrong_key_is_told(service: RunwareService):
    with PlugInEnd(RUNWARE_API_KEY="another-key") as plug_in:
        assert plug_in.begin(backend=service.http_url)["kind"] == "ready"
        end = plug_in.remove(PICTURE, "matte").end
    assert end["code"] == "auth"
    assert "another-key" not in str(end)


def test_a_picture_that_costs_too_much_is_refused_at_once(service: RunwareService):
    with PlugInEnd(RUNWARE_API_KEY=service.key, CUTAWAY_MAX_COST="0.0001") as plug_in:
        assert plug_in.begin(backend=service.http_url)["code"] == "cost-refused"
    assert not service.requests


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strips_of_a_cutout_in_which_nothing_changes_are_left_out(dtype: type):
    colour: Any = portrait(50, 700).astype(dtype) * (np.iinfo(dtype).max // 255)
    matte = np.full((700, 50), 255, np.uint8)
    matte[300, 20] = 0
    matte[301, 20] = 100
    answered = as_file(np.dstack([np.zeros((700, 50, 3), np.uint8), matte]))
    with answering(answered) as service, PlugInEnd(RUNWARE_API_KEY=service.key) as plug_in:
        plug_in.begin(backend=service.http_url)
        answer = plug_in.remove(layer(colour), "cutout")
        whole = plug_in.remove(layer(colour), "visible")
    ((place, payload),) = answer.strips.items()
    assert place == (256, 256)
    pixels = 256 * 50
    changes = np.frombuffer(payload[-2 * pixels :], np.uint8).reshape(2, 256, 50)
    assert [np.argwhere(plane).tolist() for plane in changes] == [
        [[44, 20], [45, 20]],
        [[45, 20]],
    ]
    assert list(whole.strips) == [(0, 256), (256, 256), (512, 188)]


def test_colours_that_nothing_of_is_seen_are_never_said_to_be_cleaned():
    alpha = np.full((240, 320), 255, np.uint8)
    alpha[:, 160:] = 0
    matte = np.full((240, 320), 128, np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.dstack([portrait(), matte])).save(file, "PNG")
    with answering(file.getvalue()) as service, PlugInEnd(RUNWARE_API_KEY=service.key) as plug_in:
        plug_in.begin(backend=service.http_url)
        answer = plug_in.remove(layer(portrait(), alpha), "cutout")
    (payload,) = answer.strips.values()
    cleaned = np.frombuffer(payload[-240 * 320 :], np.uint8).reshape(240, 320)
    assert (cleaned[:, :160] == 255).all()
    assert (cleaned[:, 160:] == 0).all()
