"""A removal from beginning to end: layers to the worker, its results into the image."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from gi.repository import GLib

from cutaway_gimp.plug_in import phrases
from cutaway_gimp.plug_in.arguments import CUTOUTS, begin_frame
from cutaway_gimp.plug_in.layers import Picture, Refused
from cutaway_gimp.plug_in.outputs import WANTS, start_result
from cutaway_gimp.plug_in.placing import place
from cutaway_gimp.plug_in.translation import _
from cutaway_gimp.plug_in.worker_process import WorkerEnded, WorkerRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gi.repository import Gimp

    from cutaway_gimp.plug_in.outputs import Result
    from cutaway_gimp.plug_in.telling import Telling
    from cutaway_gimp.plug_in.worker_process import Worker

    Fill = tuple[int, int, int, float]

__all__ = ["Removal", "Unfinished"]

_FAILURES = (Refused, WorkerRefused, WorkerEnded, GLib.Error)


class Unfinished(Exception):
    """A layer failed, and those before it are done; the cause is the failure itself.

    Attributes:
        layer: The name of the layer that failed.
        done: How many layers are done.
        count: How many there were to do.
    """

    def __init__(self, layer: str, done: int, count: int) -> None:
        super().__init__(layer, done, count)
        self.layer = layer
        self.done = done
        self.count = count


class Removal:
    """One call's work, on one or more layers.

    Args:
        worker: It has said hello, and nothing was asked of it yet but facts.
        telling: The bar.
        values: Every argument by name, checked.
        remarks: What the person should know of what was done is added here.
    """

    def __init__(
        self, worker: Worker, telling: Telling, values: Mapping[str, Any], remarks: list[str]
    ) -> None:
        self._worker = worker
        self._telling = telling
        self._values = values
        self._output: str = values["output"]
        self._fill: Fill | None = None
        self._remarks = remarks

    def begin(self) -> None:
        """Tell the worker what is wanted.

        Raises:
            WorkerRefused: an argument is wrong, or can't be honoured here.
            WorkerEnded: the worker is gone.
        """
        self._worker.send(begin_frame(self._values))
        header, _payload = self._telling.wait(self._worker)
        fill = header["fill"]
        self._fill = tuple(fill) if fill and self._output in CUTOUTS else None

    def run(self, image: Gimp.Image, layers: Sequence[Gimp.Layer]) -> list[Gimp.Item]:
        """Work on the layers one by one, then put all that was made into the image at once.

        Returns:
            What was made, in the order of the layers.

        Raises:
            Unfinished: a layer failed; those before it are in the image.
            Refused: the image or a layer has changed meanwhile; nothing was done to it.
        """
        results: list[Result] = []
        with ExitStack() as unplaced:
            failure = self._remove_each(layers, results, unplaced)
            unplaced.pop_all()
        made = place(image, results, self._fill)
        if failure is not None:
            raise failure
        return made

    def _remove_each(
        self, layers: Sequence[Gimp.Layer], results: list[Result], unplaced: ExitStack
    ) -> Unfinished | None:
        """Work on the layers until one fails, which is then told."""
        for index, layer in enumerate(layers):
            name = layer.get_name() if layer.is_valid() else _("A layer that is gone")
            self._telling.layer(index, name)
            try:
                result = self._remove(layer)
            except _FAILURES as error:
                failure = Unfinished(name, len(results), len(layers))
                failure.__cause__ = error
                return failure
            unplaced.callback(result.discard)
            results.append(result)
        return None

    def _remove(self, layer: Gimp.Layer) -> Result:
        picture = Picture(layer)
        try:
            self._send(picture)
            return self._take(layer, picture)
        finally:
            picture.close()

    def _send(self, picture: Picture) -> None:
        facts = {"width": picture.width, "height": picture.height, "depth": picture.depth}
        want = WANTS[self._output]
        self._worker.send({"kind": "picture", "name": picture.name, "want": want, **facts})
        for top, rows, pixels in picture.rows():
            self._worker.send({"kind": "rows", "top": top, "rows": rows}, pixels)
            self._telling.look(self._worker)

    def _take(self, layer: Gimp.Layer, picture: Picture) -> Result:
        found, _payload = self._telling.wait(self._worker)
        for warning in found["warnings"]:
            remark = phrases.remark(warning, found["confidence"])
            self._remarks.append(_("{layer}: {remark}").format(layer=picture.name, remark=remark))
        result = start_result(layer, self._output, picture)
        try:
            while True:
                header, payload = self._telling.wait(self._worker)
                if header["kind"] == "done":
                    result.finish()
                    return result
                result.write(header["top"], header["rows"], payload)
        except BaseException:
            result.discard()
            raise
