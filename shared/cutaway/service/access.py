"""Who may ask: whoever knows the key; where there is none, whoever is on this machine.

Without a key a web page that somebody here looks at could send tasks, too: by a name that leads to
this machine (its `Host` tells), or on a WebSocket (its `Origin` tells).
"""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from cutaway.errors import ConfigError
from cutaway.service import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cutaway.runware.credential import Credential
    from cutaway.service.configuration import Configuration

__all__ = ["Access", "check_binding", "is_loopback"]

_BEARER = "bearer "
_PUBLIC = "Set CUTAWAY_SERVE_API_KEY, or start it with --generate-key or --api-key-file"


class Access:
    """The rules by which one service lets requests in.

    Args:
        configuration: Its key, host and public URL.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._key = configuration.key
        public = urlsplit(configuration.public_url or "")
        self._origin = f"{public.scheme}://{public.netloc}".lower() if public.netloc else None
        self._hosts = {configuration.host.lower(), public.hostname or ""} - {""}
        self._owner = _owner_of(configuration.key)

    @property
    def wants_key(self) -> bool:
        """Whether nobody is let in without the key."""
        return self._key is not None

    def owner(self, key: str | None) -> str:
        """Whose tasks those of a key are: a name that tells nothing of the key.

        Without a key of its own the service lets any in, and all are the same owner.

        Raises:
            Refusal: it is not the service's key, or there is none.
        """
        if self._key is None:
            return self._owner
        if key is None:
            raise refusals.missing_key()
        if not hmac.compare_digest(_digest(key.strip()), _digest(self._key.reveal())):
            raise refusals.invalid_key()
        return self._owner

    def bearer(self, headers: Mapping[str, str]) -> str | None:
        """The key in the header `Authorization: Bearer KEY`, if there is one."""
        given = headers.get("authorization", "")
        return given[len(_BEARER) :] if given.lower().startswith(_BEARER) else None

    def check_caller(self, headers: Mapping[str, str]) -> None:
        """See to it that no web page of somebody else asks, where there is no key to keep it out.

        Raises:
            Refusal: `Host` or `Origin` isn't this service's.
        """
        if self.wants_key:
            return
        host = headers.get("host", "")
        name = _split(f"//{host}").hostname or ""
        if not (is_loopback(name) or name in self._hosts):
            raise refusals.wrong_host()
        origin = headers.get("origin")
        if origin is not None and not self._is_ours(origin.lower(), host.lower()):
            raise refusals.wrong_origin()

    def _is_ours(self, origin: str, host: str) -> bool:
        return origin == self._origin or origin in {f"http://{host}", f"https://{host}"}


def check_binding(configuration: Configuration, address: str) -> None:
    """See to it that only this machine can reach a service without a key.

    Args:
        configuration: Has the key.
        address: The IP address that the service is to listen at.

    Raises:
        ConfigError: others could, and there is none.
    """
    if configuration.key is None and not is_loopback(address):
        raise ConfigError(
            f"the service is not started at {configuration.host}",
            "other machines can reach that address, and without a key anybody there could use it",
            _PUBLIC,
        )


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, told from its spelling alone."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _digest(key: str) -> bytes:
    """What stands for a key of any length when two are compared."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _owner_of(key: Credential | None) -> str:
    if key is None:
        return ""
    return hashlib.blake2b(
        key.reveal().encode(), digest_size=8, person=b"cutaway owner"
    ).hexdigest()
