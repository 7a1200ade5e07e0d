"""Which kind of source a text is, and the bytes of those that carry them: data URI and base64."""

from __future__ import annotations

import binascii
import os
import re
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from cutaway.errors import SourceError
from cutaway.sources.bounded import check_size

if TYPE_CHECKING:
    from cutaway.settings import Limits

__all__ = ["SourceKind", "base64_bytes", "data_uri_bytes", "kind_of", "kind_of_sent"]

_DATA_URI = re.compile(r"data:", re.IGNORECASE)
_URL = re.compile(r"https?://", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PICTURE = re.compile(
    rb"""\x89PNG\r\n\x1a\n | \xff\xd8\xff | GIF8[79]a | RIFF.{4}WEBP | BM.{4}\0{4}
    | II[*+]\0 | MM\0[*+]                            # TIFF and BigTIFF
    | .{4}ftyp(?: avif | avis | hei[cx] | mif1 )     # AVIF and HEIC
    | \0{3}\x0c(?: JXL\x20 | jP\x20\x20 ) | 8BPS     # JPEG XL, JPEG 2000, Photoshop
    """,
    re.DOTALL | re.VERBOSE,
)
_HEAD = 64
"""Characters of base64 that tell what it holds; a signature needs 16."""

_WHITESPACE = b" \t\r\n\f\v"
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_LINE_BREAKS = str.maketrans(dict.fromkeys("\t\r\n"))
_STRETCH = re.compile(r"(?:%[0-9a-f]{2}|.){1,65536}", re.IGNORECASE | re.DOTALL)


class SourceKind(StrEnum):
    """What a source is."""

    PATH = "path"
    BYTES = "bytes"
    STREAM = "stream"
    URL = "url"
    DATA_URI = "data-uri"
    BASE64 = "base64"
    UUID = "uuid"
    """A picture that a remote service stored."""


def kind_of(text: str) -> SourceKind:
    """Tell what a text is; any text is something, and what is nothing else is a path.

    In this order: a `data:` URI, an `http://` or `https://` URL, a UUID (8-4-4-4-12, any version,
    any case), a path that exists, base64 of a picture, a path that is missing.

    What a data URI, URL or UUID means never depends on the folder one is in: a file of such a name
    is given as `./NAME`. An existing file wins over base64, since nothing gets such a name by
    chance. Base64 counts only if it begins as a picture file does; white space in it and the
    URL-safe alphabet are fine.
    """
    kind = kind_of_sent(text)
    if kind is not SourceKind.BASE64:
        return kind
    if os.path.exists(text):  # noqa: PTH110  (Path.exists() raises for a text as long as base64)
        return SourceKind.PATH
    return SourceKind.BASE64 if _PICTURE.match(_decoded_head(text.strip())) else SourceKind.PATH


def kind_of_sent(text: str) -> SourceKind:
    """Tell what a text is that came from elsewhere, where no path of this machine means anything.

    A `data:` URI, an `http://` or `https://` URL or a UUID, as for `kind_of`; all else is to be
    read as base64.
    """
    trimmed = text.strip()
    for pattern, kind in ((_DATA_URI, SourceKind.DATA_URI), (_URL, SourceKind.URL)):
        if pattern.match(trimmed):
            return kind
    return SourceKind.UUID if _UUID.fullmatch(trimmed) else SourceKind.BASE64


def data_uri_bytes(text: str, limits: Limits) -> bytes:
    """Give the bytes of a data URI (RFC 2397), be they in base64 or percent-encoded.

    Its media type is not believed, and so not read: the bytes tell what they are.

    Raises:
        SourceError: it is malformed.
        TooLarge: it holds more than `limits.max_bytes`; told from its length, before decoding.
    """
    header, comma, body = text.strip().partition(",")
    if not comma:
        raise _malformed("a data URI", "no comma stands between its type and its data")
    if header.rpartition(";")[2].strip().lower() == "base64":
        plain = _percent_decoded(body).decode("latin-1") if "%" in body else body
        return base64_bytes(plain, limits, "a data URI")
    body = body.translate(_LINE_BREAKS)
    check_size(len(body) - 2 * body.count("%"), "a data URI", limits)
    decoded = _percent_decoded(body)
    check_size(len(decoded), "a data URI", limits)
    return decoded


def base64_bytes(text: str, limits: Limits, what: str = "a base64 text") -> bytes:
    """Give the bytes of base64 (RFC 4648): either alphabet, white space anywhere, padded or not.

    Raises:
        SourceError: it is malformed.
        TooLarge: it holds more than `limits.max_bytes`; told from its length, before decoding.
    """
    if len(text) * 3 // 4 > limits.max_bytes:  # counting takes as long as decoding
        padding = sum(text.count(chr(byte)) for byte in (*_WHITESPACE, ord("=")))
        check_size((len(text) - padding) * 3 // 4, what, limits)
    try:
        return _decoded(text)
    except ValueError as error:
        raise _malformed(what, "it is cut off, or has characters that are not base64") from error


def _decoded(text: str) -> bytes:
    """Decode strictly; raise `ValueError` (`binascii.Error` and `UnicodeEncodeError` are such)."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # of the other alphabet, perhaps, or with white space or without padding
        digits = text.encode("ascii").translate(_URLSAFE, delete=_WHITESPACE)
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4), strict_mode=True)


def _percent_decoded(text: str) -> bytes:
    """Decode in stretches: in one go each escape would be an object, many times the text's size."""
    try:
        return b"".join(unquote_to_bytes(stretch[0]) for stretch in _STRETCH.finditer(text))
    except UnicodeEncodeError as error:
        raise _malformed("a data URI", "it has characters that are no text") from error


def _decoded_head(text: str) -> bytes:
    head = "".join(text[: 4 * _HEAD].split())[:_HEAD]
    try:
        return _decoded(head[: len(head) // 4 * 4])
    except ValueError:
        return b""


def _malformed(what: str, why: str) -> SourceError:
    return SourceError(f"{what} can't be read", why, "Pass it on whole, or give a path or a URL")
