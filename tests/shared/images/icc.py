"""Small ICC profiles, built by hand (ICC.1:2001-04, sections 6 and 6.5)."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms

_D50 = (0.9642, 1.0, 0.8249)


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_rgb(gamma: float = 1.8) -> bytes:
    """Very wide primaries (ROMM's), with a plain gamma."""
    primaries = (
        (0.79767, 0.28804, 0.0),
        (0.13519, 0.71188, 0.0),
        (0.03134, 0.00009, 0.82491),
    )
    tags = {b"wtpt": _xyz(_D50)}
    for name, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags[name + b"XYZ"] = _xyz(primary)
        tags[name + b"TRC"] = _curve(gamma)
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags)


def grey(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", b"mntr", {b"wtpt": _xyz(_D50), b"kTRC": _curve(gamma)})


def cmyk() -> bytes:
    """Inks that differ from the plain formula: cyan, for one, is a dark blue."""
    inks = np.indices((2, 2, 2, 2)).reshape(4, 16).T  # the 16 corners, black fastest
    cyan, magenta, yellow, black = inks.T
    light = 100 * (1 - 0.6 * cyan) * (1 - 0.4 * magenta) * (1 - 0.1 * yellow) * (1 - 0.9 * black)
    bare = 1 - black
    green_red = (60 * magenta - 10 * cyan) * bare
    blue_yellow = (70 * yellow - 50 * cyan) * bare
    corners = np.stack([light * 255 / 100, green_red + 128, blue_yellow + 128], axis=1)
    table = np.clip(np.rint(corners), 0, 255).astype(np.uint8).tobytes()
    ramp = bytes(range(256))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + table + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"wtpt": _xyz(_D50), b"A2B0": lut})


def _xyz(numbers: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(n * 65536) for n in numbers))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0)


def _profile(space: bytes, connection: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        **tags,
    }
    at = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += name + struct.pack(">II", at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", at + len(bodies), bytes(4), 0x02400000, kind, space, connection
    )
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(n * 65536) for n in _D50))
    return head.ljust(128, b"\0") + table + bodies
