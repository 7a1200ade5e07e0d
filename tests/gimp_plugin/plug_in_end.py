"""The plug-in's end of the wire to a real worker, as a test holds it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from cutaway_gimp.plug_in.frames import read_frame, write_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cutaway_gimp.plug_in.frames import Payload

__all__ = ["PATIENCE", "Answer", "PlugInEnd", "layer"]

PATIENCE = 30.0
PYTHON = Path(sys.executable)


@dataclass(slots=True)
class Answer:
    """What the worker said to a picture.

    Attributes:
        progress: Each stage and share, in order.
        found: What it told of the subject; empty if it found none.
        strips: The payload of each strip of the result, by its first row and its rows.
        end: The last that it said: `done`, or an error.
    """

    progress: list[tuple[str, float | None]] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)
    strips: dict[tuple[int, int], bytes] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)

    def plane(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The result as one value for each pixel of the picture."""
        values = np.frombuffer(b"".join(self.strips.values()), picture.dtype)
        return values.reshape(picture.shape[:2])


class PlugInEnd:
    """Starts a worker, and talks to it; as a `with` block, it lets it go at the end.

    Args:
        python: What runs it; this process's own Python if not given.
        environment: What its environment has over this process's.

    Attributes:
        hello: What it said first.
    """

    def __init__(self, python: Path | str = PYTHON, **environment: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed at the end of the block)
        self.process = subprocess.Popen(
            [python, "-P", "-m", "cutaway_gimp.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self.hello = self.hear()[0]

    @property
    def incoming(self) -> IO[bytes]:
        """What the worker writes to."""
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def outgoing(self) -> IO[bytes]:
        """What it reads."""
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def log(self) -> str:
        """What it wrote to its log."""
        self._log.seek(0)
        return self._log.read().decode()

    def say(self, header: dict[str, Any], payload: Payload = b"") -> None:
        """Tell it something."""
        write_frame(self.outgoing, header, payload)

    def hear(self) -> tuple[dict[str, Any], bytes]:
        """Wait for what it says next."""
        frame = read_frame(self.incoming)
        assert frame is not None, self.log
        return frame

    def ask(self, header: dict[str, Any]) -> dict[str, Any]:
        """Tell it something, and give its answer."""
        self.say(header)
        return self.hear()[0]

    def begin(self, *, backend: str = "local", fill: str = "", **options: Any) -> dict[str, Any]:
        """Tell it what to do with the pictures to come, and give its answer."""
        return self.ask({"kind": "begin", "backend": backend, "options": options, "fill": fill})

    def send(self, picture: NDArray[Any], want: str, *, rows: int = 256) -> None:
        """Send a picture: uint8 or uint16, shape (height, width, 4)."""
        self.announce(picture, want)
        for top in range(0, len(picture), rows):
            strip = picture[top : top + rows]
            self.say({"kind": "rows", "top": top, "rows": len(strip)}, strip.tobytes())

    def announce(self, picture: NDArray[Any], want: str) -> None:
        """Tell it of a picture that is to come."""
        height, width = picture.shape[:2]
        facts = {"name": "Layer", "width": width, "height": height}
        depth = picture.dtype.itemsize * 8
        self.say({"kind": "picture", **facts, "depth": depth, "want": want})

    def hear_out(self) -> Answer:
        """Wait for all that it says to a picture."""
        answer = Answer()
        while not answer.end:
            header, payload = self.hear()
            match header["kind"]:
                case "progress":
                    assert not answer.found
                    answer.progress.append((header["stage"], header["share"]))
                case "found":
                    answer.found = header
                case "rows":
                    assert answer.found
                    answer.strips[header["top"], header["rows"]] = payload
                case _:
                    answer.end = header
        return answer

    def remove(self, picture: NDArray[Any], want: str) -> Answer:
        """Have the background of a picture removed."""
        self.send(picture, want)
        return self.hear_out()

    def until(self, stage: str) -> None:
        """Wait until it tells of a stage."""
        while self.hear()[0].get("stage") != stage:
            pass

    def end(self) -> int:
        """Go away, and give the status that it ends with."""
        self.outgoing.close()
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.incoming.close()
        self._log.close()
        with suppress(BrokenPipeError):
            self.outgoing.close()


def layer(colour: NDArray[Any], alpha: NDArray[Any] | int | None = None) -> NDArray[Any]:
    """A picture as the plug-in sends it: RGB and an alpha, all of it if none is given."""
    most = np.iinfo(colour.dtype).max
    plane: NDArray[Any] = np.empty(colour.shape[:2], colour.dtype)
    plane[...] = most if alpha is None else alpha
    return np.dstack([colour, plane])
