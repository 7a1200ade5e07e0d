"""A key that shows itself to nobody but the wire."""

from __future__ import annotations

import os

from cutaway.catalogue.remote import KEY_VARIABLE
from cutaway.errors import ConfigError

__all__ = ["Credential"]


class Credential:
    """An API key. Neither `repr` nor `str` shows it, and no error message does.

    Args:
        key: Printable ASCII without spaces; white space around it is dropped.

    Raises:
        ConfigError: it is no such text.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key.strip()
        if not (self._key and self._key.isascii() and self._key.isprintable()) or " " in self._key:
            raise ConfigError(
                "the API key can't be used",
                "it is empty, or has characters that no key has",
                "Copy it anew from https://my.runware.ai",
            )

    @classmethod
    def of(cls, key: str | None) -> Credential | None:
        """The key that was given, else the environment's, if there is one."""
        if key is None:
            key = os.environ.get(KEY_VARIABLE) or None
        return None if key is None else cls(key)

    def reveal(self) -> str:
        """The key itself, for the wire."""
        return self._key

    def __repr__(self) -> str:
        return "Credential(...)"
