from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cutaway import images
from cutaway.backends.upload import LONGEST_KEPT, as_it_came, upload_of
from cutaway.errors import ConnectionFailed
from cutaway.settings import Limits
from cutaway.sources import Loaded, SourceKind, read
from cutaway.sources.guard import Guard
from tests.fakes.picture_server import PictureServer, body
from tests.fakes.runware_service import RunwareService
from tests.pictures import as_file, ellipse, overlap, portrait
from tests.shared.backends.serving import remote, removals, sent, sent_picture
from tests.shared.images import icc
from tests.shared.images.pictures import exif

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMITS = Limits()
PICTURE = portrait()
JPEG = as_file(PICTURE, "JPEG", quality=95, exif=exif(1), icc_profile=icc.srgb())
TURNED = as_file(np.ascontiguousarray(PICTURE[::-1, ::-1]), "JPEG", quality=95, exif=exif(3))
PUBLIC = Guard(resolve=lambda *_: ["93.184.216.34"])
NOWHERE = Guard(resolve=lambda *_: [])


@pytest.fixture
def service() -> Iterator[RunwareService]:
    with RunwareService() as service:
        yield service


def shown(image: bytes | str) -> Image.Image:
    assert isinstance(image, bytes)
    return Image.open(io.BytesIO(image))


def uploaded(source: bytes, send: Any = "reduced") -> Image.Image:
    loaded = Loaded(source, None, SourceKind.BYTES)
    return shown(upload_of(images.decode(source, LIMITS), loaded, send, LIMITS).image)


