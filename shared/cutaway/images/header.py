"""What a picture's bytes tell before a decoder is let at them."""

from __future__ import annotations

import zlib

__all__ = ["sniff", "webp_size", "without_pixels"]

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_BITMAP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # the sizes of those there are
_AVIF = {b"avif", b"avis"}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_PNG_START, _CHUNK_FRAME = 8, 12  # a chunk is framed by its length, type and checksum
_EMPTY_IDAT = bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")


def sniff(data: bytes) -> str | None:
    """Tell a picture's type from its bytes, never from a name.

    Returns:
        PNG, JPEG, WEBP, GIF, TIFF, BMP, AVIF or HEIC (which can't be decoded); None if neither.
    """
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BITMAP_HEADERS:
        return "BMP"
    return _sniff_heif(data) if data[4:8] == b"ftyp" else None


def _sniff_heif(data: bytes) -> str | None:
    """AVIF and HEIC share a container, and tell their brands first (ISO 14496-12, section 4.3)."""
    end = min(int.from_bytes(data[:4], "big"), 4096)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if brands & _AVIF:
        return "AVIF"
    return "HEIC" if brands & _HEIC else None


def webp_size(data: bytes) -> tuple[int, int]:
    """Tell a WEBP file's width and height (RFC 9649, sections 2.5 to 2.7).

    Raises:
        ValueError: its first chunk doesn't tell.
    """

    def number(at: int, count: int) -> int:
        return int.from_bytes(data[at : at + count], "little")

    first = data[12:16]
    if len(data) < 30:  # noqa: PLR2004  (the longest of the three headers)
        raise ValueError("it is truncated")
    if first == b"VP8X":
        return number(24, 3) + 1, number(27, 3) + 1
    if first == b"VP8L":
        packed = number(21, 4)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if first == b"VP8 ":
        return number(26, 2) & 0x3FFF, number(28, 2) & 0x3FFF
    raise ValueError("its first chunk is not a picture's")


def without_pixels(png: bytes) -> bytes:
    """The PNG file without pixel data, so that what is told after them is read before them.

    Raises:
        ValueError: a chunk is longer than the file. (OpenCV would take memory for it: 4 GiB.)
    """
    kept, at = [png[:_PNG_START]], _PNG_START
    while at + _CHUNK_FRAME <= len(png):
        end = at + _CHUNK_FRAME + int.from_bytes(png[at : at + 4], "big")
        if end > len(png):
            raise ValueError("it is truncated")
        kind = png[at + 4 : at + 8]
        if kind == b"IEND":
            break
        if kind != b"IDAT":
            kept.append(png[at:end])
        at = end
    return b"".join([*kept, _EMPTY_IDAT])
