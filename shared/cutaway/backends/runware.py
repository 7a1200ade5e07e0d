"""Removal by a service: Runware's own, or one that speaks its protocol.

The matte is all that is taken from the service's answer. So a task asks for:

- the cutout, never for a mask or a fill, since both would cost us the alpha;
- WEBP, whose alpha is lossless, at the lowest quality, since its colours are thrown away: that is
  a sixtieth of the bytes of a PNG (80 KB for a photo of 2048 pixels);
- the bytes in the answer itself: a result behind a URL would lie there for anyone who learns it,
  as long as the service likes, would take another connection, and may be out of reach.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cutaway import catalogue
from cutaway.backends import Finding, doubts
from cutaway.backends.answer import alpha_of, matte_of, picture_in
from cutaway.backends.upload import LONGEST_KEPT, upload_of
from cutaway.errors import CutawayError, OptionError, UnknownModel
from cutaway.keys import find_key
from cutaway.options import RemovalOptions
from cutaway.runware.base import NO_UUID
from cutaway.runware.endpoint import Endpoint
from cutaway.runware.pictures import check_address
from cutaway.sources import SourceKind, kind_of
from cutaway.sources.guard import PUBLIC_ONLY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from numpy.typing import NDArray

    from cutaway.backends.upload import Upload
    from cutaway.catalogue import RemoteModel
    from cutaway.engine.matte import Matte
    from cutaway.images import Pixels
    from cutaway.progress import Progress
    from cutaway.runware.client import Runware
    from cutaway.runware.mask_settings import MaskSettings
    from cutaway.runware.replies import Result
    from cutaway.runware.tasks import WireParameters
    from cutaway.settings import Settings
    from cutaway.sources import Loaded

__all__ = ["Prepared", "RunwareBackend", "Stored"]

_AUTO = "auto"
_LOWEST_QUALITY = 20
_COPY = "the picture is the service's own copy, in its size and its colours"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What would be sent for a picture, and what it would cost.

    Attributes:
        message: The task as the JSON object that would be sent, the picture in it.
        url: Where to.
        model: The AIR of the model.
        price: US dollars; None where no one can say beforehand.
        size: Width and height of the picture that would be sent; None for a stored one.
        bytes: How many it has; None for a stored one, or one that the service fetches itself.
        media_type: Such as `image/jpeg`; None for a stored one.
    """

    message: Mapping[str, Any] = field(repr=False)
    url: str
    model: str
    price: Decimal | None
    size: tuple[int, int] | None = None
    bytes: int | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """What a service made of a picture that it has stored itself.

    Attributes:
        pixels: The picture as the service gives it back, without the alpha.
        finding: The subject in it, at its own size.
        left: The options with what is done switched off: what the service did itself, and what
            would need the picture that the service was given.
    """

    pixels: Pixels
    finding: Finding
    left: RemovalOptions