def test_a_reduced_copy_shows_what_was_there_to_see() -> None:
    for file in (JPEG, TURNED):
        assert np.abs(np.asarray(uploaded(file)).astype(int) - PICTURE).mean() < 2


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((100, 50), (100, 50)),
        ((2048, 10), (2048, 10)),
        ((4096, 1000), (2048, 500)),
        ((9, 4097), (4, 2048)),
    ],
)
def test_a_reduced_copy_has_at_most_what_the_service_keeps(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    pixels = images.from_array(np.zeros((size[1], size[0], 3), np.uint8), LIMITS)
    upload = upload_of(pixels, None, "reduced", LIMITS)
    assert (upload.size, upload.media_type) == (expected, "image/jpeg")
    assert shown(upload.image).size == expected
    assert max(upload.size) <= LONGEST_KEPT


@pytest.mark.parametrize("send", ["reduced", "original"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_colours_go_as_srgb_whatever_their_profile_and_depth(send: str, depth: type) -> None:
    patch: Any = np.full((32, 32, 3), (40, 200, 60), depth) * (np.iinfo(depth).max // 255)
    pixels = images.from_array(patch, LIMITS)
    wide = images.Pixels(pixels.colour, metadata=images.Metadata(icc_profile=icc.wide_rgb()))
    seen = np.asarray(shown(upload_of(wide, None, send, LIMITS).image))[16, 16]  # type: ignore[arg-type]
    shallow = images.Pixels(images.to_depth(patch, 8), metadata=wide.metadata)
    expected = images.srgb_pixels(shallow).colour[16, 16]
    assert np.abs(seen.astype(int) - expected).max() <= 3
    assert np.abs(expected.astype(int) - (40, 200, 60)).max() > 20


def test_greys_go_as_srgb_too() -> None:
    linear = images.Pixels(
        np.full((32, 32, 1), 55, np.uint8), metadata=images.Metadata(icc_profile=icc.grey(1.0))
    )
    seen = shown(upload_of(linear, None, "reduced", LIMITS).image)
    assert seen.mode == "RGB"
    assert np.abs(np.asarray(seen).astype(int) - 128).max() <= 4


def test_what_is_transparent_goes_on_white() -> None:
    hidden = np.zeros((32, 32, 4), np.uint8)
    hidden[:, 16:] = (0, 0, 0, 255)
    for send in ("reduced", "original"):
        seen = np.asarray(uploaded(as_file(hidden), send))
        assert (int(seen[:, :8].min()), int(seen[:, 24:].max())) == (255, 0)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_an_original_goes_byte_for_byte(service: RunwareService, form: str) -> None:
    file = as_file(PICTURE, form, exif=exif(1))
    with remote(service, send="original") as client:
        client.remove_background(file)
    assert sent(service) == file


FRAMES = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
COPIED: dict[str, Callable[[], Any]] = {
    "turned": lambda: TURNED,
    "turned by a PNG": lambda: as_file(PICTURE[::-1, ::-1].copy(), "PNG", exif=exif(3)),
    "a TIFF": lambda: as_file(PICTURE, "TIFF"),
    "16 bits": lambda: as_file(PICTURE.astype(np.uint16) * np.uint16(257)),
    "an array": lambda: PICTURE,
    "a Pillow image": lambda: Image.fromarray(PICTURE),
    "many frames": lambda: as_file(PICTURE, "WEBP", save_all=True, append_images=FRAMES[1:]),
    "CMYK": lambda: as_cmyk(PICTURE),
}


def as_cmyk(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert("CMYK").save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.mark.parametrize("kind", COPIED)
def test_an_original_that_others_may_see_otherwise_goes_as_an_upright_copy_of_full_size(
    service: RunwareService, kind: str
) -> None:
    with remote(service, send="original") as client:
        result = client.remove_background(COPIED[kind]())
    with sent_picture(service) as seen:
        assert (seen.format, seen.mode, seen.size) == ("JPEG", "RGB", (320, 240))
        assert not set(seen.info) & {"exif", "icc_profile"}
        colours = np.asarray(seen).astype(int)
    assert overlap(result.array[..., 3], ellipse(320, 240)) > 0.98
    if kind != "CMYK":
        assert np.abs(colours - PICTURE).mean() < 3


def test_a_large_original_goes_at_its_own_size(service: RunwareService) -> None:
    tall = as_file(portrait(60, 2500), "JPEG")
    with remote(service, send="original") as client:
        result = client.remove_background(tall)
    assert result.size == (60, 2500)
    assert sent(service) == tall


def test_a_url_that_only_this_machine_reaches_goes_as_bytes(service: RunwareService) -> None:
    with PictureServer() as pictures:
        pictures.answers["/photo.jpg"] = body(JPEG)
        with remote(service, send="original", allow_private_network=True) as client:
            client.remove_background(pictures.url("/photo.jpg"))
            client.remove_background(pictures.url("/photo.jpg", user="ann:secret"))
            assert len(removals(service)) == 2
            assert sent(service) == JPEG
        here = Limits(allow_private_network=True)
        assert read(pictures.url("/photo.jpg"), here).url == pictures.url("/photo.jpg")
    assert len(pictures.requests) == 3


@pytest.mark.parametrize(
    ("url", "guard", "passed"),
    [
        ("https://example.com/photo.jpg?size=large", PUBLIC, True),
        ("https://ann:secret@example.com/photo.jpg", PUBLIC, False),
        ("https://example.com/photo.jpg", NOWHERE, False),
        ("http://127.0.0.1/photo.jpg", Guard(), False),
    ],
)
def test_a_public_url_is_passed_on_and_no_other(url: str, guard: Guard, passed: bool) -> None:  # noqa: FBT001  (what is expected)
    loaded = Loaded(JPEG, "photo.jpg", SourceKind.URL, url)
    upload = as_it_came(images.decode(JPEG, LIMITS), loaded, LIMITS, guard)
    assert upload.image == (url if passed else JPEG)
    assert (upload.size, upload.media_type) == ((320, 240), "image/jpeg")
    assert "secret" not in repr((loaded, upload))


def test_a_public_url_of_a_turned_picture_is_not_passed_on() -> None:
    loaded = Loaded(TURNED, "photo.jpg", SourceKind.URL, "https://example.com/photo.jpg")
    upload = as_it_came(images.decode(TURNED, LIMITS), loaded, LIMITS, PUBLIC)
    assert isinstance(upload.image, bytes)
    with pytest.raises(ConnectionFailed):
        NOWHERE.addresses("https://example.com", "example.com", 443)
