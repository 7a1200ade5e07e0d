"""What is trusted on the way to a service, and what is told where no way is found."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from cutaway.errors import ConfigError, ConnectionFailed, TransportError

if TYPE_CHECKING:
    from cutaway.runware.endpoint import Endpoint

__all__ = ["is_certificate_trouble", "tls_context", "unprepared", "unreached", "untrusted"]


def tls_context() -> ssl.SSLContext:
    """What trusts the certificates that httpx trusts: certifi's, or those of `SSL_CERT_FILE`.

    Raises:
        ConfigError: that file or folder can't be read.
    """
    import httpx

    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise unprepared(error) from error


def is_certificate_trouble(error: BaseException) -> bool:
    """Whether an error comes from a certificate that can't be trusted."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLCertVerificationError):
            return True
        chain = chain.__cause__ or chain.__context__
    return False


def untrusted(endpoint: Endpoint, error: Exception) -> TransportError:
    """The error for a certificate that can't be trusted; trying again would not help."""
    return TransportError(
        f"{endpoint.origin} was not trusted",
        str(error),
        "Check the address; if its certificate is your own, name it in SSL_CERT_FILE",
    )


def unreached(endpoint: Endpoint, why: str) -> ConnectionFailed:
    """The error for a service to which certainly nothing was sent."""
    return ConnectionFailed(
        f"{endpoint.origin} could not be reached", why, "Check the address and your network"
    )


def unprepared(error: Exception) -> ConfigError:
    """The error for an environment that no connection can be made in."""
    return ConfigError(
        "no connection could be prepared",
        str(error),
        "Check the proxy and certificate variables of the environment",
    )
