"""The client that awaits: the work is done in threads, off the event loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

import anyio
from anyio import from_thread, to_thread
from anyio.lowlevel import current_token

from cutaway.client.many import Crew, removals_on_loop, work_of
from cutaway.client.off_loop import in_thread
from cutaway.client.synchronous import Client
from cutaway.options import RemovalOptions
from cutaway.progress import Cancellation

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable
    from types import TracebackType

    from cutaway.backends.runware import Prepared
    from cutaway.client.many import Removal
    from cutaway.client.models import ModelFacts
    from cutaway.client.pictures import Submitted
    from cutaway.client.remote import AsyncRemoteTasks
    from cutaway.client.synchronous import IndexedProgress, Save, Source
    from cutaway.cutout import Cutout
    from cutaway.options import Choices
    from cutaway.progress import ProgressCallback, Step
    from cutaway.settings import Settings

__all__ = ["AsyncClient"]

Saved = TypeVar("Saved")


class AsyncClient:
    """`Client` for asyncio and trio; the arguments and errors are the same.

    Cancelling the awaiting task stops the work too: at once for the caller, and within one layer
    of a network, or one step of a solver, for the thread behind it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        backend: str | None = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        self._client = Client(settings, backend=backend, weights=weights)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._client.settings

    @property
    def runware(self) -> AsyncRemoteTasks:
        """The service's own tasks and answers; see `Client.runware`."""
        from cutaway.client.remote import AsyncRemoteTasks

        return AsyncRemoteTasks(self._client.runware)

    async def remove_background(
        self,
        source: Source | Submitted,
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
        return await in_thread(work, cancellation)

    @overload
    def remove_many(
        self,
        sources: Iterable[Source | Submitted] | AsyncIterable[Source | Submitted],
        options: RemovalOptions | None = None,
        *,
        jobs: int | None = None,
        save: None = None,
        on_progress: IndexedProgress | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> AsyncGenerator[Removal[None], None]: ...

    @overload
    def remove_many(
        self,
        sources: Iterable[Source | Submitted] | AsyncIterable[Source | Submitted],
        options: RemovalOptions | None = None,
        *,
        jobs: int | None = None,
        save: Save[Saved],
        on_progress: IndexedProgress | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> AsyncGenerator[Removal[Saved], None]: ...

    def remove_many(
        self,
        sources: Iterable[Source | Submitted] | AsyncIterable[Source | Submitted],
        options: RemovalOptions | None = None,
        *,
        jobs: int | None = None,
        save: Save[Any] | None = None,
        on_progress: IndexedProgress | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> AsyncGenerator[Removal[Any], None]:
        """Remove the backgrounds of many pictures; see `Client.remove_many`.

            async with aclosing(client.remove_many(paths, save=save_beside)) as removals:
                async for removal in removals:
                    print(removal.source, removal.error or removal.saved)

        Cancelling the task that awaits a result stops the work. One who leaves the loop early
        closes the generator, as above: an event loop may do so late, or not at all.

        Args:
            sources: As there, or an async iterable of them.
            options: As there.
            jobs: As there.
            save: As there, called in a thread.
            on_progress: As there, called on the event loop.
            cancellation: As there.
            choices: As there.
        """
        chosen = (options or RemovalOptions()).but(choices)
        report = _indexed_on_loop(on_progress)
        crew = Crew(
            self._client.usual_jobs if jobs is None else jobs,
            work_of(self._client.remove_background, chosen, report),
            save,
            cancellation,
        )
        return removals_on_loop(sources, crew)

    async def prepare(
        self,
        source: Source,
        options: RemovalOptions | None = None,
        *,
        on_progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
        **choices: Unpack[Choices],
    ) -> Prepared:
        """Tell what `remove_background` would send to the service; see `Client.prepare`."""
        cancellation = cancellation or Cancellation()
        work = partial(
            self._client.prepare,
            source,
            options,
            on_progress=_on_loop(on_progress),
            cancellation=cancellation,
            **choices,
        )
        return await in_thread(work, cancellation)

    async def check(
        self,
        options: RemovalOptions | None = None,
        *,
        size: tuple[int, int] | None = None,
        **choices: Unpack[Choices],
    ) -> str:
        """Make sure of what can be made sure of without the picture; see `Client.check`."""
        work = partial(self._client.check, options, size=size, **choices)
        return await to_thread.run_sync(work, abandon_on_cancel=True)

    async def models(self) -> tuple[ModelFacts, ...]:
        """Every model that a removal can name; see `Client.models`."""
        return await to_thread.run_sync(self._client.models, abandon_on_cancel=True)

    async def aclose(self) -> None:
        """Let models and connections go."""
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(self._client.close)

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


def _indexed_on_loop(on_progress: IndexedProgress | None) -> IndexedProgress | None:
    if on_progress is None:
        return None
    token = current_token()  # the threads of a crew know of no loop

    def report(index: int, step: Step) -> None:
        from_thread.run_sync(on_progress, index, step, token=token)

    return report
