"""The pictures that a service keeps: inputs, results and uploads, each a file with an end."""

from __future__ import annotations

import os
import secrets
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from cutaway.errors import OutputError, UnsupportedFormat
from cutaway.images.header import sniff
from cutaway.service import refusals
from cutaway.service.records import Media, MediaKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from cutaway.service.configuration import Configuration
    from cutaway.service.records import Records

__all__ = ["Media", "MediaKind", "MediaStore", "suffix_of"]

_SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "WEBP": ".webp",
    "GIF": ".gif",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "AVIF": ".avif",
}
_TOKEN_BYTES = 16
_LENGTHENED_BY = 3600.0
"""Seconds by which a use must lengthen an upload's life to be worth writing down."""


class MediaStore:
    """Pictures on the disk, under names that nobody can guess.

    A file is written under a temporary name and renamed, so that it is whole or not there. Its
    methods block, and any thread may call them.

    Args:
        configuration: `folder`, `keep_uploads` and `max_storage` count.
        records: Where the pictures' names and ends are.
        clock: Gives the seconds since the epoch.
    """

    def __init__(
        self, configuration: Configuration, records: Records, clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = configuration.folder / "media"
        self._configuration, self._records, self._clock = configuration, records, clock
        self._lock = threading.Lock()
        with _written(f"{self._folder} was not made"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bytes = records.media_bytes()

    def put(
        self,
        data: bytes,
        suffix: str,
        *,
        kind: MediaKind,
        ttl: float,
        durable: bool,
        uuid: str | None = None,
    ) -> Media:
        """Store a picture for `ttl` seconds.

        Args:
            data: The file's bytes.
            suffix: Such as `.png`.
            kind: What it is kept for.
            ttl: Seconds until it can no longer be had.
            durable: Whether it outlives a power cut: an upload at once, what belongs to a task from
                the next durable write on, which is the task's.
            uuid: Its UUID, for which it replaces what there is; a new one if not given.

        Raises:
            Refusal: `serviceUnavailable`, the storage is full of what is still needed.
            OutputError: the disk is full or fails.
        """
        uuid = (uuid or str(uuid4())).lower()
        now = self._clock()
        media = Media(
            uuid=uuid,
            name=f"{uuid}-{secrets.token_hex(_TOKEN_BYTES)}{suffix}",
            suffix=suffix,
            size=len(data),
            kind=kind,
            created=now,
            expires=now + ttl,
        )
        self._make_room(len(data))
        try:
            earlier = self._records.media(uuid)
            self._write(media.name, data, durable=durable)
            self._records.add_media(media, durable=durable and kind == "upload")
        except OutputError:
            self._remove([media])
            raise
        self._remove([earlier] if earlier else [])
        return media

    def find(self, uuid: str, parameter: str | None = None) -> Media:
        """Tell about a picture; an upload lives on by that.

        Args:
            uuid: What names it.
            parameter: Which parameter of a task holds that, for the error.

        Raises:
            Refusal: `mediaNotFound`, there is none, or no longer.
        """
        media, now = self._records.media(uuid.lower()), self._clock()
        if media is None or media.expires <= now:
            raise refusals.no_such_media(uuid, parameter)
        lengthened = now + self._configuration.keep_uploads
        if media.kind == "upload" and lengthened >= media.expires + _LENGTHENED_BY:
            self._records.lengthen(media.uuid, lengthened)
        return media

    def needed(self, uuid: str) -> bytes:
        """Give the bytes that a task works on or is to deliver, expired or not.

        Raises:
            Refusal: `mediaNotFound`, it is gone all the same.
        """
        media = self._records.media(uuid)
        try:
            if media is not None:
                return (self._folder / media.name).read_bytes()
        except OSError as error:
            raise refusals.no_such_media(uuid) from error
        raise refusals.no_such_media(uuid)

    def path(self, name: str) -> Path | None:
        """The file of this very name, if there is one that may be had now."""
        media = self._records.media_named(name)
        if media is None or media.expires <= self._clock():
            return None
        return self._folder / media.name

    def delete(self, uuid: str) -> None:
        """Take a picture away at once; the file of one that a task still needs goes later.

        Raises:
            Refusal: `mediaNotFound`, there is none, or no longer.
        """
        self.find(uuid, "media")
        dropped = self._records.drop_media(uuid.lower(), self._clock())
        self._remove([dropped] if dropped else [])

    def sweep(self, now: float | None = None) -> int:
        """Remove what expired by `now` (seconds since the epoch); give the number of files."""
        count = 0
        while dropped := self._records.drop_expired_media(self._clock() if now is None else now):
            self._remove(dropped)
            count += len(dropped)
        return count

    def sweep_strays(self) -> int:
        """Remove files that no record names, which a crash left behind; give their number.

        Only while nothing is being stored.
        """
        strays = [
            entry.path
            for entry in os.scandir(self._folder)
            if self._records.media_named(entry.name) is None
        ]
        for stray in strays:
            with suppress(OSError):
                os.unlink(stray)  # noqa: PTH108  (as scandir names it)
        return len(strays)

    def _make_room(self, size: int) -> None:
        """Count `size` bytes in, at the cost of the oldest inputs and results if need be."""
        most = self._configuration.max_storage
        with self._lock:
            while self._bytes + size > most:
                dropped = self._records.drop_oldest_media() if size <= most else []
                if not dropped:
                    raise refusals.storage_full()
                self._bytes -= sum(media.size for media in dropped)
                self._unlink(dropped)
            self._bytes += size

    def _remove(self, gone: Iterable[Media]) -> None:
        for media in gone:
            self._unlink([media])
            with self._lock:
                self._bytes -= media.size

    def _unlink(self, gone: Iterable[Media]) -> None:
        for media in gone:
            with suppress(OSError):
                (self._folder / media.name).unlink()

    def _write(self, name: str, data: bytes, *, durable: bool) -> None:
        temporary = self._folder / f".{name}.part"
        with _written("the picture was not stored"):
            try:
                with open(temporary, "xb", opener=_for_us_only) as file:
                    file.write(data)
                    if durable:
                        file.flush()
                        os.fsync(file.fileno())
                temporary.replace(self._folder / name)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            if durable:
                _sync_folder(self._folder)


def suffix_of(data: bytes) -> str:
    """The ending that a picture's name gets by its bytes.

    Raises:
        UnsupportedFormat: they are no picture's.
    """
    suffix = _SUFFIXES.get(sniff(data) or "")
    if suffix is None:
        raise UnsupportedFormat(
            "the picture can't be read",
            "its bytes are of no known type",
            f"Send one of {', '.join(_SUFFIXES)}",
        )
    return suffix


def _for_us_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    """Write a folder's entries through to the disk, where the system opens folders."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written(what: str) -> Iterator[None]:
    """Translate the disk's errors, of which a caller may be told: without its paths."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            what,
            error.strerror or str(error),
            "Check that the service's folder can be written to and has room",
        ) from error
