"""The worker: a process in the Python where Cutaway is installed, told what to do over pipes.

Its standard input is its life line. When GIMP's Cancel kills the plug-in, the system closes that
pipe, and the worker cancels what it does and ends; so no other process may hold the pipe.

Nothing here needs GIMP, and nothing has words for a person: `failures` has those.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway_gimp.plug_in.frames import PROTOCOL, FrameError, read_frame, write_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO, Any

    from cutaway_gimp.plug_in.frames import Payload

    Frame = tuple[dict[str, Any], bytes]

__all__ = [
    "NotInstalled",
    "OtherVersion",
    "Worker",
    "WorkerEnded",
    "WorkerRefused",
    "WorkerSilent",
    "command",
    "environment",
    "in_flatpak",
]

_RECORD = "installed.json"
_HELLO_SECONDS = 60.0
_END_SECONDS = 1.0
_LOG_LINES = 15
_PAYLOADS_AHEAD = 2

# What GIMP sets for its own Python and libraries, and would lead another Python astray.
_FOREIGN = (
    "PYTHON",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_",
    "GI_TYPELIB_PATH",
    "GIO_",
    "GTK_",
    "GDK_",
    "GSETTINGS_",
    "GEGL_",
    "BABL_",
)


class NotInstalled(Exception):
    """There is no worker to start: its text says what is missing."""


class OtherVersion(Exception):
    """The worker speaks another version of the protocol."""


class WorkerSilent(Exception):
    """The worker was started and didn't say hello in time."""


class WorkerEnded(Exception):
    """The worker is gone, or what it said can't be understood.

    Attributes:
        code: Its exit code; None if it isn't known.
        log: The last that it wrote to its log.
    """

    def __init__(self, code: int | None, log: str) -> None:
        super().__init__(code, log)
        self.code = code
        self.log = log


class WorkerRefused(Exception):
    """The worker answered with an error.

    Attributes:
        code: A stable name of it, such as `no-subject`.
        text: The whole of it in a sentence or two.
        task_uuid: The service's task, which may have been paid; empty where there was none.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error)
        self.code = str(error.get("code", ""))
        self.text = str(error.get("text", ""))
        self.task_uuid = str(error.get("task_uuid") or "")


def command(folder: Path, *, sandboxed: bool = False) -> list[str]:
    """The command that starts the worker, as the installation noted it beside the plug-in.

    Args:
        folder: The plug-in's own.
        sandboxed: Whether it must be started outside of Flatpak's sandbox.

    Raises:
        NotInstalled: nothing was noted, or it can't be read.
    """
    record = folder / _RECORD
    try:
        python = json.loads(record.read_text(encoding="utf-8"))["python"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise NotInstalled(f"{record}: {error}") from error
    outside = ["flatpak-spawn", "--host", "--watch-bus"] if sandboxed else []
    return [*outside, str(python), "-P", "-m", "cutaway_gimp.worker"]


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without what GIMP set there for itself."""
    return {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}


def in_flatpak() -> bool:
    """Whether this GIMP is in Flatpak's sandbox, where Cutaway isn't."""
    return Path("/.flatpak-info").exists()


class Worker:
    """A worker that was started and has said hello; as a context manager it is closed at the end.

    One thread sends and receives. Another reads along what the worker says, so that neither side
    waits for the other to listen.

    Args:
        command: What starts it.
        environ: Its environment.
        patience: Seconds until its hello must be there.

    Attributes:
        version: Cutaway's, as the worker tells it.

    Raises:
        NotInstalled: it can't be started.
        OtherVersion: it speaks another version of the protocol.
        WorkerEnded: it ended before it said hello.
        WorkerSilent: it didn't say it in time.
    """

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], patience: float = _HELLO_SECONDS
    ) -> None:
        self._process = _started(command, environ)
        # Frames with pixels wait until the last ones are taken: a picture needn't be here twice.
        self._room = threading.Semaphore(_PAYLOADS_AHEAD)
        self._closed = False
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._logging = threading.Thread(target=self._keep_log, daemon=True)
        self._logging.start()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._greet(patience)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Worker:  # noqa: PYI034  (Python 3.9 has no Self)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def process_id(self) -> int:
        """The system's number of the process that was started."""
        return self._process.pid

    def send(self, header: dict[str, Any], payload: Payload = b"") -> None:
        """Tell the worker something; this waits until it has taken it.

        Raises:
            WorkerRefused: it no longer listens, as something went wrong that it told.
            WorkerEnded: it no longer listens, and told nothing.
        """
        try:
            write_frame(_pipe(self._process.stdin), header, payload)
        except OSError:
            while self.receive(_END_SECONDS):
                pass  # what it said before it ended; an error or the end is raised
            raise self._ended() from None

    def receive(self, seconds: float) -> Frame | None:
        """What the worker says next; None if it says nothing in so many seconds.

        Raises:
            WorkerRefused: it said that something went wrong.
            WorkerEnded: it is gone.
        """
        try:
            frame = self._frames.get(timeout=seconds) if seconds else self._frames.get_nowait()
        except queue.Empty:
            return None
        if frame is None:
            self._frames.put(None)  # it stays the last word, whoever asks again
            raise self._ended()
        header, payload = frame
        if payload:
            self._room.release()
        if header["kind"] == "error":
            raise WorkerRefused(header)
        return frame

    def close(self) -> None:
        """Let the worker end, which cancels what it does; kill it if it doesn't."""
        self._closed = True
        self._room.release()
        with suppress(OSError):  # what was not yet written is of no use to it any more
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _greet(self, patience: float) -> None:
        frame = self.receive(patience)
        if frame is None:
            raise WorkerSilent
        header, _ = frame
        if header["kind"] != "hello" or header.get("protocol") != PROTOCOL:
            raise OtherVersion
        self.version = str(header.get("version", ""))

    def _read(self) -> None:
        """Queue what the worker says until it says no more, or nothing that can be understood."""
        try:
            with _pipe(self._process.stdout) as stream:
                while frame := read_frame(stream):
                    if frame[1] and not self._closed:
                        self._room.acquire()
                    if not self._closed:  # else it may speak to its end, and isn't heard
                        self._frames.put(frame)
        except (FrameError, OSError, ValueError) as error:
            self._log.append(str(error))
        self._frames.put(None)

    def _keep_log(self) -> None:
        with _pipe(self._process.stderr) as log:
            self._log.extend(line.decode("utf-8", "replace").rstrip() for line in log)

    def _ended(self) -> WorkerEnded:
        self.close()
        self._logging.join(_END_SECONDS)
        return WorkerEnded(self._process.returncode, "\n".join(self._log))


def _started(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    windows = sys.platform == "win32"
    try:
        return subprocess.Popen(  # noqa: S603  (the command is the installation's own)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            # GIMP kills the plug-in's own group: the worker needs a moment more, to cancel.
            start_new_session=not windows,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise NotInstalled(str(error)) from error


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:  # never: all three are pipes
        raise TypeError
    return stream
