"""Whether a model's file is the published one, found out once and remembered."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cutaway.errors import OutputError
from cutaway.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cutaway.catalogue import Model

__all__ = ["Digest", "Integrity", "Verdict"]

_BLOCK = 1 << 20


class Digest:
    """The running sums of a model's file: SHA-256, and MD5 where only that is published."""

    def __init__(self, model: Model) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = None if model.sha256 else hashlib.md5(usedforsecurity=False)

    def update(self, block: bytes | memoryview) -> None:
        """Take in the next bytes of the file."""
        self._sha256.update(block)
        if self._md5:
            self._md5.update(block)

    def read(self, path: Path, between: Callable[[], None] = lambda: None) -> None:
        """Take in a whole file, calling `between` after every block.

        Raises:
            OSError: the file can't be read.
        """
        block = bytearray(_BLOCK)
        view = memoryview(block)
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(block):
                self.update(view[:count])
                between()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, lower-case hex."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str | None:
        """MD5 of the bytes so far, lower-case hex; None where SHA-256 is published."""
        return self._md5.hexdigest() if self._md5 else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a file.

    Attributes:
        sha256: The file's own SHA-256, lower-case hex; empty if its length already told enough.
        fault: Why it is not the published file; empty if it is.
    """

    sha256: str
    fault: str


@dataclass(frozen=True, slots=True)
class _Record:
    """What is remembered about a file: valid while its length and time of change stay.

    `pinned` is the SHA-256 that the file had when its MD5 was first found right: from then on it
    must keep that one, since an MD5 can be forged.
    """

    size: int
    mtime_ns: int
    sha256: str
    md5: str | None
    pinned: str | None


class Integrity:
    """Compares files with what is published.

    Hashing 1 GB takes a second or more, so a file is hashed again only when it has changed.

    Args:
        folder: Where to remember; one small file for each path, so that two processes never undo
            each other's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, _Record] = {}  # for a folder that can't be written to

    def judge(self, model: Model, path: Path, *, afresh: bool = False) -> Verdict:
        """Whether `path` is the file that was published for `model`.

        Args:
            model: Whose file it should be.
            path: The file.
            afresh: Hash it even if nothing seems to have changed.

        Raises:
            OSError: the file can't be read.
        """
        status = path.stat()
        if model.size_exact and status.st_size != model.size and not afresh:
            return Verdict("", f"it has {status.st_size} bytes, not {model.size}")
        record = self._load(path)
        if afresh or record is None or not _describes(record, status):
            digest = Digest(model)
            digest.read(path)
            record = self._note(model, path, status, digest, record)
        return Verdict(record.sha256, _fault(model, record))

    def judge_digest(self, model: Model, digest: Digest) -> Verdict:
        """Whether bytes just fetched, of which `digest` is the sum, are what was published."""
        record = _Record(0, 0, digest.sha256, digest.md5, None)
        return Verdict(digest.sha256, _fault(model, record))

    def remember(self, model: Model, path: Path, digest: Digest) -> None:
        """Remember the sum of a file that was just fetched and found right."""
        self._note(model, path, path.stat(), digest, None)

    def forget(self, path: Path) -> None:
        """Remember nothing more about `path`."""
        self._known.pop(path, None)
        with suppress(OSError):
            self._place(path).unlink()

    def _note(
        self,
        model: Model,
        path: Path,
        status: os.stat_result,
        digest: Digest,
        before: _Record | None,
    ) -> _Record:
        pinned = before.pinned if before else None
        if pinned is None and model.sha256 is None and digest.md5 == model.md5:
            pinned = digest.sha256
        record = _Record(status.st_size, status.st_mtime_ns, digest.sha256, digest.md5, pinned)
        self._known[path] = record
        # In a folder that can't be written to, as in a container, it is forgotten with the process.
        with suppress(OutputError, OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with write_atomically(self._place(path), overwrite=True) as file:
                file.write(json.dumps({"path": str(path), **asdict(record)}).encode())
        return record

    def _load(self, path: Path) -> _Record | None:
        try:
            known = json.loads(self._place(path).read_bytes())
            return _Record(
                size=int(known["size"]),
                mtime_ns=int(known["mtime_ns"]),
                sha256=str(known["sha256"]),
                md5=known["md5"] and str(known["md5"]),
                pinned=known["pinned"] and str(known["pinned"]),
            )
        except (OSError, ValueError, TypeError, KeyError):
            return self._known.get(path)

    def _place(self, path: Path) -> Path:
        key = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:24]
        return self._folder / f"{key}.json"


def _describes(record: _Record, status: os.stat_result) -> bool:
    return (record.size, record.mtime_ns) == (status.st_size, status.st_mtime_ns)


def _fault(model: Model, record: _Record) -> str:
    expected = model.sha256 or record.pinned
    if expected is None and (model.md5 is None or record.md5 != model.md5):
        return f"its MD5 is {record.md5}, not {model.md5}"
    if expected is not None and record.sha256 != expected:
        return f"its SHA-256 is {record.sha256}, not {expected}"
    return ""
