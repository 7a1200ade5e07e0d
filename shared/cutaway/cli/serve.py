"""`cutaway serve`: the Runware API from this machine, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutaway.cli.parameters import Amount, as_json
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.runware.credential import Credential
    from cutaway.service.configuration import Configuration
    from cutaway.service.hosting import Addresses
    from cutaway.settings import Settings

__all__ = ["command"]

_KEY_VARIABLE = "CUTAWAY_SERVE_API_KEY"
_KEY_BYTES = 32
_LONGEST_KEY = 10_000
_HOUR = 3600.0
_OTHERS = 0o077


@click.command(
    "serve",
    epilog="Exit codes: 0 stopped by SIGTERM or Ctrl-C; 1 it couldn't start; 2 wrong use.",
)
@click.option(
    "--host",
    metavar="HOST",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at; for others than this machine a key is needed.",
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=8585,
    show_default=True,
    help="The port to listen at; 0 takes any that is free.",
)
@as_json
@click.option(
    "--api-key-file",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"A file with the key that callers need.  [default: the variable {_KEY_VARIABLE}]",
)
@click.option(
    "--generate-key",
    is_flag=True,
    help="Make a key and show it once; with --api-key-file, save it there.",
)
@click.option(
    "--public-url",
    metavar="URL",
    help="What results' URLs begin with, behind a proxy.  [default: as each request addresses it]",
)
@click.option(
    "--allow-fallback",
    is_flag=True,
    help="Use another model where the one asked for isn't on this machine.",
)
@click.option(
    "--allow-private-network",
    is_flag=True,
    help="Fetch from and deliver to addresses that aren't public, too.",
)
@click.option(
    "--price",
    metavar="USD",
    type=Amount(zero=True),
    default="0",
    show_default=True,
    help="What a removal is said to cost.",
)
@click.option(
    "--max-queue",
    metavar="N",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="How many tasks may wait; more are refused for now.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1),
    help="Removals at a time.  [default: as suits this machine]",
)
@click.option(
    "--keep",
    metavar="HOURS",
    type=click.FloatRange(0.05),
    default=24,
    show_default=True,
    help="How long results can be had.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where tasks and pictures are kept.  [default: in the user's own state folder]",
)
def command(*, as_json: bool, key_file: Path | None, generate_key: bool, **values: Any) -> None:  # noqa: ANN401  (each as click reads it)
    """Serve the Runware API from this machine.

    Whatever speaks that API, in either dialect, over HTTP or WebSocket, runs against the addresses
    that are shown: SDKs, cutaway remove --backend URL, the GIMP plug-in. Models stay loaded.

    Its log goes to standard error, a line of JSON for each task.
    """
    if generate_key and _KEY_VARIABLE in os.environ:
        raise click.UsageError(f"--generate-key and {_KEY_VARIABLE} exclude each other")
    made = secrets.token_urlsafe(_KEY_BYTES) if generate_key else None
    configuration = _configuration(_key(key_file, made), values)
    settings = _settings()
    if not (as_json or configuration.allow_fallback):
        _tell_if_no_model(settings)
    _serve(configuration, settings, _announcer(configuration, made, as_json=as_json))


def _settings() -> Settings:
    from cutaway.settings import Settings

    return Settings.load()


def _configuration(key: Credential | None, values: dict[str, Any]) -> Configuration:
    from cutaway.service.configuration import Configuration

    folder, hours = values.pop("data_dir"), values.pop("keep")
    placed = {} if folder is None else {"folder": folder}
    return Configuration(key=key, keep=hours * _HOUR, **placed, **values)


def _serve(
    configuration: Configuration, settings: Settings, announce: Callable[[Addresses], None]
) -> None:
    from cutaway.service.journal import journal
    from cutaway.service.serving import serve

    with journal(sys.stderr):
        asyncio.run(serve(configuration, settings, announce))


def _tell_if_no_model(settings: Settings) -> None:
    """Say so where all tasks but those for the classical engine would fail."""
    from cutaway.backends.local import AUTO, CLASSICAL, LocalBackend

    name, _ = LocalBackend(settings).choose(AUTO)
    if name == CLASSICAL:
        click.echo(
            "cutaway: no model is installed, so tasks for one will fail. Get one with cutaway "
            "models pull NAME, or start with --allow-fallback.",
            err=True,
        )


def _announcer(
    configuration: Configuration, made: str | None, *, as_json: bool
) -> Callable[[Addresses], None]:
    """What tells a person, or a program, that the service is ready and where."""

    def announce(addresses: Addresses) -> None:
        told = {
            "http": addresses.http,
            "websocket": addresses.websocket,
            "page": addresses.page,
            "port": addresses.port,
            "needs_key": configuration.key is not None,
            **({"key": made} if made else {}),
        }
        text = json.dumps({"event": "ready", **told}) if as_json else _shown(addresses, made)
        click.echo(text)
        sys.stdout.flush()

    return announce


def _shown(addresses: Addresses, made: str | None) -> str:
    rows = {
        "HTTP": addresses.http,
        "WebSocket": addresses.websocket,
        "From elsewhere": addresses.elsewhere,
        "Web page": addresses.page,
        "Key": made and f"{made}  (shown this once)",
    }
    lines = [f"  {name:15}{value}" for name, value in rows.items() if value]
    return "\n".join(["The Runware API from this machine:", *lines, "Ready. Ctrl-C stops it."])


def _key(file: Path | None, made: str | None) -> Credential | None:
    """The key that callers need: the new one, the file's, or the environment's.

    Raises:
        ConfigError: it can't be used, read or saved, or others can read it.
    """
    from cutaway.runware.credential import Credential

    if made is not None:
        if file is not None:
            _save(file, made)
        return Credential(made)
    if file is not None:
        return _credential(_read(file), str(file))
    given = os.environ.get(_KEY_VARIABLE)
    return None if given is None else _credential(given, _KEY_VARIABLE)


def _credential(text: str, place: str) -> Credential:
    from cutaway.runware.credential import Credential

    try:
        return Credential(text)
    except ConfigError as error:
        raise ConfigError(
            f"the key in {place} can't be used",
            "a key is one row of visible ASCII characters",
            "Make one with --generate-key",
        ) from error


def _save(file: Path, key: str) -> None:
    try:
        file.touch(0o600, exist_ok=False)
        file.write_text(f"{key}\n", encoding="ascii")
    except FileExistsError as error:
        raise ConfigError(
            f"the new key is not saved in {file}",
            "the file is there already",
            "Leave --generate-key out to use the key in it, or remove the file",
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the new key can't be saved in {file}", error.strerror or str(error), "Name another"
        ) from error


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            text = stream.read(_LONGEST_KEY)
    except OSError as error:
        raise ConfigError(
            f"the key in {file} can't be read",
            error.strerror or str(error),
            "Check the path, or add --generate-key to make a key there",
        ) from error
    if os.name == "posix" and mode & _OTHERS:
        raise ConfigError(
            f"the key in {file} is not used",
            f"others on this machine can read the file (mode {mode:03o})",
            f"Run: chmod 600 {shlex.quote(str(file))}",
        )
    return text.decode("utf-8", "replace")
