"""Fetching a model's file: resumed where it broke off, checked before it takes its place."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.catalogue import size_text
from cutaway.engine.integrity import Digest
from cutaway.errors import (
    ConnectionFailed,
    DownloadRefused,
    ModelDamaged,
    OutputError,
    TimedOut,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO

    import httpx

    from cutaway.catalogue import Model
    from cutaway.engine.store import InstalledModel, ModelStore, Place
    from cutaway.progress import Cancellation, Progress

__all__ = ["Patience", "pull"]

_FULL, _PARTIAL, _RANGE_REFUSED = 200, 206, 416
_LIMIT_IF_UNSURE = 3 << 30
_SPARE = 1.1
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def _rest(seconds: float) -> None:
    threading.Event().wait(seconds)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download waits and how often it tries.

    Attributes:
        connect: Seconds to wait for a connection.
        read: Seconds to wait for the next bytes.
        resumptions: How often a broken connection is taken up again.
        pause: Waits the given seconds before that.
    """

    connect: float = 10.0
    read: float = 30.0
    resumptions: int = 3
    pause: Callable[[float], None] = _rest


_PATIENCE = Patience()


def pull(
    model: Model,
    store: ModelStore,
    *,
    base_url: str,
    progress: Progress,
    accept_licence: bool = False,
    patience: Patience = _PATIENCE,
) -> InstalledModel:
    """Have `model` on this machine: fetch its file, unless it or another program's copy is here.

    Threads and processes that want the same model at once fetch it once. What has come stays on
    disk when the download breaks off or is cancelled, and the next call goes on from there.

    Args:
        model: What to fetch.
        store: Where to.
        base_url: The folder on the web that holds the file.
        progress: Told the share that has come; a cancel ends even a stalled download at once.
        accept_licence: Write down that the user accepts the model's licence.
        patience: How long to wait and how often to try.

    Raises:
        LicenceNotAccepted: its licence must be accepted first.
        ConnectionFailed: no connection could be made, or it kept breaking.
        TimedOut: no answer in time.
        DownloadRefused: the server answered, but not with the file.
        ModelDamaged: the bytes are not what was published; they are thrown away.
        OutputError: the disk is full, or the folder can't be written to.
        Cancelled: the caller stopped it.
    """
    if accept_licence:
        store.licences.accept(model)
    store.licences.check(model)
    installed = _sound_copy(model, store)
    if installed:
        return installed
    place = store.place(model)
    with progress.stage("download"), _storing(place), _turn(place, progress.cancellation):
        # Another process may have fetched it while this one waited for its turn.
        installed = _sound_copy(model, store)
        if installed is None:
            _fetch(model, store, _address(base_url, model), progress, patience)
            installed = store.require(model)
    return installed


def _sound_copy(model: Model, store: ModelStore) -> InstalledModel | None:
    try:
        return store.locate(model)
    except ModelDamaged:
        return None  # to be replaced


def _address(base_url: str, model: Model) -> str:
    return f"{base_url.rstrip('/')}/{model.file}"


