"""The worker's end of the wire to the plug-in, which is its life line too.

GIMP's Cancel kills the plug-in and nothing else. So a thread of its own reads what comes: the end
of it, noticed at any time, cancels what runs, and ends the process soon, whatever runs then.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from enum import IntEnum
from queue import Queue
from typing import TYPE_CHECKING, Any

from cutaway import Cancellation
from cutaway_gimp.plug_in.frames import FrameError, read_frame, write_frame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from cutaway_gimp.plug_in.frames import Payload

    Frame = tuple[dict[str, Any], bytes]

__all__ = ["Ended", "Misunderstood", "Status", "Wire"]

_GRACE = 0.2
"""Seconds that what runs has for its own end, once the wire is cut."""

_AHEAD = 2
"""Frames that are read before they are asked for."""


class Status(IntEnum):
    """How the worker's process ends; 1 is Python's own, for a fault of ours."""

    DONE = 0
    """The plug-in had no more to do."""
    MISUNDERSTOOD = 2
    """What came was not what the plug-in says."""
    CANCELLED = 3
    """The plug-in went away while a picture was worked on."""
    UNHEARD = 4
    """The plug-in doesn't listen any more."""


class Ended(Exception):
    """The plug-in says no more, or hears no more."""


class Misunderstood(Exception):
    """What came is nothing that the plug-in of this version says; its text tells what is wrong."""


class Wire:
    """Frames from the plug-in, and to it. It is used by one thread.

    Args:
        incoming: A buffered stream that the plug-in writes to.
        outgoing: One that it reads.

    Attributes:
        cancellation: Cancelled as soon as either of them ends.
    """

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self.cancellation = Cancellation()
        self._incoming = incoming
        self._outgoing = outgoing
        self._frames: Queue[Frame | Ended | Misunderstood] = Queue(_AHEAD)
        self._at_work = False
        self._unheard = False
        self._end: Ended | Misunderstood | None = None
        threading.Thread(target=self._read, name="cutaway-wire", daemon=True).start()

    @property
    def status(self) -> Status:
        """How the process is to end, once the wire is cut."""
        if isinstance(self._end, Misunderstood):
            return Status.MISUNDERSTOOD
        if self._unheard:
            return Status.UNHEARD
        return Status.CANCELLED if self._at_work else Status.DONE

    def next(self) -> Frame:
        """Wait for the next frame.

        Raises:
            Ended: there will be none.
            Misunderstood: what came is no frame.
        """
        frame = self._frames.get()
        if isinstance(frame, Exception):
            raise frame
        return frame

    def tell(self, header: dict[str, Any], payload: Payload = b"") -> None:
        """Send a frame.

        Raises:
            Ended: nobody reads it.
        """
        try:
            write_frame(self._outgoing, header, payload)
        except OSError as error:
            self._unheard = True
            self._cut(Ended())
            raise Ended from error

    def check(self) -> None:
        """Raise `Ended` or `Misunderstood` if the wire is cut."""
        if self._end is not None:
            raise self._end

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Take the wire's end for a cancel while the block runs."""
        self._at_work = True
        try:
            yield
        finally:
            self._at_work = self._end is not None

    def _read(self) -> None:
        end: Ended | Misunderstood
        try:
            while (frame := read_frame(self._incoming)) is not None:
                self._frames.put(frame)
            end = Ended()
        except OSError:
            end = Ended()
        except FrameError as error:
            end = Misunderstood(str(error))
        self._cut(end)
        self._frames.put(end)

    def _cut(self, end: Ended | Misunderstood) -> None:
        if self._end is None:
            self._end = end
            watchdog = threading.Timer(_GRACE, lambda: os._exit(self.status))
            watchdog.daemon = True
            watchdog.start()
        self.cancellation.cancel()
