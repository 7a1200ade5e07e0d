"""The client that awaits: the work is done in a thread, off the event loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self, Unpack

import anyio
from anyio import from_thread, to_thread

from cutaway.client.synchronous import Client
from cutaway.progress import Cancellation

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from cutaway.client.synchronous import Source
    from cutaway.cutout import Cutout
    from cutaway.options import Choices, RemovalOptions
    from cutaway.progress import ProgressCallback, Step
    from cutaway.settings import Settings

__all__ = ["AsyncClient"]


class AsyncClient:
    """`Client` for asyncio and trio; the arguments and errors are the same.

    Cancelling the awaiting task stops the work too: at once for the caller, and within one layer
    of a network, or one step of a solver, for the thread behind it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        self._client = Client(settings, weights=weights)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._client.settings

    async def remove_background(
        self,
        source: Source,
        options: RemovalOptions | None = None,
        *,
        on_progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> Cutout:
        """Remove the background of a picture; see `Client.remove_background`.

        Args:
            source: As there.
            options: As there.
            on_progress: Called with each `Step`, on the event loop.
            cancellation: As there; it is cancelled too when the awaiting task is.
            choices: As there.
        """
        cancellation = cancellation or Cancellation()
        work = partial(
            self._client.remove_background,
            source,
            options,
            on_progress=_on_loop(on_progress),
            cancellation=cancellation,
            **choices,
        )
        try:
            return await to_thread.run_sync(work, abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            cancellation.cancel()
            raise

    async def aclose(self) -> None:
        """Let the models go."""
        self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _on_loop(on_progress: ProgressCallback | None) -> ProgressCallback | None:
    if on_progress is None:
        return None

    def report(step: Step) -> None:
        from_thread.run_sync(on_progress, step)

    return report