@contextmanager
def _storing(place: Place) -> Iterator[None]:
    """Tell of the disk's failures as our own."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{place.file} was not written",
            f"{error.strerror or error}{_room(place.file)}",
            "Make room there, or set CUTAWAY_MODELS_DIR to a folder that can be written to",
        ) from error


def _room(path: Path) -> str:
    with suppress(OSError):
        return f" ({size_text(shutil.disk_usage(path.parent).free)} are free there)"
    return ""


@contextmanager
def _turn(place: Place, cancellation: Cancellation) -> Iterator[None]:
    """Wait until nobody else fetches this model, and keep others away meanwhile."""
    from filelock import FileLock, Timeout

    place.file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.lock)
    while not lock.is_locked:
        cancellation.check()
        with suppress(Timeout):
            lock.acquire(timeout=0.2, poll_interval=0.05)
    try:
        yield
    finally:
        lock.release()


class _Part:
    """What has come so far, on disk, with its running sum.

    Attributes:
        size: Its length in bytes.
        validator: What names this version of the file to the server: an ETag, or a date.
    """

    def __init__(self, model: Model, place: Place, cancellation: Cancellation) -> None:
        self._model = model
        self._place = place
        self.digest = Digest(model)
        self.size = 0
        self.validator = ""
        if place.part.exists():
            self._recover(cancellation)

    def _recover(self, cancellation: Cancellation) -> None:
        self.digest.read(self._place.part, cancellation.check)
        self.size = self._place.part.stat().st_size
        with suppress(OSError, ValueError, TypeError, KeyError):
            self.validator = str(json.loads(self._place.origin.read_bytes())["validator"])
        if self._model.size_exact and self.size > self._model.size:
            self.discard()

    def discard(self) -> None:
        """Start from nothing."""
        for path in (self._place.part, self._place.origin):
            path.unlink(missing_ok=True)
        self.digest = Digest(self._model)
        self.size = 0
        self.validator = ""

    def remember(self, validator: str) -> None:
        """Keep what names this version of the file, for resuming in another process."""
        self.validator = validator
        self._place.origin.write_text(json.dumps({"validator": validator}), encoding="utf-8")

    def open(self) -> IO[bytes]:
        """The file on disk, to append to."""
        return self._place.part.open("ab")

    def append(self, file: IO[bytes], block: bytes) -> None:
        """Write the next bytes so that they outlive this process."""
        file.write(block)
        file.flush()
        self.digest.update(block)
        self.size += len(block)

    @property
    def complete(self) -> bool:
        """Whether all bytes are known to have come."""
        return self._model.size_exact and self.size == self._model.size

    def publish(self, store: ModelStore) -> None:
        """Put the file in its place, if it is what was published; else throw it away."""
        verdict = store.integrity.judge_digest(self._model, self.digest)
        if verdict.fault:
            self.discard()
            raise ModelDamaged(
                f"what was downloaded is not the published file of {self._model.name}",
                verdict.fault,
                f"Run cutaway models pull {self._model.name} again, "
                "or set CUTAWAY_MODELS_URL to another source",
            )
        with self._place.part.open("rb+") as file:
            os.fsync(file.fileno())
        self._place.part.replace(self._place.file)
        self._place.origin.unlink(missing_ok=True)
        store.integrity.remember(self._model, self._place.file, self.digest)


def _fetch(
    model: Model, store: ModelStore, url: str, progress: Progress, patience: Patience
) -> None:
    import httpx

    part = _Part(model, store.place(model), progress.cancellation)
    with _client(patience) as client:
        transfer = _Transfer(model, part, client, url, progress)
        resumptions = 0
        while not part.complete:
            try:
                if transfer.run():
                    break
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                progress.cancellation.check()
                if resumptions == patience.resumptions or not transfer.may_resume(error):
                    raise _failure(model, part, error) from error
                resumptions += 1
                patience.pause(0.2 * resumptions)
    part.publish(store)


def _client(patience: Patience) -> httpx.Client:
    import httpx

    timeout = httpx.Timeout(patience.read, connect=patience.connect)
    try:
        return httpx.Client(follow_redirects=True, timeout=timeout)
    except OSError as error:
        raise ConnectionFailed(
            "no safe connection can be made",
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be read: {error}",
            "Correct those variables or unset them",
        ) from error


class _Transfer:
    """One download, over as many connections as it takes."""

    def __init__(
        self, model: Model, part: _Part, client: httpx.Client, url: str, progress: Progress
    ) -> None:
        self._model = model
        self._part = part
        self._client = client
        self._url = url
        self._progress = progress
        self._answered = False

    def run(self) -> bool:
        """Fetch what is missing over one connection.

        Returns:
            Whether all has come; if not, it is to be asked for again, from the start.
        """
        with self._client.stream("GET", self._url, headers=self._headers()) as response:
            self._answered = True
            if not self._fits(response):
                return False
            with self._progress.cancellation.interrupting(lambda: _hang_up(response)):
                self._receive(response)
        return True

    def may_resume(self, error: Exception) -> bool:
        """Whether a new connection may help after `error`."""
        import httpx

        if isinstance(error, httpx.ConnectError) and not self._answered:
            return False
        return isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError))

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self._part.size:
            headers["Range"] = f"bytes={self._part.size}-"
            if self._part.validator:
                headers["If-Range"] = self._part.validator
        return headers

    def _fits(self, response: httpx.Response) -> bool:
        """Make the part ready for these bytes; false if they can't be joined to it."""
        resuming, status = self._part.size > 0, response.status_code
        if resuming and status == _PARTIAL and self._continues(response):
            return True
        if resuming and status in {_PARTIAL, _RANGE_REFUSED}:
            self._part.discard()
            return False
        if status != _FULL:
            raise self._refused(response, f"answered {status} {response.reason_phrase}".rstrip())
        self._check_length(response)
        self._part.discard()
        self._part.remember(_validator(response))
        return True

    def _continues(self, response: httpx.Response) -> bool:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != self._part.size:
            return False
        return not self._model.size_exact or int(match[2]) == self._model.size

    def _check_length(self, response: httpx.Response) -> None:
        length = _length(response)
        wrong = self._model.size_exact and length not in {None, self._model.size}
        if wrong or (length or 0) > self._limit:
            raise self._refused(response, f"has {length} bytes, not {self._model.size}")

    @property
    def _limit(self) -> int:
        return int(self._model.size * _SPARE) if self._model.size_exact else _LIMIT_IF_UNSURE

    def _receive(self, response: httpx.Response) -> None:
        import httpx

        length = _length(response)
        expected = self._model.size if length is None else self._part.size + length
        with self._part.open() as file:
            for block in response.iter_raw():
                self._part.append(file, block)
                if self._part.size > self._limit:
                    break
                self._progress.advance(min(1.0, self._part.size / expected))
        # A connection that a cancel ended looks like a body that ended.
        self._progress.cancellation.check()
        if self._part.size > self._limit:
            self._part.discard()
            raise self._refused(response, f"has more than {self._limit} bytes")
        if self._model.size_exact and self._part.size < self._model.size:
            # Without a Content-Length, a body that broke off looks like one that ended.
            raise httpx.RemoteProtocolError("the connection was closed early")

    def _refused(self, response: httpx.Response, why: str) -> DownloadRefused:
        return DownloadRefused(
            f"{self._model.file} could not be fetched",
            f"{_shown(response.url)} {why}",
            "Try again later, or set CUTAWAY_MODELS_URL to another source",
        )


def _length(response: httpx.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _validator(response: httpx.Response) -> str:
    """What If-Range may name: a strong ETag, else the last change's date (RFC 9110, 13.1.5)."""
    etag = str(response.headers.get("ETag", ""))
    return etag if etag.startswith('"') else str(response.headers.get("Last-Modified", ""))


def _hang_up(response: httpx.Response) -> None:
    """End a read that waits in another thread."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream else None
    if isinstance(connection, socket.socket):
        with suppress(OSError):
            # The plain socket's method: TLS's own would pull its state from under the reader.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _shown(url: httpx.URL) -> str:
    """An address without passwords and signatures."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def _failure(model: Model, part: _Part, error: Exception) -> TransportError:
    import httpx

    what = f"{model.name} could not be fetched"
    again = f"run cutaway models pull {model.name} again"
    resumes = f": it resumes at {size_text(part.size)}" if part.size else ""
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(what, "the server did not answer in time", f"{again.capitalize()}{resumes}")
    if isinstance(error, (httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError)):
        return ConnectionFailed(what, str(error), f"Check the network, then {again}{resumes}")
    return DownloadRefused(what, str(error), "Set CUTAWAY_MODELS_URL to another source")
