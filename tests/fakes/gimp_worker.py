"""A worker that does as it is told, for tests and benchmarks of the plug-in in GIMP.

It speaks as `cutaway_gimp.worker` does, and needs Python's standard library only. A test puts it
into a folder, which may be one that a chroot sees under another name:

    worker = ScriptedWorker(folder, {"pictures": [{"progress": [["refining", 0.5]]}]})
    ...  # installed.json names worker.python; GIMP's plug-in starts that
    with worker.watched() as events:
        ...  # have the plug-in start it
        events.wait_for("hanging")
        ...  # cancel the plug-in
        events.wait_until_gone()
    worker.log  # [{"event": "started", ...}, {"event": "frame", "kind": "begin", ...}, ...]

The script is JSON, and may change between runs (`worker.play(...)`). What it leaves out is usual:

    hello     the answer to being started, over the usual one; false: hang and say nothing
    facts     the answer to `facts`, over a usual one with one model
    begin     the answer to `begin`, over `ready` without a fill; {"kind": "error", "code": ...}
    pictures  what to do with each picture, in order; the last one is for all that follow:
        progress  [stage, share] pairs to tell
        hang      true: then wait, until there is no more to read, and end
        wait      true: then wait for `let_go`
        after     "header" or "rows" (usual): when to begin to answer
        error     the fields of an error to tell instead of a result
        exit      end with this status instead of a result
        found     fields over the usual ones
        matte     0..255 for all of it, or "gradient": 0 at the left up to all of it at the right
        stop      so many strips are sent, then it ends with status 1

`log` tells what came and went: "started" (with its arguments and environment), "frame" (a header
that came), "hanging", "waiting", "end" (of what can be read), and "exit".
"""

from __future__ import annotations

import importlib.util
import json
import os
import select
import shutil
import sys
from array import array
from contextlib import contextmanager, suppress
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any, BinaryIO

__all__ = ["Events", "ScriptedWorker"]

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parent.parent
_FRAMES = Path("gimp_plugin", "cutaway_gimp", "plug_in", "frames.py")
_SCRIPT, _LOG, _EVENTS, _GATE = "script.json", "log.jsonl", "events", "gate"
_PATIENCE = 30
_ENDED, _BROKE_OFF = 3, 1
_WRAPPER = """\
#!/bin/sh
here=$(dirname "$0")
exec {python} "$here/gimp_worker.py" "$@"
"""
_MODEL = {
    "name": "classical",
    "title": "Classical engine",
    "good_for": "plain backgrounds",
    "licence": "MIT",
    "local": True,
    "installed": True,
    "remote": False,
    "price": None,
    "is_auto": True,
}
_FOUND = {
    "model": "classical",
    "backend": "local",
    "confidence": 0.9,
    "warnings": [],
    "cost": None,
    "task_uuid": None,
}
_ERROR = {
    "code": "engine",
    "what": "it did not work",
    "why": "the script says so",
    "next_step": "Change the script",
    "task_uuid": None,
    "text": "It did not work: the script says so. Change the script.",
}


