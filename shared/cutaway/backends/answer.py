"""The picture in a service's answer, and the matte in it; none of it is believed unseen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from cutaway import images
from cutaway.engine.decidedness import decidedness
from cutaway.engine.matte import Matte
from cutaway.errors import (
    ConnectionFailed,
    ConnectionLost,
    DownloadRefused,
    InputError,
    ProtocolError,
    SourceError,
    TimedOut,
)
from cutaway.sources.guard import Guard
from cutaway.sources.text import base64_bytes, data_uri_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cutaway.errors import CutawayError, TransportError
    from cutaway.images import Pixels
    from cutaway.progress import Progress
    from cutaway.runware.replies import Result
    from cutaway.settings import Limits

__all__ = ["alpha_of", "matte_of", "picture_in"]

_WHAT = "the service's answer"
_COARSEST = 256
_STRAY = 2
_WITH_ALPHA = {4, 6}
"""The colour types of a PNG with an alpha channel (the byte after its depth)."""


def picture_in(result: Result, limits: Limits, origin: str, progress: Progress) -> bytes:
    """The bytes of the picture that a result carries, or leads to.

    Args:
        result: What the service answered.
        limits: How many bytes it may have.
        origin: The service's own origin, which may have a private address.
        progress: Told of the download, if there must be one.

    Raises:
        ProtocolError: there is none, it is malformed, or larger than the limits allow.
        DownloadRefused: it isn't where the service said.
        ConnectionLost: it can't be reached, or the connection broke.
        TimedOut: it didn't come in time.
        Cancelled: the caller stopped it.
    """
    with _distrust():
        if result.image_base64:
            return base64_bytes(result.image_base64, limits, _WHAT)
        if result.image_data_uri:
            return data_uri_bytes(result.image_data_uri, limits)
        if result.image_url:
            with progress.stage("downloading"):
                return _download(result, result.image_url, limits, origin, progress)
    raise _unusable("it holds no picture")


def alpha_of(data: bytes, limits: Limits) -> tuple[Pixels, NDArray[Any]]:
    """Decode a picture that was answered, and give it with its alpha.

    Raises:
        ProtocolError: it can't be decoded, is larger than the limits allow, or has no alpha.
    """
    with _distrust():
        pixels = images.decode(data, limits)
    if pixels.alpha is not None:
        return pixels, pixels.alpha
    kind = images.sniff(data)
    # An encoder of WEBP leaves out an alpha that hides nothing: that is the whole picture kept.
    if kind == "WEBP" or (kind == "PNG" and data[25] in _WITH_ALPHA):
        shape = pixels.height, pixels.width
        return pixels, np.full(shape, np.iinfo(pixels.colour.dtype).max, pixels.colour.dtype)
    raise _unusable(f"its picture, a {kind}, has no transparency")


def matte_of(alpha: NDArray[Any], size: tuple[int, int], sent: tuple[int, int]) -> Matte:
    """Take an alpha that was answered for the matte of a picture.

    Args:
        alpha: uint8 or uint16, shape (height, width).
        size: The picture's own width and height.
        sent: The width and height that were sent.

    Raises:
        ProtocolError: its shape isn't the picture's, or it is too coarse to be of use.
    """
    height, width = alpha.shape
    skew = abs(width * size[1] - height * size[0])  # one pixel off is one of the picture's sides
    coarse = max(width, height) < min(_COARSEST, *(max(one) for one in (size, sent)))
    if skew > _STRAY * max(size) or coarse:
        raise _unusable(
            f"its picture is {width} x {height}, for one of {size[0]} x {size[1]}",
        )
    shares = alpha.astype(np.float32)
    shares /= np.float32(np.iinfo(alpha.dtype).max)
    return Matte(shares, decidedness(shares))


def _download(result: Result, url: str, limits: Limits, origin: str, progress: Progress) -> bytes:
    from cutaway.sources.fetch import fetch

    try:
        return fetch(url, limits, progress, Guard(allowed_origins=frozenset({origin})))
    except SourceError as error:
        raise _not_downloaded(DownloadRefused, error, result) from error
    except ConnectionFailed as error:
        raise _not_downloaded(ConnectionLost, error, result) from error
    except TimedOut as error:
        raise _not_downloaded(TimedOut, error, result) from error


def _not_downloaded(
    kind: type[TransportError], error: CutawayError, result: Result
) -> TransportError:
    return kind(
        "the service's result was not downloaded",
        f"{error.what}: {error.why}",
        f"It was done, and billed: ask for it again by its task, {result.task_uuid}",
    )


@contextmanager
def _distrust() -> Iterator[None]:
    """What is wrong with an answer is no fault of the picture that was given."""
    try:
        yield
    except InputError as error:
        raise _unusable(f"{error.what}: {error.why}" if error.why else error.what) from error


def _unusable(why: str) -> ProtocolError:
    return ProtocolError(
        f"{_WHAT} can't be used",
        why,
        "Try again, or another model; if it stays so, tell the service, with the task's UUID",
    )
