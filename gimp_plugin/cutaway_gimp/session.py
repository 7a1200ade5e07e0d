"""What the worker does for the plug-in, from its first question to its last picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from cutaway import Client, Output, RemovalOptions, Settings
from cutaway.errors import ConfigError, CutawayError, OptionError
from cutaway_gimp.facts import LOCAL, facts
from cutaway_gimp.failures import error_frame
from cutaway_gimp.pictures import Picture, value_of
from cutaway_gimp.progress import Overall, plan
from cutaway_gimp.results import strips
from cutaway_gimp.wire import Misunderstood

if TYPE_CHECKING:
    from types import TracebackType

    from cutaway import Colour, Cutout
    from cutaway_gimp.wire import Wire

__all__ = ["Session"]


class Session:
    """Answers the plug-in's frames, over one client that stays warm; a `with` block.

    Args:
        wire: Where they come from, and the answers go.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._backend = LOCAL
        self._client: Client | None = None
        self._options: RemovalOptions | None = None
        self._passing_over = False  # rows that are still on their way after their picture failed

    def answer(self, header: dict[str, Any]) -> None:
        """Answer a frame; of a picture, what follows is taken from the wire.

        Raises:
            Ended: the plug-in went away.
            Misunderstood: what came then was no frame.
        """
        if header["kind"] == "rows" and self._passing_over:
            return
        try:
            self._answer(header)
            self._passing_over = False
        except (CutawayError, MemoryError, Misunderstood) as error:
            self._wire.check()  # what only its end has cancelled is no one's to hear
            self._wire.tell(error_frame(error))
            self._passing_over = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _answer(self, header: dict[str, Any]) -> None:
        match header["kind"]:
            case "facts":
                self._wire.tell(facts())
            case "begin":
                self._begin(header)
            case "picture":
                self._remove(header)
            case kind:
                raise Misunderstood(f"there is no frame {kind}, or not now")

    def _begin(self, header: dict[str, Any]) -> None:
        self._options = None
        options = RemovalOptions.parse(value_of(header, "options", dict))
        fill = _fill(value_of(header, "fill", str))
        client = self._connected(value_of(header, "backend", str))
        try:
            client.check(options)
        except CutawayError:
            self._close()  # a key or a setting that is mended will be read anew
            raise
        self._options = options
        colour = None if fill is None else [*fill.rgb, fill.alpha]
        self._wire.tell({"kind": "ready", "fill": colour})

    def _remove(self, header: dict[str, Any]) -> None:
        picture = Picture.of(header)
        with self._wire.at_work():
            cutout = self._removed(picture)
            self._wire.tell(_found(cutout))
            for top, rows, payload in strips(cutout, picture.want):
                self._wire.tell({"kind": "rows", "top": top, "rows": rows}, payload)
        self._wire.tell({"kind": "done"})

    def _removed(self, picture: Picture) -> Cutout:
        if self._client is None or self._options is None:
            raise Misunderstood("a picture came before begin")
        colours = picture.want == "cutout"
        output = Output.CUTOUT if colours else Output.MASK
        options = self._options.but({"output": output, "background": None})
        model = self._client.check(options, size=(picture.width, picture.height))
        remote = self._client.settings.backend != LOCAL
        stages = plan(options, model=model, remote=remote, colours=colours)
        return self._client.remove_background(
            picture.gather(self._wire),
            options,
            on_progress=Overall(self._tell_progress, stages).step,
            cancellation=self._wire.cancellation,
        )

    def _tell_progress(self, stage: str, share: float | None) -> None:
        self._wire.tell({"kind": "progress", "stage": stage, "share": share})

    def _connected(self, backend: str) -> Client:
        """The client for a backend; the one that is there if it is for that."""
        if self._client is None or backend != self._backend:
            self._close()
            self._client = _client(backend)
            self._backend = backend
        return self._client

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _client(backend: str) -> Client:
    """A client as the user's settings have it, but for the backend.

    Raises:
        OptionError: there is no such backend.
        ConfigError: a setting can't be used.
    """
    settings = Settings.load()
    try:
        return Client(settings, backend=backend)
    except ConfigError as error:  # the settings themselves are well
        raise OptionError(
            f"the backend {backend!r} can't be used",
            "it is neither local, runware nor a whole URL",
            "Choose local, runware, or the URL of a service that speaks as Runware does",
        ) from error


def _fill(text: str) -> Colour | None:
    """The colour that a text means; None if it is empty.

    Raises:
        OptionError: it means none.
    """
    if not text:
        return None
    try:
        return RemovalOptions(background=text).background
    except OptionError as error:
        raise OptionError(
            f"the fill {text!r} can't be used",
            "it is no colour",
            "Give a name such as white, or #rrggbb, or #rrggbbaa",
        ) from error


def _found(cutout: Cutout) -> dict[str, Any]:
    return {
        "kind": "found",
        "model": cutout.model,
        "backend": cutout.backend,
        "confidence": cutout.confidence,
        "warnings": list(cutout.warnings),
        "cost": None if cutout.cost is None else str(cutout.cost),
        "task_uuid": cutout.task_uuid,
    }