class ScriptedWorker:
    """A test's end of it.

    Args:
        folder: Where it and what it needs are put; made if it isn't there.
        script: What it does.
        interpreter: The Python that runs it, where it runs.

    Attributes:
        python: What to start in place of a Python that Cutaway is installed in.
    """

    def __init__(
        self, folder: Path, script: dict[str, Any], interpreter: str = "/usr/bin/python3"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        shutil.copy(__file__, folder / "gimp_worker.py")
        shutil.copy(_REPOSITORY / _FRAMES, folder / _FRAMES.name)
        self.python = folder / "python"
        self.python.write_text(_WRAPPER.format(python=interpreter), encoding="utf-8")
        self.python.chmod(0o755)
        os.mkfifo(folder / _GATE)
        self.play(script)

    def play(self, script: dict[str, Any]) -> None:
        """Have the next run do this, and forget what was logged."""
        (self._folder / _SCRIPT).write_text(json.dumps(script), encoding="utf-8")
        (self._folder / _LOG).unlink(missing_ok=True)

    def let_go(self) -> None:
        """Have the worker go on that waits, or will."""
        (self._folder / _GATE).write_text("go", encoding="utf-8")

    @property
    def log(self) -> list[dict[str, Any]]:
        """What came and went since `play`."""
        path = self._folder / _LOG
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    @contextmanager
    def watched(self) -> Iterator[Events]:
        """Watch the worker that is started within the block; one, and it must be."""
        fifo = self._folder / _EVENTS
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
        reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        try:
            yield Events(reading)
        finally:
            os.close(reading)
            fifo.unlink()


class Events:
    """What a worker that is watched does, as it does it.

    Args:
        reading: The end of the pipe that it tells of it through.
    """

    def __init__(self, reading: int) -> None:
        self._reading = reading
        self._told = b""

    def wait_for(self, event: str) -> None:
        """Wait until it was told.

        Raises:
            AssertionError: the worker ended before that, or it takes too long.
        """
        while event.encode() not in self._told.splitlines():
            assert self._read(), f"the worker ended before {event}"

    def wait_until_gone(self) -> None:
        """Wait until the worker's process has ended.

        Raises:
            AssertionError: it takes too long.
        """
        while self._read():
            pass

    def _read(self) -> bytes:
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        assert poll.poll(_PATIENCE * 1000), f"nothing more than {self._told!r}"
        news = os.read(self._reading, 1 << 16)
        self._told += news
        return news


class _Play:
    """A run of the script.

    Args:
        folder: Where the script is, and the log goes.
        incoming: What the plug-in writes to.
        outgoing: What it reads.
    """

    def __init__(self, folder: Path, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._script = json.loads((folder / _SCRIPT).read_text(encoding="utf-8"))
        self._log = folder / _LOG
        self._gate = folder / _GATE
        self._events = _opened(folder / _EVENTS)
        self._frames = _frames(folder)
        self._incoming = incoming
        self._outgoing = outgoing
        self._scenes: list[dict[str, Any]] = list(self._script.get("pictures", [{}]))

    def run(self) -> None:
        """Answer until there is no more to read."""
        self.note("started", arguments=sys.argv[1:], environment=dict(os.environ))
        hello = self._script.get("hello", {})
        if hello is False:
            self._hang()
        version = {"protocol": self._frames.PROTOCOL, "version": "0.1.0"}
        self._tell({"kind": "hello", **version, **hello})
        while True:
            header, _ = self._next()
            answer = {"facts": self._facts, "begin": self._begin, "picture": self._picture}
            answer[header["kind"]](header)

    def note(self, event: str, **more: object) -> None:
        """Log it."""
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"event": event, **more}) + "\n")
        if self._events is not None:
            with suppress(BlockingIOError):
                os.write(self._events, f"{event}\n".encode())

    def _facts(self, _: dict[str, Any]) -> None:
        usual = {"settings_backend": "local", "key_found": False, "remote_auto": None}
        told = {"kind": "facts", **usual, "models": [_MODEL], **self._script.get("facts", {})}
        self._tell(told)

    def _begin(self, _: dict[str, Any]) -> None:
        answer = {"kind": "ready", "fill": None, **self._script.get("begin", {})}
        self._tell({**_ERROR, **answer} if answer["kind"] == "error" else answer)

    def _picture(self, header: dict[str, Any]) -> None:
        scene = self._scenes.pop(0) if len(self._scenes) > 1 else self._scenes[0]
        rows = []
        if scene.get("after", "rows") == "rows":
            rows = list(self._rows(header))
        for stage, share in scene.get("progress", []):
            self._tell({"kind": "progress", "stage": stage, "share": share})
        if scene.get("hang"):
            self._hang()
        if scene.get("wait"):
            self.note("waiting")
            self._gate.read_text(encoding="utf-8")
        if "exit" in scene:
            self._exit(scene["exit"])
        if "error" in scene:
            self._tell({"kind": "error", **_ERROR, **scene["error"]})
            return
        self._tell({"kind": "found", **_FOUND, **scene.get("found", {})})
        self._send(header, rows or list(self._rows(header)), scene)
        self._tell({"kind": "done"})

    def _rows(self, picture: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The frames of a picture's rows."""
        below = 0
        while below < picture["height"]:
            header, payload = self._next()
            pixel_bytes = picture["depth"] // 2
            whole = len(payload) == header["rows"] * picture["width"] * pixel_bytes
            assert (header["kind"], header["top"], whole) == ("rows", below, True), header
            below += header["rows"]
            yield header, payload

    def _send(
        self,
        picture: dict[str, Any],
        rows: list[tuple[dict[str, Any], bytes]],
        scene: dict[str, Any],
    ) -> None:
        matte = _matte_row(scene.get("matte", 128), picture["width"], picture["depth"])
        for number, (header, colours) in enumerate(rows):
            if number == scene.get("stop"):
                self._exit(_BROKE_OFF)
            payload = _result(picture, matte, header["rows"], colours)
            told = {"kind": "rows", "top": header["top"], "rows": header["rows"]}
            self._frames.write_frame(self._outgoing, told, payload)

    def _tell(self, header: dict[str, Any]) -> None:
        self._frames.write_frame(self._outgoing, header)

    def _next(self) -> tuple[dict[str, Any], bytes]:
        frame: tuple[dict[str, Any], bytes] | None = self._frames.read_frame(self._incoming)
        if frame is None:
            self.note("end")
            self._exit(0)
            raise AssertionError
        if frame[0]["kind"] != "rows" or frame[0].get("top") == 0:
            self.note("frame", **frame[0])
        return frame

    def _hang(self) -> None:
        self.note("hanging")
        while self._incoming.read(1 << 16):
            pass
        self.note("end")
        self._exit(_ENDED)

    def _exit(self, status: int) -> None:
        self.note("exit", status=status)
        raise SystemExit(status)


def _opened(events: Path) -> int | None:
    """The pipe that events are told through; None where no one watches."""
    # Only so it opens without waiting for who reads; it is closed when the process ends.
    return os.open(events, os.O_RDWR | os.O_NONBLOCK) if events.exists() else None


def _matte_row(matte: int | str, width: int, depth: int) -> bytes:
    """A row of the matte, in the picture's depth; they are all alike."""
    most = (1 << depth) - 1
    if matte == "gradient":
        values = array(
            "H" if depth > 8 else "B", (x * most // max(1, width - 1) for x in range(width))
        )
        return values.tobytes()
    return array("H" if depth > 8 else "B", [int(matte) * most // 255]).tobytes() * width


def _result(picture: dict[str, Any], matte: bytes, rows: int, colours: bytes) -> bytes | bytearray:
    want, deep = picture["want"], picture["depth"] > 8
    mattes = matte * rows
    if want == "matte":
        return mattes
    alpha = _multiplied(mattes, colours, deep=deep)
    if want == "visible":
        return alpha
    result = bytearray(colours)
    for byte in range(1 + deep):
        result[(3 << deep) + byte :: 4 << deep] = alpha[byte :: 1 + deep]
    values = array("H" if deep else "B", matte)
    most = (1 << picture["depth"]) - 1
    changes = bytes(255 if value < most else 0 for value in values) * rows
    return result + changes + bytes(len(changes))


def _multiplied(mattes: bytes, colours: bytes, *, deep: bool) -> bytes:
    """The matte by the picture's own alpha; quick for what is opaque, and for even mattes."""
    if deep:
        own, others = array("H", colours)[3::4], array("H", mattes)
        most = 65535
    else:
        own, others = array("B", colours[3::4]), array("B", mattes)
        most = 255
        if mattes.count(mattes[:1]) == len(mattes):
            table = bytes((a * mattes[0] + 127) // 255 for a in range(256))
            return own.tobytes().translate(table)
    if own.count(most) == len(own):
        return mattes
    product = ((a * m + most // 2) // most for a, m in zip(own, others, strict=True))
    return array(own.typecode, product).tobytes()


def _frames(folder: Path) -> ModuleType:
    """The plug-in's own module, which may not be installed where this runs."""
    spec = importlib.util.spec_from_file_location("frames", folder / _FRAMES.name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    _Play(_HERE, sys.stdin.buffer, sys.stdout.buffer).run()
