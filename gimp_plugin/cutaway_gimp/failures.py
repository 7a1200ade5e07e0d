"""The one place where what went wrong becomes what the plug-in reads."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cutaway import CutawayError
from cutaway_gimp.wire import Ended, Misunderstood

if TYPE_CHECKING:
    from types import TracebackType

    from cutaway_gimp.wire import Wire

__all__ = ["Crash", "error_frame"]


def error_frame(error: Exception) -> dict[str, Any]:
    """What is told of an error: in parts for programs, and as a text for people."""
    known, code = _known(error)
    text = str(known)
    return {
        "kind": "error",
        "code": code,
        "what": known.what,
        "why": known.why,
        "next_step": known.next_step,
        "task_uuid": known.task_uuid,
        "text": text[:1].upper() + text[1:],
    }


def _known(error: Exception) -> tuple[CutawayError, str]:
    """The error in the core's form, with its code."""
    if isinstance(error, CutawayError):
        return error, error.code
    if isinstance(error, Misunderstood):
        what = "the plug-in and Cutaway don't understand each other"
        again = "Run cutaway gimp install, and start GIMP again"
        return CutawayError(what, str(error), again), "protocol"
    if isinstance(error, MemoryError):
        what = "there is not enough memory for this layer"
        advice = "Close other images and programs, or take a smaller layer"
        return CutawayError(what, next_step=advice), "memory"
    why = f"{type(error).__name__}: {error}"
    return CutawayError("Cutaway failed", why, "Report it, with this text"), "crash"


class Crash:
    """A block in which a fault of ours is told to the plug-in before it ends the process."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __enter__(self) -> None:
        """Nothing went wrong yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell the plug-in; the exception goes on, into the log."""
        if isinstance(error, Exception) and not isinstance(error, (Ended, Misunderstood)):
            with suppress(Ended):
                self._wire.tell(error_frame(error))
