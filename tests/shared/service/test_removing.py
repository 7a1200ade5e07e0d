from __future__ import annotations

import base64
import io
import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import PIL.Image
import pytest

from cutaway.catalogue import remote_models
from cutaway.errors import (
    AddressRefused,
    Cancelled,
    InputError,
    ModelNotInstalled,
    NoSubjectFound,
    SourceError,
    TooLarge,
    UnknownModel,
)
from cutaway.options import ImageFormat
from cutaway.progress import Cancellation
from cutaway.runware.tasks import decode
from cutaway.service.configuration import Configuration
from cutaway.service.removing import Outcome, Remover
from cutaway.settings import Settings
from tests.fakes.file_server import FileServer
from tests.fakes.networks import make_network
from tests.fakes.planting import plant
from tests.pictures import as_file, ellipse, overlap, portrait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

TRUTH = ellipse(320, 240)
PICTURE = as_file(portrait())
RED = [255, 0, 0, 1]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with u2netp and silueta in it, and no other."""
    folder = tmp_path_factory.mktemp("models")
    network = make_network(folder / "network.onnx")
    for name in ("u2netp", "silueta"):
        plant(network, folder, name)
    return folder


@pytest.fixture
def remover(models: Path) -> Iterator[Remover]:
    remover = _remover(models)
    yield remover
    remover.close()


def _remover(models: Path, *, limits: dict[str, int] | None = None, **choices: Any) -> Remover:
    settings = Settings.load(models_dir=models, **(limits or {}))
    return Remover(Configuration(**choices), settings)


def _removed(remover: Remover, picture: bytes = PICTURE, **parameters: Any) -> Outcome:
    return remover.remove(_task(**parameters), picture, Cancellation())


def _task(**parameters: Any) -> Any:
    message = {
        "taskType": "removeBackground",
        "taskUUID": "d27a0a0e-5d3b-4b3d-9d6c-2f7f6f3c8c11",
        "model": "u2netp",
        "inputs": {"image": "https://example.com/a.jpg"},
        **parameters,
    }
    return decode(message)[0]


def _seen(outcome: Outcome) -> NDArray[Any]:
    return np.asarray(PIL.Image.open(io.BytesIO(outcome.data)))


def test_a_bare_task_gives_a_png_of_the_subject_on_transparency(remover: Remover):
    outcome = _removed(remover)
    assert (outcome.format, outcome.mime, outcome.suffix) == (ImageFormat.PNG, "image/png", ".png")
    assert outcome.model == "u2netp"
    assert outcome.warnings == ()
    assert list(outcome.seconds)[0::5] == ["reading", "encoding"]
    seen = _seen(outcome)
    assert seen.shape == (240, 320, 4)
    assert overlap(seen[..., 3], TRUTH) > 0.98
    assert not seen[seen[..., 3] == 0].any(), "what was removed can't be found in the file"


@pytest.mark.parametrize(
    ("name", "mode", "mime"),
    [
        ("PNG", "RGBA", "image/png"),
        ("WEBP", "RGBA", "image/webp"),
        ("JPG", "RGB", "image/jpeg"),
    ],
)
def test_the_output_format_is_the_one_asked_for(remover: Remover, name: str, mode: str, mime: str):
    outcome = _removed(remover, outputFormat=name)
    image = PIL.Image.open(io.BytesIO(outcome.data))
    assert (image.get_format_mimetype(), image.mode) == (mime, mode)
    assert (outcome.mime, outcome.suffix) == (mime, f".{name.lower()}")


@pytest.mark.parametrize("name", ["WEBP", "JPG"])
def test_a_lower_output_quality_gives_fewer_bytes(remover: Remover, name: str):
    sizes = [
        len(_removed(remover, outputFormat=name, outputQuality=quality).data)
        for quality in (20, 95, 99)
    ]
    assert sizes == sorted(set(sizes))
    assert len(_removed(remover, outputFormat=name).data) == sizes[1], "95 if none is asked for"


@pytest.mark.parametrize(
    ("rgba", "expected"),
    [
        (None, (255, 255, 255)),
        ([255, 255, 255, 0], (255, 255, 255)),
        ([0, 128, 255, 0], (0, 128, 255)),
        ([0, 128, 255, 0.5], (0, 128, 255)),
        ([0, 128, 255, 1], (0, 128, 255)),
    ],
)
def test_a_cutout_as_jpg_lies_on_the_colour_of_rgba_or_on_white(
    remover: Remover, rgba: list[float] | None, expected: tuple[int, int, int]
):
    seen = _seen(_removed(remover, outputFormat="JPG", settings={"rgba": rgba}))
    np.testing.assert_allclose(seen[0, 0], expected, atol=3)


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
@pytest.mark.parametrize(("alpha", "expected"), [(0.25, 64), (128, 128)])
def test_a_partly_transparent_rgba_shows_through_behind_the_subject(
    remover: Remover, name: str, alpha: float, expected: int
):
    settings = {"rgba": [255, 0, 0, alpha]}
    seen = _seen(_removed(remover, outputFormat=name, settings=settings))
    np.testing.assert_allclose(seen[0, 0], (255, 0, 0, expected), atol=1)
    np.testing.assert_array_equal(seen[120, 160, 3], 255)


def test_an_opaque_rgba_leaves_no_transparency(remover: Remover):
    seen = _seen(_removed(remover, settings={"rgba": RED}))
    np.testing.assert_array_equal(seen[0, 0], (255, 0, 0))
    assert seen.shape == (240, 320, 3)


def test_an_rgba_of_alpha_0_is_transparency(remover: Remover):
    clear = _removed(remover, settings={"rgba": [255, 255, 255, 0]})
    assert clear.data == _removed(remover).data


@pytest.mark.parametrize("name", ["PNG", "WEBP", "JPG"])
def test_the_mask_alone_is_white_where_the_subject_is_whatever_rgba_says(
    remover: Remover, name: str
):
    settings = {"returnOnlyMask": True, "rgba": RED}
    outcome = _removed(remover, outputFormat=name, settings=settings)
    image = PIL.Image.open(io.BytesIO(outcome.data))
    assert overlap(np.asarray(image.convert("L")), TRUTH) > 0.98
    assert name == "WEBP" or image.mode == "L"


def test_post_processing_makes_the_mask_hard_edged(remover: Remover):
    settings = {"returnOnlyMask": True}
    plain = _seen(_removed(remover, settings=settings))
    cleaned = _seen(_removed(remover, settings={**settings, "postProcessMask": True}))
    assert len(np.unique(cleaned)) == 2 < len(np.unique(plain))


def test_alpha_matting_and_each_of_its_numbers_change_the_matte(remover: Remover):
    picture = as_file(np.asarray(cv2.GaussianBlur(portrait(), (0, 0), 8)))
    matting = {"returnOnlyMask": True, "alphaMatting": True}

    def found(**settings: Any) -> bytes:
        return _removed(remover, picture, settings={**matting, **settings}).data

    mattes = {
        _removed(remover, picture, settings={"returnOnlyMask": True}).data,
        found(),
        found(alphaMattingForegroundThreshold=120),
        found(alphaMattingBackgroundThreshold=90),
        found(alphaMattingErodeSize=2),
    }
    assert len(mattes) == 5
    assert (
        found(
            alphaMattingForegroundThreshold=240,
            alphaMattingBackgroundThreshold=10,
            alphaMattingErodeSize=10,
        )
        in mattes
    ), "these are what is taken if none is asked for"


def test_the_mask_settings_act_with_the_classical_engine_too(remover: Remover):
    seen = _seen(_removed(remover, model="classical", settings={"returnOnlyMask": True}))
    assert overlap(seen, TRUTH) > 0.98


def test_a_result_tells_nothing_of_where_and_with_what_a_photo_was_taken(remover: Remover):
    exif = PIL.Image.Exif()
    exif[0x010F] = "A camera's maker"
    exif.get_ifd(0x8825)[1] = "N"
    photo = as_file(portrait(), "JPEG", exif=exif, dpi=(300, 300), comment=b"someone")
    for name in ("PNG", "WEBP", "JPG"):
        outcome = _removed(remover, photo, outputFormat=name)
        assert b"maker" not in outcome.data
        assert not PIL.Image.open(io.BytesIO(outcome.data)).getexif()


def test_two_models_stay_loaded_and_a_task_names_either(remover: Remover):
    names = [_removed(remover, model=name).model for name in ("u2netp", "SILUETA", "u2netp")]
    assert names == ["u2netp", "silueta", "u2netp"]


def test_auto_is_the_best_that_is_here(remover: Remover):
    assert remover.check(_task(model="auto")) == "silueta"
    assert _removed(remover, model="auto").model == "silueta"


@pytest.mark.parametrize("name", ["runware:112@2", "birefnet-v1-base-cod", "birefnet-cod"])
def test_an_air_a_slug_and_a_local_name_lead_to_the_local_twin_and_the_command_that_gets_it(
    remover: Remover, name: str
):
    for act in (remover.check, lambda task: remover.remove(task, PICTURE, Cancellation())):
        with pytest.raises(ModelNotInstalled, match="cutaway models pull birefnet-cod"):
            act(_task(model=name))


def test_the_legacy_dialects_own_model_is_u2net(remover: Remover):
    with pytest.raises(ModelNotInstalled, match="cutaway models pull u2net"):
        remover.check(_task(model="runware:109@1"))


@pytest.mark.parametrize(
    "name",
    [model.air for model in remote_models() if not model.twin]
    + ["runware:112@4", "ideogram-remove-background", "nobody:1@1", "u2nett"],
)
def test_a_model_that_cant_run_here_at_all_is_unknown(remover: Remover, name: str):
    with pytest.raises(UnknownModel):
        remover.check(_task(model=name))


@pytest.mark.parametrize(
    "name", ["runware:112@2", "runware:110@1", "bria:2@1", "ideogram-remove-background"]
)
def test_a_fallback_takes_the_place_of_a_model_that_isnt_here_and_says_so(models: Path, name: str):
    remover = _remover(models, allow_fallback=True)
    assert remover.check(_task(model=name)) == "silueta"
    outcome = _removed(remover, model=name)
    assert outcome.model == "silueta"
    [warning] = outcome.warnings
    assert warning.startswith(f"silueta ran in the place of {name}")
    remover.close()


@pytest.mark.parametrize("name", ["bria:51@1", "runware:100@1", "u2nett"])
def test_no_fallback_takes_the_place_of_what_is_no_model_for_pictures(models: Path, name: str):
    with pytest.raises(UnknownModel):
        _remover(models, allow_fallback=True).check(_task(model=name))


def test_where_no_model_is_at_all_the_fallback_is_the_classical_engine(tmp_path: Path):
    remover = _remover(tmp_path, allow_fallback=True)
    assert _removed(remover, model="runware:109@1").model == "classical"


def test_a_picture_beyond_the_limits_is_refused_before_it_is_decoded(models: Path):
    huge = io.BytesIO()
    PIL.Image.new("1", (10001, 10000)).save(huge, "PNG")
    with pytest.raises(TooLarge):
        _removed(_remover(models), huge.getvalue())
    with pytest.raises(TooLarge):
        _removed(_remover(models, limits={"max_bytes": 100}))
    with pytest.raises(TooLarge):
        _removed(_remover(models, limits={"max_pixels": 320 * 240 - 1}))


@pytest.mark.parametrize("picture", [b"", b"GIF89a", b"hello", PICTURE[:-2000]])
def test_what_is_no_whole_picture_is_refused(remover: Remover, picture: bytes):
    with pytest.raises(InputError):
        _removed(remover, picture)


def test_a_picture_without_a_subject_is_told_so(remover: Remover):
    with pytest.raises(NoSubjectFound):
        _removed(remover, as_file(np.full((64, 64, 3), 200, np.uint8)))


def test_a_cancelled_task_ends(remover: Remover):
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        remover.remove(_task(), PICTURE, cancellation)


def test_a_picture_comes_as_base64_and_as_a_data_uri(remover: Remover):
    text = base64.b64encode(PICTURE).decode()
    for image in (text, f"data:image/png;base64,{text}", f" {text[:1000]}\n{text[1000:]} "):
        assert remover.fetch(image) == PICTURE


@pytest.mark.parametrize("image", ["/etc/hostname", "./photo.png", "file:///etc/hostname", "a b!"])
def test_nothing_that_comes_by_the_wire_is_a_path(remover: Remover, image: str):
    with pytest.raises(SourceError, match="base64"):
        remover.fetch(image)


def test_a_url_leads_to_a_private_address_only_if_that_is_allowed(models: Path):
    with FileServer() as server:
        server.put("/photo.png", PICTURE)
        url = f"{server.url}/photo.png"
        # What a user may fetch from here is not what anybody may through a service.
        strict = Remover(
            Configuration(), Settings.load(models_dir=models, allow_private_network=True)
        )
        with pytest.raises(AddressRefused):
            strict.fetch(url)
        assert server.requests == []
        assert _remover(models, allow_private_network=True).fetch(url) == PICTURE


def test_a_picture_larger_than_the_limit_is_not_fetched(models: Path):
    remover = _remover(models, limits={"max_bytes": 1000}, allow_private_network=True)
    with FileServer() as server:
        server.put("/photo.png", PICTURE)
        for image in (f"{server.url}/photo.png", base64.b64encode(PICTURE).decode()):
            with pytest.raises(TooLarge):
                remover.fetch(image)


def test_many_threads_share_one_remover(remover: Remover):
    alone = _removed(remover).data
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(_removed(remover).data)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4
