"""One background-removal task's work: from a picture's bytes to the result's."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cutaway import catalogue
from cutaway.backends.local import AUTO, LocalBackend
from cutaway.client.finishing import finish
from cutaway.client.pictures import open_picture
from cutaway.engine.runtimes.choice import ACCELERATORS, choose
from cutaway.engine.warm import WarmNetworks
from cutaway.errors import LicenceNotAccepted, ModelNotInstalled, SourceError, UnknownModel
from cutaway.options import ImageFormat, Output, RemovalOptions
from cutaway.progress import Progress
from cutaway.runware.mask_settings import MaskSettings
from cutaway.sources.text import SourceKind, base64_bytes, data_uri_bytes, kind_of_sent

if TYPE_CHECKING:
    from cutaway.progress import Cancellation
    from cutaway.runware.tasks import RemovalTask
    from cutaway.service.configuration import Configuration
    from cutaway.settings import Settings

__all__ = ["Outcome", "Remover"]

_log = logging.getLogger(__name__)

_KEPT = 8
_KEPT_ON_DEVICE = 2
_IDLE = 3600.0
_MIME = {
    ImageFormat.PNG: "image/png",
    ImageFormat.WEBP: "image/webp",
    ImageFormat.JPG: "image/jpeg",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finished result.

    Attributes:
        data: The file's bytes.
        format: The file's type.
        model: The name of the local model that found the subject.
        warnings: What the user should know about the result.
        seconds: Time spent in each stage, by name, in order.
    """

    data: bytes = field(repr=False)
    format: ImageFormat
    model: str
    warnings: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def mime(self) -> str:
        """The media type, such as `image/png`."""
        return _MIME[self.format]

    @property
    def suffix(self) -> str:
        """The usual ending of a file's name, with its dot."""
        return self.format.suffix


class Remover:
    """Does on this machine what tasks ask of Runware; safe to share among threads.

    Mask settings act with every model. Results are in sRGB and have no metadata: their URLs go to
    others, whom a photo's place, date and camera are no concern of.

    Networks stay loaded, one for each model, for an hour after the last task: as many as there is
    memory for, up to 8, and 2 on a device, whose memory can't be asked for.

    Args:
        configuration: Whether another model may take an absent one's place, and whether URLs may
            lead to private addresses.
        settings: Where models are, the one that `auto` stands for, runtime, threads, limits.
    """

    def __init__(self, configuration: Configuration, settings: Settings) -> None:
        self._allow_fallback = configuration.allow_fallback
        private = {"allow_private_network": configuration.allow_private_network}
        self._limits = settings.limits.model_copy(update=private)
        on_device = choose(settings.runtime) in ACCELERATORS
        warm = WarmNetworks(_KEPT_ON_DEVICE if on_device else _KEPT, _IDLE)
        self._backend = LocalBackend(settings, warm=warm)

    def check(self, task: RemovalTask) -> str:
        """Make sure of what can be made sure of without the picture; blocks for a look at the disk.

        Returns:
            The name of the local model that would run.

        Raises:
            UnknownModel: no model of that name, slug or AIR can run here.
            ModelNotInstalled: its file is not here; the command that brings it is told.
            EngineError: it can't be used for another reason.
        """
        return self._model(task)[0]

    def fetch(self, image: str, cancellation: Cancellation | None = None) -> bytes:
        """Get the bytes of a picture that came as a URL, a data URI or base64: never as a path.

        Raises:
            SourceError: they can't be had; its branch `AddressRefused` for a URL that leads to an
                address that is not public.
            TooLarge: they are more than the settings allow.
            TransportError: the URL can't be reached.
            Cancelled: the service is being stopped, or nobody waits any more.
        """
        kind = kind_of_sent(image)
        if kind is SourceKind.URL:
            from cutaway.sources.fetch import fetch  # httpx takes long to import

            return fetch(image, self._limits, Progress(cancellation=cancellation))
        if kind is SourceKind.DATA_URI:
            return data_uri_bytes(image, self._limits)
        try:
            return base64_bytes(image, self._limits)
        except SourceError as error:
            raise SourceError(
                "the picture can't be read",
                "it is no URL, no data URI and no whole base64, and nothing else reaches a service",
                "Send the picture's bytes as base64 or as a data URI, or upload it first",
            ) from error

    def remove(self, task: RemovalTask, picture: bytes, cancellation: Cancellation) -> Outcome:
        """Do all that a task asks of a picture.

        Raises:
            InputError: the picture is larger than the settings allow, which is found out before it
                is decoded, or can't be read.
            NoSubjectFound: there is nothing to keep.
            EngineError: the model can't be used.
            OutputError: the picture is too long a side for the format.
            Cancelled: `cancellation` was cancelled.
        """
        model, told = self._model(task)
        for warning in told:
            _log.warning(warning)
        options = _options(task, model)
        progress = Progress(cancellation=cancellation)
        pixels, _ = open_picture(picture, self._limits, progress)
        finding = self._backend.find_subject(pixels, options, progress)
        cutout = finish(pixels, finding, options, progress, backend=self._backend.name, name=None)
        del pixels, finding
        with progress.stage("encoding"):
            data = cutout.to_bytes()
        return Outcome(
            data=data,
            format=options.format,
            model=cutout.model,
            warnings=(*told, *cutout.warnings),
            seconds=progress.seconds,
        )

    def close(self) -> None:
        """Let the loaded networks go; the next task loads what it needs again."""
        self._backend.close()

    def _model(self, task: RemovalTask) -> tuple[str, tuple[str, ...]]:
        """The name of the model to run, and what to tell of that choice."""
        wanted = task.model or AUTO
        try:
            return self._backend.check(RemovalOptions(model=wanted)), ()
        except (LicenceNotAccepted, ModelNotInstalled, UnknownModel) as error:
            if not self._allow_fallback or not _is_offered(wanted):
                raise
            name = self._backend.check(RemovalOptions(model=AUTO))
            return name, (f"{name} ran in the place of {wanted}: {error.what}",)


def _is_offered(model: str) -> bool:
    """Whether a model for pictures has that name, be it here or with Runware."""
    try:
        catalogue.find(model)
    except UnknownModel:
        names = {name for one in catalogue.remote_models() if not one.video for name in one.names}
        return model.strip().lower() in names
    return True


def _options(task: RemovalTask, model: str) -> RemovalOptions:
    """What a task asks for, in our words.

    A cutout as JPG, which has no transparency, lies on `rgba`'s red, green and blue, or on white.
    """
    asked: dict[str, Any] = (task.settings or MaskSettings()).named
    only_mask = asked.pop("return_only_mask", False)
    *rgb, alpha = asked.pop("rgba", (255, 255, 255, 0))
    format = ImageFormat(task.output_format or ImageFormat.PNG)
    flat = format is ImageFormat.JPG and not only_mask
    if flat:
        asked |= {"output": Output.FLATTENED, "background": rgb}
    elif only_mask:
        asked["output"] = Output.MASK
    elif alpha:
        asked["background"] = (*rgb, alpha)
    if task.output_quality is not None:
        asked["quality"] = task.output_quality
    return RemovalOptions(model=model, format=format, keep_metadata=False, **asked)
