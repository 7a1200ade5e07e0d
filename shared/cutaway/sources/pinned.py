"""Connections that go where the guard looked. Import it only when needed: httpx takes long."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from cutaway.errors import SourceError

if TYPE_CHECKING:
    from cutaway.sources.guard import Address, Guard

__all__ = ["AsyncPinnedTransport", "PinnedTransport", "addresses_of", "origin", "parsed", "shown"]

_PORTS = {"http": 80, "https": 443}
_SHOWN = 60
_LOOK_UPS = 4
_UNUSED = httpx.Limits(max_keepalive_connections=0)


class PinnedTransport(httpx.BaseTransport):
    """Connects to the addresses the guard checked, whatever a name says the next time.

    An address takes the name's place in the URL, while the `Host` header, SNI and the certificate's
    check keep the name. No connection is kept for another request: they are told apart by address,
    and two names may share one.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = httpx.HTTPTransport(limits=_UNUSED)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` to the first of its host's addresses that takes the connection."""
        *others, last = addresses_of(self._guard, request.url)
        patience = _patience(request, len(others) + 1)
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return self._inner.handle_request(_pinned(request, address, patience))
        return self._inner.handle_request(_pinned(request, last, patience))

    def close(self) -> None:
        """Close what is open."""
        self._inner.close()


class AsyncPinnedTransport(httpx.AsyncBaseTransport):
    """The same as `PinnedTransport`, on an asyncio event loop.

    Names are looked up in threads of its own, which may hang for as long as DNS does.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._names = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="names")
        self._inner = httpx.AsyncHTTPTransport(limits=_UNUSED)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` to the first of its host's addresses that takes the connection."""
        found = asyncio.get_running_loop().run_in_executor(
            self._names, addresses_of, self._guard, request.url
        )
        *others, last = await found
        patience = _patience(request, len(others) + 1)
        for address in others:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await self._inner.handle_async_request(_pinned(request, address, patience))
        return await self._inner.handle_async_request(_pinned(request, last, patience))

    async def aclose(self) -> None:
        """Close what is open."""
        self._names.shutdown(wait=False, cancel_futures=True)
        await self._inner.aclose()


def parsed(text: str) -> httpx.URL:
    """Read a whole http(s) URL.

    Raises:
        SourceError: it is none.
    """
    try:
        url = httpx.URL(text.strip())
        # The system's resolver encodes a name so, and fails on one that is no name, such as `a..b`.
        name = url.raw_host.decode("ascii").encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _bad_url() from error
    if url.scheme not in _PORTS or not name or not 0 < _port(url) < 1 << 16:
        raise _bad_url()
    return url


def origin(url: httpx.URL) -> str:
    """A URL's scheme, host and port, as the guard knows them."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def shown(url: httpx.URL) -> str:
    """A URL for people to read: without user, password and query, which may be secrets."""
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    text = origin(url) + path
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def addresses_of(guard: Guard, url: httpx.URL) -> list[Address]:
    """The addresses of a URL's host, each of which may be connected to; see `Guard.addresses`."""
    return guard.addresses(origin(url), url.raw_host.decode("ascii"), _port(url))


def _patience(request: httpx.Request, addresses: int) -> float:
    connect: float = request.extensions["timeout"]["connect"]
    return connect / addresses


def _pinned(request: httpx.Request, address: Address, patience: float) -> httpx.Request:
    extensions = {
        **request.extensions,
        "sni_hostname": request.url.raw_host.decode("ascii"),
        "timeout": {**request.extensions["timeout"], "connect": patience},
    }
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )


def _port(url: httpx.URL) -> int:
    return _PORTS[url.scheme] if url.port is None else url.port


def _bad_url() -> SourceError:
    return SourceError(
        "the URL can't be used",
        "it is not a whole http(s) URL",
        "Check its host, port and spelling",
    )
