"""Which service to talk to, over which transport, and whether its key may go there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["RUNWARE", "Endpoint", "TransportKind"]

TransportKind = Literal["http", "websocket"]

RUNWARE = "runware"
"""The name of Runware's own service, and of the account there."""

_PATH = "/v1"
_HOSTS: dict[TransportKind, str] = {"http": "api.runware.ai", "websocket": "ws-api.runware.ai"}
_KINDS: dict[str, TransportKind] = {
    "http": "http",
    "https": "http",
    "ws": "websocket",
    "wss": "websocket",
}
_SCHEMES: dict[tuple[TransportKind, bool], str] = {
    ("http", False): "http",
    ("http", True): "https",
    ("websocket", False): "ws",
    ("websocket", True): "wss",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a Runware-compatible service.

    Attributes:
        url: The whole address, without user, password or fragment.
        kind: The transport that its scheme means.
    """

    url: str
    kind: TransportKind

    @classmethod
    def parse(cls, backend: str, transport: str | None = None) -> Endpoint:
        """Read an endpoint from `runware` or an `http(s)` or `ws(s)` URL.

        A URL without a path gets `/v1`, where Runware's own API is. A `transport` that contradicts
        the URL's scheme turns it into its sibling on the same host (`https` and `wss`, `http` and
        `ws`); without one, the scheme decides, and `runware` means HTTP.

        Args:
            backend: `runware` or the URL.
            transport: `http`, `websocket`, or None.

        Raises:
            ConfigError: `backend` is no such URL, or `transport` no transport.
        """
        wanted = _transport(transport)
        if backend.strip().lower() == RUNWARE:
            wanted = wanted or "http"
            return cls(f"{_SCHEMES[wanted, True]}://{_HOSTS[wanted]}{_PATH}", wanted)
        parts = _split(backend.strip())
        kind = wanted or _KINDS[parts.scheme]
        host = _HOSTS[kind] if parts.hostname in _HOSTS.values() else None
        turned = parts._replace(
            scheme=_SCHEMES[kind, _is_secure(parts)],
            netloc=host or parts.netloc,
            path=_PATH if parts.path in {"", "/"} else parts.path,
            fragment="",
        )
        return cls(turned.geturl(), kind)

    @property
    def origin(self) -> str:
        """Its scheme (`http` or `https`, whatever the transport), host and port: fit to show."""
        parts = urlsplit(self.url)
        return f"{_SCHEMES['http', _is_secure(parts)]}://{parts.netloc}"

    @property
    def account(self) -> str:
        """The name that its key is kept under: `runware`, or its origin."""
        return RUNWARE if urlsplit(self.url).hostname in _HOSTS.values() else self.origin

    @property
    def is_secure(self) -> bool:
        """Whether nobody between here and there can read along (TLS)."""
        return _is_secure(urlsplit(self.url))

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, told from its spelling alone."""
        return _is_loopback(urlsplit(self.url).hostname or "")

    def check_key(self, *, allow_private_network: bool) -> None:
        """Raise `ConfigError` if a key sent there could be read on its way.

        Only TLS and this machine itself are safe; on a private network that is trusted, plain
        `http` and `ws` may be used too.
        """
        if not (self.is_secure or self.is_loopback or allow_private_network):
            raise ConfigError(
                f"no key is sent to {self.origin}",
                "it would travel unencrypted",
                "Use its https or wss address, or, if it is on a network that you trust, allow "
                "private networks (--allow-private-network or CUTAWAY_ALLOW_PRIVATE_NETWORK=1)",
            )


def _transport(name: str | None) -> TransportKind | None:
    match name:
        case None | "http" | "websocket":
            return name
    raise ConfigError(f"there is no transport {name}", next_step="Choose http or websocket")


def _split(url: str) -> SplitResult:
    """Take a URL apart, if every reader of it would find the same host in it."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in _KINDS and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")  # as the system's resolver does
    except ValueError:
        raise _unusable("its host or port is malformed") from None
    if not whole:
        raise _unusable("it is neither runware nor a whole http(s) or ws(s) URL")
    if "\\" in url or not url.isprintable() or " " in url:
        raise _unusable("it has characters that no URL may have")
    if "@" in parts.netloc:
        raise _unusable("a user or password stands in it")
    return parts


def _unusable(why: str) -> ConfigError:
    return ConfigError(
        "the service's address can't be used",
        why,
        "Give runware, or a URL such as https://example.com/v1",
    )


def _is_secure(parts: SplitResult) -> bool:
    return parts.scheme in {"https", "wss"}


def _is_loopback(host: str) -> bool:
    if host.rstrip(".") == "localhost":
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
