"""TIFF's image file directories, which EXIF blocks are made of too (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["count_pages", "orientation", "repeats_a_tag", "upright"]

_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_BIG_TIFF = 43
_ORIENTATION, _THUMBNAIL, _THUMBNAIL_BYTES = 274, 513, 514
_CODES = {3: "H", 4: "I"}  # the types short and long
_MAX_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the one number of each entry stands, as (struct code, place), and the next link."""

    numbers: dict[int, tuple[str, int]]
    link_at: int


class _Reader:
    """Reads directories, classic or big; raises ValueError where the bytes don't hold one."""

    def __init__(self, data: bytes | bytearray) -> None:
        order = _BYTE_ORDERS.get(bytes(data[:2]))
        if order is None:
            raise ValueError("no byte order is told")
        self.order = order
        self._data = data
        self._big = self.number("H", 2) == _BIG_TIFF
        self.first_at = 8 if self._big else 4

    def number(self, code: str, at: int) -> int:
        if at > len(self._data):
            raise ValueError("a place outside the data is named")
        try:
            return int(struct.unpack_from(self.order + code, self._data, at)[0])
        except struct.error as error:
            raise ValueError("the data end early") from error

    def follow(self, link_at: int) -> int:
        """Where the directory lies that is named at `link_at`; 0 if there is none."""
        return self.number("Q" if self._big else "I", link_at)

    def entries(self, at: int) -> range:
        """Where the entries stand of the directory at `at`; the next one is named at their end."""
        if self._big:
            return range(at + 8, at + 8 + 20 * self.number("Q", at), 20)
        return range(at + 2, at + 2 + 12 * self.number("H", at), 12)

    def directory(self, at: int) -> _Directory:
        """The classic directory at `at`."""
        entries = self.entries(at)
        numbers = {}
        for entry in entries:
            code = _CODES.get(self.number("H", entry + 2))
            if code and self.number("I", entry + 4) == 1:
                numbers[self.number("H", entry)] = code, entry + 8
        return _Directory(numbers, entries.stop)


def orientation(exif: bytes) -> int | None:
    """How a picture is to be turned by its EXIF block: 1..8, or None if it doesn't say."""
    try:
        reader = _Reader(exif)
        place = reader.directory(reader.follow(reader.first_at)).numbers.get(_ORIENTATION)
        return reader.number(*place) if place else None
    except ValueError:
        return None


def upright(exif: bytes) -> bytes:
    """The EXIF block for the picture turned upright: orientation 1, and without a thumbnail.

    All else stays at its place, so that a maker's notes stay readable. The thumbnail shows the
    picture as it was, background and all: its bytes are blanked.
    """
    block = bytearray(exif)
    try:
        reader = _Reader(block)
        first = reader.directory(reader.follow(reader.first_at))
        if _ORIENTATION in first.numbers:
            code, at = first.numbers[_ORIENTATION]
            struct.pack_into(reader.order + code, block, at, 1)
        thumbnail_at = reader.follow(first.link_at)
        if thumbnail_at:
            struct.pack_into(reader.order + "I", block, first.link_at, 0)
            _blank_thumbnail(block, reader, reader.directory(thumbnail_at))
    except ValueError:
        pass  # what can't be read tells no orientation either
    return bytes(block)


def _blank_thumbnail(block: bytearray, reader: _Reader, directory: _Directory) -> None:
    places = directory.numbers
    if _THUMBNAIL in places and _THUMBNAIL_BYTES in places:
        at = reader.number(*places[_THUMBNAIL])
        end = min(at + reader.number(*places[_THUMBNAIL_BYTES]), len(block))
        block[at:end] = bytes(max(0, end - at))


def count_pages(tiff: bytes) -> int:
    """How many pages a TIFF file has, up to 10 000; those behind a damaged link don't count."""
    seen: set[int] = set()
    try:
        reader = _Reader(tiff)
        at = reader.follow(reader.first_at)
        while at and at not in seen and len(seen) < _MAX_PAGES:
            link_at = reader.entries(at).stop
            seen.add(at)
            at = reader.follow(link_at)
    except ValueError:
        pass  # the chain ends here for every reader
    return len(seen)


def repeats_a_tag(tiff: bytes) -> bool:
    """Whether the first directory has two entries of one tag, of which readers choose as they like.

    Raises:
        ValueError: it ends early.
    """
    reader = _Reader(tiff)
    entries = reader.entries(reader.follow(reader.first_at))
    return len({reader.number("H", entry) for entry in entries}) < len(entries)
