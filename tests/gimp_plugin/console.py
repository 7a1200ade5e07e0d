"""A GIMP without a window, driven from here: code is run in it, and its pixels are read.

It runs in the root that `tests.gimp_root` brings. When this process ends, however it ends, GIMP and
all that it has started end with it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tests.fakes.gimp_worker import ScriptedWorker
from tests.gimp_root import GIMP_VERSION, PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from numpy.typing import NDArray

    from tests.gimp_plugin.workplace import Workplace

PROCEDURE = "plug-in-cutaway-remove-background"
PLUG_IN = "cutaway-remove-background"

SERVER = "cutaway-test-server"

_PATIENCE = 60
_DTYPES = {"u8": "u1", "u16": "u2", "u32": "u4", "half": "f2", "float": "f4", "double": "f8"}
_COMPLAINT = re.compile(r"-CRITICAL|Calling error for procedure 'gimp-")
# When our end of its standard input closes, all processes there are killed; when GIMP ends, so does
# the first of them, and with it the rest.
_WITH_LIFELINE = 'exec 3<&0; (cat <&3 >/dev/null; kill -9 -1) & "$@" </dev/null'


class InsideError(Exception):
    """The code that was sent to GIMP failed there; the text is its traceback."""


class GimpGone(Exception):
    """GIMP ended, or gives no answer; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a procedure came to: `values` if `status` is "success", else `error`."""

    status: str
    error: str
    values: list[Any]

    @property
    def made(self) -> list[int]:
        """The ids of the layers or channels that our procedure returned."""
        assert self.status == "success", self
        (made,) = self.values
        return list(made or [])


class Console:
    """GIMP running without a window, with our plug-in installed in a home of its own.

    Args:
        workplace: Where Cutaway is installed.
        language: The locale.

    Attributes:
        home: The home of GIMP and of the worker, as this machine sees it.
        log: What GIMP, its plug-ins and our worker print, likewise.
        profile: GIMP's folder of settings, likewise.
        plug_in: Where our plug-in is in it.
    """

    command: tuple[str, ...] = ("gimp-console", "-i")

    def __init__(self, workplace: Workplace, language: str = "C.UTF-8") -> None:
        self.workplace = workplace
        self.home = Path(tempfile.mkdtemp(dir=workplace.path, prefix="home-"))
        self.log = self.home / "gimp.log"
        self.profile = self.home / ".config" / "GIMP" / GIMP_VERSION
        self.plug_in = self.profile / "plug-ins" / PLUG_IN
        self._environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": language,
            "HOME": workplace.inside(self.home),
        }
        self._pool = ThreadPoolExecutor(1)
        self._log_read = 0
        self._prepare_profile()
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End GIMP and all that it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_PATIENCE)
        self._main.close()
        self._aside.close()
        self._pool.shutdown()

    @property
    def is_alive(self) -> bool:
        """Whether GIMP is there and answers."""
        try:
            return self._process.poll() is None and bool(self.run("True"))
        except GimpGone:
            return False

    def run(self, code: str, **names: object) -> Any:
        """Run code in GIMP; the value of its last line, if that is an expression.

        Args:
            code: Python, with the functions of `console_server` at hand.
            names: Variables for it: what JSON can hold, and bytes.

        Raises:
            InsideError: The code raised something.
            GimpGone: There is no answer.
        """
        return self._main.ask(code, names)

    def aside(self, code: str, **names: object) -> Any:
        """The same in another process of GIMP's, while `run` is under way there."""
        return self._aside.ask(code, names)

    def image(
        self,
        width: int = 64,
        height: int = 48,
        *,
        base: str = "RGB",
        precision: str = "U8_NON_LINEAR",
    ) -> int:
        """The id of a new empty image, of one of `Gimp.ImageBaseType` and of `Gimp.Precision`."""
        code = "new_image(width, height, base, precision)"
        names = {"width": width, "height": height, "base": base, "precision": precision}
        return int(self.run(code, **names))

    def layer(
        self,
        image: int,
        pixels: NDArray[Any],
        layout: str = "R'G'B'A u8",
        *,
        name: str = "Photo",
        kind: str = "RGBA_IMAGE",
        offsets: tuple[int, int] = (0, 0),
        parent: int | None = None,
        position: int = 0,
    ) -> int:
        """The id of a new layer with these pixels, inserted into an image.

        Args:
            image: The image's id.
            pixels: (height, width) or (height, width, channels).
            layout: What they are, as a babl format without a space; GIMP converts from it.
            name: The layer's name.
            kind: One of `Gimp.ImageType`.
            offsets: Where its upper left corner is on the canvas, x and y.
            parent: The id of the group that it is to be in.
            position: In the stack, from the top.
        """
        names = {"image": image, "name": name, "size": [*pixels.shape[1::-1]], "kind": kind}
        code = "new_layer(image, name, size, offsets, kind)"
        made = int(self.run(code, **names, offsets=offsets))
        self.run("insert(layer, above, at)", layer=made, above=parent, at=position)
        self.write(made, pixels, layout)
        return made

    def write(self, item: int, pixels: NDArray[Any], layout: str) -> None:
        """Set all pixels of a layer, channel or mask."""
        data = np.ascontiguousarray(pixels).tobytes()
        self.run("write(number, data, layout)", number=item, data=data, layout=layout)

    def pixels(self, item: int, layout: str = "R'G'B'A u8") -> NDArray[Any]:
        """All pixels of a layer, channel or mask, converted to a babl format.

        Returns:
            (height, width, channels), or (height, width) where there is one channel.
        """
        data = self.run("pixels(number, layout)", number=item, layout=layout)
        width, height = self.run("facts(number)", number=item)["size"]
        whole = np.frombuffer(data, _DTYPES[layout.rpartition(" ")[2]]).reshape(height, width, -1)
        return whole[..., 0] if whole.shape[2] == 1 else whole

    def layers(self, image: int) -> list[dict[str, Any]]:
        """The layers of an image from top to bottom, each as `console_server.facts` tells it."""
        return list(self.run("layers(number)", number=image))

    def channels(self, image: int) -> list[dict[str, Any]]:
        """The channels of an image likewise."""
        return list(self.run("channels(number)", number=image))

    def remove(self, image: int, layers: Sequence[int], **arguments: object) -> Outcome:
        """Call our procedure as Python does; an argument's dashes are underscores here."""
        return self.call(PROCEDURE, image=image, drawables=list(layers), **arguments)

    def begin_remove(
        self, image: int, layers: Sequence[int], **arguments: object
    ) -> Future[Outcome]:
        """The same without waiting for it; meanwhile there is `aside`."""
        return self._pool.submit(self.remove, image, layers, **arguments)

    def call(self, procedure: str, **arguments: object) -> Outcome:
        """Call any procedure; those arguments that aren't named take their defaults."""
        dashed = {name.replace("_", "-"): value for name, value in arguments.items()}
        return Outcome(**self.run("call(name, given)", name=procedure, given=dashed))

    def script_fu(self, text: str) -> Outcome:
        """Run Script-Fu as `gimp --batch` does."""
        return Outcome(**self.run("script_fu(text)", text=text))

    def clear(self) -> None:
        """Delete every image, and bring back the real worker."""
        self.run("clear()")
        self.use(self.workplace.python)

    def processes(self) -> list[str]:
        """The command lines of our plug-in's processes and of its workers."""
        lines: list[str] = self.aside("processes()")
        return [line for line in lines if PLUG_IN in line or "cutaway_gimp.worker" in line]

    def complaints(self) -> list[str]:
        """What GIMP and its libraries have called wrong use of them since this was last asked."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        new, self._log_read = text[self._log_read :], len(text)
        return [line for line in new.splitlines() if _COMPLAINT.search(line)]

    def play(self, script: dict[str, Any]) -> ScriptedWorker:
        """Have the plug-in start a worker that does as it is told, until `clear`."""
        folder = Path(tempfile.mkdtemp(dir=self.home, prefix="worker-"))
        worker = ScriptedWorker(folder, script)
        self.use(self.workplace.inside(worker.python))
        return worker

    def set_for_worker(self, **environment: str) -> None:
        """Have the plug-in start the real worker with more in its environment, until `clear`."""
        wrapper = Path(tempfile.mkdtemp(dir=self.home, prefix="worker-")) / "python"
        exports = [f"export {name}='{value}'" for name, value in environment.items()]
        lines = ["#!/bin/sh", *exports, f'exec {self.workplace.python} "$@"', ""]
        wrapper.write_text("\n".join(lines), encoding="utf-8")
        wrapper.chmod(0o755)
        self.use(self.workplace.inside(wrapper))

    def use(self, python: str) -> None:
        """Have the plug-in start the worker with another interpreter, until `clear`."""
        record = self.plug_in / "installed.json"
        told = json.loads(record.read_text(encoding="utf-8"))
        record.write_text(json.dumps({**told, "python": python}), encoding="utf-8")

    def _prepare_profile(self) -> None:
        ready_made = self.workplace.root.path / PROFILE.lstrip("/")
        shutil.copytree(ready_made, self.profile)
        server = self.profile / "plug-ins" / SERVER / f"{SERVER}.py"
        server.parent.mkdir(parents=True)
        text = (Path(__file__).parent / "console_server.py").read_text(encoding="utf-8")
        server.write_text(f"#!/usr/bin/env python3\n{text}", encoding="utf-8")
        server.chmod(0o755)
        command = [self.workplace.python, "-m", "cutaway", "gimp", "install"]
        self.workplace.run(*command, environment=self._environment)

    def _start(self) -> None:
        """Start GIMP; it is ready once both of its servers have called."""
        command = ["sh", "-c", _WITH_LIFELINE, "sh", *self.command]
        with (
            _listening(self.profile / "main.socket") as main,
            _listening(self.profile / "aside.socket") as aside,
            self.log.open("ab") as log,
        ):
            self._process = subprocess.Popen(
                self.workplace.root.command(*command),
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            self._main, self._aside = self._line(main), self._line(aside)

    def _line(self, listening: socket.socket) -> _Line:
        """The connection to a server, once it calls."""
        listening.settimeout(0.2)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                return _Line(listening.accept()[0], self.log)
            except TimeoutError:
                continue
        self._process.kill()
        self._process.wait(_PATIENCE)
        raise GimpGone(f"GIMP did not start:\n{_end_of(self.log)}")


class _Line:
    """The connection to one server in GIMP; one request at a time."""

    def __init__(self, connection: socket.socket, log: Path) -> None:
        connection.settimeout(_PATIENCE)
        self._connection = connection
        self._stream = connection.makefile("rwb")
        self._log = log
        self._lock = threading.Lock()

    def ask(self, code: str, names: dict[str, object]) -> Any:
        request = json.dumps({"code": code, "names": names}, default=_encoded)
        with self._lock:
            try:
                self._stream.write(request.encode() + b"\n")
                self._stream.flush()
                line = self._stream.readline()
            except OSError as error:
                raise GimpGone(f"GIMP gives no answer:\n{_end_of(self._log)}") from error
        if not line:
            raise GimpGone(f"GIMP ended:\n{_end_of(self._log)}")
        answer = json.loads(line, object_hook=_decoded)
        if "error" in answer:
            raise InsideError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        self._stream.close()
        self._connection.close()


def until(what: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds that gives no sign when it does."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        pause.wait(0.02)


def _listening(path: Path) -> socket.socket:
    """A socket that listens at a path, however long that is."""
    listening = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_PATH)
    try:
        listening.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    listening.listen(1)
    return listening


def _encoded(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"JSON holds no {type(value).__name__}")


def _decoded(value: dict[str, Any]) -> object:
    return base64.b64decode(value["base64"]) if set(value) == {"base64"} else value


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]