class RunwareBackend:
    """Has a service find subjects; safe to share among threads, over one connection.

    Args:
        settings: Which service, its key, and how to deal with it.

    Raises:
        ConfigError: the service's address can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._wire: Runware | None = None
        self.endpoint = Endpoint.parse(settings.backend, settings.transport)

    @property
    def name(self) -> str:
        """`runware`, or the origin of another service."""
        return self.endpoint.account

    @property
    def wire(self) -> Runware:
        """The client of the wire, made when it is first needed.

        Raises:
            ConfigError: the key can't be used, or must not go there.
        """
        with self._lock:
            if self._wire is None:
                self._wire = self._connected()
            return self._wire

    def model(self, name: str) -> RemoteModel:
        """The model that a name stands for; `auto` is the settings' one if the service has it.

        Raises:
            UnknownModel: the service runs none of that name.
        """
        if name != _AUTO:
            return catalogue.find_remote(name)
        try:
            return catalogue.find_remote(self._settings.model)
        except UnknownModel:
            return catalogue.find_remote(catalogue.DEFAULT_REMOTE)

    def find_subject(
        self,
        pixels: Pixels,
        options: RemovalOptions,
        progress: Progress,
        original: Loaded | None = None,
    ) -> Finding:
        """Find the subject; see `Backend`."""
        with progress.stage("preparing"):
            model = self.model(options.model)
            upload = self.upload_of(pixels, original)
        result = self._submit(upload.image, model, self._for_matte(), progress)
        return self._found(result, model, pixels, upload.size, progress)

    def check(self, options: RemovalOptions) -> str:
        """Name the model that would run, as its AIR; see `Backend`."""
        model = self.model(options.model)
        self.wire.check_key()
        self.prepare_task(NO_UUID, model, self._for_matte())
        return model.air

    def take_up(
        self, task_uuid: str, pixels: Pixels, options: RemovalOptions, progress: Progress
    ) -> Finding:
        """Take the result of a task that was submitted for a picture before; nothing is sent again.

        Raises:
            NotFound: the service has no such task.
            CutawayError: as `find_subject`.
        """
        model = self.model(options.model)
        size = pixels.width, pixels.height
        return self._found(self._awaited(task_uuid, progress), model, pixels, size, progress)

    def stored_picture(
        self,
        image_uuid: str,
        options: RemovalOptions,
        progress: Progress,
        task_uuid: str | None = None,
    ) -> Stored:
        """Remove the background of a picture that the service has stored.

        With a `task_uuid`, the result of that earlier task is taken, and nothing is sent again.

        Raises:
            OptionError: alpha matting is wanted, which the model can't do itself.
            CutawayError: as `find_subject`.
        """
        model = self.model(options.model)
        settings = _native(model, options)
        if task_uuid is None:
            result = self._submit(image_uuid, model, self._for_picture(settings), progress)
        else:
            result = self._awaited(task_uuid, progress)
        with _about(result):
            pixels, alpha = self._picture(result, self._settings.max_pixels, progress)
            size = pixels.width, pixels.height
            finding = self._finding(matte_of(alpha, size, size), model, result)
        done = {"alpha_matting": False, "clean_edges": False}
        if settings is not None and settings.post_process_mask:
            done["post_process_mask"] = False
        bare = replace(pixels, alpha=None, warnings=(_COPY, *pixels.warnings))
        return Stored(bare, finding, options.but(done))

    def prepare(
        self, pixels: Pixels, options: RemovalOptions, original: Loaded | None = None
    ) -> Prepared:
        """Tell what `find_subject` would send, without sending it.

        Raises:
            CutawayError: it would not be sent.
        """
        upload = self.upload_of(pixels, original)
        return self.prepare_task(upload, self.model(options.model), self._for_matte())

    def prepare_stored(self, image_uuid: str, options: RemovalOptions) -> Prepared:
        """Tell what `stored_picture` would send, without sending it.

        Raises:
            CutawayError: it would not be sent.
        """
        model = self.model(options.model)
        return self.prepare_task(image_uuid, model, self._for_picture(_native(model, options)))

    def prepare_task(
        self, upload: Upload | str, model: RemoteModel, parameters: WireParameters
    ) -> Prepared:
        """Tell what would be sent for a picture, or for a text that stands for one.

        Raises:
            CutawayError: it would not be sent.
        """
        if isinstance(upload, str):
            self._check_reach(upload)
        given = self.delivery_of(parameters)
        image = upload if isinstance(upload, str) else upload.image
        message = self.wire.encode(image, model=model.air, **given)
        price = self.wire.price(model=model.air, **given)
        prepared = Prepared(message, self.endpoint.url, model.air, price)
        if isinstance(upload, str):
            return prepared
        count = None if isinstance(image, str) else len(image)
        return replace(prepared, size=upload.size, bytes=count, media_type=upload.media_type)

    def upload_of(self, pixels: Pixels, original: Loaded | None) -> Upload:
        """What of a picture goes to the service, as the settings say."""
        return upload_of(pixels, original, self._settings.send, self._settings.limits)

    def delivery_of(self, parameters: WireParameters) -> WireParameters:
        """Parameters with the settings' way of delivery, where they name none themselves."""
        if self._settings.delivery == "sync" or parameters.get("delivery_method"):
            return parameters
        return {**parameters, "delivery_method": "async"}

    def close(self) -> None:
        """Close the connection; the next removal makes another."""
        with self._lock:
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _check_reach(self, image: str) -> None:
        """Refuse a URL that the wire would refuse to pass on."""
        if kind_of(image) is SourceKind.URL and not self._settings.allow_private_network:
            check_address(image, PUBLIC_ONLY)

    def _connected(self) -> Runware:
        from cutaway.runware.client import Runware
        from cutaway.runware.retries import Pace

        return Runware(
            find_key(self._settings, self.endpoint.account),
            url=self._settings.backend,
            transport=self._settings.transport,
            dialect=self._settings.dialect,
            max_cost=self._settings.max_cost,
            pace=Pace(timeout=self._settings.timeout),
            allow_private_network=self._settings.allow_private_network,
        )

    def _submit(
        self, image: bytes | str, model: RemoteModel, parameters: WireParameters, progress: Progress
    ) -> Result:
        with progress.stage("waiting for the service"):
            return self.wire.submit(
                image, model=model.air, cancellation=progress.cancellation, **parameters
            )

    def _awaited(self, task_uuid: str, progress: Progress) -> Result:
        with progress.stage("waiting for the service"):
            return self.wire.wait_for(task_uuid, cancellation=progress.cancellation)

    def _found(
        self,
        result: Result,
        model: RemoteModel,
        pixels: Pixels,
        sent: tuple[int, int],
        progress: Progress,
    ) -> Finding:
        size = pixels.width, pixels.height
        with _about(result):
            most = max(pixels.width * pixels.height, LONGEST_KEPT**2)
            _, alpha = self._picture(result, most, progress)
            return self._finding(matte_of(alpha, size, sent), model, result)

    def _finding(self, matte: Matte, model: RemoteModel, result: Result) -> Finding:
        most = self._settings.max_cost
        dear = most is not None and result.cost is not None and result.cost > most
        told = (f"it cost ${result.cost}, more than its known price and the limit of ${most}",)
        return Finding(
            matte,
            model.air,
            (*doubts(matte.confidence), *(told if dear else ())),
            finished=True,
            cost=result.cost,
            task_uuid=result.task_uuid,
        )

    def _for_matte(self) -> WireParameters:
        parameters: WireParameters = {**self._inline(), "output_format": "WEBP"}
        if self._settings.dialect == "new":  # the legacy one's page knows no quality
            parameters["output_quality"] = _LOWEST_QUALITY
        return parameters

    def _for_picture(self, settings: MaskSettings | None) -> WireParameters:
        return {**self._inline(), "output_format": "PNG", "settings": settings}

    def _inline(self) -> WireParameters:
        return self.delivery_of({"output_type": "base64Data", "include_cost": True})

    def _picture(
        self, result: Result, most: int, progress: Progress
    ) -> tuple[Pixels, NDArray[Any]]:
        """The picture in a result, of so many pixels at most, and its alpha."""
        limits = self._settings.limits
        limits = limits.model_copy(update={"max_pixels": min(most, limits.max_pixels)})
        data = picture_in(result, limits, self.endpoint.origin, progress)
        with progress.stage("reading the answer"):
            return alpha_of(data, limits)


def _native(model: RemoteModel, options: RemovalOptions) -> MaskSettings | None:
    """What the model itself is to do to a stored picture's mask.

    Raises:
        OptionError: it can't do what needs the picture's own pixels.
    """
    from cutaway.runware.mask_settings import MaskSettings

    if options.alpha_matting and "alphaMatting" not in model.settings:
        raise OptionError(
            "alpha matting can't be done on a picture that is stored with the service",
            f"it needs the picture's own pixels, and {model.air} doesn't do it itself",
            "Give the picture itself, such as its file, or choose the model runware:109@1",
        )
    wanted: dict[str, Any] = {}
    if options.post_process_mask and "postProcessMask" in model.settings:
        wanted["post_process_mask"] = True
    if options.alpha_matting:
        names = [name for name in RemovalOptions.model_fields if name.startswith("alpha_matting")]
        wanted |= {name: getattr(options, name) for name in names}
    return MaskSettings(**wanted) if wanted else None


@contextmanager
def _about(result: Result) -> Iterator[None]:
    """Name the task in what goes wrong with its result: it was billed, and can be asked for."""
    try:
        yield
    except CutawayError as error:
        error.task_uuid = error.task_uuid or result.task_uuid
        raise
