"""Fetching a picture from an http(s) URL. Import it only when needed: httpx takes long."""

from __future__ import annotations

import socket
import zlib
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx

from cutaway._version import __version__
from cutaway.errors import ConnectionFailed, SourceError, TimedOut
from cutaway.progress import Progress
from cutaway.sources.bounded import excerpt, gather
from cutaway.sources.guard import PUBLIC_ONLY, Guard
from cutaway.sources.pinned import PinnedTransport, origin, parsed, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cutaway.settings import Limits

__all__ = ["fetch"]

_MOST_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_HEADERS = {"User-Agent": f"cutaway/{__version__}", "Accept-Encoding": "identity"}
_PIECE = 1 << 16
_NO_URL = "it redirects to what is no http(s) URL"


def fetch(
    url: str, limits: Limits, progress: Progress | None = None, guard: Guard = PUBLIC_ONLY
) -> bytes:
    """Fetch the picture at an http(s) URL, following at most five redirects.

    Each hop goes through `guard` and connects to the very addresses it checked; environment proxies
    are not used then, since a proxy would connect for us, unseen. With
    `limits.allow_private_network` there is no guard, and proxies are used as is usual.

    User and password in the URL are sent to its own origin only. A message shows a URL without
    them and without its query, which may hold secrets too.

    Raises:
        SourceError: the URL can't be used, or the answer is not a file.
        AddressRefused: a hop leads to an address that is not public.
        TooLarge: the picture, unpacked, has more than `limits.max_bytes`.
        ConnectionFailed: no connection could be made, or it broke.
        TimedOut: no connection within 10 seconds, or no byte within 30.
        Cancelled: the caller stopped it; a connection that waits is broken at once.
    """
    progress = progress or Progress()
    progress.advance(0.0)
    target = parsed(url)
    what = shown(target)
    line = _Line()
    with (
        progress.cancellation.interrupting(line.break_off),
        _translated(what, progress, limits),
        _client(limits, guard) as client,
        closing(_answer(client, target, line)) as response,
    ):
        _check(response, what)
        return gather(_pieces(response, what), what, limits, progress, _announced(response))


class _Line:
    """The connection in use, which another thread may break so that nobody waits on it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._broken = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Take note of a connection as soon as it is made (httpx's `trace` extension)."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._broken:
                self.break_off()

    def break_off(self) -> None:
        """End the connection, or the next one as soon as it is made."""
        self._broken = True
        if self._socket is not None:
            with suppress(OSError):
                # An SSLSocket's own shutdown() would pull its TLS state from under the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _client(limits: Limits, guard: Guard) -> httpx.Client:
    try:
        transport = None if limits.allow_private_network else PinnedTransport(guard)
        return httpx.Client(transport=transport, headers=_HEADERS, timeout=_TIMEOUT)
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        raise ConnectionFailed(
            "no connection could be prepared",
            str(error),
            "Check the proxy and certificate variables of the environment",
        ) from error


def _answer(client: httpx.Client, url: httpx.URL, line: _Line) -> httpx.Response:
    """Send the request and follow redirects; the caller closes the answer."""
    auth = (url.username, url.password) if url.userinfo else None
    for _ in range(_MOST_REDIRECTS + 1):
        bare = url.copy_with(userinfo=None)
        request = client.build_request("GET", bare, extensions={"trace": line.trace})
        try:
            response = client.send(request, auth=auth, stream=True)
        except httpx.InvalidURL as error:  # of a redirect, which httpx reads but leaves to us
            raise _bad_redirect(url, _NO_URL) from error
        if not response.has_redirect_location:
            return response
        response.close()
        onward = _onward(url, response.headers["location"])
        auth = auth if origin(onward) == origin(url) else None
        url = onward
    raise SourceError(
        f"{shown(url)} was not fetched",
        f"it is reached by more than {_MOST_REDIRECTS} redirects",
        "Give the picture's own URL",
    )


def _onward(url: httpx.URL, location: str) -> httpx.URL:
    try:
        onward = parsed(str(url.join(location)))
    except (httpx.InvalidURL, ValueError, SourceError) as error:
        raise _bad_redirect(url, _NO_URL) from error
    if url.scheme == "https" and onward.scheme == "http":
        raise _bad_redirect(url, "it redirects from https to http, which anyone could read")
    return onward


def _check(response: httpx.Response, what: str) -> None:
    """Raise `SourceError` unless the answer may be a picture."""
    if response.status_code != httpx.codes.OK:
        raise SourceError(
            f"{what} was not fetched",
            f"the server answered with status {response.status_code}",
            _status_advice(response.status_code),
        )
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise SourceError(
            f"{what} is no picture",
            "the server answered with a web page",
            "Give the URL of the picture itself",
        )


def _status_advice(status: int) -> str:
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return "It needs permission: download it yourself and give the path"
    if status in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
        return "Check the URL: there is no picture now"
    if status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status):
        return "Try again later"
    return "Check the URL in a browser"


def _announced(response: httpx.Response) -> int | None:
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _pieces(response: httpx.Response, what: str) -> Iterable[bytes]:
    """Give the body, unpacked if the server packed it unasked."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return response.iter_raw()
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return _unpacked(response.iter_raw(), what)
    raise _badly_packed(what, "the server packed it in a way that was not asked for")


def _unpacked(pieces: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Unpack gzip or zlib, a bounded piece at a time: packed zeros grow a thousandfold."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        for packed in pieces:
            rest = packed
            while rest and not unpacker.eof:
                yield unpacker.decompress(rest, _PIECE)
                rest = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise _badly_packed(what, "what the server packed can't be unpacked") from error
    if not unpacker.eof:
        raise _badly_packed(what, "it ended too early")


@contextmanager
def _translated(what: str, progress: Progress, limits: Limits) -> Iterator[None]:
    """Turn httpx's errors into ours; on a line that was broken off, into `Cancelled`."""
    try:
        yield
    except httpx.TimeoutException as error:
        progress.cancellation.check()
        raise TimedOut(
            f"{what} was not fetched", "the server did not answer in time", "Try again later"
        ) from error
    except httpx.HTTPError as error:
        progress.cancellation.check()
        next_step = "Check the URL and your network"
        if not limits.allow_private_network:
            next_step += "; a proxy is used only with --allow-private-network"
        reason = excerpt(str(error) or type(error).__name__, 120)
        raise ConnectionFailed(
            f"{what} was not fetched", f"the connection failed ({reason})", next_step
        ) from error


def _bad_redirect(url: httpx.URL, why: str) -> SourceError:
    return SourceError(f"{shown(url)} was not fetched", why, "Give the picture's own URL")


def _badly_packed(what: str, why: str) -> SourceError:
    return SourceError(
        f"{what} can't be read", why, "Download the picture yourself and give the path"
    )
