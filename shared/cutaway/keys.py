"""The key of a remote service: where it is found, and where it is kept.

It is an argument's, the environment's or the config file's, in this order, else the system
keyring's (`keyring`), where it is filed under the service `cutaway` and the account's name.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
import tomllib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from cutaway.catalogue.remote import KEY_VARIABLE, KEYS_PAGE
from cutaway.errors import ConfigError
from cutaway.settings import config_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cutaway.settings import Settings

__all__ = [
    "FoundKey",
    "Origin",
    "find_key",
    "forget_key",
    "locate_key",
    "store_key",
]

_SETTING = "runware_api_key"
_SERVICE = "cutaway"
_OTHERS = 0o077


class Origin(StrEnum):
    """Where a key was found."""

    ARGUMENT = "argument"
    ENVIRONMENT = "environment"
    FILE = "config file"
    KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, and where it was found."""

    key: str = field(repr=False)
    origin: Origin


def find_key(settings: Settings, account: str) -> str | None:
    """Give the key to use for `account`, or None; see `locate_key`."""
    found = locate_key(settings, account)
    return found.key if found else None


def locate_key(settings: Settings, account: str) -> FoundKey | None:
    """Find the key to use for `account`: the one that is set, else the keyring's.

    Args:
        settings: What is set; its key serves every account.
        account: `runware`, or the origin of a compatible service, such as `https://example.com`.

    Returns:
        None if there is none, or no keyring on this machine.

    Raises:
        ConfigError: the key can't be one, others can read the config file that holds it, or the
            keyring is locked or broken.
    """
    if settings.runware_api_key is not None:
        key = settings.runware_api_key.get_secret_value()
        origin = _origin(key)
        if origin is Origin.FILE:
            _check_private()
        return FoundKey(_sound(key, origin), origin)
    stored = _stored(account)
    return FoundKey(_sound(stored, Origin.KEYRING), Origin.KEYRING) if stored else None


def store_key(key: str, account: str) -> None:
    """Keep a key in the system keyring, in place of any that is there for `account`.

    Raises:
        ConfigError: it can't be a key, or there is no keyring that keeps it.
    """
    sound = _sound(key, Origin.ARGUMENT)
    import keyring

    with _explained("the key was not stored"):
        keyring.set_password(_SERVICE, account, sound)
        kept = keyring.get_password(_SERVICE, account)
    if kept != sound:  # a keyring that is switched off takes everything and keeps nothing
        raise _no_keyring("the key was not stored", "the system keyring is switched off")


def forget_key(account: str) -> bool:
    """Delete the key of `account` from the system keyring.

    Returns:
        Whether there was one.

    Raises:
        ConfigError: there is no keyring, or it is locked or broken.
    """
    import keyring

    with _explained("the key was not deleted"):
        if keyring.get_password(_SERVICE, account) is None:
            return False
        keyring.delete_password(_SERVICE, account)
    return True


def _stored(account: str) -> str | None:
    import keyring
    from keyring.errors import NoKeyringError

    with _explained("the key could not be looked up"), suppress(NoKeyringError):
        return keyring.get_password(_SERVICE, account)
    return None


@contextmanager
def _explained(what: str) -> Iterator[None]:
    from keyring.errors import KeyringLocked, NoKeyringError

    try:
        yield
    except NoKeyringError as error:
        raise _no_keyring(what, "this machine has no system keyring") from error
    except KeyringLocked as error:
        raise _no_keyring(what, "the system keyring is locked", "Unlock it, set") from error
    except _failures() as error:
        why = f"the system keyring failed ({type(error).__name__}: {error})"
        raise _no_keyring(what, why) from error


def _failures() -> tuple[type[Exception], ...]:
    """What a keyring may raise: its own errors, and those of the system that it lets through."""
    from keyring.errors import KeyringError

    systems = {
        "secretstorage.exceptions": "SecretStorageException",
        "jeepney.wrappers": "DBusErrorResponse",
        "win32ctypes.pywin32.pywintypes": "error",
    }
    loaded = [name for name in systems if name in sys.modules]
    # What the environment names as a keyring may be no module, no class, or none that works here.
    wrong = (ImportError, AttributeError, ValueError, TypeError, RuntimeError, OSError)
    return (KeyringError, *wrong, *(getattr(sys.modules[name], systems[name]) for name in loaded))


def _origin(key: str) -> Origin:
    """Where a key that is set comes from, as `Settings` doesn't tell."""
    if any(name.upper() == KEY_VARIABLE and value == key for name, value in os.environ.items()):
        return Origin.ENVIRONMENT
    with suppress(OSError, ValueError):
        if tomllib.loads(config_path().read_text(encoding="utf-8")).get(_SETTING) == key:
            return Origin.FILE
    return Origin.ARGUMENT


def _check_private() -> None:
    """Refuse the config file's key if others can read the file; Windows has no such modes."""
    path = config_path()
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & _OTHERS:
        raise ConfigError(
            f"the key in {path} is not used",
            f"others on this machine can read the file (mode {mode:03o})",
            f"Run: chmod 600 {shlex.quote(str(path))}",
        )


def _sound(key: str, origin: Origin) -> str:
    """The key without the spaces and line ends that copying leaves around it."""
    bare = key.strip()
    if bare and all("!" <= character <= "~" for character in bare):
        return bare
    place = "" if origin is Origin.ARGUMENT else f" from the {origin}"
    raise ConfigError(
        f"the key{place} can't be used",
        "a key is one row of visible ASCII characters" if bare else "it is empty",
        f"Copy it again from {KEYS_PAGE}",
    )


def _no_keyring(what: str, why: str, first: str = "Set") -> ConfigError:
    advice = f"{KEY_VARIABLE}, or put {_SETTING} into {config_path()} and run chmod 600 on it"
    return ConfigError(what, why, f"{first} {advice}")
