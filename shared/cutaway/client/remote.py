"""The service's own tasks with any source: what it answers is handed on, and nothing downloaded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Unpack

from cutaway.client.off_loop import in_thread
from cutaway.progress import Cancellation, Progress
from cutaway.sources import SourceKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.backends.runware import Prepared, RunwareBackend
    from cutaway.backends.upload import Upload
    from cutaway.client.synchronous import Source
    from cutaway.images import Pixels
    from cutaway.runware.replies import Result
    from cutaway.runware.tasks import WireParameters
    from cutaway.sources import Loaded

    Open = Callable[[Source, Progress], tuple[Pixels, Loaded | None, str | None]]

__all__ = ["AsyncRemoteTasks", "RemoteTasks"]


class RemoteTasks:
    """What a `Client` with a remote backend can ask of the service itself; see `Client.runware`.

    Args:
        backend: The service.
        open: Reads and decodes a source.
    """

    def __init__(self, backend: RunwareBackend, open: Open) -> None:  # noqa: A002  (its job)
        self._backend = backend
        self._open = open

    def submit(
        self,
        source: Source,
        *,
        model: str = "auto",
        task_uuid: str | None = None,
        upload: bool = False,
        cancellation: Cancellation | None = None,
        **parameters: Unpack[WireParameters],
    ) -> Result:
        """Have the service remove a background, and give its own answer.

        Args:
            source: A UUID, URL, data URI or base64 text goes to the service as it is; of anything
                else, what the setting `send` says.
            model: A model's AIR, slug or local name.
            task_uuid: The task's name for its whole life; a new one if not given.
            upload: Store the picture with the service first, and reuse what is stored if the same
                bytes are sent again.
            cancellation: Cancel it from any thread to stop waiting.
            parameters: Everything that the wire knows, as it is; see `RemovalTask`. Delivery is
                the settings' if not given. With `webhook_url` the answer is an acknowledgement.

        Raises:
            CutawayError: one of its branches; see `cutaway.errors`.
        """
        image = self._sendable(source, cancellation)
        return self._backend.wire.submit(
            image,
            model=self._backend.model(model).air,
            task_uuid=task_uuid,
            upload=upload,
            cancellation=cancellation,
            **self._backend.delivery_of(parameters),
        )

    def upload(self, source: Source, *, cancellation: Cancellation | None = None) -> str:
        """Store a picture with the service, and give its UUID there.

        Args:
            source: As for `submit`; a UUID comes back itself.
            cancellation: Cancel it from any thread to stop.

        Raises:
            CutawayError: one of its branches; see `cutaway.errors`.
        """
        image = self._sendable(source, cancellation)
        return self._backend.wire.upload(image, cancellation=cancellation)

    def wait_for(self, task_uuid: str, *, cancellation: Cancellation | None = None) -> Result:
        """Ask for the result of a task that was sent before, until it is there.

        Raises:
            CutawayError: one of its branches; see `cutaway.errors`.
        """
        return self._backend.wire.wait_for(task_uuid, cancellation=cancellation)

    def prepare(
        self,
        source: Source,
        *,
        model: str = "auto",
        cancellation: Cancellation | None = None,
        **parameters: Unpack[WireParameters],
    ) -> Prepared:
        """Tell what `submit` would send, without sending it.

        The arguments are those of `submit`.

        Raises:
            CutawayError: the picture, or the task, can't be used.
        """
        upload = self._upload_of(source, cancellation)
        return self._backend.prepare_task(upload, self._backend.model(model), parameters)

    def _sendable(self, source: Source, cancellation: Cancellation | None) -> bytes | str:
        upload = self._upload_of(source, cancellation)
        return upload if isinstance(upload, str) else upload.image

    def _upload_of(self, source: Source, cancellation: Cancellation | None) -> Upload | str:
        if isinstance(source, str) and kind_of(source) is not SourceKind.PATH:
            return source.strip()
        pixels, original, _ = self._open(source, Progress(None, cancellation))
        return self._backend.upload_of(pixels, original)


class AsyncRemoteTasks:
    """`RemoteTasks` for asyncio and trio; the arguments and errors are the same."""

    def __init__(self, tasks: RemoteTasks) -> None:
        self._tasks = tasks

    async def submit(
        self,
        source: Source,
        *,
        model: str = "auto",
        task_uuid: str | None = None,
        upload: bool = False,
        cancellation: Cancellation | None = None,
        **parameters: Unpack[WireParameters],
    ) -> Result:
        """Have the service remove a background; see `RemoteTasks.submit`."""
        cancellation = cancellation or Cancellation()
        work = partial(
            self._tasks.submit,
            source,
            model=model,
            task_uuid=task_uuid,
            upload=upload,
            cancellation=cancellation,
            **parameters,
        )
        return await in_thread(work, cancellation)

    async def upload(self, source: Source, *, cancellation: Cancellation | None = None) -> str:
        """Store a picture with the service; see `RemoteTasks.upload`."""
        cancellation = cancellation or Cancellation()
        work = partial(self._tasks.upload, source, cancellation=cancellation)
        return await in_thread(work, cancellation)

    async def wait_for(self, task_uuid: str, *, cancellation: Cancellation | None = None) -> Result:
        """Ask for the result of a task until it is there; see `RemoteTasks.wait_for`."""
        cancellation = cancellation or Cancellation()
        work = partial(self._tasks.wait_for, task_uuid, cancellation=cancellation)
        return await in_thread(work, cancellation)

    async def prepare(
        self,
        source: Source,
        *,
        model: str = "auto",
        cancellation: Cancellation | None = None,
        **parameters: Unpack[WireParameters],
    ) -> Prepared:
        """Tell what `submit` would send; see `RemoteTasks.prepare`."""
        cancellation = cancellation or Cancellation()
        work = partial(
            self._tasks.prepare, source, model=model, cancellation=cancellation, **parameters
        )
        return await in_thread(work, cancellation)
