"""The command `cutaway-mcp`: its arguments are what the operator allows."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway import CutawayError, __version__
from cutaway_mcp.policy import LOCAL, Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server import MCPServer

    from cutaway_mcp.state import State

__all__ = ["main", "parser", "policy_of"]

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"(\d{1,15})\s*([kmg]?)b?", re.IGNORECASE)
_MISUSED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the client leaves; gives the exit status.

    Nothing but the protocol is written to stdout: what there is to tell goes to stderr.
    """
    parse = parser()
    given = parse.parse_args(arguments)
    if given.backend != LOCAL and given.no_network:
        parse.error(f"--backend {given.backend} needs the network, and --no-network forbids it")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        _serve(given)
    except CutawayError as error:
        sys.stderr.write(f"cutaway-mcp: {error}\n")
        return _MISUSED
    except KeyboardInterrupt:
        from cutaway_mcp.stdio import INTERRUPTED

        return INTERRUPTED
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    parse = argparse.ArgumentParser(
        prog="cutaway-mcp",
        description="An MCP server that removes the background of pictures.",
        allow_abbrev=False,
    )
    parse.add_argument("--version", action="version", version=f"cutaway-mcp {__version__}")
    _add_limits(parse)
    _add_backends(parse)
    _add_transport(parse)
    return parse


def policy_of(given: argparse.Namespace) -> Policy:
    """What the operator allows, by the command's arguments."""
    return Policy(
        allow_dirs=tuple(given.allow_dir),
        read_only=given.read_only,
        network=not given.no_network,
        backend=given.backend,
        allow_backends=frozenset(given.allow_backend),
        max_cost=given.max_cost,
        image_responses=given.image_responses == "allow",
        output_dir=given.output_dir,
        output_max_size=given.output_max_size,
        allow_private_network=given.allow_private_network,
        warm=given.warm,
    )


def _add_limits(parse: argparse.ArgumentParser) -> None:
    group = parse.add_argument_group("what it may do")
    group.add_argument(
        "--allow-dir",
        nargs="+",
        action="extend",
        type=_path,
        default=[],
        metavar="FOLDER",
        help="folders it may read and write, with all below them; the working folder if none "
        "is named, unless that is the root or the home folder",
    )
    group.add_argument(
        "--read-only", action="store_true", help="write nothing: only view_image and list_models"
    )
    group.add_argument(
        "--image-responses",
        choices=("allow", "omit"),
        default="allow",
        help="whether answers may hold pictures to look at (default: allow)",
    )
    group.add_argument(
        "--output-dir",
        type=_path,
        metavar="FOLDER",
        help="where results go whose path a call doesn't say; made if missing",
    )
    group.add_argument(
        "--output-max-size",
        type=_size,
        metavar="SIZE",
        help="how much may be in the output folder, such as 500M",
    )


def _add_backends(parse: argparse.ArgumentParser) -> None:
    group = parse.add_argument_group("where backgrounds are removed")
    group.add_argument(
        "--backend",
        default=LOCAL,
        metavar="NAME",
        help="local, runware, or the URL of a compatible service (default: local)",
    )
    group.add_argument(
        "--allow-backend",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="other backends that a call may name",
    )
    group.add_argument(
        "--max-cost",
        type=_dollars,
        metavar="DOLLARS",
        help="what one picture may cost at most, in US dollars",
    )
    group.add_argument(
        "--no-network", action="store_true", help="fetch no URL and use no remote backend"
    )
    group.add_argument(
        "--allow-private-network",
        action="store_true",
        help="fetch pictures from private addresses too, and over http",
    )
    group.add_argument(
        "--warm", action="store_true", help="load the local engine at once, not at the first call"
    )


def _add_transport(parse: argparse.ArgumentParser) -> None:
    group = parse.add_argument_group("how it is reached (default: stdio)")
    group.add_argument("--http", action="store_true", help="serve streamable HTTP, not stdio")
    group.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)"
    )
    group.add_argument("--port", type=int, default=8000, help="default: 8000; 0: any free one")
    group.add_argument(
        "--token-file",
        type=_path,
        metavar="FILE",
        help="holds the bearer token that callers must name; or set CUTAWAY_MCP_TOKEN",
    )
    group.add_argument(
        "--allow-host",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="other names that callers may reach it by, such as a proxy's: example.com",
    )
    group.add_argument(
        "--allow-origin",
        nargs="+",
        action="extend",
        default=[],
        metavar="URL",
        help="web pages that may speak to it, such as https://example.com",
    )


def _serve(given: argparse.Namespace) -> None:
    from cutaway_mcp.server import create_server

    server = create_server(policy=policy_of(given))
    if given.http:
        _serve_http(server, given)
    else:
        import anyio

        from cutaway_mcp.stdio import serve

        anyio.run(serve, server)


def _serve_http(server: MCPServer[State], given: argparse.Namespace) -> None:
    from cutaway_mcp.http import read_token, serve

    serve(
        server,
        given.host,
        given.port,
        read_token(given.token_file),
        allowed_hosts=given.allow_host,
        allowed_origins=given.allow_origin,
    )


def _path(text: str) -> Path:
    """A path; a client that starts the server without a shell leaves `~` as it is."""
    return Path.home().joinpath(*Path(text).parts[1:]) if text.startswith("~/") else Path(text)


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: give bytes, or such as 500M")
    return int(match[1]) * _UNITS[match[2].lower()]


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars")
    return amount
