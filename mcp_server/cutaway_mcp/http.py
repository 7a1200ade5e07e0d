"""The server over HTTP: who may speak to it, and how it ends.

It is streamable HTTP at one path, `/mcp`. Before a request is served, it must name

- the token, if there is one (401). Off this machine there must be one;
- a host the server is known by (421), so that no web page reaches it under a name of its own,
  as in DNS rebinding;
- an origin that is allowed, if it comes from a web page (403).

A token says who may ask and hides nothing: off this machine, let a proxy speak TLS before it.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import SecretStr

from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from mcp.server import MCPServer
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["MAX_REQUEST_BYTES", "PATH", "TOKEN_VARIABLE", "http_app", "read_token", "serve"]

PATH = "/mcp"
"""Where the server is found on its host."""

TOKEN_VARIABLE = "CUTAWAY_MCP_TOKEN"  # noqa: S105  (the variable's name is no secret)
"""The environment's name for the token."""

MAX_REQUEST_BYTES = 1 << 20
"""The largest request that is read, in bytes: pictures come as paths and URLs, never as bytes."""

_SHORTEST_TOKEN = 16
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SECONDS_TO_END = 3


def read_token(
    file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> SecretStr | None:
    """Find the token that callers must name: the file's, else the environment's.

    Args:
        file: Holds the token and nothing else but white space; None to ask the environment.
        environment: Where `CUTAWAY_MCP_TOKEN` may be.

    Returns:
        None if neither is given.

    Raises:
        ConfigError: the file can't be read, or what was found can't be a token: at least 16
            visible ASCII characters.
    """
    if file is None:
        text = environment.get(TOKEN_VARIABLE)
        return None if text is None else _sound_token(text, TOKEN_VARIABLE)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it isn't text"
        raise ConfigError(
            f"the token was not read from {file}", why, "Name a file that holds it"
        ) from error
    return _sound_token(text, str(file))


def _sound_token(text: str, origin: str) -> SecretStr:
    token = text.strip()
    visible = token.isascii() and token.isprintable() and " " not in token
    if not visible or len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"what {origin} holds can't be a token",
            f"a token has at least {_SHORTEST_TOKEN} visible ASCII characters, without spaces",
            "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return SecretStr(token)


def serve(
    server: MCPServer[Any],
    host: str = "127.0.0.1",
    port: int = 8000,
    token: SecretStr | None = None,
    *,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
) -> None:
    """Serve until SIGINT or SIGTERM, which cut off what is open within three seconds.

    Its address goes to stderr when it listens. It takes over both signals, so only a program's main
    thread can call it.

    Args:
        server: What to serve.
        host: The address to listen on; any but the loopback needs a token.
        port: 0 for any that is free.
        token: What callers must name; None asks for nothing.
        allowed_hosts: See `http_app`.
        allowed_origins: See `http_app`.

    Raises:
        ConfigError: it may not or can't listen there.
    """
    guarded = http_app(
        server, host, token, allowed_hosts=allowed_hosts, allowed_origins=allowed_origins
    )
    listener = _listen(host, port)
    import uvicorn

    config = uvicorn.Config(
        guarded,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end it alike, with status 0
    with listener, suppress(KeyboardInterrupt):  # uvicorn has shut down when it passes them on
        address = f"http://{_bracketed(host)}:{listener.getsockname()[1]}{PATH}"
        sys.stderr.write(f"cutaway-mcp listens on {address}\n")
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"nothing could listen on {host}, port {port}", why, "Choose another --host or --port"
        ) from error


def http_app(
    server: MCPServer[Any],
    host: str = "127.0.0.1",
    token: SecretStr | None = None,
    *,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
) -> ASGIApp:
    """Make the application that serves `server`, with its guards.

    Args:
        server: What to serve.
        host: The address it will listen on.
        token: What callers must name in `Authorization: Bearer`; None asks for nothing.
        allowed_hosts: Names callers may use for it besides its address and the loopback's; one
            without a port goes with any.
        allowed_origins: Web pages that may speak to it besides those of the loopback, such as
            `https://example.com`.

    Raises:
        ConfigError: `host` can be reached from other machines, and there is no token.
    """
    if token is None and not _is_loopback(host):
        raise ConfigError(
            f"the server does not listen on {host}",
            "other machines can reach that address, and no token keeps them out",
            f"Set a token with --token-file or {TOKEN_VARIABLE}, or leave --host out",
        )
    from mcp.server.transport_security import TransportSecuritySettings

    names = (*_LOOPBACK, _bracketed(host), *allowed_hosts)
    hosts = [form for name in names for form in _forms(name)]
    origins = [f"http://{form}" for name in _LOOPBACK for form in _forms(name)]
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MAX_REQUEST_BYTES,
        transport_security=TransportSecuritySettings(
            allowed_hosts=hosts, allowed_origins=[*origins, *allowed_origins]
        ),
        host=host,
    )
    return app if token is None else _TokenGate(app, token)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    """The host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _forms(name: str) -> tuple[str, ...]:
    """The values of a Host header that a name allows: with its own port, or with any and none."""
    _, colon, port = name.rpartition(":")
    return (name,) if colon and port.isdecimal() else (name, f"{name}:*")


class _TokenGate:
    """An ASGI application before another, that lets those in who name the token."""

    def __init__(self, app: ASGIApp, token: SecretStr) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 (RFC 6750, section 3)."""
        if scope["type"] == "lifespan" or self._admits(scope):
            await self._app(scope, receive, send)
            return
        from starlette.responses import PlainTextResponse

        refusal = PlainTextResponse(
            "This server asks for a token: Authorization: Bearer TOKEN\n",
            status_code=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        """Whether the one Authorization header names the token; as slow for any other."""
        named = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, given = (named[0] if len(named) == 1 else b"").partition(b" ")
        expected = self._token.get_secret_value().encode()
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), expected)
