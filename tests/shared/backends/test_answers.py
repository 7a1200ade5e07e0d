"""What a service may answer instead of the matte that was asked for, and what becomes of it."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import ConnectionLost, CutawayError, DownloadRefused, ProtocolError
from tests.fakes.picture_server import PictureServer, body
from tests.fakes.runware_faults import Answer, Drop
from tests.fakes.runware_service import RunwareService
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.backends.serving import answering, base64_text, remote, removals, saying
from tests.shared.images.pictures import PNG_SIGNATURE, chunk

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE = portrait()
FILE = as_file(PICTURE)
TRUTH = ellipse(320, 240)
CUT = np.dstack([PICTURE, (TRUTH * 255).astype(np.uint8)])


def cut_of(width: int, height: int) -> bytes:
    return as_file(np.asarray(Image.fromarray(CUT).resize((width, height))))


HUGE = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)
BOMB = PNG_SIGNATURE + chunk(b"IHDR", HUGE) + chunk(b"IDAT", zlib.compress(bytes(9000)))
USELESS: dict[str, tuple[bytes, str]] = {
    "a JPG": (as_file(PICTURE, "JPEG"), "no transparency"),
    "a PNG without alpha": (FILE, "no transparency"),
    "no picture": (b"<html>sorry</html>", "known type"),
    "half a PNG": (cut_of(320, 240)[:2000], "can't be read"),
    "a bomb": (BOMB, "pixels"),
    "more pixels than it can need": (cut_of(2900, 2175), "pixels"),
    "another picture's shape": (cut_of(240, 320), "240 x 320"),
    "one pixel": (cut_of(1, 1), "1 x 1"),
}


@pytest.mark.parametrize("kind", USELESS)
def test_a_picture_that_is_no_matte_is_the_services_fault_and_named_by_its_task(kind: str) -> None:
    picture, why = USELESS[kind]
    with answering(picture) as service, remote(service) as client:
        with pytest.raises(ProtocolError, match=why) as caught:
            client.remove_background(FILE)
        assert caught.value.task_uuid == removals(service)[-1]["taskUUID"]
        assert caught.value.next_step
        assert len(service.billed) == 1


@pytest.mark.parametrize("size", [(320, 240), (300, 225), (299, 225), (640, 480), (256, 193)])
def test_a_matte_of_another_size_is_taken_if_it_has_the_pictures_shape(
    size: tuple[int, int],
) -> None:
    with answering(cut_of(*size)) as service, remote(service) as client:
        result = client.remove_background(FILE)
    assert result.size == (320, 240)
    assert overlap(result.array[..., 3], TRUTH) > 0.97


FORMS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "base64": lambda data: {"imageBase64Data": base64_text(data)},
    "a data URI": lambda data: {"imageDataURI": f"data:image/webp;base64,{base64_text(data)}"},
    "base64 in the URL's place": lambda data: {"imageURL": base64_text(data)},
}


@pytest.mark.parametrize("form", FORMS)
def test_the_picture_is_found_in_whatever_form_it_comes(form: str) -> None:
    with RunwareService() as service, remote(service) as client:
        service.fault_for = saying(**FORMS[form](cut_of(320, 240)))
        result = client.remove_background(FILE)
    assert overlap(result.array[..., 3], TRUTH) > 0.98
    assert result.cost is None


def test_a_picture_behind_the_services_own_url_is_downloaded() -> None:
    stages: list[str] = []
    with RunwareService() as service, remote(service) as client:
        name = service.account.keep(cut_of(320, 240))
        service.fault_for = saying(imageURL=f"{service.origin}/results/{name}.png")
        result = client.remove_background(FILE, on_progress=lambda step: stages.append(step.stage))
    assert overlap(result.array[..., 3], TRUTH) > 0.98
    assert "downloading" in stages
    assert len(service.downloads) == 1


def failing(fields: dict[str, Any]) -> CutawayError:
    with RunwareService() as service, remote(service) as client:
        service.fault_for = saying(**fields)
        with pytest.raises(CutawayError) as caught:
            client.remove_background(FILE)
        assert caught.value.task_uuid == removals(service)[-1]["taskUUID"]
        return caught.value


def test_a_result_that_is_not_where_it_should_be_is_no_fault_of_the_picture() -> None:
    with RunwareService() as service, remote(service) as client:
        service.fault_for = saying(imageURL=f"{service.origin}/results/none.png")
        with pytest.raises(DownloadRefused, match="404") as caught:
            client.remove_background(FILE)
        task = removals(service)[-1]["taskUUID"]
    assert caught.value.task_uuid == task
    assert task in caught.value.next_step


def test_a_download_that_breaks_off_tells_that_the_task_was_billed() -> None:
    with RunwareService() as service, remote(service) as client:
        service.fault_for = saying(imageURL=f"{service.origin}/results/none.png")
        service.download_faults.append(Drop())
        with pytest.raises(ConnectionLost) as caught:
            client.remove_background(FILE)
        task = removals(service)[-1]["taskUUID"]
    assert caught.value.task_uuid == task
    assert f"billed: ask for it again by its task, {task}" in caught.value.next_step


def test_a_result_on_another_private_address_is_not_fetched() -> None:
    with PictureServer() as elsewhere:
        elsewhere.answers["/cut.png"] = body(cut_of(320, 240))
        error = failing({"imageURL": elsewhere.url("/cut.png")})
    assert isinstance(error, DownloadRefused)
    assert "not a public address" in str(error)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "fields", [{"imageBase64Data": "no base64!"}, {"imageDataURI": "data:image/png;base64"}]
)
def test_what_can_not_be_decoded_is_the_services_fault(fields: dict[str, Any]) -> None:
    assert isinstance(failing(fields), ProtocolError)


def test_a_success_without_a_picture_is_told_as_such() -> None:
    error = failing({"status": "success", "imageUUID": "d62161cb-1e31-4159-94cb-8e7cc1323459"})
    assert isinstance(error, ProtocolError)
    assert "no picture" in str(error)


def test_a_download_with_more_bytes_than_allowed_is_broken_off() -> None:
    with RunwareService() as service, remote(service, max_bytes=len(FILE) + 1) as client:
        service.fault_for = saying(imageURL=f"{service.origin}/results/large.png")
        service.download_faults.append(Answer(bytes(len(FILE) + 2), content_type="image/png"))
        with pytest.raises(ProtocolError, match="too large"):
            client.remove_background(FILE)
