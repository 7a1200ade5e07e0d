"""The client of the Runware API at the level of the wire, in two faces: one waits, one awaits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, Unpack
from uuid import uuid4

from cutaway.catalogue.remote import DEFAULT_REMOTE
from cutaway.runware.base import Order, RunwareBase
from cutaway.runware.waiting import check, wait, wait_async

if TYPE_CHECKING:
    from types import TracebackType

    from cutaway.progress import Cancellation
    from cutaway.runware.replies import Result
    from cutaway.runware.tasks import WireParameters

__all__ = ["AsyncRunware", "Runware"]


class Runware(RunwareBase):
    """The client that waits; it may be shared among threads.

        with Runware() as runware:
            result = runware.submit(picture, output_format="PNG")
            print(result.image_url, result.cost)

    Connections are made when they are first needed, and kept until `close`.
    """

    def submit(
        self,
        image: str | bytes,
        *,
        model: str = DEFAULT_REMOTE,
        task_uuid: str | None = None,
        upload: bool = False,
        cancellation: Cancellation | None = None,
        **parameters: Unpack[WireParameters],
    ) -> Result:
        """Have a background removed, and give the service's own answer; nothing is downloaded.

        What the parameters ask for is sent as it is, and nothing else. With a `webhook_url` the
        answer is an acknowledgement; else it is the finished result, be it delivered at once or
        asked for.

        Args:
            image: A picture's UUID, public URL, data URI or base64, sent as it is; or the bytes of
                a PNG, JPEG, WEBP, GIF or BMP file.
            model: An AIR, slug or local name.
            task_uuid: The task's name, a UUID of version 4; a new one if none is given.
            upload: Store the picture with the service first, and send its UUID; the same bytes are
                stored only once.
            cancellation: The switch that stops it at once.
            parameters: See `RemovalTask`.

        Raises:
            OptionError: a parameter can't be used, or the model doesn't take it; nothing was sent.
            CostRefused: it would cost more than `max_cost`, or no one knows; nothing was sent.
            UnknownModel: there is no such model; nothing was sent.
            SourceError: the picture can't be sent; `AddressRefused` for a URL that is not public.
            ServiceError: the service refused the task, or failed at it; one of its branches.
            ConnectionFailed: the service can't be reached.
            TimedOut: it took longer than `pace.timeout`.
            ProtocolError: what answers is no such service.
            Cancelled: `cancellation` was cancelled, or the client closed.

            All that come after the task was sent have its `task_uuid`, with which `wait_for` can
            ask for it.
        """
        check(cancellation)
        order = Order(
            image=image,
            model=model,
            task_uuid=task_uuid or str(uuid4()),
            upload=upload,
            parameters=parameters,
        )
        return wait(self._begin_submission(order), cancellation, order.task_uuid)

    def wait_for(self, task_uuid: str, *, cancellation: Cancellation | None = None) -> Result:
        """Wait for the result of a task that was submitted before; nothing is submitted.

        Raises:
            NotFound: the service has no such task.
            CutawayError: as `submit` does.
        """
        check(cancellation)
        return wait(self._begin_waiting(task_uuid), cancellation, task_uuid)

    def upload(self, image: str | bytes, *, cancellation: Cancellation | None = None) -> str:
        """Store a picture with the service, and give its UUID.

        The service keeps it for 30 days after its last use, at 2048 pixels at most. The same
        bytes are stored only once in the life of this client.

        Args:
            image: A picture file's bytes, its data URI or base64, or a public URL.
            cancellation: The switch that stops it at once.

        Raises:
            CutawayError: as `submit` does.
        """
        check(cancellation)
        return wait(self._begin_upload(image), cancellation)

    def close(self) -> None:
        """Cancel what is under way, and close every connection."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncRunware(RunwareBase):
    """The client that awaits, on asyncio and trio; the arguments and errors are those of `Runware`.

    Its work is done off the caller's loop. Cancelling the awaiting task stops the work at once.
    """

    async def submit(
        self,
        image: str | bytes,
        *,
        model: str = DEFAULT_REMOTE,
        task_uuid: str | None = None,
        upload: bool = False,
        cancellation: Cancellation | None = None,
        **parameters: Unpack[WireParameters],
    ) -> Result:
        """Have a background removed; see `Runware.submit`."""
        check(cancellation)
        order = Order(
            image=image,
            model=model,
            task_uuid=task_uuid or str(uuid4()),
            upload=upload,
            parameters=parameters,
        )
        return await wait_async(self._begin_submission(order), cancellation, order.task_uuid)

    async def wait_for(self, task_uuid: str, *, cancellation: Cancellation | None = None) -> Result:
        """Wait for the result of a task that was submitted before; see `Runware.wait_for`."""
        check(cancellation)
        return await wait_async(self._begin_waiting(task_uuid), cancellation, task_uuid)

    async def upload(self, image: str | bytes, *, cancellation: Cancellation | None = None) -> str:
        """Store a picture with the service, and give its UUID; see `Runware.upload`."""
        check(cancellation)
        return await wait_async(self._begin_upload(image), cancellation)

    async def aclose(self) -> None:
        """Cancel what is under way, and close every connection."""
        from anyio import CancelScope, to_thread

        with CancelScope(shield=True):
            await to_thread.run_sync(self._wire.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
