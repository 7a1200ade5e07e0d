"""The client that blocks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from cutaway import images, sources
from cutaway.backends.local import LocalBackend
from cutaway.client.finishing import finish
from cutaway.options import RemovalOptions
from cutaway.progress import Progress
from cutaway.settings import Settings

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from cutaway.cutout import Cutout
    from cutaway.images import Pixels
    from cutaway.options import Choices
    from cutaway.progress import Cancellation, ProgressCallback


__all__ = ["Client", "Source", "remove_background"]

Source: TypeAlias = sources.Source | PIL.Image.Image | NDArray[Any]


class Client:
    """Removes backgrounds, and keeps models warm between pictures; safe to share among threads.

    Use it in a `with` block, or close it, to let the models go.

    Args:
        settings: Where things are and how much is allowed; read from environment and config file
            if not given.
        weights: A file to use for the named model instead of the installed one; it is trusted.

    Raises:
        ConfigError: a setting can't be used.
        ModelNotInstalled: the weights' file isn't there.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        self.settings = settings or Settings.load()
        self._backend = LocalBackend(self.settings, None if weights is None else Path(weights))

    def remove_background(
        self,
        source: Source,
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
            options: What to do; see `RemovalOptions`.
            on_progress: Called with each `Step`, from the thread that works.
            cancellation: Cancel it from any thread to stop the work.
            choices: Single options by name, over those in `options`.

        Raises:
            CutawayError: one of its branches; see `cutaway.errors`.
        """
        chosen = (options or RemovalOptions()).but(choices)
        progress = Progress(on_progress, cancellation)
        pixels, name = self._open(source, progress)
        with progress.stage("finding the subject"):
            finding = self._backend.find_subject(pixels, chosen, progress)
        return finish(pixels, finding, chosen, progress, backend=self._backend.name, name=name)

    def close(self) -> None:
        """Let the models go; the next removal loads what it needs again."""
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

    def _open(self, source: Source, progress: Progress) -> tuple[Pixels, str | None]:
        limits = self.settings.limits
        if isinstance(source, np.ndarray):
            with progress.stage("decoding"):
                return images.from_array(source, limits), None
        if isinstance(source, PIL.Image.Image):
            with progress.stage("decoding"):
                return images.from_pil(source, limits), None
        with progress.stage("reading"):
            loaded = sources.read(source, limits, progress)
        with progress.stage("decoding"):
            return images.decode(loaded.data, limits), loaded.name


def remove_background(
    source: Source,
    options: RemovalOptions | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    **choices: Unpack[Choices],
) -> Cutout:
    """Remove the background of one picture; for many, keep a `Client`.

    The arguments and errors are those of `Client` and `Client.remove_background`.
    """
    with Client(weights=weights) as client:
        return client.remove_background(source, options, **choices)
