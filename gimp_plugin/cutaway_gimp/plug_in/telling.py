"""GIMP's progress bar: what is done, how far it is, and that someone is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gi.repository import Gimp

from cutaway_gimp.plug_in import phrases
from cutaway_gimp.plug_in.translation import _

if TYPE_CHECKING:
    from typing import Any

    from cutaway_gimp.plug_in.worker_process import Frame, Worker

__all__ = ["Telling"]

_HEARTBEAT = 0.1
_WORTH_TELLING = 0.005


class Telling:
    """One bar over all layers; with it GIMP shows its Cancel button.

    Only the main thread may call GIMP, so it is also the one that waits for the worker: between
    two looks it moves the bar, and thereby finds out if GIMP is gone (the plug-in then ends).

    Args:
        count: How many layers there are.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._index = 0
        self._name = ""
        self._text = _("Remove background")
        self._share: float | None = None
        self._heard: Frame | None = None
        Gimp.progress_init(self._text)

    def layer(self, index: int, name: str) -> None:
        """Turn to a layer, the first being 0."""
        self._index, self._name = index, name
        self._move(None)

    def wait(self, worker: Worker) -> Frame:
        """Give what the worker says next that isn't about its progress, which is told.

        Raises:
            WorkerRefused: it said that something went wrong.
            WorkerEnded: it is gone.
        """
        while True:
            frame, self._heard = self._heard or worker.receive(_HEARTBEAT), None
            if frame is None:
                self._show()
                Gimp.getpid()  # libgimp doesn't tell GIMP of a bar that stays where it is
            elif frame[0]["kind"] == "progress":
                self._tell(frame[0])
            else:
                return frame

    def look(self, worker: Worker) -> None:
        """Tell what the worker has said of its progress by now; raises as `wait` does.

        If it has said something else, that is kept for `wait`.
        """
        while self._heard is None and (frame := worker.receive(0)):
            if frame[0]["kind"] == "progress":
                self._tell(frame[0])
            else:
                self._heard = frame

    def end(self) -> None:
        """Take the bar away."""
        Gimp.progress_end()

    def _tell(self, header: dict[str, Any]) -> None:
        text = self._sentence(phrases.stage(header["stage"]))
        if text != self._text:
            self._text = text
            Gimp.progress_set_text(text)
        self._move(header["share"])

    def _sentence(self, stage: str) -> str:
        facts = {"name": self._name, "number": self._index + 1, "count": self._count}
        if self._count == 1:
            return _("{name}: {stage}").format(stage=stage, **facts)
        return _("{name} ({number} of {count}): {stage}").format(stage=stage, **facts)

    def _move(self, share: float | None) -> None:
        """Move the bar to a share of the current layer; None if it isn't known."""
        before = self._share
        self._share = None if share is None else (self._index + share) / self._count
        if self._share is None or before is None or self._share - before > _WORTH_TELLING:
            self._show()

    def _show(self) -> None:
        if self._share is None:
            Gimp.progress_pulse()
        else:
            Gimp.progress_update(self._share)
