"""Which restricted licences the user has accepted: asked once, written down, asked no more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cutaway.errors import LicenceNotAccepted, OutputError
from cutaway.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.catalogue import Model

__all__ = ["Licences"]


class Licences:
    """The acceptances kept in one JSON file, which people may read.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self, model: Model) -> None:
        """Let a model pass whose licence is free for any use, or accepted.

        Raises:
            LicenceNotAccepted: it is neither.
        """
        if not model.commercial and not self._accepted(model):
            raise LicenceNotAccepted(
                f"the licence of {model.name} must be accepted first",
                "; ".join(filter(None, (model.licence, model.licence_note))),
                f"If you accept it, run: cutaway models pull {model.name} --accept-licence",
            )

    def accept(self, model: Model) -> None:
        """Write down that the user accepts the licence of `model`; once is enough.

        Raises:
            OutputError: it can't be written down.
        """
        if model.commercial or self._accepted(model):
            return
        today = datetime.now(UTC).date().isoformat()
        entry = {"model": model.name, "licence": model.licence, "date": today}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.path} was not written",
                error.strerror or str(error),
                "Set CUTAWAY_MODELS_DIR to a folder that can be written to",
            ) from error
        with write_atomically(self.path, overwrite=True) as file:
            file.write(json.dumps([*self._entries(), entry], indent=2).encode() + b"\n")

    def _accepted(self, model: Model) -> bool:
        return any(
            entry.get("model") == model.name and entry.get("licence") == model.licence
            for entry in self._entries()
        )

    def _entries(self) -> list[dict[str, object]]:
        try:
            entries = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return []
        if not isinstance(entries, list):
            return []
        return [entry for entry in entries if isinstance(entry, dict)]
