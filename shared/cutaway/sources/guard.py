"""The guard against server-side request forgery: which addresses a picture may be fetched from.

A URL may come from a stranger, through an agent or a service, and this machine may reach what the
stranger can't: itself, the router, a cloud's metadata. So the guard decides on addresses, never on
how a URL spells them, and `fetch` connects to the very addresses that were decided on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from cutaway.errors import AddressRefused, ConnectionFailed

__all__ = ["PUBLIC_ONLY", "Address", "Guard", "is_public", "look_up"]

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Iterable[str]]

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; one cloud's metadata
    IPv4Network("192.88.99.0/24"),  # retired 6to4 relays
    IPv4Network("168.63.129.16/32"),  # another cloud's own services, inside its machines
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("3fff::/20"),  # documentation
)
"""What some supported version of Python calls global all the same."""


def is_public(address: Address) -> bool:
    """Tell whether anyone on the internet may be asked at this address.

    Private, loopback, link-local, multicast, reserved, unspecified and carrier-grade NAT addresses
    are not (IANA special-purpose address registries); nor is any IPv6 address outside of 2000::/3.
    An IPv6 address that carries an IPv4 one (mapped, 6to4, NAT64) is what that one is; Teredo's,
    which carry two, are refused.
    """
    carried = _carried(address)
    if carried is not None:
        return is_public(carried)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    special = address.is_private or address.is_multicast or address.is_reserved
    return address.is_global and not special and not any(address in net for net in _NOT_PUBLIC)


def look_up(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of `host`, whatever its spelling.

    Raises:
        OSError: it has none.
        UnicodeError: it can't be a name.
    """
    if host.rstrip(".").lower() == "localhost":
        host = "localhost"  # it never is a question for DNS (RFC 6761), but some ask for the dot
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Guard:
    """What decides whom to connect to.

    Attributes:
        resolve: Gives the addresses of a host and port.
        permit: Whether an address may be connected to.
        allowed_origins: Origins such as `https://example.com:8443` (lower case, no default port)
            that may have any address.
    """

    resolve: Resolver = look_up
    permit: Callable[[Address], bool] = is_public
    allowed_origins: frozenset[str] = frozenset()

    def addresses(self, origin: str, host: str, port: int) -> list[Address]:
        """Resolve `host` once, and give its addresses in order if every one may be connected to.

        One bad address refuses them all: a public name that leads inside as well is a mistake or
        an attack, and which address answers must not be left to chance.

        Raises:
            AddressRefused: an address is not permitted, and the origin not allowed.
            ConnectionFailed: the name has no address.
        """
        try:
            found = [ip_address(text) for text in dict.fromkeys(self.resolve(host, port))]
        except (OSError, UnicodeError) as error:
            raise _unknown(origin, str(error)) from error
        if not found:
            raise _unknown(origin, "its name has no address")
        if origin not in self.allowed_origins:
            self._check(origin, found)
        return found

    def _check(self, origin: str, addresses: list[Address]) -> None:
        for address in addresses:
            if not self.permit(address):
                raise AddressRefused(
                    f"{origin} was not asked for the picture",
                    f"it leads to {address}, which is not a public address",
                    "If you trust it, allow private networks "
                    "(--allow-private-network or CUTAWAY_ALLOW_PRIVATE_NETWORK=1)",
                )


PUBLIC_ONLY = Guard()
"""The guard that is used unless private networks are allowed."""


def _carried(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _unknown(origin: str, why: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"{origin} was not found", why, "Check the URL's host name and your network"
    )
