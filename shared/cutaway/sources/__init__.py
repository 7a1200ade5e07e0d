"""Where a picture's bytes come from.

A source is a path, bytes, a binary stream, an http(s) URL, a data URI or base64 text; a UUID, which
names a picture that a remote service stored, is told apart but can't be read here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from cutaway.errors import SourceError
from cutaway.progress import Progress
from cutaway.sources.bounded import check_size
from cutaway.sources.local import BinaryStream, read_path, read_stream
from cutaway.sources.text import SourceKind, base64_bytes, data_uri_bytes, kind_of

if TYPE_CHECKING:
    from cutaway.settings import Limits

__all__ = ["BinaryStream", "Loaded", "Source", "SourceKind", "kind_of", "read"]

Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryStream

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """The bytes of a picture file, not yet decoded.

    Attributes:
        data: At least one byte.
        name: What a user would call it, without folders: a file's name, a URL's last part, or None.
        kind: What it came from.
        url: Where it was fetched from, as given, if it was; it may hold secrets.
    """

    data: bytes = field(repr=False)
    name: str | None
    kind: SourceKind
    url: str | None = field(default=None, repr=False, compare=False)


def read(source: Source, limits: Limits, progress: Progress | None = None) -> Loaded:
    """Get the bytes of a source, at most `limits.max_bytes` of them.

    The size is checked against what is announced (a file's size, `Content-Length`, the length of
    base64) before anything is read, and again while reading. A URL goes through the guard
    (`cutaway.sources.guard`) unless `limits.allow_private_network`. `kind_of` tells how a text is
    understood. A stream is read from where it stands and left open.

    Raises:
        SourceError: the bytes can't be had, are none, or `source` is no source; its branch
            `AddressRefused` for a URL that leads to an address that is not public.
        TooLarge: there are more bytes than the limit.
        TransportError: `ConnectionFailed` or `TimedOut`, for a URL.
        Cancelled: the caller stopped it.
    """
    progress = progress or Progress()
    progress.advance(0.0)
    if isinstance(source, str):
        loaded = _read_text(source, limits, progress)
    elif isinstance(source, os.PathLike):
        loaded = _read_path(os.fsdecode(source), limits, progress)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        check_size(memoryview(source).nbytes, "the picture", limits)
        loaded = Loaded(bytes(source), None, SourceKind.BYTES)
    elif isinstance(source, BinaryStream):
        name = getattr(source, "name", None)
        name = _base_name(name) if isinstance(name, str) else None
        data = read_stream(source, name or "the stream", limits, progress)
        loaded = Loaded(data, name, SourceKind.STREAM)
    else:
        raise _no_source(f"a {type(source).__name__}")
    if not loaded.data:
        raise SourceError(
            f"{loaded.name or 'the picture'} is empty", "", "Check that it was written whole"
        )
    return loaded


def _read_text(text: str, limits: Limits, progress: Progress) -> Loaded:
    if not text.strip():
        raise _no_source("an empty text")
    kind = kind_of(text)
    match kind:
        case SourceKind.URL:
            from cutaway.sources.fetch import fetch  # httpx takes long to import

            return Loaded(fetch(text, limits, progress), _url_name(text), kind, text.strip())
        case SourceKind.DATA_URI:
            return Loaded(data_uri_bytes(text, limits), None, kind)
        case SourceKind.BASE64:
            return Loaded(base64_bytes(text, limits), None, kind)
        case SourceKind.UUID:
            raise _stored_elsewhere(text.strip())
        case _:
            return _read_path(text, limits, progress)


def _read_path(path: str, limits: Limits, progress: Progress) -> Loaded:
    return Loaded(read_path(path, limits, progress), _base_name(path), SourceKind.PATH)


def _url_name(url: str) -> str | None:
    _, _, _, *path = re.split("[?#]", url.strip(), maxsplit=1)[0].split("/", 3)
    return _base_name(unquote(path[0])) if path else None


def _base_name(path: str) -> str | None:
    """Give the last part of a path, fit to name a file, or None (`<stdin>` is no name)."""
    last = path.replace("\\", "/").rpartition("/")[2]
    name = "".join(character for character in last if character.isprintable())[:_LONGEST_NAME]
    return None if name in {"", ".", ".."} or name.startswith("<") else name


def _stored_elsewhere(uuid: str) -> SourceError:
    next_step = "Give a path or a URL"
    if Path(uuid).exists():
        next_step = f"If you mean the file of that name, give ./{uuid}"
    return SourceError(
        f"the picture {uuid} can't be read on this machine",
        "a UUID names a picture that a remote service stored",
        next_step,
    )


def _no_source(what: str) -> SourceError:
    return SourceError(
        f"{what} is no source of a picture",
        next_step="Give a path, bytes, a binary stream, a URL, a data URI or base64 text",
    )
