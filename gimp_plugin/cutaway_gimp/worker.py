"""`python -m cutaway_gimp.worker`: removes backgrounds for the plug-in in GIMP.

The plug-in says what to do on standard input, and hears of it on standard output, in frames (see
`cutaway_gimp.plug_in.frames`); standard error is a log. This end first:

    hello         the protocol and the version, at once
    facts         asked for: the models, and whether a key was found
    ready, error  to `begin`: whether all is well with the options, before any pixel is sent
    progress      of a `picture` and its `rows`
    found         what the subject was found with, and what that cost
    rows          of the result, from top to bottom
    done, error   after which the next picture may come

Nothing is said ahead: the plug-in waits for each answer. When standard input ends, what runs is
cancelled and the process is gone within 0.4 seconds. Its status is 0 if nothing ran, 3 if
something did, 4 if standard output was closed, 2 if what came was no frame, and 1 after a fault
of Cutaway's own.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway import __version__
from cutaway_gimp.failures import Crash, error_frame
from cutaway_gimp.plug_in.frames import PROTOCOL
from cutaway_gimp.wire import Ended, Misunderstood, Wire

if TYPE_CHECKING:
    from typing import IO, NoReturn

__all__ = ["main"]


def main() -> int:
    """Serve the plug-in until it goes away, and give the process's status."""
    wire = Wire(*_streams())
    try:
        wire.tell({"kind": "hello", "protocol": PROTOCOL, "version": __version__})
        with Crash(wire):
            _serve(wire)
    except Ended:
        pass
    except Misunderstood as error:
        with suppress(Ended):
            wire.tell(error_frame(error))
    return wire.status


def _serve(wire: Wire) -> NoReturn:
    """Answer the plug-in, until one of the ends is reached."""
    from cutaway_gimp.session import Session  # heavy, and the plug-in is greeted before

    with Session(wire) as session:
        while True:
            header, _ = wire.next()
            session.answer(header)


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """Standard input and output for the wire alone: what libraries print goes to the log."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return incoming, outgoing


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # Python's own way out takes 0.2 seconds, for what the system does at once
