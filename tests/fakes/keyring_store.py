"""A real keyring that keeps its entries in a file, which a test can lock or break."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

if TYPE_CHECKING:
    from typing import Any

__all__ = ["FileKeyring", "KeyringStore"]

_PLACE = "KEYRING_STORE_FILE"

Fault = Literal["locked", "broken", "off"]
"""It can't be opened; it fails as a system may, with an error of its own; or it keeps nothing."""


class KeyringStore:
    """A test's end of a keyring: what is in it, and how it fails.

    Attributes:
        environment: What makes the processes that see it use this keyring.
        fault: How it fails, None as long as it works.
        entries: Each account's key, by the service and the account.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.environment = {
            "PYTHON_KEYRING_BACKEND": f"{__name__}.{FileKeyring.__name__}",
            _PLACE: str(path),
        }

    def keyring(self) -> FileKeyring:
        """The keyring for this process."""
        return FileKeyring(self._path)

    @property
    def fault(self) -> Fault | None:
        fault: Fault | None = _read(self._path)["fault"]
        return fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        _write(self._path, fault, self.entries)

    @property
    def entries(self) -> dict[tuple[str, str], str]:
        return {(service, account): key for service, account, key in _read(self._path)["entries"]}

    def put(self, account: str, key: str, service: str = "cutaway") -> None:
        """File a key."""
        _write(self._path, self.fault, {**self.entries, (service, account): key})


class FileKeyring(KeyringBackend):
    """A keyring in the file that the environment names, or `path`."""

    priority = 0.1

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._store = KeyringStore(path or Path(os.environ[_PLACE]))
        self._path = path or Path(os.environ[_PLACE])

    def get_password(self, service: str, username: str) -> str | None:
        self._fail()
        return self._store.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._fail()
        if self._store.fault != "off":
            self._store.put(username, password, service)

    def delete_password(self, service: str, username: str) -> None:
        self._fail()
        entries = self._store.entries
        del entries[service, username]
        _write(self._path, self._store.fault, entries)

    def _fail(self) -> None:
        if self._store.fault == "locked":
            raise KeyringLocked("Failed to unlock the collection!")
        if self._store.fault == "broken":
            raise RuntimeError("The name org.freedesktop.secrets was not provided")


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"fault": None, "entries": []}
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def _write(path: Path, fault: Fault | None, entries: dict[tuple[str, str], str]) -> None:
    rows = [[*place, key] for place, key in entries.items()]
    path.write_text(json.dumps({"fault": fault, "entries": rows}), encoding="utf-8")
