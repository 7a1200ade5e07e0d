"""The client that blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, Unpack, overload

import PIL.Image
from numpy.typing import NDArray

from cutaway import sources
from cutaway.backends.local import LocalBackend
from cutaway.client.finishing import finish, shortest_side
from cutaway.client.many import Crew, removals, work_of
from cutaway.client.models import model_facts
from cutaway.client.pictures import Submitted, open_picture
from cutaway.errors import ConfigError, OptionError
from cutaway.images.limits import check_pixels
from cutaway.options import RemovalOptions
from cutaway.progress import Progress
from cutaway.settings import Settings
from cutaway.sources import Loaded, SourceKind, kind_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable
    from types import TracebackType

    from cutaway.backends.runware import Prepared, RunwareBackend
    from cutaway.client.many import Removal
    from cutaway.client.models import ModelFacts
    from cutaway.client.remote import RemoteTasks
    from cutaway.cutout import Cutout
    from cutaway.images import Pixels
    from cutaway.options import Choices
    from cutaway.progress import Cancellation, ProgressCallback, Step

    Save = Callable[[int, Cutout], "Saved"]
    IndexedProgress = Callable[[int, Step], None]

__all__ = ["Client", "Source", "remove_background"]

Source: TypeAlias = sources.Source | PIL.Image.Image | NDArray[Any]
Saved = TypeVar("Saved")

_LOCAL = "local"
_REMOTE_JOBS = 4


class Client:
    """Removes backgrounds, and keeps models and connections warm; safe to share among threads.

    Use it in a `with` block, or close it, to let them go.

    Args:
        settings: Where things are and how much is allowed; read from environment and config file
            if not given.
        backend: Where removals run, over the settings' own: `local`, `runware`, or the URL of a
            service that speaks its protocol. A key alone never sends anything anywhere.
        weights: A file to use for the named model instead of the installed one; it is trusted.

    Raises:
        ConfigError: a setting can't be used.
        OptionError: weights were given, and the removals run elsewhere.
        ModelNotInstalled: the weights' file isn't there.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        backend: str | None = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        self.settings = _chosen(settings, backend)
        self._remote: RunwareBackend | None = None
        if self.settings.backend == _LOCAL:
            path = None if weights is None else Path(weights)
            self._backend: LocalBackend | RunwareBackend = LocalBackend(self.settings, path)
            return
        if weights is not None:
            raise OptionError(
                "the weights can't be used",
                f"removals run at {self.settings.backend}, not on this machine",
                "Leave the weights out, or choose the backend local",
            )
        from cutaway.backends.runware import RunwareBackend

        self._backend = self._remote = RunwareBackend(self.settings)

    @property
    def usual_jobs(self) -> int:
        """How many pictures `remove_many` works on at once, if not told: 1 here, 4 elsewhere."""
        return 1 if self._remote is None else _REMOTE_JOBS

    @property
    def runware(self) -> RemoteTasks:
        """The service's own tasks and answers, with nothing done to them here.

        Raises:
            ConfigError: removals run on this machine.
        """
        from cutaway.client.remote import RemoteTasks

        return RemoteTasks(self._service(), self._open)

    def remove_background(
        self,
        source: Source | Submitted,
        options: RemovalOptions | None = None,
        *,
        on_progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> Cutout:
        """Remove the background of a picture.

        Args:
            source: A path, bytes, binary stream, Pillow image, numpy array, http(s) URL, data URI
                or base64 text. Arrays: (height, width) grey, or with 1 (grey), 2 (grey and
                alpha), 3 (RGB) or 4 (RGBA) channels; uint8, uint16, bool, or float 0..1.
                With a remote backend also the UUID of a picture that the service has stored: then
                the result has the service's own pixels, and says so in its warnings. A `Submitted`
                takes the result of a remote task that was given up.
            options: What to do; see `RemovalOptions`.
            on_progress: Called with each `Step`, from the thread that works.
            cancellation: Cancel it from any thread to stop the work.
            choices: Single options by name, over those in `options`.

        Raises:
            CutawayError: one of its branches; see `cutaway.errors`.
        """
        chosen = (options or RemovalOptions()).but(choices)
        progress = Progress(on_progress, cancellation)
        earlier = source if isinstance(source, Submitted) else None
        picture = source.source if isinstance(source, Submitted) else source
        service = self._remote if earlier is None else self._service()
        if service and (uuid := _stored_uuid(picture)):
            return _removed_there(service, uuid, chosen, progress, earlier)
        shortest = None if service else shortest_side(chosen)
        pixels, original, name = self._open(picture, progress, shortest)
        del source, picture  # an array that the caller keeps no hold of is free from here on
        if service and earlier:
            finding = service.take_up(earlier.task_uuid, pixels, chosen, progress)
        else:
            finding = self._backend.find_subject(pixels, chosen, progress, original)
        del original
        return finish(pixels, finding, chosen, progress, backend=self._backend.name, name=name)

    @overload
    def remove_many(
        self,
        sources: Iterable[Source | Submitted],
        options: RemovalOptions | None = None,
        *,
        jobs: int | None = None,
        save: None = None,
        on_progress: IndexedProgress | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> Generator[Removal[None], None, None]: ...

    @overload
    def remove_many(
        self,
        sources: Iterable[Source | Submitted],
        options: RemovalOptions | None = None,
        *,
        jobs: int | None = None,
        save: Save[Saved],
        on_progress: IndexedProgress | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> Generator[Removal[Saved], None, None]: ...

    def remove_many(
        self,
        sources: Iterable[Source | Submitted],
        options: RemovalOptions | None = None,
        *,
        jobs: int | None = None,
        save: Save[Any] | None = None,
        on_progress: IndexedProgress | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> Generator[Removal[Any], None, None]:
        """Remove the backgrounds of many pictures, several at once; results come as they finish.

            for removal in client.remove_many(paths, save=save_beside, output="mask"):
                print(removal.source, removal.error or removal.saved)

        A picture that fails is told in its `Removal`, and the others go on. Leaving the loop, an
        exception in it, Ctrl-C and `cancellation` stop the work at once, and no thread stays
        behind; only a read from a pipe that stays silent can't be stopped.

        Args:
            sources: As `remove_background` takes. They may be lazy, and endless: they are asked
                for by the thread that asks for results, and at any time at most `jobs` of them
                have been taken whose results haven't been given yet.
            options: What to do with each.
            jobs: How many pictures to work on at once, each in a thread of its own; 1 on this
                machine and 4 with a remote backend, if not given.
            save: Called with a source's index and its cutout in the thread that made it, so that
                files are written while other pictures are worked on. Its result becomes
                `Removal.saved`, and the cutout is let go. A `CutawayError` from it becomes
                `Removal.error`; anything else it raises ends the run.
            on_progress: Called with a source's index and each `Step`, from the thread that works.
            cancellation: Cancel it from any thread to stop the work.
            choices: Single options by name, over those in `options`.

        Raises:
            OptionError: an option, or `jobs`, can't be used.
            Cancelled: `cancellation` was cancelled.
        """
        chosen = (options or RemovalOptions()).but(choices)
        work = work_of(self.remove_background, chosen, on_progress)
        crew = Crew(self.usual_jobs if jobs is None else jobs, work, save, cancellation)
        return removals(sources, crew)

    def prepare(
        self,
        source: Source,
        options: RemovalOptions | None = None,
        *,
        on_progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> Prepared:
        """Tell what `remove_background` would send to the service, without sending it.

        The arguments are those of `remove_background`. A URL is fetched all the same.

        Raises:
            ConfigError: removals run on this machine.
            CutawayError: the picture, or the task, can't be used.
        """
        service = self._service()
        chosen = (options or RemovalOptions()).but(choices)
        if uuid := _stored_uuid(source):
            return service.prepare_stored(uuid, chosen)
        pixels, original, _ = self._open(source, Progress(on_progress, cancellation))
        return service.prepare(pixels, chosen, original)

    def check(
        self,
        options: RemovalOptions | None = None,
        *,
        size: tuple[int, int] | None = None,
        **choices: Unpack[Choices],
    ) -> str:
        """Make sure of what can be made sure of without the picture; nothing is sent.

        Args:
            options: What is to be done.
            size: The picture's width and height, if they are to be checked as well.
            choices: Single options by name, over those in `options`.

        Returns:
            The name of the model that would run, an AIR at a service.

        Raises:
            CutawayError: a removal with these options would fail, such as for want of the model's
                file or of a service's key, or at a picture of that size.
        """
        if size is not None:
            check_pixels(*size, self.settings.limits)
        return self._backend.check((options or RemovalOptions()).but(choices))

    def models(self) -> tuple[ModelFacts, ...]:
        """Every model that a removal can name: what is here, what Runware has, and its price.

        A file that was never looked at is hashed, which takes a second for a large one.
        """
        return model_facts(self.settings, self._backend)

    def close(self) -> None:
        """Let models and connections go; the next removal loads or makes what it needs again."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(
        self, source: Source, progress: Progress, shortest: int | None = None
    ) -> tuple[Pixels, Loaded | None, str | None]:
        """The picture; its file, if a service may be sent that; and its name, if it has one."""
        pixels, loaded = open_picture(source, self.settings.limits, progress, shortest=shortest)
        wanted = self._remote is not None and self.settings.send == "original"
        return pixels, loaded if wanted else None, loaded.name if loaded else None

    def _service(self) -> RunwareBackend:
        if self._remote is None:
            raise ConfigError(
                "there is no service to ask",
                "removals run on this machine",
                "Choose a backend: Client(backend='runware'), or CUTAWAY_BACKEND=runware",
            )
        return self._remote


def remove_background(
    source: Source | Submitted,
    options: RemovalOptions | None = None,
    *,
    backend: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    **choices: Unpack[Choices],
) -> Cutout:
    """Remove the background of one picture; for many, keep a `Client`.

    The arguments and errors are those of `Client` and `Client.remove_background`.
    """
    with Client(backend=backend, weights=weights) as client:
        return client.remove_background(source, options, **choices)


def _chosen(settings: Settings | None, backend: str | None) -> Settings:
    """The settings in force, checked anew if another backend takes the place of theirs."""
    if backend is None:
        return settings or Settings.load()
    given = {} if settings is None else dict(settings)
    return Settings.load(**{**given, "backend": backend})


def _stored_uuid(source: Source) -> str | None:
    """The UUID that a source is, if it names a picture that a service has stored."""
    if isinstance(source, str) and kind_of(source) is SourceKind.UUID:
        return source.strip()
    return None


def _removed_there(
    service: RunwareBackend,
    uuid: str,
    options: RemovalOptions,
    progress: Progress,
    earlier: Submitted | None,
) -> Cutout:
    """The service's own pixels as a cutout."""
    task_uuid = earlier.task_uuid if earlier else None
    stored = service.stored_picture(uuid, options, progress, task_uuid)
    cutout = finish(
        stored.pixels, stored.finding, stored.left, progress, backend=service.name, name=None
    )
    return replace(cutout, options=options)
