"""What may stand for a picture in a task: text as it is, bytes as a data URI."""

from __future__ import annotations

from binascii import b2a_base64
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cutaway.errors import SourceError, UnsupportedFormat
from cutaway.sources.bounded import excerpt
from cutaway.sources.text import SourceKind, kind_of

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from cutaway.sources.guard import Guard

__all__ = ["check_address", "data_uri", "kind_of_picture"]

_PORTS = {"http": 80, "https": 443}
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"WEBP", 8, "image/webp"),
    (b"GIF8", 0, "image/gif"),
    (b"BM", 0, "image/bmp"),
)
"""What a file of each type has, and where: the types that Runware says it reads."""


def data_uri(data: bytes) -> str:
    """Give the data URI of a picture file.

    Raises:
        SourceError: it is empty.
        UnsupportedFormat: it is no PNG, JPEG, WEBP, GIF or BMP.
    """
    if not data:
        raise SourceError("the picture is empty", "", "Check that it was written whole")
    for signature, place, media_type in _SIGNATURES:
        if data.startswith(signature, place):
            encoded = b2a_base64(data, newline=False).decode("ascii")
            return f"data:{media_type};base64,{encoded}"
    raise UnsupportedFormat(
        "the picture can't be sent",
        "it is of a type that the service doesn't read",
        "Give a PNG, JPEG, WEBP, GIF or BMP",
    )


def kind_of_picture(image: object) -> SourceKind:
    """Tell what stands for a picture: bytes, or a text that goes to the service as it is.

    Raises:
        SourceError: it is a path, which means nothing to a service, or nothing of all this.
    """
    if isinstance(image, bytes):
        return SourceKind.BYTES
    if not isinstance(image, str):
        raise _unsendable(f"a {type(image).__name__}", "")
    kind = kind_of(image)
    if kind is SourceKind.PATH:
        raise _unsendable(excerpt(image), "it is a path, or nothing that is known")
    return kind


def check_address(url: str, guard: Guard) -> None:
    """Make sure that a service could fetch a URL too; this may ask the network for its address.

    Raises:
        AddressRefused: its host is not public.
        ConnectionFailed: its host has no address.
        SourceError: it is no whole URL.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise _malformed() from None
    if not parts.hostname:
        raise _malformed()
    guard.addresses(_origin(parts, port), parts.hostname, port)


def _origin(parts: SplitResult, port: int) -> str:
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = port == _PORTS[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if usual else f":{port}")


def _unsendable(what: str, why: str) -> SourceError:
    next_step = "Give a picture file's bytes, or its URL, UUID, data URI or base64"
    return SourceError(f"{what} can't be sent", why, next_step)


def _malformed() -> SourceError:
    return SourceError(
        "the URL can't be used",
        "it is not a whole http(s) URL",
        "Check its host, port and spelling",
    )
